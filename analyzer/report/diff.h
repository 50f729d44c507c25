/* Comparing two analyses site by site. Sites are the same when their stacks have the same functions
   in the same modules, so that traces of different builds can be compared. */
#ifndef VT_ANALYZER_REPORT_DIFF_H
#define VT_ANALYZER_REPORT_DIFF_H

#include "analyzer/report/report.h"

typedef struct {
  vt_analysis_t const *before, *after;
  vt_metric_t metric;
  /* what is shown together (default: stacks), how many (0: 20 in text, all in JSON), frames */
  vt_report_options_t const *options;
} vt_diff_t;

void vt_diff_text(vt_diff_t const *diff, vt_term_t const *term);
/* Schema valtrace-diff, version 1. Sites with the largest change first; fields end in _before and
   _after. */
void vt_diff_json(vt_diff_t const *diff, FILE *out);

#endif
