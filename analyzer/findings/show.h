/* Findings as text and as JSON. */
#ifndef VT_ANALYZER_FINDINGS_SHOW_H
#define VT_ANALYZER_FINDINGS_SHOW_H

#include "analyzer/findings/findings.h"

#define VT_FINDINGS_LINES 40 /* of the report without a view, for any program */

/* The report without a view: the head, and as many findings as there is room for (options->limit:
   as many as that), each with its place and the command that shows the evidence. */
void vt_findings_text(vt_findings_t const *findings, vt_analysis_t const *analysis,
                      vt_report_options_t const *options, vt_term_t const *term);

/* The array "findings". ranked: by site its rank in the document's "sites", 0 if it is not there;
   NULL: the document has none. */
void vt_findings_json(vt_findings_t const *findings, vt_analysis_t const *analysis,
                      uint32_t const *ranked, vt_json_t *json);

#endif
