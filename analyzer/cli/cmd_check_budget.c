/* valtrace check-budget: a gate for continuous integration. */
#include <inttypes.h>
#include <math.h>
#include "analyzer/cli/cmd.h"
#include "analyzer/cli/gate.h"
#include "analyzer/cli/options.h"

static void help(void) {
  printf("usage: valtrace check-budget LIMITS [options] TRACE…\n\n"
         "Exits with status 1, naming the worst sites, when a limit is exceeded, and also when a\n"
         "TRACE is incomplete: what it lacks may be what exceeds it. Limits:\n"
         "  --max-lost B            bytes that nothing reaches any more (suffixes k, M, G)\n"
         "  --max-lost-blocks N     blocks that nothing reaches any more\n"
         "  --max-live B, --max-leaked B   bytes live at the end\n"
         "  --max-live-blocks N, --max-leaked-blocks N   blocks live at the end\n"
         "  --max-peak B            highest sum of live bytes\n"
         "  --max-allocations N     allocations\n"
         "  --max-temporary PCT     share of temporary allocations\n"
         "Blocks that run-time libraries keep by design (stdio's buffers, …) do not count:\n"
         "  --no-default-suppressions   they do\n\n"
         "  --format F              what is printed: text (default), github, junit or sarif, for\n"
         "                          machines that show failures at file and line\n\n");
  vt_cli_help_shared(0);
}

#define SITES 5 /* named for each limit, unless --limit says how many */

typedef struct {
  vt_cli_options_t *options;
  vt_analysis_t const *analysis;
  vt_term_t term;
  vt_json_t json;
  vt_gate_format_t format;
  vt_gate_t gate;
  int exceeded;
} check_t;

/* at_most says that a sum counts blocks that may have been freed while recording was paused. */
static char const *at_most(check_t const *check, vt_metric_t metric) {
  vt_model_totals_t const *totals = vt_model_totals(check->analysis->model);
  int unsure = metric == VT_METRIC_PEAK ? totals->peak_at_most : metric == VT_METRIC_LEAKED && totals->unsure_blocks;
  return unsure ? "at most " : "";
}

static void json_exceeded(check_t *check, char const *name, uint64_t value, uint64_t limit,
                          vt_metric_t metric) {
  vt_report_options_t few = check->options->report;
  if (!few.limit) few.limit = SITES;
  vt_json_object(&check->json, NULL);
  vt_json_string(&check->json, "limit", name);
  vt_json_uint(&check->json, "value", value);
  vt_json_bool(&check->json, "at_most", at_most(check, metric)[0] != 0);
  vt_json_uint(&check->json, "allowed", limit);
  vt_json_sites(&check->json, check->analysis, &few, metric);
  vt_json_end_object(&check->json);
}

static void text_exceeded(check_t *check, char const *name, uint64_t value, uint64_t limit,
                          int bytes, vt_metric_t metric) {
  size_t shown = check->options->report.limit ? check->options->report.limit : SITES;
  vt_term_styled(&check->term, VT_STYLE_WARNING, "%sover budget: %s ",
                 check->exceeded > 1 ? "\n" : "", name);
  fprintf(check->term.out, "%s%s, allowed %s\n", at_most(check, metric),
          bytes ? vt_bytes_text(value).text : vt_count_text(value).text,
          bytes ? vt_bytes_text(limit).text : vt_count_text(limit).text);
  vt_text_groups(check->analysis, &check->options->report, &check->term, metric, shown, 1);
}

/* For machines: the check, and when it failed the lines with most of it. */
static void note_check(check_t *check, char const *name, uint64_t value, uint64_t limit, int bytes,
                       vt_metric_t metric) {
  char text[160];
  size_t shown = check->options->report.limit ? check->options->report.limit : SITES;
  snprintf(text, sizeof text, "%s %s%s, allowed %s", name, at_most(check, metric),
           bytes ? vt_bytes_text(value).text : vt_count_text(value).text,
           bytes ? vt_bytes_text(limit).text : vt_count_text(limit).text);
  vt_gate_check_t *noted = vt_gate_add(&check->gate, name, value > limit, text);
  if (value > limit) vt_gate_add_sites(noted, check->analysis, metric, shown);
}

static void check_limit(check_t *check, char const *name, uint64_t value, uint64_t limit, int bytes,
                        vt_metric_t metric) {
  if (limit != UINT64_MAX && check->format != VT_GATE_TEXT)
    note_check(check, name, value, limit, bytes, metric);
  if (value <= limit) return;
  check->exceeded++;
  if (check->format != VT_GATE_TEXT) return;
  if (check->options->json)
    json_exceeded(check, name, value, limit, metric);
  else
    text_exceeded(check, name, value, limit, bytes, metric);
}

/* What is lost is known by a snapshot, or when nothing is live at all. */
static void check_lost(check_t *check, vt_budget_t const *budget) {
  vt_analysis_t const *analysis = check->analysis;
  if (budget->lost_bytes == UINT64_MAX && budget->lost_blocks == UINT64_MAX) return;
  if (!analysis->verdicts && vt_model_totals(analysis->model)->live_blocks) {
    check->exceeded++;
    vt_gate_add(&check->gate, "lost", 1, vt_lost_unknown);
    vt_error_say("--max-lost", vt_lost_unknown, vt_lost_advice);
    return;
  }
  vt_verdict_t const *verdict = &analysis->verdict;
  check_limit(check, "lost bytes", vt_lost_bytes(verdict), budget->lost_bytes, 1, VT_METRIC_LOST);
  check_limit(check, "lost blocks", vt_lost_blocks(verdict), budget->lost_blocks, 0,
              VT_METRIC_LOST);
}

/* How much the default suppressions have left out. */
static void say_known(check_t *check) {
  vt_suppressions_t const *suppressions = check->options->report.suppressions;
  if (!suppressions) return;
  vt_suppression_t known = vt_suppressions_sum(suppressions, 1);
  if (known.blocks)
    fprintf(check->term.out, "not counted: %s in %s block%s that run-time libraries keep\n",
            vt_bytes_text(known.bytes).text, vt_count_text(known.blocks).text,
            known.blocks == 1 ? "" : "s");
}

static void check_all(check_t *check) {
  vt_model_totals_t const *totals = vt_model_totals(check->analysis->model);
  vt_budget_t const *budget = &check->options->budget;
  check_lost(check, budget);
  check_limit(check, "live bytes", totals->live_bytes, budget->leaked_bytes, 1, VT_METRIC_LEAKED);
  check_limit(check, "live blocks", totals->live_blocks, budget->leaked_blocks, 0,
              VT_METRIC_LEAKED);
  check_limit(check, "peak bytes", totals->peak_bytes, budget->peak_bytes, 1, VT_METRIC_PEAK);
  check_limit(check, "allocations", totals->allocations, budget->allocations, 0, VT_METRIC_COUNT);
  if (budget->temporary_percent < 0) return;
  uint64_t allowed = (uint64_t)floor((double)totals->allocations * budget->temporary_percent / 100);
  check_limit(check, "temporary allocations", totals->temporary, allowed, 0, VT_METRIC_TEMPORARY);
}

static void begin_json(check_t *check) {
  check->json = vt_json_start(stdout);
  vt_json_object(&check->json, NULL);
  vt_json_head(&check->json, check->analysis, "check-budget", SIZE_MAX);
  vt_json_array(&check->json, "exceeded");
}

static void end_json(check_t *check) {
  vt_suppressions_t const *suppressions = check->options->report.suppressions;
  vt_json_end_array(&check->json);
  if (suppressions) vt_json_suppressions(&check->json, suppressions);
  vt_json_end_object(&check->json);
  vt_json_finish(&check->json);
}

static void end_text(check_t *check) {
  if (!check->exceeded && vt_analysis_completeness(check->analysis).complete) puts("within budget");
  say_known(check);
}

static int run_checks(vt_cli_options_t *options, vt_analysis_t const *analysis,
                      vt_gate_format_t format) {
  check_t check = {.options = options,
                   .analysis = analysis,
                   .term = vt_cli_term(options),
                   .format = format,
                   .gate = {.command = "check-budget", .analysis = analysis}};
  vt_completeness_t have = vt_analysis_completeness(analysis);
  vt_gate_add_record(&check.gate, &have);
  if (options->json) begin_json(&check);
  check_all(&check);
  if (options->json)
    end_json(&check);
  else if (format == VT_GATE_TEXT)
    end_text(&check);
  else
    vt_gate_write(&check.gate, format, stdout);
  vt_gate_free(&check.gate);
  int status = vt_cli_finish(stdout, "standard output");
  int within = vt_gate_complete(&have) && !check.exceeded;
  return status ? status : within ? VT_EXIT_OK : VT_EXIT_BUDGET;
}

static int no_limit(vt_budget_t const *budget) {
  return budget->lost_bytes == UINT64_MAX && budget->lost_blocks == UINT64_MAX &&
         budget->leaked_bytes == UINT64_MAX && budget->leaked_blocks == UINT64_MAX &&
         budget->peak_bytes == UINT64_MAX && budget->allocations == UINT64_MAX &&
         budget->temporary_percent < 0;
}

int vt_cmd_check_budget(int argc, char **argv) {
  vt_cli_options_t options;
  vt_gate_format_t format;
  if (vt_cli_parse(&options, argc, argv, VT_CLI_BUDGET | VT_CLI_GATE | VT_CLI_FORMAT))
    return VT_EXIT_USAGE;
  if (options.help) {
    help();
    return VT_EXIT_OK;
  }
  if (!options.operand_cnt || no_limit(&options.budget)) {
    vt_error_say("check-budget", options.operand_cnt ? "no limit given" : "no trace given",
                 "`valtrace check-budget --help` lists the limits");
    return VT_EXIT_USAGE;
  }
  if (vt_cli_gate_format(&options, &format)) return VT_EXIT_USAGE;
  vt_analysis_t analysis;
  vt_suppressions_t suppressions = {0};
  vt_error_t error;
  int status = vt_cli_open(&options, &analysis, &suppressions, &error);
  if (status)
    vt_error_print(&error);
  else
    status = run_checks(&options, &analysis, format);
  vt_suppressions_free(&suppressions);
  vt_analysis_close(&analysis);
  return status;
}
