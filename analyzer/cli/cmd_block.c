/* valtrace block: what happened to the block at an address. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include "analyzer/cli/cmd.h"
#include "analyzer/cli/options.h"
#include "analyzer/lives/block.h"
#include "analyzer/report/selection.h"

/* What chooses blocks by something else than their address, or ranks them. */
#define OUT_OF_PLACE                                                                               \
  ((VT_CLI_FILTERS & ~VT_CLI_SET(VT_OPT_AT)) | VT_CLI_SET(VT_OPT_BY) |                             \
   VT_CLI_SET(VT_OPT_SUPPRESSIONS))

static void help(void) {
  printf(
      "usage: valtrace block ADDRESS [--at T] [options] TRACE…\n\n"
      "Says what happened to the blocks at an address, or that have it inside: allocated, resized\n"
      "and freed when, by which thread and where. If none has, blocks near it are shown.\n\n"
      "  --at T                 only the last block that began until then\n"
      "  --limit N              at most the last N blocks\n"
      "  --no-inlines           leave inlined functions out\n"
      "  --full-names           names of functions whole, with all template arguments\n"
      "  --show-runtime-frames  do not fold what runs inside run-time libraries\n"
      "  --show-allocator-frames  do not hide malloc, operator new and the like\n"
      "  --hide-allocator-frames  hide them (default)\n"
      "  --json                 machine-readable\n"
      "  -h, --help             this text\n");
}

static int parse_address(char const *text, uint64_t *address) {
  char *end;
  errno = 0;
  *address = strtoull(text, &end, 16);
  return errno || end == text || *end || *text == '-' ? -1 : 0;
}

/* The moment of --at, for which the traces have to be open. */
static int parse_at(vt_cli_options_t *options, char const *at, uint64_t *ns, vt_error_t *error) {
  vt_analysis_t analysis;
  vt_analysis_options_t plain = {0};
  int usage, failed = vt_analysis_open(&analysis, options->operands, (size_t)options->operand_cnt,
                                       &plain, error, &usage);
  int status = failed ? VT_EXIT_INPUT : VT_EXIT_OK;
  if (!failed && vt_selection_moment(&analysis, "--at", at, ns, error)) status = VT_EXIT_USAGE;
  vt_analysis_close(&analysis);
  return status;
}

static int print(vt_cli_options_t *options, vt_block_history_t *history, vt_error_t *error) {
  vt_analysis_t analysis;
  vt_suppressions_t none = {0};
  options->analysis.watch = vt_block_history_watch(history);
  int status = vt_cli_open(options, &analysis, &none, error);
  if (status)
    ;
  else if (!vt_block_history_find(history, &analysis, &options->report)) {
    if (analysis.sampled.period)
      vt_error_set(error, "block", "no recorded block was ever at this address or near it; the trace has only a sample",
                   "`valtrace dump` lists those");
    else
      vt_error_set(error, "block", "no block was ever at this address or near it", "`valtrace dump` lists all");
    status = VT_EXIT_USAGE;
  } else if (options->json)
    vt_block_history_json(history, stdout);
  else {
    vt_term_t term = vt_cli_term(options);
    vt_block_history_text(history, &term);
  }
  vt_analysis_close(&analysis);
  return status;
}

static int show(vt_cli_options_t *options, uint64_t address) {
  vt_error_t error;
  uint64_t at_ns = UINT64_MAX;
  char const *at = options->analysis.filter.at;
  options->analysis.filter.at = NULL;
  int status = at ? parse_at(options, at, &at_ns, &error) : VT_EXIT_OK;
  if (!status) {
    vt_block_history_t *history = vt_block_history_new(address, at_ns);
    status = print(options, history, &error);
    vt_block_history_delete(history);
  }
  if (!status) return vt_cli_finish(stdout, "standard output");
  vt_error_print(&error);
  return status;
}

int vt_cmd_block(int argc, char **argv) {
  vt_cli_options_t options;
  uint64_t address;
  char what[100];
  if (vt_cli_parse(&options, argc, argv, 0)) return VT_EXIT_USAGE;
  if (options.help) {
    help();
    return VT_EXIT_OK;
  }
  if (vt_cli_refuse(&options, OUT_OF_PLACE, "block is about one address", "leave it out"))
    return VT_EXIT_USAGE;
  if (options.operand_cnt < 2) {
    vt_error_say("block", "an address and a trace are wanted", "valtrace block 0x55… TRACE");
    return VT_EXIT_USAGE;
  }
  if (parse_address(options.operands[0], &address)) {
    snprintf(what, sizeof what, "%.80s", options.operands[0]);
    vt_error_say(what, "no address", "give it in hexadecimal");
    return VT_EXIT_USAGE;
  }
  options.operands++;
  options.operand_cnt--;
  return show(&options, address);
}
