/* `valtrace pack`: compresses a trace that was recorded without a collector and embeds its symbols.
 */
#include "analyzer/cli/cmd.h"
#include "analyzer/cli/error.h"
#include "analyzer/cli/options.h"
#include "analyzer/trace/pack.h"

#include <getopt.h>
#include <stdio.h>

static char const usage[] = "usage: valtrace pack [-o OUT] [options] TRACE\n\n"
                            "Compresses TRACE, recorded with LD_PRELOAD, and embeds the symbols of "
                            "its stacks, so that it can\n"
                            "be read on another machine. Without -o TRACE is replaced.\n\n"
                            "  -o OUT         write OUT and leave TRACE as it is\n"
                            "  --no-symbols   do not look up symbols\n"
                            "  --debug-dir DIR  debug files are here, too, laid out as in "
                            "/usr/lib/debug\n"
                            "  --no-debuginfod  do not ask the servers in DEBUGINFOD_URLS\n"
                            "  --help         this text\n";

int vt_cmd_pack(int argc, char **argv) {
  static struct option const options[] = {{"no-symbols", no_argument, NULL, 's'},
                                          {"debug-dir", required_argument, NULL, 'd'},
                                          {"no-debuginfod", no_argument, NULL, 'n'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
  char const *out = NULL;
  vt_symbols_search_t search = {.debuginfod = 1};
  int symbols = 1;
  opterr = 0;
  for (int o; (o = getopt_long(argc, argv, "o:", options, NULL)) != -1;) {
    if (o == 'h') {
      fputs(usage, stdout);
      return VT_EXIT_OK;
    }
    if (o == 'o')
      out = optarg;
    else if (o == 's')
      symbols = 0;
    else if (o == 'n')
      search.debuginfod = 0;
    else if (o == 'd' && !vt_cli_folder(optarg))
      search.folder = optarg;
    else
      return vt_cli_bad_option(argv, options);
  }
  if (optind + 1 != argc) {
    vt_error_say("pack", "exactly one trace is wanted", "valtrace pack TRACE [-o OUT]");
    return VT_EXIT_USAGE;
  }
  vt_error_t error;
  int status = vt_pack(argv[optind], out ? out : argv[optind], symbols ? &search : NULL, &error);
  if (status != VT_EXIT_OK) vt_error_print(&error);
  return status;
}
