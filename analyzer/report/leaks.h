/* The verdicts of snapshots brought to the sites of an analysis, and what holds a block. */
#ifndef VT_ANALYZER_REPORT_LEAKS_H
#define VT_ANALYZER_REPORT_LEAKS_H

#include "analyzer/report/analysis.h"

/* vt_leaks_judge fills analysis->verdicts and ->verdict, or ->no_verdict with why there is none.
   whole: the analysis is about the end of the processes' lives. After the sites are made. */
void vt_leaks_judge(vt_analysis_t *analysis, int whole);

#endif
