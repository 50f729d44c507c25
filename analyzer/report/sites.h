/* Making the sites of an analysis (analysis.h) of what its model has counted. */
#ifndef VT_ANALYZER_REPORT_SITES_H
#define VT_ANALYZER_REPORT_SITES_H

#include "analyzer/report/analysis.h"

/* vt_sites_make fills analysis->sites and cell_sites, which vt_sites_drop empties. The stacks have been added. */
void vt_sites_make(vt_analysis_t *analysis);
void vt_sites_drop(vt_analysis_t *analysis);

#endif
