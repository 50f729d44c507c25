/* The report for people: its sections, what matters first. report_head.c has what comes before them, report_groups.c
   the groups of sites in them. */
#include <limits.h>
#include <string.h>
#include "analyzer/report/leaks.h"
#include "analyzer/report/report.h"

#define SUMMARY_GROUPS 5
#define VIEW_GROUPS    20

static char const *const view_names[VT_VIEW_CNT] = {
    "summary",  "leaks",    "hot",     "peak",  "temporary", "sizes", "lifetimes", "threads",
    "timeline", "reallocs", "modules", "heaps", "growth",    "frees", "mismatches",
    "mappings", "memory", "pages"};

int vt_view_by_name(char const *name) {
  for (int i = 0; i < VT_VIEW_CNT; i++)
    if (!strcmp(name, view_names[i])) return i;
  return -1;
}

char const *vt_view_name(vt_view_t view) { return view_names[view]; }

vt_metric_t vt_view_metric(vt_view_t view) {
  switch (view) {
  case VT_VIEW_LEAKS: return VT_METRIC_LEAKED;
  case VT_VIEW_HOT: return VT_METRIC_COUNT;
  case VT_VIEW_PEAK: return VT_METRIC_PEAK;
  case VT_VIEW_TEMPORARY: return VT_METRIC_TEMPORARY;
  case VT_VIEW_REALLOCS: return VT_METRIC_REALLOCS;
  default: return VT_METRIC_ALLOCATED;
  }
}

/* print_title_of_live: what is live at the end of a process's life has leaked. */
static void print_title_of_live(vt_analysis_t const *analysis, vt_term_t const *term, vt_metric_t metric) {
  char const *when = vt_text_when_live(analysis);
  if (metric == VT_METRIC_REACHABLE)
    vt_term_styled(term, VT_STYLE_TITLE, "REACHABLE: %s and still in use, most bytes first", when);
  else
    vt_term_styled(term, VT_STYLE_TITLE, "LIVE: %s, most bytes first", when);
}

static char const *title_of(vt_metric_t metric) {
  switch (metric) {
  case VT_METRIC_LOST: return "LOST: nothing reaches them any more, most bytes first";
  case VT_METRIC_DEFINITE: return "DEFINITE: lost, and nothing else that is lost points to them";
  case VT_METRIC_INDIRECT: return "INDIRECT: lost with another block that points to them";
  case VT_METRIC_POSSIBLE: return "POSSIBLE: perhaps in use: by a pointer into the middle, or by a register";
  case VT_METRIC_COUNT: return "HOT: most allocations first";
  case VT_METRIC_PEAK: return "PEAK: what was live when the heap was largest, most bytes first";
  case VT_METRIC_TEMPORARY:
    return "TEMPORARY: freed before the same thread allocated again, most first";
  case VT_METRIC_REALLOCS: return "REALLOCS: most first; bytes of the old blocks";
  default: return "ALLOCATED: most bytes first";
  }
}

static void section(vt_analysis_t const *analysis, vt_report_options_t const *options,
                    vt_term_t const *term, vt_metric_t metric, size_t limit, int stacks_each) {
  putc('\n', term->out);
  if (metric == VT_METRIC_LEAKED || metric == VT_METRIC_REACHABLE)
    print_title_of_live(analysis, term, metric);
  else if (metric == VT_METRIC_REALLOCS && analysis->sampled.period)
    vt_term_styled(term, VT_STYLE_TITLE, "REALLOCS: most first");
  else
    vt_term_styled(term, VT_STYLE_TITLE, "%s", title_of(metric));
  putc('\n', term->out);
  if (analysis->sampled.untold && (metric == VT_METRIC_TEMPORARY || metric == VT_METRIC_REALLOCS))
    fprintf(term->out, "  not known: %s\n", VT_SAMPLED_OLD);
  else
    vt_text_groups(analysis, options, term, metric, limit, stacks_each);
}

/* print_rest says what else is live, in a line each. */
static void print_rest(vt_analysis_t const *analysis, vt_term_t const *term, vt_leak_kind_t kind,
                       char const *what, char const *how) {
  vt_verdict_t const *v = &analysis->verdict;
  if (!v->blocks[kind]) return;
  char text[200];
  snprintf(text, sizeof text, "%s: %s in %s%s", what, vt_bytes_text(v->bytes[kind]).text,
           vt_counted(v->blocks[kind], "block").text, how);
  putc('\n', term->out);
  vt_term_wrap(term, text, 0);
  putc('\n', term->out);
}

/* print_moment says what a verdict rests on; of several traces JSON does. */
static void print_moment(vt_analysis_t const *analysis, vt_term_t const *term) {
  static char const *const moments[] = {"", "at its exit", "when it executed another program", "when it was killed", "while it ran",
                                        "near its highest resident size", "when recording ended"};
  vt_trace_leaks_t const *leaks = analysis->trace_cnt == 1 ? vt_leaks_of(analysis, 0) : NULL;
  char text[200];
  vt_judged_t moment = leaks ? vt_leaks_moment(analysis, 0, leaks) : VT_JUDGED_UNKNOWN;
  if (!moment) return;
  snprintf(text, sizeof text, "Judged by the memory as it was %s; registers of all threads are %s", moments[moment],
           leaks->flags & VT_SNAPSHOT_REGISTERS
               ? "known."
               : "not known, so that a few lost blocks of one place count as possible.");
  putc('\n', term->out);
  vt_term_wrap(term, text, 0);
  putc('\n', term->out);
}

/* print_leaks shows the lost ones by site, then those that are possibly in use, then says the rest.
 */
static void print_leaks(vt_analysis_t const *analysis, vt_report_options_t const *options,
                        vt_term_t const *term, size_t limit) {
  if (options->leak_kind != VT_METRIC_LEAKED && !analysis->verdicts) {
    fprintf(term->out, "\nwhat is lost is not known: %s\n", analysis->no_verdict);
    return;
  }
  if (options->leak_kind_given || !analysis->verdicts) {
    section(analysis, options, term, options->leak_kind, limit, 2);
    return;
  }
  section(analysis, options, term, VT_METRIC_LOST, limit, 2);
  if (analysis->verdict.blocks[VT_LEAK_POSSIBLE])
    section(analysis, options, term, VT_METRIC_POSSIBLE, limit, 1);
  print_moment(analysis, term);
  print_rest(analysis, term, VT_LEAK_UNJUDGED, "live, not judged",
             " (of annotated heaps, or unseen)");
  print_rest(analysis, term, VT_LEAK_REACHABLE, "still reachable",
             " (--leak-kind reachable shows them)");
}

static void print_suppressions(vt_suppressions_t const *suppressions, vt_term_t const *term) {
  fputs("\nSuppressed leaks\n", term->out);
  for (size_t i = 0; i < suppressions->items_cnt; i++) {
    vt_suppression_t const *item = &suppressions->items[i];
    fprintf(term->out, "  %10s %16s %12s  ", vt_bytes_text(item->bytes).text,
            vt_counted(item->blocks, "block").text, vt_counted(item->sites, "site").text);
    vt_term_text(term, item->pattern, INT_MAX);
    fputs(item->sites ? "\n" : "  (unused)\n", term->out);
  }
}

static void print_summary(vt_analysis_t const *analysis, vt_report_options_t const *options,
                          vt_term_t const *term) {
  size_t limit = options->limit ? options->limit : SUMMARY_GROUPS;
  static vt_metric_t const metrics[] = {VT_METRIC_LEAKED, VT_METRIC_COUNT, VT_METRIC_PEAK,
                                        VT_METRIC_TEMPORARY};
  for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++)
    section(analysis, options, term, metrics[i], limit, 1);
}

void vt_text_sections(vt_analysis_t const *analysis, vt_report_options_t const *options,
                      vt_term_t const *term) {
  size_t limit = options->limit ? options->limit : VIEW_GROUPS;
  switch (options->view) {
  case VT_VIEW_SUMMARY: print_summary(analysis, options, term); break;
  case VT_VIEW_LEAKS: print_leaks(analysis, options, term, limit); break;
  case VT_VIEW_HOT:
  case VT_VIEW_PEAK:
  case VT_VIEW_TEMPORARY:
  case VT_VIEW_REALLOCS: {
    vt_metric_t metric = vt_view_metric(options->view);
    section(analysis, options, term, metric, limit, 2);
    break;
  }
  default: vt_text_tables(analysis, options, term);
  }
  if (options->part.text) options->part.text(options->part.context, term);
  if (options->suppressions) print_suppressions(options->suppressions, term);
}

void vt_report_text(vt_analysis_t const *analysis, vt_report_options_t const *options,
                    vt_term_t const *term) {
  vt_text_head(analysis, options, term, SIZE_MAX);
  vt_text_sections(analysis, options, term);
}
