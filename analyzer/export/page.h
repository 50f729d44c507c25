/* The data of the HTML page (`valtrace html`): everything it shows, in one JSON document of bounded
   size, schema valtrace-page. It is written for tools/html/page.py of the same version only.

   The tables of the call tree are packed numbers (page_pack.h). "nodes": how many there are, the root
   first; for each but the root the distance to its caller, which comes before it; for each but the
   root the number of its frame; how many frames there are, and for each function, file, line, module
   (strings) and flags; for each node at which stacks end the distance to the node before, counted
   from -1, and of each side what ends there itself, in the order of vt_page_value_t; and a 0.
   "strings": packed, too, but each ends with NUL. "history": page_history.h. */
#ifndef VT_ANALYZER_EXPORT_PAGE_H
#define VT_ANALYZER_EXPORT_PAGE_H

#include <stdio.h>
#include "analyzer/report/report.h"

/* More than this a browser does not sum up while one waits for a click. */
#define VT_PAGE_NODES_MAX 600000

/* Writes the data of one analysis, or of two to compare (sides 2), and findings->json (NULL: there
   are none). They must have been opened with
   lifetimes, sizes, timeline and threads; with history too the page can show a selected span of
   time. Write errors are the caller's to check (ferror). */
void vt_page_write(vt_analysis_t const *const *analyses, int sides,
                   vt_report_part_t const *findings, FILE *out);

#endif
