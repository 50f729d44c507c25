/* valtrace run: starts the collector and the program, passes signals on, returns the program's
   status.

   The collector is a process of its own (analyzer/collector): this one only waits, so that it can
   be stopped and continued with the program without stopping anything that is being recorded. */
#include "analyzer/cli/cmd.h"
#include "analyzer/cli/cmd_report.h"
#include "analyzer/cli/leak_gate.h"
#include "analyzer/cli/options.h"
#include "analyzer/cli/error.h"
#include "analyzer/cli/options.h"
#include "analyzer/cli/recording.h"
#include "analyzer/collector/collector.h"
#include "analyzer/collector/ending.h"
#include "analyzer/collector/program.h"
#include "analyzer/jit/switches.h"
#include "analyzer/patch/service.h"
#include "analyzer/report/suppressions.h"
#include "analyzer/report/term.h"
#include "analyzer/util/progress.h"
#include "analyzer/util/output.h"
#include "core/trace/name.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SNAPSHOT_NS ((uint64_t)10 * 1000 * 1000 * 1000)
#define RETRY_NS    100000000

typedef struct {
  char const *output, *folder;
  char const *max_depth, *suppressions, *format, *children, *min_events;
  char const *timeout;  /* --snapshot-timeout */
  char const *allocator;
  char const *duration;
  vt_recording_bounds_t bounds;
  int start_paused;
  uint64_t duration_ns; /* 0: no limit */
  int snapshots;        /* at any time, and after SIGKILL */
  uint64_t snapshot_ns; /* time limit of a snapshot; 0: none */
  int high_tags, gather;
  int quiet, no_children, no_free_stacks, no_mappings, no_python, no_symbols, report, fail_on_leak, no_known,
      jit_names;
} options_t;

static char const help[] =
    "usage: valtrace run [-o PATTERN | -d DIR] [options] [--] PROGRAM [ARG...]\n\n"
    "Records PROGRAM and every process it forks or executes, one trace for each process image, "
    "and\n"
    "returns PROGRAM's exit status (128 + signal if it was killed). The program's output is "
    "untouched.\n\n"
    "  -o, --output PATTERN  name of the traces: %p pid, %n program, %h host, %% percent sign\n"
    "                        Without %p it names the last image of PROGRAM itself; others get\n"
    "                        .PID.N before the extension. Default: " VT_NAME_DEFAULT
    ", and when\n"
    "                        several processes are recorded the folder valtrace.%n.%p\n"
    "  -d, --directory DIR   all traces in the folder DIR, named %n.%p.vtr\n"
    "  -q, --quiet           no note of what was written\n"
    "      --no-children     record PROGRAM only (exec is followed)\n"
    "      --children GLOB   of other processes, record those whose program matches\n"
    "      --min-events N    no traces of processes with fewer events (PROGRAM keeps its own)\n"
    "      --no-free-stacks  no call stacks on frees: cheaper\n"
    "      --no-mappings     do not record mmap, munmap and the like\n"
    "      --no-python       no Python frames, and no blocks of Python's own allocator\n"
    "      --max-depth N     keep the N outermost frames of each stack (default: all)\n"
    "      --no-snapshot     do not look at the memory of ended processes: leaks are not told from what\n"
    "                        is still in use\n"
    "      --snapshots       look at the memory also when `valtrace ctl` asks, of processes that are killed (a\n"
    "                        sleeping process beside each holds it), and when most is resident (--at peak)\n"
    "      --snapshot-timeout T   give such a look up after this time (default: 10 s)\n"
    "      --start-paused    record nothing until `valtrace ctl PID start`\n"
    "      --duration T      pause after this time (10, 500ms); the program goes on\n"
    "      --max-size BYTES  keep each trace below this size (suffix k, M, G; at least 1M): its process is paused\n"
    "                        for good before; the program goes on\n"
    "      --keep BYTES      of each trace keep the last so many bytes of events (suffix k, M, G; at least 1M); older\n"
    "                        ones become a summary, from which totals, sites and live blocks are as ever\n"
    "      --jit-names       switch on the maps of run-times that make code (node, java, mono, python, .NET),\n"
    "                        so that it has names: the program sees it in its environment\n"
    "      --high-tags       the program's pointers carry tags in their top 16 bits\n"
    "      --sample BYTES    record only a sample of the blocks, one in so many bytes (512K, 1M) on average:\n"
    "                        costs next to nothing; sums are estimates, shown with their standard error\n"
    "      --allocator NAME[@ADDRESS],...  functions of the program that allocate, besides those that\n"
    "                        have the usual names: NAME ends as the one it works like (pool_malloc),\n"
    "                        ADDRESS is in PROGRAM's file\n"
    "      --no-symbols      do not embed symbols: they are looked up when a report is made\n"
    "      --report          print the text report of PROGRAM at the end\n"
    "      --fail-on-leak    return 1 when a process of the run lost blocks, or that is not "
    "known\n"
    "      --suppressions FILE  known leaks, in LeakSanitizer's syntax\n"
    "      --no-default-suppressions  count what run-time libraries keep by design, too\n"
    "      --format F        --fail-on-leak tells as text or github on standard error, as junit or "
    "sarif\n"
    "                        in a file beside the trace: NAME.junit.xml, NAME.sarif\n"
    "      --help            this text\n\n"
    "Exit status: PROGRAM's; after its 0: 1 when --fail-on-leak found something, 4 when that could "
    "not be\n"
    "written; 2 usage; 125 valtrace failed; 126 PROGRAM cannot be executed; 127 not found.\n";

enum {
  OPT_NO_CHILDREN = 256,
  OPT_CHILDREN,
  OPT_MIN_EVENTS,
  OPT_NO_FREE_STACKS,
  OPT_NO_MAPPINGS,
  OPT_NO_PYTHON,
  OPT_NO_SNAPSHOT,
  OPT_SNAPSHOTS,
  OPT_SNAPSHOT_TIMEOUT,
  OPT_START_PAUSED,
  OPT_DURATION,
  OPT_MAX_SIZE,
  OPT_KEEP,
  OPT_JIT_NAMES,
  OPT_HIGH_TAGS,
  OPT_MAX_DEPTH,
  OPT_ALLOCATOR,
  OPT_SAMPLE,
  OPT_NO_SYMBOLS,
  OPT_REPORT,
  OPT_FAIL_ON_LEAK,
  OPT_SUPPRESSIONS,
  OPT_NO_DEFAULT_SUPPRESSIONS,
  OPT_FORMAT,
  OPT_HELP
};

static struct option const long_options[] = {
    {"output", required_argument, NULL, 'o'},
    {"directory", required_argument, NULL, 'd'},
    {"quiet", no_argument, NULL, 'q'},
    {"no-children", no_argument, NULL, OPT_NO_CHILDREN},
    {"children", required_argument, NULL, OPT_CHILDREN},
    {"min-events", required_argument, NULL, OPT_MIN_EVENTS},
    {"no-free-stacks", no_argument, NULL, OPT_NO_FREE_STACKS},
    {"no-mappings", no_argument, NULL, OPT_NO_MAPPINGS},
    {"no-python", no_argument, NULL, OPT_NO_PYTHON},
    {"no-snapshot", no_argument, NULL, OPT_NO_SNAPSHOT},
    {"snapshots", no_argument, NULL, OPT_SNAPSHOTS},
    {"snapshot-timeout", required_argument, NULL, OPT_SNAPSHOT_TIMEOUT},
    {"start-paused", no_argument, NULL, OPT_START_PAUSED},
    {"duration", required_argument, NULL, OPT_DURATION},
    {"max-size", required_argument, NULL, OPT_MAX_SIZE},
    {"keep", required_argument, NULL, OPT_KEEP},
    {"jit-names", no_argument, NULL, OPT_JIT_NAMES},
    {"high-tags", no_argument, NULL, OPT_HIGH_TAGS},
    {"max-depth", required_argument, NULL, OPT_MAX_DEPTH},
    {"allocator", required_argument, NULL, OPT_ALLOCATOR},
    {"sample", required_argument, NULL, OPT_SAMPLE},
    {"no-symbols", no_argument, NULL, OPT_NO_SYMBOLS},
    {"report", no_argument, NULL, OPT_REPORT},
    {"fail-on-leak", no_argument, NULL, OPT_FAIL_ON_LEAK},
    {"suppressions", required_argument, NULL, OPT_SUPPRESSIONS},
    {"no-default-suppressions", no_argument, NULL, OPT_NO_DEFAULT_SUPPRESSIONS},
    {"format", required_argument, NULL, OPT_FORMAT},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static int valid_depth(char const *text) {
  char *end;
  long n = strtol(text, &end, 10);
  return *text && !*end && n >= 1 && n < 4000000000;
}

static int valid_count(char const *text) {
  return *text && !text[strspn(text, "0123456789")] && strlen(text) < 19;
}

/* parse fills o; returns -1 to go on, else the exit status. optind is then PROGRAM's index. */
static int parse(options_t *o, int argc, char **argv) {
  opterr = 0;
  for (int c; (c = getopt_long(argc, argv, "+:o:d:q", long_options, NULL)) != -1;) {
    switch (c) {
    case 'o': o->output = optarg; break;
    case 'd': o->folder = optarg; break;
    case 'q': o->quiet = 1; break;
    case OPT_NO_CHILDREN: o->no_children = 1; break;
    case OPT_CHILDREN: o->children = optarg; break;
    case OPT_MIN_EVENTS: o->min_events = optarg; break;
    case OPT_NO_FREE_STACKS: o->no_free_stacks = 1; break;
    case OPT_NO_MAPPINGS: o->no_mappings = 1; break;
    case OPT_NO_PYTHON: o->no_python = 1; break;
    case OPT_NO_SNAPSHOT: o->snapshot_ns = 0; break;
    case OPT_SNAPSHOTS: o->snapshots = 1; break;
    case OPT_SNAPSHOT_TIMEOUT: o->timeout = optarg; break;
    case OPT_START_PAUSED: o->start_paused = 1; break;
    case OPT_DURATION: o->duration = optarg; break;
    case OPT_MAX_SIZE: o->bounds.max_size = optarg; break;
    case OPT_KEEP: o->bounds.keep = optarg; break;
    case OPT_JIT_NAMES: o->jit_names = 1; break;
    case OPT_HIGH_TAGS: o->high_tags = 1; break;
    case OPT_MAX_DEPTH: o->max_depth = optarg; break;
    case OPT_SAMPLE: o->bounds.sample = optarg; break;
    case OPT_ALLOCATOR: o->allocator = optarg; break;
    case OPT_NO_SYMBOLS: o->no_symbols = 1; break;
    case OPT_REPORT: o->report = 1; break;
    case OPT_FAIL_ON_LEAK: o->fail_on_leak = 1; break;
    case OPT_SUPPRESSIONS: o->suppressions = optarg; break;
    case OPT_NO_DEFAULT_SUPPRESSIONS: o->no_known = 1; break;
    case OPT_FORMAT: o->format = optarg; break;
    case OPT_HELP: fputs(help, stdout); return VT_EXIT_OK;
    case ':': return vt_error_usage("run", argv[optind - 1], "needs a value");
    default: return vt_error_usage("run", argv[optind - 1], "no such option");
    }
  }
  if (o->max_depth && !valid_depth(o->max_depth))
    return vt_error_usage("run", "--max-depth", "not a number of frames from 1 up");
  if (o->min_events && !valid_count(o->min_events))
    return vt_error_usage("run", "--min-events", "not a number of events");
  if (o->children && o->no_children) return vt_error_usage("run", "--children", "--no-children says none");
  if (o->output && o->folder) return vt_error_usage("run", "-d", "-o says where already");
  if (o->duration && (vt_filter_duration(o->duration, &o->duration_ns) || !o->duration_ns))
    return vt_error_usage("run", "--duration", "not a time such as 10 or 500ms");
  char const *what, *why = vt_recording_bounds(&o->bounds, &what);
  if (why) return vt_error_usage("run", what, why);
  uint64_t limit = o->snapshot_ns;
  if (o->timeout && (vt_filter_duration(o->timeout, &limit) || !limit))
    return vt_error_usage("run", "--snapshot-timeout", "not a time such as 10 or 500ms");
  if (o->snapshots && !o->snapshot_ns) return vt_error_usage("run", "--snapshots", "--no-snapshot says none");
  if (o->snapshot_ns) o->snapshot_ns = limit;
  if (o->bounds.sample && (o->snapshots || o->fail_on_leak))
    return vt_error_usage("run", "--sample", "what is lost cannot be told from a sample of the blocks");
  if (o->format && !o->fail_on_leak) return vt_error_usage("run", "--format", "is for --fail-on-leak");
  if (o->format && vt_gate_format(o->format) < 0)
    return vt_error_usage("run", "--format", "not one of " VT_GATE_FORMATS);
  o->gather = !o->folder && (!o->output || !*o->output);
  if (o->gather) o->output = VT_NAME_DEFAULT;
  return optind < argc ? -1 : vt_error_usage("run", "run", "no program given");
}

/* take_allocators reads --allocator. */
static int take_allocators(options_t const *o, vt_collector_options_t *options, char const *program) {
  char path[PATH_MAX];
  if (!o->allocator) return 0;
  int found = !vt_program_find(path, sizeof path, program);
  char *bad = vt_patch_givens_parse(&options->allocators, o->allocator, found ? path : NULL);
  if (!bad) return 0;
  vt_error_say(bad, "not NAME or NAME@ADDRESS with a NAME that ends as a function of malloc's family",
               "--allocator pool_malloc,pool_free or malloc@0x1234,free@0x1250");
  free(bad);
  return -1;
}

/* set_environment tells the shim what to do. */
static void set_environment(options_t const *o, char const *shim, char const *pattern,
                            vt_ring_end_t *ring) {
  char const *more[20] = {VT_RING_ENV, ring->spec, "VALTRACE_OUTPUT", pattern};
  size_t n = 4;
  if (o->no_free_stacks) more[n++] = "VALTRACE_NO_FREE_STACKS", more[n++] = "1";
  if (o->no_mappings) more[n++] = "VALTRACE_NO_MAPPINGS", more[n++] = "1";
  if (o->no_python) more[n++] = "VALTRACE_NO_PYTHON", more[n++] = "1";
  if (o->no_children) more[n++] = "VALTRACE_NO_CHILDREN", more[n++] = "1";
  if (o->allocator) more[n++] = "VALTRACE_ALLOCATOR", more[n++] = "1";
  if (o->bounds.sample) more[n++] = "VALTRACE_SAMPLE", more[n++] = o->bounds.period;
  if (o->max_depth) more[n++] = "VALTRACE_MAX_DEPTH", more[n++] = o->max_depth;
  if (o->jit_names) vt_jit_switches_set();
  vt_program_environment(shim, more);
}

static int const passed_on[] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT, SIGUSR1,
                                SIGUSR2, SIGTSTP, SIGCONT, SIGWINCH};

static void block_signals(sigset_t *before) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  for (size_t i = 0; i < sizeof passed_on / sizeof passed_on[0]; i++) sigaddset(&set, passed_on[i]);
  sigprocmask(SIG_BLOCK, &set, before);
}

/* follow waits for the program, passing signals on; returns waitpid's status. */
static int follow(pid_t pid, uint64_t *peak_resident) {
  sigset_t set;
  sigfillset(&set);
  for (int status;;) {
    pid_t got = vt_ending_reap(pid, WNOHANG | WUNTRACED, &status, peak_resident);
    if (got == pid && WIFSTOPPED(status)) {
      raise(SIGSTOP); /* the shell must see its job stopped; SIGCONT then wakes both */
      kill(pid, SIGCONT);
      continue;
    }
    if (got == pid) return status;
    if (got < 0 && errno == EINTR) continue;
    /* After a failure its SIGCHLD may have been taken already: look again in a while. */
    siginfo_t info;
    int signal =
        sigtimedwait(&set, &info, got < 0 ? &(struct timespec){.tv_nsec = RETRY_NS} : NULL);
    /* What the terminal sends (SI_KERNEL) the program has got already: it is in our group. */
    if (signal > 0 && signal != SIGCHLD && info.si_code != SI_KERNEL) kill(pid, signal);
  }
}

static int exit_status(int wait_status) {
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

/* unblock_signals lets a Ctrl-C end the wait for symbols, but not one that the program had. */
static void unblock_signals(sigset_t const *before) {
  sigset_t set;
  sigfillset(&set);
  while (sigtimedwait(&set, NULL, &(struct timespec){0}) > 0) continue;
  sigprocmask(SIG_SETMASK, before, NULL);
}

static int failed(char const *what, int error) {
  vt_error_say(what, strerror(error), "nothing was started");
  return VT_EXIT_RUN_FAILED;
}

/* LD_PRELOAD is a list; its separators cannot be escaped. */
static int cannot_preload(char const *shim) {
  vt_error_say(shim, "the loader cannot preload a path with a space or colon", "move it elsewhere");
  return VT_EXIT_RUN_FAILED;
}

static int cannot_start(char const *program, int error) {
  vt_error_say(program, strerror(error), error == ENOENT ? "is it in PATH?" : "is it executable?");
  return error == ENOENT ? VT_EXIT_NOT_FOUND : VT_EXIT_CANNOT_EXECUTE;
}

/* leaks_of judges each trace of the run, PROGRAM's own first. */
static int leaks_of(int control, options_t const *o, vt_collector_summary_t const *summary) {
  char path[PATH_MAX];
  int format = o->format ? vt_gate_format(o->format) : VT_GATE_TEXT;
  vt_leak_gate_t *gate = vt_leak_gate_begin(o->suppressions, o->no_known, (vt_gate_format_t)format);
  vt_leak_gate_judge(gate, summary->first);
  while (!vt_recording_trace(control, path))
    if (strcmp(path, summary->first)) vt_leak_gate_judge(gate, path);
  if (summary->living)
    vt_error_say("--fail-on-leak", "processes that live on are not judged", "`valtrace check-budget` judges their traces later");
  return vt_leak_gate_end(gate);
}

/* For --fail-on-leak: 1 and a line for each process that lost blocks, or when that is not known; 4 when it could not be
   written. */
static int leak_status(int control, options_t const *o, vt_collector_summary_t const *summary) {
  if (!summary->first[0]) return VT_EXIT_BUDGET; /* why has been said */
  int status = leaks_of(control, o, summary);
  return status == VT_EXIT_INPUT ? VT_EXIT_BUDGET : status;
}

/* A file of suppressions that cannot be read is told before the program has run for nothing. */
static int suppressions_good(char const *path) {
  vt_suppressions_t suppressions = {0};
  vt_error_t error;
  int bad = path && vt_suppressions_load(&suppressions, path, 0, &error);
  if (bad) vt_error_print(&error);
  vt_suppressions_free(&suppressions);
  return !bad;
}

static int too_small_files(void) {
  vt_error_say("shared memory for the recording",
               "the limit on the size of files is too low for it",
               "ulimit -f 3072 is enough; nothing was started");
  return VT_EXIT_RUN_FAILED;
}

static vt_outputs_t outputs_of(options_t const *o, char const pattern[PATH_MAX]) {
  vt_outputs_t outputs = {.gather = o->gather,
                          .children = o->children,
                          .max_size = o->bounds.max_size_bytes,
                          .keep = o->bounds.keep_bytes,
                          .min_events = o->min_events ? strtoull(o->min_events, NULL, 10) : 0};
  strcpy(outputs.pattern, pattern);
  return outputs;
}

int vt_cmd_run(int argc, char **argv) {
  options_t o = {.snapshot_ns = SNAPSHOT_NS};
  char shim[PATH_MAX], pattern[PATH_MAX];
  vt_ring_end_t ring = {.fd = -1, .socket = -1, .patches = -1};
  sigset_t before;
  int status = parse(&o, argc, argv);
  if (status >= 0) return status;
  argv += optind;
  vt_collector_options_t options = {
      .high_tags = o.high_tags, .symbols = !o.no_symbols, .children = !o.no_children};
  if (take_allocators(&o, &options, argv[0])) return VT_EXIT_USAGE;
  if (vt_recording_shim(shim, sizeof shim)) return failed("libvaltrace.so", ENOENT);
  if (strpbrk(shim, " :")) return cannot_preload(shim);
  char const *what;
  int error = vt_recording_pattern(pattern, o.output, o.folder, &what);
  if (error) return failed(what, error);
  if (!vt_recording_possible(pattern, o.output) || !suppressions_good(o.suppressions))
    return VT_EXIT_RUN_FAILED;
  error = vt_ring_make(&ring);
  if (error == -EFBIG) return too_small_files();
  if (error) return failed("shared memory for the recording", -error);
  ring.ring->heir_limit_ns = o.snapshot_ns;
  ring.ring->sentinels = (uint32_t)o.snapshots;
  vt_outputs_t outputs = outputs_of(&o, pattern);
  options.outputs = &outputs;
  options.duration_ns = o.duration_ns;
  options.pauses.ring = ring.ring;
  if (o.start_paused) vt_pauses_begin(&options.pauses, VT_PAUSE_ASKED, 0);
  block_signals(&before);
  int control = vt_recording_collector(&ring, &options);
  if (control < 0) return failed("the collector", errno);
  char const *obstacle = vt_program_obstacle(argv[0]);
  int foreign = vt_program_is_foreign(argv[0]);
  set_environment(&o, foreign ? NULL : shim, pattern, &ring);
  pid_t pid = vt_program_start(argv, &before, &error);
  if (pid < 0) return failed("fork", errno);
  if (pid == 0) return cannot_start(argv[0], error);
  if (obstacle)
    vt_error_say(argv[0], obstacle, foreign ? "nor are its children" : "its children may be");
  vt_ring_leave(&ring); /* whoever holds it is served: see vt_owner_holders */
  vt_collector_order_t order = {.first_pid = pid};
  (void)!vt_recording_tell(control, &order);
  order.wait_status = status = follow(pid, &order.peak_resident);
  order.ended = 1;
  vt_collector_summary_t summary;
  unblock_signals(&before);
  vt_recording_words_t words = {.program = argv[0], .quiet = o.quiet, .explained = obstacle != NULL};
  vt_recording_finish(control, &order, &words, &summary);
  unsetenv("LD_PRELOAD");
  if (o.report && summary.first[0]) vt_report_print(summary.first);
  if (!o.fail_on_leak || (exit_status(status) && !o.format)) return exit_status(status);
  int verdict = leak_status(control, &o, &summary); /* a machine gets one in any case */
  return exit_status(status) ? exit_status(status) : verdict;
}
