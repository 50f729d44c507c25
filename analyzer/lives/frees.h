/* Who frees what: how many blocks and bytes each allocation site, freeing site and pair of threads
 * have. */
#ifndef VT_ANALYZER_LIVES_FREES_H
#define VT_ANALYZER_LIVES_FREES_H

#include "analyzer/report/report.h"

typedef struct vt_frees vt_frees_t;

vt_frees_t *vt_frees_new(void);
void vt_frees_delete(vt_frees_t *frees);

/* What to give vt_analysis_open as options->watch. */
vt_model_watch_t vt_frees_watch(vt_frees_t *frees);

/* The view as a part of the report, after vt_analysis_open; all of it lives as long as `frees`. */
vt_report_part_t vt_frees_part(vt_frees_t *frees, vt_analysis_t *analysis,
                               vt_report_options_t const *options);

#endif
