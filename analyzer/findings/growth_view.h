/* report growth: how the live bytes of each site, or group of them, went on in time. */
#ifndef VT_ANALYZER_FINDINGS_GROWTH_VIEW_H
#define VT_ANALYZER_FINDINGS_GROWTH_VIEW_H

#include "analyzer/findings/findings.h"

typedef struct {
  vt_analysis_t const *analysis;
  vt_report_options_t const *options;
  vt_groups_t groups;
  vt_evidence_sums_t *sums;
  vt_evidence_t *evidence;
  uint32_t *order; /* groups with the largest rise first */
} vt_growth_view_t;

/* The view as a part of the report, after vt_analysis_open with this evidence. In a view of time
   (timeline): what was live of the ten groups that matter most, and of the rest, at each moment. */
vt_report_part_t vt_growth_view_make(vt_growth_view_t *view, vt_analysis_t const *analysis,
                                     vt_evidence_t *evidence, vt_report_options_t const *options);
/* The end of report leaks, as text: which of what is still reachable grows all the time. */
vt_report_part_t vt_growth_view_reachable(vt_growth_view_t *view, vt_analysis_t const *analysis,
                                          vt_evidence_t *evidence, vt_report_options_t const *options);
void vt_growth_view_free(vt_growth_view_t *view);

#endif
