/* valtrace ctl: steers the recording of a running process through its collector (collector/control.h). */
#include "analyzer/attach/still.h"
#include "analyzer/cli/cmd.h"
#include "analyzer/cli/options.h"
#include "analyzer/collector/ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char const help[] =
    "usage: valtrace ctl PID start|stop|snapshot|status|mark TEXT\n\n"
    "Steers the recording of process PID, by who records it or root. What is recorded until then can be read\n"
    "from the trace when the command returns.\n\n"
    "  stop         pause: from now on no block of this process and of those recorded with it\n"
    "  start        record again, or for the first time after `run --start-paused`\n"
    "  snapshot     look at its memory now: which blocks are lost. Needs `run --snapshots`, or `attach`, when it\n"
    "               stands still meanwhile; the moment is named by a marker, \"snapshot N\", for `report leaks --at`\n"
    "  status       say where its trace is and how many events it has\n"
    "  mark TEXT    set a marker of that name\n\n"
    "      --help   this text\n\n"
    "Exit status: 0 done, 1 not possible, 2 usage.\n";

static int is_command(char const *word) {
  static char const *const commands[] = {"start", "stop", "mark", "snapshot", "status"};
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
    if (!strcmp(word, commands[i])) return 1;
  return 0;
}

/* snapshot_of_attached: a process that was attached to is made to stand still by who asks. Returns 0, 1: it was not; or
   -1 and *why there is no snapshot. */
static int snapshot_of_attached(char const *pid, vt_answer_t *answer, char const **why) {
  uint64_t pause_ns = 0;
  int result = strlen(pid) > 9 ? 1 : vt_still_snapshot(atoi(pid), answer, &pause_ns, why);
  if (pause_ns) fprintf(stderr, "valtrace: %s stood still for %.1f ms\n", pid, (double)pause_ns / 1e6);
  return result;
}

int vt_cmd_ctl(int argc, char **argv) {
  vt_answer_t answer;
  if (argc > 1 && !strcmp(argv[1], "--help")) return fputs(help, stdout) < 0 ? VT_EXIT_USAGE : VT_EXIT_OK;
  if (argc < 3) return vt_error_usage("ctl", "ctl", "needs a PID and a command");
  char const *pid = argv[1], *command = argv[2];
  if (!*pid || pid[strspn(pid, "0123456789")]) return vt_error_usage("ctl", pid, "not the number of a process");
  int marks = !strcmp(command, "mark");
  if (!is_command(command)) return vt_error_usage("ctl", command, "no such command");
  if (argc != (marks ? 4 : 3)) return vt_error_usage("ctl", command, marks ? "needs a text" : "takes nothing more");
  if (marks && (!*argv[3] || strchr(argv[3], '\n'))) return vt_error_usage("ctl", "mark", "needs a text of one line");
  char const *why;
  int failed = strcmp(command, "snapshot") ? 1 : snapshot_of_attached(pid, &answer, &why);
  if (failed > 0) failed = vt_control_ask(pid, command, marks ? argv[3] : NULL, &answer, &why);
  if (failed) {
    vt_error_say(pid, why, vt_control_advice(failed));
    return 1;
  }
  if (!answer.status) return printf("%s\n", answer.text) < 0 ? VT_EXIT_OUTPUT : VT_EXIT_OK;
  char const *advice = strcmp(command, "status") ? "`valtrace ctl PID status` tells how it is recorded" : "`valtrace ls` shows traces";
  vt_error_say(pid, answer.text, answer.status == 2 ? "see `valtrace ctl --help`" : *answer.advice ? answer.advice : advice);
  return answer.status == 2 ? VT_EXIT_USAGE : 1;
}
