/* Wrong frees, each with both stacks: by a function of another family than the block was allocated
   by; with another size or alignment than it has, where operator delete is told (docs/recording.md); of a
   block that was freed before; of an address inside a block; of an address where nothing was ever seen. */
#ifndef VT_ANALYZER_LIVES_MISMATCHES_H
#define VT_ANALYZER_LIVES_MISMATCHES_H

#include "analyzer/report/report.h"

typedef struct vt_mismatches vt_mismatches_t;

vt_mismatches_t *vt_mismatches_new(void);
void vt_mismatches_delete(vt_mismatches_t *mismatches);

/* What to give vt_analysis_open as options->watch. Needs memory for each address that was ever
 * used. */
vt_model_watch_t vt_mismatches_watch(vt_mismatches_t *mismatches);

/* The view as a part of the report, after vt_analysis_open; lives as long as `mismatches`. */
vt_report_part_t vt_mismatches_part(vt_mismatches_t *mismatches, vt_analysis_t *analysis,
                                    vt_report_options_t const *options);

#endif
