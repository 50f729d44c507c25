/* Comparing two analyses, by function first and then by site. Sites are the same when the demangled
   names on their stacks are, whatever the path, file name or version of their modules: so traces of
   different builds can be compared. Code without names is the same at the same offset of paired
   modules. */
#ifndef VT_ANALYZER_REPORT_DIFF_H
#define VT_ANALYZER_REPORT_DIFF_H

#include "analyzer/report/condition.h"
#include "analyzer/report/report.h"

typedef struct {
  vt_analysis_t const *before, *after;
  vt_metric_t metric;
  /* what is shown together (default: functions with their sites), how many (0: 20 in text, all in
     JSON), frames */
  vt_report_options_t const *options;
  double
      per[2]; /* the work done before and after, which all values are divided by; 1 and 1: whole */
  char const *unit; /* of that work, as it was given; NULL: whole values */
} vt_diff_t;

void vt_diff_text(vt_diff_t const *diff, vt_term_t const *term);
/* Schema valtrace-diff, version 1. Sites with the largest change first; fields end in _before and
   _after. failed: the conditions that hold, each with its sites; NULL and 0: none was asked for. */
void vt_diff_json(vt_diff_t const *diff, vt_condition_t const *failed, size_t failed_cnt,
                  FILE *out);

/* Says that a condition holds, with the sites that changed most by its metric. */
void vt_diff_text_failed(vt_diff_t const *diff, vt_condition_t const *condition,
                         vt_term_t const *term);

/* Tells of the sites that changed most by a condition's metric, at most `limit`: the analysis and node
   of a stack that stands for each, and the change as a text of one line. */
typedef void vt_diff_told_t(void *context, vt_analysis_t const *analysis, uint32_t node,
                            char const *text);
void vt_diff_tell(vt_diff_t const *diff, vt_condition_t const *condition, size_t limit,
                  vt_diff_told_t *told, void *context);

/* The condition's metric before and after, as a text. */
typedef struct {
  char text[240];
} vt_diff_values_t;
vt_diff_values_t vt_diff_values(vt_diff_t const *diff, vt_condition_t const *condition);

#endif
