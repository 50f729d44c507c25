/* `valtrace pack`: compresses a trace that was recorded without a collector and embeds its symbols.
 */
#include "analyzer/cli/cmd.h"
#include "analyzer/cli/error.h"
#include "analyzer/cli/options.h"
#include "analyzer/trace/pack.h"
#include "analyzer/util/mem.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char const usage[] = "usage: valtrace pack [-o OUT] [--no-symbols] TRACE\n\n"
                            "Compresses TRACE, recorded with LD_PRELOAD, and embeds the symbols of "
                            "its stacks, so that it can\n"
                            "be read on another machine. Without -o TRACE is replaced.\n\n"
                            "  -o OUT         write OUT and leave TRACE as it is\n"
                            "  --no-symbols   do not look up symbols\n"
                            "  --help         this text\n";

/* replace packs into a file beside `path` and renames it over it. */
static int replace(char const *path, int symbols) {
  vt_error_t error;
  size_t cap = strlen(path) + 16;
  char *temporary = vt_mem_new(cap, 1);
  snprintf(temporary, cap, "%s.packing", path);
  int status = vt_pack(path, temporary, symbols, &error);
  if (status == VT_EXIT_OK && rename(temporary, path)) {
    vt_error_set(&error, path, "cannot be replaced", "name another file with -o");
    status = VT_EXIT_OUTPUT;
  }
  if (status != VT_EXIT_OK) {
    vt_error_print(&error);
    if (status == VT_EXIT_OUTPUT) remove(temporary);
  }
  free(temporary);
  return status;
}

int vt_cmd_pack(int argc, char **argv) {
  static struct option const options[] = {
      {"no-symbols", no_argument, NULL, 's'}, {"help", no_argument, NULL, 'h'}, {0}};
  char const *out = NULL;
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
    else
      return vt_cli_bad_option(argv);
  }
  if (optind + 1 != argc) {
    vt_error_say("pack", "exactly one trace is wanted", "valtrace pack TRACE [-o OUT]");
    return VT_EXIT_USAGE;
  }
  if (!out) return replace(argv[optind], symbols);
  vt_error_t error;
  int status = vt_pack(argv[optind], out, symbols, &error);
  if (status != VT_EXIT_OK) vt_error_print(&error);
  return status;
}
