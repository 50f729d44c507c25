/* Why functions have no names: a stranger would take it for our failure. */
#ifndef VT_ANALYZER_REPORT_NAMELESS_H
#define VT_ANALYZER_REPORT_NAMELESS_H

#include "analyzer/report/analysis.h"
#include "analyzer/report/json.h"
#include "analyzer/report/term.h"

/* Prints a line for each reason why modules have no names, with their files; nothing if all have. */
void vt_text_nameless(vt_analysis_t const *analysis, vt_term_t const *term);

/* The same as an array "nameless" of objects {module, reason}. */
void vt_json_nameless(vt_json_t *json, vt_analysis_t const *analysis);

#endif
