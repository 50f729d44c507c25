/* Which events of one trace belong to the blocks that a filter chooses: those that allocate them
   and those that free them. A realloc whose old or new block is chosen counts with both its events.
 */
#ifndef VT_ANALYZER_REPORT_CHOSEN_H
#define VT_ANALYZER_REPORT_CHOSEN_H

#include "analyzer/report/analysis.h"

typedef struct vt_chosen vt_chosen_t;

/* Finds the events. With options->filter.at only allocations of blocks that are live then are
   chosen. Returns NULL with *error filled when the trace cannot be opened or, with *usage set, when
   the filter makes no sense. Needs memory for 1 bit per event, and with `at` for the live blocks.
 */
vt_chosen_t *vt_chosen_find(char *path, vt_analysis_options_t const *options, vt_error_t *error,
                            int *usage);
void vt_chosen_free(vt_chosen_t *chosen);

/* Is event number `event` (from 0, in the reader's order) chosen? */
int vt_chosen_has(vt_chosen_t const *chosen, uint64_t event);

/* Did an operation on a heap as a whole (reset, …) at this time, in nanoseconds since start, free a
   chosen block? */
int vt_chosen_has_op(vt_chosen_t const *chosen, uint64_t time);

#endif
