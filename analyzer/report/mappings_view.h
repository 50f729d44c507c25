/* The view of what programs map by calls of their own: by the function that called, what it has mapped at
   the end and ever. */
#ifndef VT_ANALYZER_REPORT_MAPPINGS_VIEW_H
#define VT_ANALYZER_REPORT_MAPPINGS_VIEW_H

#include "analyzer/report/report.h"

typedef struct vt_mappings_view vt_mappings_view_t;

/* vt_mappings_view_make runs the accounts of all traces; needs the stacks of the analysis. */
vt_mappings_view_t *vt_mappings_view_make(vt_analysis_t const *analysis);
void vt_mappings_view_delete(vt_mappings_view_t *view);

vt_report_part_t vt_mappings_view_part(vt_mappings_view_t *view,
                                       vt_report_options_t const *options);

#endif
