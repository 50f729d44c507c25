/* `valtrace import`: a backtracing-valloc text log becomes a trace. */
#include "analyzer/cli/cmd.h"
#include "analyzer/cli/error.h"
#include "analyzer/cli/options.h"
#include "analyzer/trace/import.h"

#include <getopt.h>
#include <stdio.h>

static char const usage[] =
    "usage: valtrace import LOG -o TRACE\n\n"
    "Makes TRACE from LOG (- for standard input), a text log of a backtracing valloc or of\n"
    "VALTRACE_SINK=text:FD. The log has no times: event n is shown at n microseconds.\n\n"
    "  -o TRACE   the trace to write\n"
    "  --help     this text\n";

int vt_cmd_import(int argc, char **argv) {
  static struct option const options[] = {{"help", no_argument, NULL, 'h'}, {0}};
  char const *out = NULL;
  opterr = 0;
  for (int o; (o = getopt_long(argc, argv, "o:", options, NULL)) != -1;) {
    if (o == 'h') {
      fputs(usage, stdout);
      return VT_EXIT_OK;
    }
    if (o != 'o') return vt_cli_bad_option(argv, options);
    out = optarg;
  }
  if (optind + 1 != argc || !out) {
    vt_error_say("import", "a log and an output are wanted", "valtrace import LOG -o TRACE");
    return VT_EXIT_USAGE;
  }
  vt_import_counts_t counts;
  vt_error_t error;
  int status = vt_import(argv[optind], out, &counts, &error);
  if (status != VT_EXIT_OK) {
    vt_error_print(&error);
  } else if (counts.incomplete) {
    vt_error_setf(&error, argv[optind], "the others are in the trace",
                  counts.incomplete == 1 ? "%llu record is cut or malformed and was left out"
                                         : "%llu records are cut or malformed and were left out",
                  (unsigned long long)counts.incomplete);
    vt_error_print(&error);
  }
  return status;
}
