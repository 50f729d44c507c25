/* valtrace diff: what grew and shrank between two traces, or two moments of one. */
#include "analyzer/cli/cmd.h"
#include "analyzer/cli/options.h"
#include "analyzer/report/diff.h"

static void help(void) {
  printf("usage: valtrace diff [--metric M] [options] BEFORE AFTER\n"
         "       valtrace diff [--metric M] [options] TRACE --at T1 T2\n\n"
         "Compares two traces site by site, or the live sets of one trace at two moments; the\n"
         "largest change first.\n\n"
         "  --metric M   leaked (default), peak, allocated, count, temporary\n\n");
  vt_cli_help_shared(0);
}

static int open_side(vt_analysis_t *analysis, vt_cli_options_t const *options, char *path,
                     char const *at, vt_error_t *error) {
  vt_cli_options_t chosen = *options;
  vt_suppressions_t suppressions = {0};
  chosen.analysis.filter.at = at;
  chosen.operands = &path;
  chosen.operand_cnt = 1;
  int status = vt_cli_open_side(&chosen, analysis, &suppressions, error);
  vt_suppressions_free(&suppressions);
  return status;
}

static int print(vt_cli_options_t const *options, vt_diff_t const *diff) {
  if (options->json)
    vt_diff_json(diff, stdout);
  else {
    vt_term_t term = vt_term_start(stdout);
    vt_diff_text(diff, &term);
  }
  return vt_cli_finish(stdout, "standard output");
}

/* Opens the second side and prints what is different there. */
static int compare(vt_cli_options_t const *options, vt_analysis_t const *before, char const *at) {
  vt_analysis_t after;
  vt_error_t error;
  char *path = options->operands[at ? 0 : 1];
  int status = open_side(&after, options, path, at ? options->operands[1] : NULL, &error);
  if (!status && before->nowhere && after.nowhere) status = VT_EXIT_USAGE;
  if (status)
    vt_error_print(&error);
  else {
    int metric = options->metric ? vt_metric_by_name(options->metric) : VT_METRIC_LEAKED;
    vt_diff_t diff = {before, &after, (vt_metric_t)metric, &options->report};
    status = print(options, &diff);
  }
  vt_analysis_close(&after);
  return status;
}

int vt_cmd_diff(int argc, char **argv) {
  vt_cli_options_t options;
  if (vt_cli_parse(&options, argc, argv, VT_CLI_METRIC)) return VT_EXIT_USAGE;
  if (options.help) {
    help();
    return VT_EXIT_OK;
  }
  int metric = options.metric ? vt_metric_by_name(options.metric) : VT_METRIC_LEAKED;
  if (metric < 0 || options.operand_cnt != 2) {
    vt_error_say("diff", metric < 0 ? "no such metric" : "needs two traces, or one and --at T1 T2",
                 "`valtrace diff --help`");
    return VT_EXIT_USAGE;
  }
  char const *at = options.analysis.filter.at;
  vt_analysis_t before;
  vt_error_t error;
  int status = open_side(&before, &options, options.operands[0], at, &error);
  if (status)
    vt_error_print(&error);
  else
    status = compare(&options, &before, at);
  vt_analysis_close(&before);
  return status;
}
