/* The view of which places in the program keep pages resident with little on them, whose blocks were freed
   beside, and which blocks have pages that were never touched. */
#ifndef VT_ANALYZER_REPORT_PAGES_VIEW_H
#define VT_ANALYZER_REPORT_PAGES_VIEW_H

#include "analyzer/report/report.h"
#include "analyzer/report/residence.h"

typedef struct vt_pages_view vt_pages_view_t;

/* vt_pages_view_make looks at the end of each trace, or at its latest moment that is known; borrows
   `residences`. */
vt_pages_view_t *vt_pages_view_make(vt_residences_t *residences, vt_report_options_t const *options);
void vt_pages_view_delete(vt_pages_view_t *view);

vt_report_part_t vt_pages_view_part(vt_pages_view_t *view);

#endif
