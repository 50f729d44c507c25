/* Resident memory over time, by the few kinds that samples tell: private, of files, shared. */
#ifndef VT_ANALYZER_REPORT_RESIDENT_TIME_H
#define VT_ANALYZER_REPORT_RESIDENT_TIME_H

#include "analyzer/report/analysis.h"
#include "analyzer/report/json.h"
#include "analyzer/report/term.h"

/* vt_resident_time_text prints a table with a row for every interval [i * step_ns, (i + 1) * step_ns), stacked as
   a bar: the latest samples of all processes in it. Without samples it says why there are none. */
void vt_resident_time_text(vt_analysis_t const *analysis, vt_term_t const *term, uint64_t step_ns,
                           size_t intervals);

/* vt_resident_time_json writes the member "memory": the samples of each trace, by its number in "traces", in the time
   of the analysis; kinds that are not known are null. */
void vt_resident_time_json(vt_analysis_t const *analysis, vt_json_t *json);

/* vt_resident_time_highest is the most resident memory of all processes together in each interval, as samples tell:
   0 where there is none. The caller frees it. */
uint64_t *vt_resident_time_highest(vt_analysis_t const *analysis, uint64_t step_ns, size_t intervals);

/* vt_resident_time_mapped is how much programs had mapped by calls of their own at the end of each interval; the
   caller frees it. */
uint64_t *vt_resident_time_mapped(vt_analysis_t const *analysis, uint64_t step_ns, size_t intervals);

#endif
