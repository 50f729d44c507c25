/* Who holds a live block: the shortest chain of pointers to it, from a root or from the block that lost it,
   as the snapshot found it. */
#ifndef VT_ANALYZER_REPORT_WHY_H
#define VT_ANALYZER_REPORT_WHY_H

#include "analyzer/report/report.h"

typedef struct vt_why vt_why_t;

/* vt_why_make gathers what is live; NULL without a verdict. Takes 12 bytes for each judged block. */
vt_why_t *vt_why_make(vt_analysis_t *analysis);
void vt_why_delete(vt_why_t *why);

/* vt_why_part is the part of a report that shows, for the highest sites of the kind that options choose (lost
   ones, or if there are none reachable ones), the chain to the largest block of each. */
vt_report_part_t vt_why_part(vt_why_t *why, vt_report_options_t const *options);

#endif
