/* valtrace report: where memory leaks, churns and peaks. */
#include "analyzer/cli/cmd_report.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "analyzer/cli/cmd.h"
#include "analyzer/cli/options.h"
#include "analyzer/report/mappings_view.h"
#include "analyzer/report/memory_view.h"
#include "analyzer/report/pages_view.h"
#include "analyzer/report/why.h"
#include "analyzer/findings/growth_view.h"
#include "analyzer/findings/show.h"
#include "analyzer/lives/frees.h"
#include "analyzer/lives/mismatches.h"
#include "analyzer/util/mem.h"
#include "analyzer/util/nearest.h"

static void help(void) {
  printf("usage: valtrace report [VIEW] [options] TRACE…\n\n"
         "Says what is wrong with a program's memory, where, and what to look at next. VIEW:\n"
         "  (none)      what stands out, in at most 40 lines; with --full all sections\n"
         "  summary     totals, completeness, and the top of the next four (default of --json)\n"
         "  leaks       blocks live at the end\n"
         "  hot         most allocations\n"
         "  peak        what was live when the heap was largest\n"
         "  temporary   freed before the same thread allocated again\n"
         "  growth      how live bytes went on in time\n"
         "  reallocs    most reallocs\n"
         "  frees       where blocks are freed, and by which threads\n"
         "  mismatches  wrong frees, with both stacks\n"
         "  memory      what the resident memory consists of, as an account that adds up\n"
         "  pages       whose blocks keep pages resident with little on them\n"
         "  mappings    what the program maps by calls of its own\n"
         "  sizes, lifetimes, threads, timeline, modules, heaps   tables\n\n"
         "  --full      all sections, and all findings\n"
         "  --leak-kind lost|definite|indirect|possible|reachable|live   of leaks: which\n"
         "  --why       of leaks: who holds the largest block of a site\n\n");
  vt_cli_help_shared(0);
}

/* What watches the events for a view, and makes a part of the report of what it saw. */
typedef struct {
  vt_evidence_t *evidence; /* findings and growth */
  vt_frees_t *frees;
  vt_mismatches_t *mismatches;
  vt_growth_view_t growth;
  vt_why_t *why;
  vt_mappings_view_t *mappings;
  vt_residences_t *residences;
  vt_memory_view_t *memory;
  vt_pages_view_t *pages;
  vt_findings_t findings;
  uint32_t
      *ranked; /* for findings in JSON: by site its rank in the document, 0 if it is not there */
  int with_findings;
} makers_t;

/* Findings go with the report without a view, and with the summary. */
static int wants_findings(vt_cli_options_t const *options) {
  vt_report_options_t const *report = &options->report;
  if (report->view != VT_VIEW_SUMMARY) return 0;
  return options->json || report->full || (!options->view_given && !report->by_given);
}

/* Is time shown by groups? */
static int wants_bands(vt_report_options_t const *report) {
  return report->view == VT_VIEW_GROWTH || (report->view == VT_VIEW_TIMELINE && report->by_given);
}

/* is_of_pages: is the view about resident memory, which no filter divides? */
static int is_of_pages(vt_view_t view) { return view == VT_VIEW_MEMORY || view == VT_VIEW_PAGES; }

/* wants_growth: a leak or a cache? What is still reachable is told apart by whether it grows. */
static int wants_growth(vt_cli_options_t const *options) {
  return options->report.view == VT_VIEW_LEAKS && !options->json && !options->why && !options->report.leak_kind_given;
}

/* What has to be collected for a view. */
static void set_collections(vt_cli_options_t *options, makers_t *makers) {
  vt_view_t view = options->report.view;
  vt_analysis_options_t *analysis = &options->analysis;
  analysis->lifetimes = options->json || view == VT_VIEW_LIFETIMES;
  analysis->sizes = view == VT_VIEW_SIZES;
  analysis->timeline = view == VT_VIEW_TIMELINE;
  analysis->threads = view == VT_VIEW_THREADS;
  analysis->mappings = view == VT_VIEW_MAPPINGS || is_of_pages(view);
  makers->with_findings = wants_findings(options);
  if (makers->with_findings) analysis->mappings = 1;
  analysis->whole = view == VT_VIEW_LIFETIMES || is_of_pages(view);
  analysis->watch_spared = wants_growth(options) || makers->with_findings;
  if (makers->with_findings || wants_bands(&options->report) || wants_growth(options)) {
    makers->evidence = vt_evidence_new();
    analysis->watch = vt_evidence_watch(makers->evidence);
    analysis->span = vt_evidence_span;
  } else if (view == VT_VIEW_FREES) {
    makers->frees = vt_frees_new();
    analysis->watch = vt_frees_watch(makers->frees);
  } else if (view == VT_VIEW_MISMATCHES) {
    makers->mismatches = vt_mismatches_new();
    analysis->watch = vt_mismatches_watch(makers->mismatches);
  }
}

static void json_findings(void *context, vt_json_t *json) {
  makers_t const *makers = context;
  vt_findings_json(&makers->findings, makers->growth.analysis, makers->ranked, json);
}

/* By site its rank in the array "sites" of the document. */
static uint32_t *ranks_of(vt_analysis_t const *analysis, vt_report_options_t const *report) {
  size_t cnt;
  uint32_t *order = vt_metric_rank(analysis, vt_view_metric(report->view), &cnt);
  uint32_t *ranked = vt_mem_new(analysis->sites_cnt + 1, sizeof *ranked);
  for (uint32_t i = 0; i < cnt && (!report->limit || i < report->limit); i++)
    ranked[order[i]] = i + 1;
  free(order);
  return ranked;
}

static void make_parts(vt_cli_options_t *options, vt_analysis_t *analysis, makers_t *makers) {
  vt_report_options_t *report = &options->report;
  if (makers->with_findings) {
    uint8_t *known = vt_cli_known_sites(analysis);
    if (!report->filters) makers->residences = vt_residences_without_pass(analysis);
    makers->findings = vt_findings_make(analysis, makers->evidence, known, makers->residences);
    free(known);
    makers->growth.analysis = analysis;
    if (options->json) makers->ranked = ranks_of(analysis, report);
    report->part = (vt_report_part_t){NULL, json_findings, makers};
  } else if (wants_bands(report))
    report->part = vt_growth_view_make(&makers->growth, analysis, makers->evidence, report);
  else if (report->view == VT_VIEW_MAPPINGS)
    report->part =
        vt_mappings_view_part(makers->mappings = vt_mappings_view_make(analysis), report);
  else if (report->view == VT_VIEW_MEMORY) {
    makers->residences = vt_residences_make(analysis);
    makers->memory = vt_memory_view_make(makers->residences, report);
    report->part = vt_memory_view_part(makers->memory);
  } else if (report->view == VT_VIEW_PAGES) {
    makers->residences = vt_residences_make(analysis);
    makers->pages = vt_pages_view_make(makers->residences, report);
    report->part = vt_pages_view_part(makers->pages);
  } else if (options->why && (makers->why = vt_why_make(analysis)))
    report->part = vt_why_part(makers->why, report);
  else if (options->why)
    vt_error_say("--why", analysis->no_verdict, "it needs the snapshot that `valtrace run` takes");
  else if (wants_growth(options) && analysis->verdicts && (!analysis->kept_ns || analysis->without_summary))
    report->part = vt_growth_view_reachable(&makers->growth, analysis, makers->evidence, report);
  else if (makers->frees)
    report->part = vt_frees_part(makers->frees, analysis, report);
  else if (makers->mismatches)
    report->part = vt_mismatches_part(makers->mismatches, analysis, report);
}

static void free_makers(makers_t *makers) {
  vt_growth_view_free(&makers->growth);
  vt_why_delete(makers->why);
  vt_mappings_view_delete(makers->mappings);
  vt_memory_view_delete(makers->memory);
  vt_pages_view_delete(makers->pages);
  vt_residences_delete(makers->residences);
  vt_findings_free(&makers->findings);
  vt_evidence_free(makers->evidence);
  vt_frees_delete(makers->frees);
  vt_mismatches_delete(makers->mismatches);
  free(makers->ranked);
}

static int print(vt_cli_options_t const *options, vt_analysis_t const *analysis,
                 makers_t const *makers) {
  vt_report_options_t const *report = &options->report;
  vt_term_t term = vt_cli_term(options);
  if (options->json)
    vt_report_json(analysis, report, stdout);
  else if (!makers->with_findings)
    vt_report_text(analysis, report, &term);
  else {
    vt_findings_text(&makers->findings, analysis, report, &term);
    if (report->full) vt_text_sections(analysis, report, &term);
  }
  return vt_cli_finish(stdout, "standard output");
}

/* Is something else asked for than what a view that is a table shows? */
static int by_contradicts(vt_report_options_t const *report, vt_view_t view) {
  static unsigned const tables = 1u << VT_VIEW_SIZES | 1u << VT_VIEW_LIFETIMES |
                                 1u << VT_VIEW_THREADS | 1u << VT_VIEW_TIMELINE |
                                 1u << VT_VIEW_MODULES | 1u << VT_VIEW_HEAPS |
                                 1u << VT_VIEW_MISMATCHES | 1u << VT_VIEW_MAPPINGS |
                                 1u << VT_VIEW_MEMORY | 1u << VT_VIEW_PAGES;
  if (!(tables >> view & 1)) return 0;
  if (view == VT_VIEW_TIMELINE && report->by_given) return 0;
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
  makers_t makers = {0};
  set_collections(options, &makers);
  int status = vt_cli_open(options, &analysis, &suppressions, &error);
  if (status)
    vt_error_print(&error);
  else {
    make_parts(options, &analysis, &makers);
    status = print(options, &analysis, &makers);
  }
  free_makers(&makers);
  vt_suppressions_free(&suppressions);
  vt_analysis_close(&analysis);
  return status;
}

int vt_cmd_report(int argc, char **argv) {
  vt_cli_options_t options;
  if (vt_cli_parse(&options, argc, argv, VT_CLI_REPORT)) return VT_EXIT_USAGE;
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
    options.view_given = 1;
    if (options.report.view == VT_VIEW_SUMMARY) options.report.view = (vt_view_t)view;
    options.operands++;
    options.operand_cnt--;
  }
  int about_leaks = options.report.leak_kind_given || options.why;
  if (about_leaks && options.view_given && options.report.view != VT_VIEW_LEAKS &&
      vt_cli_refuse(&options, VT_CLI_SET(VT_OPT_LEAK_KIND) | VT_CLI_SET(VT_OPT_WHY),
                    "it is about live blocks", "take the view leaks"))
    return VT_EXIT_USAGE;
  if (about_leaks) {
    options.view_given = 1;
    options.report.view = VT_VIEW_LEAKS;
  }
  uint64_t whole = VT_CLI_FILTERS & (options.report.view == VT_VIEW_PAGES ? ~VT_CLI_SET(VT_OPT_AT) : ~(uint64_t)0);
  if (is_of_pages(options.report.view) &&
      vt_cli_refuse(&options, whole, "pages are shared by all blocks on them",
                    "leave it out: this view is about the whole process"))
    return VT_EXIT_USAGE;
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
