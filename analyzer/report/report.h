/* Printing a report of an analysis, for people or as JSON. */
#ifndef VT_ANALYZER_REPORT_REPORT_H
#define VT_ANALYZER_REPORT_REPORT_H

#include "analyzer/report/analysis.h"
#include "analyzer/report/json.h"
#include "analyzer/report/metric.h"
#include "analyzer/report/suppressions.h"
#include "analyzer/report/term.h"

typedef enum {
  VT_VIEW_SUMMARY,
  VT_VIEW_LEAKS,
  VT_VIEW_HOT,
  VT_VIEW_PEAK,
  VT_VIEW_TEMPORARY,
  VT_VIEW_SIZES,
  VT_VIEW_LIFETIMES,
  VT_VIEW_THREADS,
  VT_VIEW_TIMELINE,
  VT_VIEW_REALLOCS,
  VT_VIEW_MODULES,
  VT_VIEW_HEAPS,
  VT_VIEW_GROWTH, /* these are parts that other rooms make */
  VT_VIEW_FREES,
  VT_VIEW_MISMATCHES,
  VT_VIEW_MAPPINGS,
  VT_VIEW_MEMORY,
  VT_VIEW_PAGES,
  VT_VIEW_CNT
} vt_view_t;

/* A part of a report that is made elsewhere; text or JSON may be NULL: it has none. */
typedef struct {
  void (*text)(void *context, vt_term_t const *term);
  void (*json)(void *context, vt_json_t *json); /* one or several members of the document */
  void *context;
} vt_report_part_t;

typedef struct {
  vt_view_t view;
  int full; /* all sections, all findings */
  vt_report_part_t part;
  vt_by_t by;
  int by_given;
  size_t limit; /* 0: the view's own */
  int leak_kind_given;
  vt_metric_t leak_kind; /* of VT_VIEW_LEAKS: which blocks */
  int no_inlines, keep_allocators;
  int show_runtime;                /* the inside of libraries is not folded in stacks */
  vt_suppressions_t *suppressions; /* NULL: none */
  char const *filters; /* the options that chose what is shown, for people; NULL: everything is */
} vt_report_options_t;

/* What is to be said of a peak that is one at most. */
#define VT_PEAK_WHY \
  "the peak of what is recorded is that at most: blocks that may have been freed while recording was paused count in it"

/* The view of a name, or -1. */
int vt_view_by_name(char const *name);
char const *vt_view_name(vt_view_t view);
/* What the view ranks sites by. */
vt_metric_t vt_view_metric(vt_view_t view);

void vt_report_text(vt_analysis_t const *analysis, vt_report_options_t const *options,
                    vt_term_t const *term);
void vt_report_json(vt_analysis_t const *analysis, vt_report_options_t const *options, FILE *out);

/* ---- parts that several commands print ---- */

/* What comes before the sections: programs (at most traces_max), totals, completeness. */
void vt_text_head(vt_analysis_t const *analysis, vt_report_options_t const *options,
                  vt_term_t const *term, size_t traces_max);
/* The sections of the view. */
void vt_text_sections(vt_analysis_t const *analysis, vt_report_options_t const *options,
                      vt_term_t const *term);
/* When the blocks are live that count as leaked: a report may be about a moment. */
char const *vt_text_when_live(vt_analysis_t const *analysis);
/* An argument as a shell would take it; cut where out is full. */
void vt_text_quoted(char const *text, char *out, size_t cap);

/* Groups by a metric, best first, with their stacks; at most `limit`. */
void vt_text_groups(vt_analysis_t const *analysis, vt_report_options_t const *options,
                    vt_term_t const *term, vt_metric_t metric, size_t limit, int stacks_each);
/* A frame on a line of its own, indented. */
void vt_text_frame(vt_term_t const *term, vt_stack_frame_t const *frame);
/* A stack, innermost first, in at most lines_max lines (0: as many as usual) and two. */
void vt_text_stack(vt_analysis_t const *analysis, vt_report_options_t const *options,
                   vt_term_t const *term, uint32_t node, size_t lines_max);
/* Where a frame is, file and line or its module, in so many columns; returns those used. vt_text_has_place: is it known, and
   not the name already? vt_text_behind puts it behind a name, with two blanks in front; nothing if there is none. */
int vt_text_has_place(vt_stack_frame_t const *frame);
int vt_text_behind(vt_term_t const *term, vt_stack_frame_t const *frame, int columns);
int vt_text_place(vt_term_t const *term, vt_stack_frame_t const *frame, int columns);
/* What a frame is called. */
char const *vt_text_name(vt_term_t const *term, vt_stack_frame_t const *frame, char *buffer,
                         size_t sz);
/* A group's name, cut to `columns`. */
void vt_text_group_name(vt_term_t const *term, vt_stack_frame_t const *frame, vt_by_t by,
                        int columns);
void vt_text_tables(vt_analysis_t const *analysis, vt_report_options_t const *options,
                    vt_term_t const *term);

/* The array "sites" by a metric, best first, no more than options->limit; before it "groups", when
   they are asked for. */
void vt_json_sites(vt_json_t *json, vt_analysis_t const *analysis,
                   vt_report_options_t const *options, vt_metric_t metric);
/* One site object of the JSON contract. */
void vt_json_site(vt_json_t *json, vt_analysis_t const *analysis,
                  vt_report_options_t const *options, vt_site_t const *site, size_t rank);
/* What stands for a group: function, file and line, module, as far as it is grouped by them. */
void vt_json_group(vt_json_t *json, vt_stack_frame_t const *frame, vt_by_t by);
/* The "stack" array of a site. */
void vt_json_stack(vt_json_t *json, vt_analysis_t const *analysis,
                   vt_report_options_t const *options, uint32_t node);
/* One element of it. */
void vt_json_frame(vt_json_t *json, vt_stack_frame_t const *frame);
/* The array "suppressions": each with what it took. */
void vt_json_suppressions(vt_json_t *json, vt_suppressions_t const *suppressions);
/* The parts of the document before the sites. Of each trace there are at most `most` heaps, and its
   command has at most `most` bytes. */
void vt_json_head(vt_json_t *json, vt_analysis_t const *analysis, char const *view, size_t most);
void vt_json_tables(vt_json_t *json, vt_analysis_t const *analysis,
                    vt_report_options_t const *options);
/* A thread's number; after it `KEY_nth`, if it is not the first with that number. */
void vt_json_thread(vt_json_t *json, char const *key, vt_analysis_t const *analysis,
                    uint32_t thread);
/* What the totals of a sample are at most, but for one time in a thousand: what was not recorded allowed for. */
void vt_json_bounds(vt_json_t *json, char const *key, vt_analysis_t const *analysis);
/* The keys missing_events, missing_since_ns and reasons of the contract. */
void vt_json_missing(vt_json_t *json, vt_completeness_t const *have);
/* The counters of a site, keys as in the contract. */
void vt_json_counters(vt_json_t *json, vt_site_t const *site);

#endif
