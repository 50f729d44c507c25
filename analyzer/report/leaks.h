/* The verdicts of snapshots brought to the sites of an analysis, and what holds a block. */
#ifndef VT_ANALYZER_REPORT_LEAKS_H
#define VT_ANALYZER_REPORT_LEAKS_H

#include "analyzer/report/analysis.h"

/* vt_leaks_of is the verdict on a trace that an analysis goes by, or NULL: of its end, or of the moment the analysis is
   about, if there was a snapshot then. */
vt_trace_leaks_t const *vt_leaks_of(vt_analysis_t const *analysis, size_t trace);

/* vt_leaks_moment: which moment's memory such a verdict is about. Snapshots of a running process are told by their marker,
   and have none when recording was ended. */
typedef enum {
  VT_JUDGED_UNKNOWN,
  VT_JUDGED_EXIT,
  VT_JUDGED_EXEC,
  VT_JUDGED_KILLED,
  VT_JUDGED_REQUEST,
  VT_JUDGED_PEAK,
  VT_JUDGED_DETACH
} vt_judged_t;
vt_judged_t vt_leaks_moment(vt_analysis_t const *analysis, size_t trace, vt_trace_leaks_t const *leaks);

/* vt_leaks_kind is what became of a live block: VT_LEAK_UNJUDGED where the verdict (NULL: there is none) does not
   know it. */
vt_leak_kind_t vt_leaks_kind(vt_trace_leaks_t const *leaks, uint64_t address);

/* vt_leaks_was_killed: was the process of a trace killed, so that it left no memory behind by itself? */
int vt_leaks_was_killed(vt_reader_t const *reader);

/* vt_leaks_judge fills analysis->verdicts and ->verdict, or ->no_verdict with why there is none.
   at_ns: the moment the analysis is about, UINT64_MAX: the end of the processes' lives. After the sites are made. */
void vt_leaks_judge(vt_analysis_t *analysis, uint64_t at_ns);

#endif
