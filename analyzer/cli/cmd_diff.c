/* valtrace diff: what grew and shrank between two traces, or two moments of one. */
#include "analyzer/cli/cmd.h"
#include "analyzer/cli/gate.h"
#include "analyzer/cli/options.h"
#include "analyzer/report/diff.h"
#include "analyzer/report/selection.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void help(void) {
  printf(
      "usage: valtrace diff [--metric M] [options] BEFORE AFTER\n"
      "       valtrace diff [--metric M] [options] TRACE --at T1 T2\n\n"
      "Compares two traces by function and site, or the live sets of one trace at two moments; "
      "the\n"
      "largest change first.\n\n"
      "  --metric M   live (default), peak, allocated, count, temporary\n"
      "  --per N|MARKER     divide by the work done: a number, or how often a marker was set\n"
      "  --fail-if COND     exit status 1, with the sites, when it holds; may be given often.\n"
      "                     METRIC>NUMBER: what is there after ('lost>0'); with a sign the change\n"
      "                     ('allocations>+1000'), with %% that in percent ('peak>+5%%'). METRIC:\n"
      "                     lost, live, peak, allocated, allocations, temporary, frees, reallocs,\n"
      "                     lost-blocks, live-blocks, peak-blocks; also >= < <= = !=\n"
      "  --no-default-suppressions  with --fail-if: what run-time libraries keep counts too\n"
      "  --format F         with --fail-if: only the conditions are printed, as github, junit or\n"
      "                     sarif; text (default): the comparison for people\n\n");
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

/* ---- the work that values are divided by ---- */

/* Reads --per: a count, or a marker that is counted on both sides. Returns 0 or the exit status. */
static int divide(vt_cli_options_t const *options, vt_diff_t *diff) {
  vt_analysis_t const *sides[] = {diff->before, diff->after};
  char *end;
  diff->per[0] = diff->per[1] = 1;
  if (!options->per) return VT_EXIT_OK;
  diff->unit = options->per;
  double count = strtod(options->per, &end);
  if (end != options->per && !*end) {
    diff->per[0] = diff->per[1] = count;
    if (count > 0 && isfinite(count)) return VT_EXIT_OK;
    vt_error_say("--per", "cannot divide by that", "give a count above 0, or a marker's name");
    return VT_EXIT_USAGE;
  }
  for (int i = 0; i < 2; i++) {
    char what[100], advice[160];
    diff->per[i] = (double)vt_selection_markers(sides[i], options->per);
    if (diff->per[i] > 0) continue;
    snprintf(what, sizeof what, "--per %.80s", options->per);
    vt_selection_advise_marker(sides[i], options->per, advice);
    vt_error_say(what,
                 i ? "no number, and no marker of AFTER" : "no number, and no marker of BEFORE",
                 advice);
    return VT_EXIT_USAGE;
  }
  return VT_EXIT_OK;
}

/* ---- conditions ---- */

/* Conditions that hold; what they say of lost blocks without a verdict, or of estimates that are too close, counts as
   holding, and whatever they say of incomplete records. */
typedef struct {
  vt_condition_t holding[VT_CLI_CONDITIONS];
  size_t cnt;
  char const *unknown[VT_CLI_CONDITIONS]; /* by the condition's place: why it is not known; NULL: it is */
  int any_unknown, incomplete;
} failed_t;

static char const too_close[] = "the estimates of a sample are too close to tell";

static vt_range_t range_of(vt_total_t const *total, double per) { return (vt_range_t){total->low / per, total->high / per}; }

/* unknown: it cannot be told whether the condition holds. */
static vt_holds_t unknown(vt_condition_t const *condition, char const **why, char const *reason, char const *advice) {
  vt_error_say(condition->text, reason, advice);
  *why = reason;
  return VT_HOLDS_UNKNOWN;
}

static vt_holds_t holds(vt_condition_t const *condition, vt_diff_t const *diff, char const **why) {
  int both = condition->of != VT_CONDITION_VALUE;
  vt_total_t before = vt_condition_total(condition, diff->before), after = vt_condition_total(condition, diff->after);
  if (!after.known || (both && !before.known))
    return vt_condition_of_lost(condition) ? unknown(condition, why, vt_lost_unknown, vt_lost_advice)
                                           : unknown(condition, why, VT_SAMPLED_OLD, "record it anew");
  vt_holds_t out = vt_condition_holds(condition, range_of(&before, diff->per[0]), range_of(&after, diff->per[1]));
  return out == VT_HOLDS_UNKNOWN ? unknown(condition, why, too_close, "record with a shorter --sample, or without") : out;
}

static failed_t find_failed(vt_cli_options_t const *options, vt_diff_t const *diff) {
  failed_t out = {.cnt = 0};
  vt_completeness_t sides[] = {vt_analysis_completeness(diff->before),
                               vt_analysis_completeness(diff->after)};
  if (options->fail_if_cnt)
    out.incomplete = !(vt_gate_complete(&sides[0]) & vt_gate_complete(&sides[1]));
  for (size_t i = 0; i < options->fail_if_cnt; i++) {
    vt_condition_t condition;
    vt_condition_parse(options->fail_if[i], &condition);
    vt_holds_t result = holds(&condition, diff, &out.unknown[i]);
    out.any_unknown |= result == VT_HOLDS_UNKNOWN;
    if (result == VT_HOLDS) out.holding[out.cnt++] = condition;
  }
  return out;
}

static int check_conditions(vt_cli_options_t const *options) {
  vt_condition_t condition;
  char what[300];
  for (size_t i = 0; i < options->fail_if_cnt; i++) {
    if (!vt_condition_parse(options->fail_if[i], &condition)) continue;
    snprintf(what, sizeof what, "--fail-if %.200s", options->fail_if[i]);
    vt_error_say(what, "no condition", "write METRIC>NUMBER, as in 'lost>0' or 'peak>+5%'");
    return VT_EXIT_USAGE;
  }
  return VT_EXIT_OK;
}

/* ---- for machines ---- */

#define PLACES 5 /* named for each condition that holds, unless --limit says how many */

static void add_place(void *check, vt_analysis_t const *analysis, uint32_t node, char const *text) {
  vt_gate_add_place(check, analysis, node, text);
}

/* A condition that failed on a value is explained by what there is; one on a change, by the change. */
static void add_failed(vt_gate_t *gate, vt_cli_options_t const *options, vt_diff_t const *diff,
                       vt_condition_t const *condition) {
  char text[512];
  size_t limit = options->report.limit ? options->report.limit : PLACES;
  snprintf(text, sizeof text, "%.200s holds: %s", condition->text,
           vt_diff_values(diff, condition).text);
  vt_gate_check_t *check = vt_gate_add(gate, condition->text, 1, text);
  if (condition->of == VT_CONDITION_VALUE)
    vt_gate_add_sites(check, diff->after, vt_condition_metric(condition), limit);
  else
    vt_diff_tell(diff, condition, limit, add_place, check);
}

static int is_failed(failed_t const *failed, char const *text, vt_condition_t const **condition) {
  for (size_t i = 0; i < failed->cnt; i++) {
    *condition = &failed->holding[i];
    if (!strcmp(failed->holding[i].text, text)) return 1;
  }
  return 0;
}

static int given_before(vt_cli_options_t const *options, size_t i) {
  for (size_t k = 0; k < i; k++)
    if (!strcmp(options->fail_if[k], options->fail_if[i])) return 1;
  return 0;
}

static void print_gate(vt_cli_options_t const *options, vt_diff_t const *diff,
                       failed_t const *failed, vt_gate_format_t format) {
  vt_gate_t gate = {.command = "diff", .analysis = diff->after};
  vt_completeness_t both = vt_analysis_completeness(diff->before);
  vt_completeness_t const after = vt_analysis_completeness(diff->after);
  vt_completeness_add(&both, &after);
  vt_gate_add_record(&gate, &both);
  for (size_t i = 0; i < options->fail_if_cnt; i++) {
    char const *text = options->fail_if[i];
    vt_condition_t const *condition;
    if (given_before(options, i)) continue;
    if (is_failed(failed, text, &condition))
      add_failed(&gate, options, diff, condition);
    else if (failed->unknown[i])
      vt_gate_add(&gate, text, 1, failed->unknown[i]);
    else
      vt_gate_add(&gate, text, 0, text);
  }
  vt_gate_write(&gate, format, stdout);
  vt_gate_free(&gate);
}

/* ---- the command ---- */

static int print(vt_cli_options_t const *options, vt_diff_t const *diff) {
  failed_t failed = find_failed(options, diff);
  vt_gate_format_t format;
  vt_cli_gate_format(options, &format);
  if (format != VT_GATE_TEXT)
    print_gate(options, diff, &failed, format);
  else if (options->json)
    vt_diff_json(diff, options->fail_if_cnt ? failed.holding : NULL, failed.cnt, stdout);
  else {
    vt_term_t term = vt_cli_term(options);
    vt_diff_text(diff, &term);
    for (size_t i = 0; i < failed.cnt; i++) vt_diff_text_failed(diff, &failed.holding[i], &term);
  }
  int status = vt_cli_finish(stdout, "standard output");
  return status ? status : failed.cnt || failed.any_unknown || failed.incomplete ? VT_EXIT_BUDGET : VT_EXIT_OK;
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
    vt_diff_t diff = {before, &after, (vt_metric_t)metric, &options->report, {1, 1}, NULL};
    status = divide(options, &diff);
    if (!status) status = print(options, &diff);
  }
  vt_analysis_close(&after);
  return status;
}

static int check_format(vt_cli_options_t const *options) {
  vt_gate_format_t format;
  if (vt_cli_gate_format(options, &format)) return VT_EXIT_USAGE;
  if (format == VT_GATE_TEXT || options->fail_if_cnt) return VT_EXIT_OK;
  vt_error_say("--format", "there is no condition to report", "give --fail-if, or use --json");
  return VT_EXIT_USAGE;
}

int vt_cmd_diff(int argc, char **argv) {
  vt_cli_options_t options;
  if (vt_cli_parse(&options, argc, argv, VT_CLI_METRIC | VT_CLI_GATE | VT_CLI_DIFF | VT_CLI_FORMAT))
    return VT_EXIT_USAGE;
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
  if (check_conditions(&options) || check_format(&options)) return VT_EXIT_USAGE;
  options.gate = options.fail_if_cnt != 0;
  options.ends = metric == VT_METRIC_TEMPORARY || metric == VT_METRIC_REALLOCS;
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
