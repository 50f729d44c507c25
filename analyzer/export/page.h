/* The data of the HTML page (`valtrace html`): everything it shows, in one JSON document of bounded
   size, schema valtrace-page. It is written for tools/html/page.py of the same version only. */
#ifndef VT_ANALYZER_EXPORT_PAGE_H
#define VT_ANALYZER_EXPORT_PAGE_H

#include <stdio.h>
#include "analyzer/report/analysis.h"

#define VT_PAGE_NODES_MAX 20000

/* Writes the data of one analysis, or of two to compare (sides 2). They must have been opened with
   lifetimes, sizes, timeline and threads; with history too the page can show a selected span of
   time. Write errors are the caller's to check (ferror). */
void vt_page_write(vt_analysis_t const *const *analyses, int sides, FILE *out);

#endif
