/* valtrace report: where memory leaks, churns and peaks. */
#include "analyzer/cli/cmd_report.h"
#include <string.h>
#include <unistd.h>
#include "analyzer/cli/cmd.h"
#include "analyzer/cli/options.h"
#include "analyzer/util/nearest.h"

static void help(void) {
  printf("usage: valtrace report [VIEW] [options] TRACE…\n\n"
         "Says where memory leaks, churns and peaks. VIEW is one of:\n"
         "  summary     totals, completeness, and the top of the next four (default)\n"
         "  leaks       blocks live at the end\n"
         "  hot         most allocations\n"
         "  peak        what was live when the heap was largest\n"
         "  temporary   freed before the same thread allocated again\n"
         "  reallocs    most reallocs\n"
         "  sizes, lifetimes, threads, timeline, modules, heaps   tables\n\n");
  vt_cli_help_shared(0);
}

static int print(vt_cli_options_t const *options, vt_analysis_t const *analysis) {
  if (options->json)
    vt_report_json(analysis, &options->report, stdout);
  else {
    vt_term_t term = vt_cli_term(options);
    vt_report_text(analysis, &options->report, &term);
  }
  return vt_cli_finish(stdout, "standard output");
}

/* What has to be collected for a view. */
static void set_collections(vt_cli_options_t *options) {
  vt_view_t view = options->report.view;
  options->analysis.lifetimes = options->json || view == VT_VIEW_LIFETIMES;
  options->analysis.sizes = view == VT_VIEW_SIZES;
  options->analysis.timeline = view == VT_VIEW_TIMELINE;
  options->analysis.threads = view == VT_VIEW_THREADS;
}

/* Is something else asked for than what a view that is a table shows? */
static int by_contradicts(vt_report_options_t const *report, vt_view_t view) {
  static unsigned const tables = 1u << VT_VIEW_SIZES | 1u << VT_VIEW_LIFETIMES |
                                 1u << VT_VIEW_THREADS | 1u << VT_VIEW_TIMELINE |
                                 1u << VT_VIEW_MODULES | 1u << VT_VIEW_HEAPS;
  if (!(tables >> view & 1)) return 0;
  if (view == VT_VIEW_MODULES && report->by_given) return report->by != VT_BY_MODULE;
  return report->view != view;
}

static void no_such_view(char const *name) {
  char advice[128];
  vt_nearest_t nearest = vt_nearest_start(name);
  for (int i = 0; i < VT_VIEW_CNT; i++)
    vt_nearest_offer(&nearest, vt_view_name((vt_view_t)i), strlen(vt_view_name((vt_view_t)i)));
  char const *meant = vt_nearest_get(&nearest);
  snprintf(advice, sizeof advice,
           meant ? "did you mean \"%s\"?" : "`valtrace report --help` lists the views", meant);
  vt_error_say(name, "neither a view nor a trace", advice);
}

/* misplaced_view: a view behind the trace, or one that does not exist, is no missing file. */
static int misplaced_view(vt_cli_options_t const *options) {
  for (int i = 0; i < options->operand_cnt; i++) {
    char const *name = options->operands[i];
    if (strpbrk(name, "./") || !access(name, F_OK)) continue;
    if (vt_view_by_name(name) >= 0)
      vt_error_say(name, "a view comes first", "valtrace report VIEW TRACE");
    else
      no_such_view(name);
    return 1;
  }
  return 0;
}

static int report(vt_cli_options_t *options) {
  vt_analysis_t analysis;
  vt_suppressions_t suppressions = {0};
  vt_error_t error;
  set_collections(options);
  int status = vt_cli_open(options, &analysis, &suppressions, &error);
  if (status)
    vt_error_print(&error);
  else
    status = print(options, &analysis);
  vt_suppressions_free(&suppressions);
  vt_analysis_close(&analysis);
  return status;
}

int vt_cmd_report(int argc, char **argv) {
  vt_cli_options_t options;
  if (vt_cli_parse(&options, argc, argv, 0)) return VT_EXIT_USAGE;
  if (options.help) {
    help();
    return VT_EXIT_OK;
  }
  int view = options.operand_cnt ? vt_view_by_name(options.operands[0]) : -1;
  if (view >= 0 && by_contradicts(&options.report, (vt_view_t)view) &&
      vt_cli_refuse(&options, VT_CLI_SET(VT_OPT_BY), "this view is a table of its own",
                    "leave it out, or take another view"))
    return VT_EXIT_USAGE;
  if (view >= 0) {
    if (options.report.view == VT_VIEW_SUMMARY) options.report.view = (vt_view_t)view;
    options.operands++;
    options.operand_cnt--;
  }
  if (!options.operand_cnt) {
    vt_error_say("report", "no trace given", "name a .vtr file; `valtrace report --help`");
    return VT_EXIT_USAGE;
  }
  return misplaced_view(&options) ? VT_EXIT_INPUT : report(&options);
}

int vt_report_print(char const *path) {
  char *operands[] = {(char *)path, NULL};
  vt_cli_options_t options = {.operands = operands, .operand_cnt = 1};
  return report(&options);
}
