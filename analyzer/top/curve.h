/* Curves over the whole time of a trace, one value for each column of the screen. */
#ifndef VT_ANALYZER_TOP_CURVE_H
#define VT_ANALYZER_TOP_CURVE_H

#include "analyzer/report/analysis.h"

#define VT_CURVE_MAX 512 /* columns */

typedef struct {
  uint64_t values[VT_CURVE_MAX];
  size_t cnt;
  uint64_t most, last; /* the highest, and the one at the end; 0: not known */
} vt_curve_t;

/* The live bytes: in each column the most of its time. `most` is the exact peak. */
void vt_curve_live(vt_curve_t *curve, vt_analysis_t const *analysis, uint64_t now_ns, size_t columns);

/* The resident bytes as they were sampled. */
void vt_curve_resident(vt_curve_t *curve, vt_analysis_t const *analysis, uint64_t now_ns, size_t columns);

/* vt_curve_draw makes a line of it: one character for each column, of eight heights in a terminal that has UTF-8,
   else of as many ASCII characters. out has 4 bytes for each column and one more. */
void vt_curve_draw(vt_curve_t const *curve, int utf8, char *out);

#endif
