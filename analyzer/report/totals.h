/* The totals of an analysis, each with what is known of it: of a sampled trace some were counted and some are estimates.
   What gates and comparisons rest on, so that no verdict is a guess. */
#ifndef VT_ANALYZER_REPORT_TOTALS_H
#define VT_ANALYZER_REPORT_TOTALS_H

#include "analyzer/report/analysis.h"

typedef enum {
  VT_TOTAL_LOST,
  VT_TOTAL_LOST_BLOCKS,
  VT_TOTAL_LIVE,
  VT_TOTAL_LIVE_BLOCKS,
  VT_TOTAL_PEAK,
  VT_TOTAL_PEAK_BLOCKS,
  VT_TOTAL_ALLOCATED,
  VT_TOTAL_ALLOCATIONS,
  VT_TOTAL_TEMPORARY,
  VT_TOTAL_FREES,
  VT_TOTAL_REALLOCS
} vt_total_name_t;

typedef struct {
  uint64_t value;
  int known;
  int estimated;
  int at_most;     /* blocks that may have been freed while recording was paused count in it */
  double error;    /* standard error; 0: it was counted, or nothing of it was recorded */
  double low, high; /* it lies between these but for one in a thousand; of a number that was counted, both are that.
                       Of a peak, low allows for its having been chosen. What is a part of a number that was counted is no more than that */
} vt_total_t;

vt_total_t vt_total(vt_analysis_t const *analysis, vt_total_name_t name);

/* What of `value` is certain, if it has this variance. period: of the sample; 0: it was counted. High is three standard
   errors above, and by what a sample may have missed altogether: with a Poisson process of one point in `period`
   bytes, 7 periods have none once in a thousand times, and so may have as many blocks of one byte. */
vt_total_t vt_total_of(uint64_t value, double variance, uint64_t period);

/* vt_total_unseen: is it an estimate of which nothing was recorded? Then all that is known is what it is at most. */
int vt_total_unseen(vt_total_t const *total);
/* vt_total_bound is the most that it is, rounded. */
uint64_t vt_total_bound(vt_total_t const *total);

#endif
