/* valtrace check-budget: a gate for continuous integration. */
#include <inttypes.h>
#include <math.h>
#include "analyzer/cli/cmd.h"
#include "analyzer/cli/gate.h"
#include "analyzer/cli/options.h"
#include "analyzer/report/totals.h"

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

#define SITES  5 /* named for each limit, unless --limit says how many */
#define LIMITS 7

/* A limit, what it is compared with, and where most of that is. */
typedef struct {
  char const *name;
  vt_total_t total;
  uint64_t allowed;
  int bytes;
  vt_metric_t metric;
} limit_t;

typedef struct {
  vt_cli_options_t *options;
  vt_analysis_t const *analysis;
  vt_term_t term;
  vt_json_t json;
  vt_gate_format_t format;
  vt_gate_t gate;
  int exceeded;
  limit_t undecided[LIMITS]; /* a verdict on them would be a guess */
  size_t undecided_cnt;
} check_t;

typedef enum { WITHIN, OVER, TOO_CLOSE, UNTOLD } outcome_t;

/* An estimate is compared by what is certain of it. */
static outcome_t outcome_of(limit_t const *limit) {
  if (!limit->total.known) return UNTOLD;
  if (limit->total.low > (double)limit->allowed) return OVER;
  return limit->total.high > (double)limit->allowed ? TOO_CLOSE : WITHIN;
}

static vt_estimate_text_t value_text(limit_t const *limit) {
  vt_total_t const *total = &limit->total;
  uint64_t error = (uint64_t)(total->error + 0.5);
  vt_estimate_text_t out;
  uint64_t most = vt_total_bound(total);
  if (vt_total_unseen(total)) {
    snprintf(out.text, sizeof out.text, "≤ %s", (limit->bytes ? vt_bytes_text(most) : vt_count_text(most)).text);
    return out;
  }
  if (total->estimated)
    return limit->bytes ? vt_bytes_estimate(total->value, error) : vt_count_estimate(total->value, error);
  snprintf(out.text, sizeof out.text, "%s", (limit->bytes ? vt_bytes_text(total->value) : vt_count_text(total->value)).text);
  return out;
}

static char const *at_most(limit_t const *limit) { return limit->total.at_most ? "at most " : ""; }

static vt_number_t allowed_text(limit_t const *limit) {
  return limit->bytes ? vt_bytes_text(limit->allowed) : vt_count_text(limit->allowed);
}

static void json_limit(vt_json_t *json, limit_t const *limit) {
  vt_json_string(json, "limit", limit->name);
  vt_json_known(json, "value", limit->total.known, limit->total.value);
  if (limit->total.estimated) vt_json_double(json, "standard_error", limit->total.error);
  if (limit->total.estimated) vt_json_known(json, "value_at_most", limit->total.known, vt_total_bound(&limit->total));
  vt_json_bool(json, "at_most", limit->total.at_most);
  vt_json_uint(json, "allowed", limit->allowed);
}

static void json_exceeded(check_t *check, limit_t const *limit) {
  vt_report_options_t few = check->options->report;
  if (!few.limit) few.limit = SITES;
  vt_json_object(&check->json, NULL);
  json_limit(&check->json, limit);
  vt_json_sites(&check->json, check->analysis, &few, limit->metric);
  vt_json_end_object(&check->json);
}

static void text_exceeded(check_t *check, limit_t const *limit) {
  size_t shown = check->options->report.limit ? check->options->report.limit : SITES;
  vt_term_styled(&check->term, VT_STYLE_WARNING, "%sover budget: %s ", check->exceeded > 1 ? "\n" : "", limit->name);
  fprintf(check->term.out, "%s%s, allowed %s\n", at_most(limit), value_text(limit).text, allowed_text(limit).text);
  vt_text_groups(check->analysis, &check->options->report, &check->term, limit->metric, shown, 1);
}

/* For machines: the check, and when it failed the lines with most of it. */
static void note_check(check_t *check, limit_t const *limit, outcome_t outcome) {
  char text[240];
  size_t shown = check->options->report.limit ? check->options->report.limit : SITES;
  snprintf(text, sizeof text, "%s %s%s, allowed %s%s", limit->name, at_most(limit), value_text(limit).text, allowed_text(limit).text,
           outcome == TOO_CLOSE ? ": too close to tell" : "");
  vt_gate_check_t *noted = vt_gate_add(&check->gate, limit->name, outcome != WITHIN, text);
  if (outcome == OVER) vt_gate_add_sites(noted, check->analysis, limit->metric, shown);
}

/* A verdict would be a guess. */
static void say_unknown(limit_t const *limit, outcome_t outcome) {
  char why[240];
  if (outcome == UNTOLD)
    snprintf(why, sizeof why, "not known: " VT_SAMPLED_OLD);
  else
    snprintf(why, sizeof why, "%s and the allowed %s are too close to tell", value_text(limit).text, allowed_text(limit).text);
  vt_error_say(limit->name, why, "record with a shorter --sample, or without");
}

static void check_limit(check_t *check, limit_t const *limit) {
  if (limit->allowed == UINT64_MAX) return;
  outcome_t outcome = outcome_of(limit);
  if (check->format != VT_GATE_TEXT) note_check(check, limit, outcome);
  if (outcome == WITHIN) return;
  check->exceeded++;
  if (outcome != OVER) {
    check->undecided[check->undecided_cnt++] = *limit;
    say_unknown(limit, outcome);
  } else if (check->format == VT_GATE_TEXT && check->options->json)
    json_exceeded(check, limit);
  else if (check->format == VT_GATE_TEXT)
    text_exceeded(check, limit);
}

static void check_lost(check_t *check, vt_budget_t const *budget) {
  vt_total_t bytes = vt_total(check->analysis, VT_TOTAL_LOST), blocks = vt_total(check->analysis, VT_TOTAL_LOST_BLOCKS);
  if (budget->lost_bytes == UINT64_MAX && budget->lost_blocks == UINT64_MAX) return;
  if (!bytes.known) {
    check->exceeded++;
    vt_gate_add(&check->gate, "lost", 1, vt_lost_unknown);
    vt_error_say("--max-lost", vt_lost_unknown, vt_lost_advice);
    return;
  }
  check_limit(check, &(limit_t){"lost bytes", bytes, budget->lost_bytes, 1, VT_METRIC_LOST});
  check_limit(check, &(limit_t){"lost blocks", blocks, budget->lost_blocks, 0, VT_METRIC_LOST});
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
  vt_analysis_t const *a = check->analysis;
  vt_budget_t const *budget = &check->options->budget;
  vt_total_t allocations = vt_total(a, VT_TOTAL_ALLOCATIONS);
  uint64_t temporary = UINT64_MAX;
  if (budget->temporary_percent >= 0) temporary = (uint64_t)floor((double)allocations.value * budget->temporary_percent / 100);
  limit_t const limits[] = {
      {"live bytes", vt_total(a, VT_TOTAL_LIVE), budget->leaked_bytes, 1, VT_METRIC_LEAKED},
      {"live blocks", vt_total(a, VT_TOTAL_LIVE_BLOCKS), budget->leaked_blocks, 0, VT_METRIC_LEAKED},
      {"peak bytes", vt_total(a, VT_TOTAL_PEAK), budget->peak_bytes, 1, VT_METRIC_PEAK},
      {"allocations", allocations, budget->allocations, 0, VT_METRIC_COUNT},
      {"temporary allocations", vt_total(a, VT_TOTAL_TEMPORARY), temporary, 0, VT_METRIC_TEMPORARY}};
  check_lost(check, budget);
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) check_limit(check, &limits[i]);
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
  vt_json_array(&check->json, "undecided");
  for (size_t i = 0; i < check->undecided_cnt; i++) {
    vt_json_object_line(&check->json, NULL);
    json_limit(&check->json, &check->undecided[i]);
    vt_json_end_object(&check->json);
  }
  vt_json_end_array(&check->json);
  if (suppressions) vt_json_suppressions(&check->json, suppressions);
  vt_json_end_object(&check->json);
  vt_json_finish(&check->json);
}

static void end_text(check_t *check) {
  if (!check->exceeded && vt_analysis_completeness(check->analysis).complete)
    puts(check->analysis->sampled.period ? "within budget, by estimates from a sample" : "within budget");
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
