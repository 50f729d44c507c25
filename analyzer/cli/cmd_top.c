/* valtrace top: a live view of a process that is recorded, or of a trace (analyzer/top/). */
#include "analyzer/cli/cmd.h"
#include "analyzer/cli/options.h"
#include "analyzer/collector/ask.h"
#include "analyzer/top/target.h"
#include "analyzer/top/top.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS 50000000 /* between two looks whether the process is recorded by now */

static char const help[] =
    "usage: valtrace top PID|TRACE\n\n"
    "Shows in the terminal what a process allocates, while it is recorded: totals and rates, the curves of\n"
    "live and resident memory, and a table of functions, sites, modules or threads. TRACE may be one that is\n"
    "still written, or a finished one. A process that is not recorded is, as `valtrace attach PID` does, until\n"
    "you quit; where its trace is, is said then.\n\n"
    "  keys         s sort (live, growth, rate, temporary), b fold (site, function, module, thread),\n"
    "               f filter, p pause, g growth from now, m marker, w write to a file, enter stack,\n"
    "               h help, q quit\n\n"
    "It reads only what is new in the trace, and so seldom (every 1 to 10 seconds) that this takes one\n"
    "percent of a core at most, unless the program allocates too much for that; it shows what it takes.\n"
    "A trace without a collector is read from its start each time, as seldom as that needs.\n\n"
    "      --help   this text\n\n"
    "Exit status: 0 done, 1 the process is not there, or recorded by somebody else; 2 usage or no terminal; 3 no such\n"
    "trace; 125 the process cannot be recorded.\n";

static int is_number(char const *text) { return *text && !text[strspn(text, "0123456789")]; }

/* What records the process while it is watched, if nobody did. */
typedef struct {
  pid_t pid; /* 0: there is none */
  int said;  /* what it writes to its standard error */
} recorder_t;

/* become_recorder does not return. It ends when the view does, and leaves the process as it was. */
static void become_recorder(char *process, int said) {
  char name[] = "attach", *argv[] = {name, process, NULL};
  int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  prctl(PR_SET_PDEATHSIG, SIGINT);
  setpgid(0, 0); /* Ctrl-C is the view's */
  if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(nothing, STDOUT_FILENO) < 0 || dup2(said, STDERR_FILENO) < 0)
    _exit(VT_EXIT_RUN_FAILED);
  _exit(vt_cmd_attach(2, argv));
}

static int start_recorder(recorder_t *r, char *process) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC)) return -1;
  r->pid = fork();
  if (!r->pid) become_recorder(process, ends[1]);
  close(ends[1]);
  r->said = ends[0];
  return r->pid < 0 ? -1 : 0;
}

/* pass_on shows what the recorder has said, or all it says until its end. */
static void pass_on(recorder_t const *r, int to_end) {
  char text[4096];
  struct pollfd said = {.fd = r->said, .events = POLLIN};
  while (poll(&said, 1, to_end ? -1 : 0) > 0) {
    ssize_t n = read(r->said, text, sizeof text);
    if (n <= 0) return;
    (void)!write(STDERR_FILENO, text, (size_t)n);
  }
}

/* end_recorder has the recorder finish, which says where the trace is. Returns its exit status. */
static int end_recorder(recorder_t *r) {
  int status = 0;
  if (!r->pid) return VT_EXIT_OK;
  kill(r->pid, SIGINT);
  pass_on(r, 1);
  close(r->said);
  waitpid(r->pid, &status, 0);
  r->pid = 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : VT_EXIT_RUN_FAILED;
}

/* has_ended: a recorder that cannot record says why and ends. */
static int has_ended(recorder_t const *r) {
  siginfo_t info = {0};
  return waitid(P_PID, (id_t)r->pid, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid;
}

/* find finds the trace of a process, or has it recorded first: its next allocation begins that. Returns an exit status. */
static int find(recorder_t *r, char *process, char found[VT_TOP_PATH]) {
  char const *why, *advice;
  vt_error_t error;
  int missing = vt_top_find(process, found, &why, &advice);
  if (missing == VT_ASK_NOT_RECORDED) {
    if (vt_top_possible(&error)) {
      vt_error_print(&error);
      return VT_EXIT_USAGE;
    }
    fprintf(stderr, "valtrace: %s is not recorded: attaching; its next allocation begins the recording\n", process);
    if (start_recorder(r, process)) return VT_EXIT_RUN_FAILED;
    while ((missing = vt_top_find(process, found, &why, &advice)) && !has_ended(r))
      nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
    if (missing) return end_recorder(r);
    pass_on(r, 0);
  }
  if (missing) vt_error_say(process, why, advice);
  return missing ? 1 : VT_EXIT_OK;
}

int vt_cmd_top(int argc, char **argv) {
  char found[VT_TOP_PATH];
  recorder_t recorder = {0};
  vt_error_t error;
  if (argc > 1 && !strcmp(argv[1], "--help")) return fputs(help, stdout) < 0 ? VT_EXIT_OUTPUT : VT_EXIT_OK;
  if (argc > 1 && argv[1][0] == '-') return vt_error_usage("top", argv[1], "no such option");
  if (argc != 2) return vt_error_usage("top", "top", argc < 2 ? "needs a PID or a trace" : "takes one PID or trace");
  int by_pid = is_number(argv[1]);
  int status = by_pid ? find(&recorder, argv[1], found) : VT_EXIT_OK;
  if (status) return status;
  status = vt_top_run(by_pid ? found : argv[1], by_pid ? argv[1] : NULL, &error);
  if (status) vt_error_print(&error);
  end_recorder(&recorder);
  return status;
}
