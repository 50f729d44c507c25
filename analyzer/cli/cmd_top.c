/* valtrace top: a live view of a process that is recorded, or of a trace (analyzer/top/). */
#include "analyzer/cli/cmd.h"
#include "analyzer/cli/options.h"
#include "analyzer/top/target.h"
#include "analyzer/top/top.h"

#include <stdio.h>
#include <string.h>

static char const help[] =
    "usage: valtrace top PID|TRACE\n\n"
    "Shows in the terminal what a process allocates, while it is recorded: totals and rates, the curves of\n"
    "live and resident memory, and a table of functions, sites, modules or threads. TRACE may be one that is\n"
    "still written, or a finished one; PID is a process that `valtrace run` records.\n\n"
    "  keys         s sort (live, growth, rate, temporary), b fold (site, function, module, thread),\n"
    "               f filter, p pause, g growth from now, m marker, w write to a file, enter stack,\n"
    "               h help, q quit\n\n"
    "It reads only what is new in the trace, and so seldom (every 1 to 10 seconds) that this takes one\n"
    "percent of a core at most, unless the program allocates too much for that; it shows what it takes.\n"
    "A trace without a collector is read from its start each time, as seldom as that needs.\n\n"
    "      --help   this text\n\n"
    "Exit status: 0 done, 1 the process is not recorded, 2 usage or no terminal, 3 no such trace.\n";

static int usage_error(char const *what, char const *why) {
  vt_error_say(what, why, "see `valtrace top --help`");
  return VT_EXIT_USAGE;
}

static int is_number(char const *text) { return *text && !text[strspn(text, "0123456789")]; }

int vt_cmd_top(int argc, char **argv) {
  char found[VT_TOP_PATH];
  char const *why, *advice;
  vt_error_t error;
  if (argc > 1 && !strcmp(argv[1], "--help")) return fputs(help, stdout) < 0 ? VT_EXIT_OUTPUT : VT_EXIT_OK;
  if (argc > 1 && argv[1][0] == '-') return usage_error(argv[1], "no such option");
  if (argc != 2) return usage_error("top", argc < 2 ? "needs a PID or a trace" : "takes one PID or trace");
  int by_pid = is_number(argv[1]);
  if (by_pid && vt_top_find(argv[1], found, &why, &advice)) {
    vt_error_say(argv[1], why, advice);
    return 1;
  }
  int status = vt_top_run(by_pid ? found : argv[1], by_pid ? argv[1] : NULL, &error);
  if (status) vt_error_print(&error);
  return status;
}
