/* Conditions on what changed between two recordings, for `diff --fail-if`: METRIC OPERATOR NUMBER.
   METRIC is lost, live (or leaked), peak, allocated (bytes), lost-blocks, live-blocks, peak-blocks,
   allocations (or count), temporary, frees, reallocs; OPERATOR > >= < <= = !=. The number may have
   a suffix k, M, G. Without a sign it is compared with the value afterwards; with one (+5, -1k)
   with the change; with a percent sign with the change in percent of the value before. */
#ifndef VT_ANALYZER_REPORT_CONDITION_H
#define VT_ANALYZER_REPORT_CONDITION_H

#include "analyzer/report/metric.h"
#include "analyzer/report/totals.h"

typedef struct {
  char const *text;
  unsigned metric; /* a row of the table of metrics */
  enum { VT_CONDITION_VALUE, VT_CONDITION_CHANGE, VT_CONDITION_PERCENT } of;
  enum { VT_ABOVE, VT_AT_LEAST, VT_BELOW, VT_AT_MOST, VT_EQUAL, VT_UNEQUAL } comparison;
  double value;
} vt_condition_t;

/* Reads a condition; keeps `text`. Returns 0, or -1 if it is none. */
int vt_condition_parse(char const *text, vt_condition_t *out);

/* What it is about: what sites are ranked by, and whether that is bytes; whether it needs a
 * verdict. */
vt_metric_t vt_condition_metric(vt_condition_t const *condition);
int vt_condition_bytes(vt_condition_t const *condition);
int vt_condition_of_lost(vt_condition_t const *condition);

/* The metric's total in an analysis. */
vt_total_t vt_condition_total(vt_condition_t const *condition, vt_analysis_t const *analysis);

/* Is that total one at most, as blocks that may have been freed while recording was paused count in it? */
int vt_condition_at_most(vt_condition_t const *condition, vt_analysis_t const *analysis);

/* Does it hold for values that lie in these ranges? Of numbers that were counted both ends are equal. */
typedef struct {
  double low, high;
} vt_range_t;
typedef enum { VT_HOLDS_NOT = 0, VT_HOLDS, VT_HOLDS_UNKNOWN } vt_holds_t;
vt_holds_t vt_condition_holds(vt_condition_t const *condition, vt_range_t before, vt_range_t after);

#endif
