/* What commands say of an incomplete record that do not report it: gates for continuous integration
   (check-budget, --fail-on-…), which refuse it, exports and dump, which go on. */
#ifndef VT_ANALYZER_CLI_GATE_H
#define VT_ANALYZER_CLI_GATE_H

#include "analyzer/report/analysis.h"

/* vt_gate_complete is 1 for a complete record. An incomplete one passes no gate, as what it lacks may
   be what exceeds it: 0, and a line on standard error says why. */
int vt_gate_complete(vt_completeness_t const *have);

/* vt_gate_warn says on standard error that what is written is of an incomplete record, or of one that began in mid-life,
   and why. */
void vt_gate_warn(char const *path, vt_completeness_t const *have);

/* vt_gate_warn_unsure says on standard error which of the sums that are written are such at most, as recording was paused. */
void vt_gate_warn_unsure(char const *path, vt_analysis_t const *analysis);

#endif
