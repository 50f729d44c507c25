/* The data of the HTML page (`valtrace html`): everything it shows, in one JSON document of bounded
   size, schema valtrace-page. It is written for the page of the same version only (tools/html).

   The tables of the call tree are packed numbers (pack.h). "nodes": how many there are, the root
   first; for each but the root the distance to its caller, which comes before it; for each but the
   root the number of its frame; how many frames there are, and for each function, file, line, module
   (strings) and flags; for each node at which stacks end the distance to the node before, counted
   from -1, and of each side what ends there itself, in the order of vt_page_value_t; and a 0.
   "strings": packed, too, but each ends with NUL. Of each side "blocks": blocks.h, whose threads and
   heaps are numbers in "threads" and "heap_names", with one more for all that have no place there;
   and "curve": step_ns and data, packed numbers: how many steps, the highest live bytes of each as
   distance to that before (2 * n, -n: 2 * n - 1), and the allocations in each; and "resident": resident.h. */
#ifndef VT_ANALYZER_PAGE_H
#define VT_ANALYZER_PAGE_H

#include <stdio.h>
#include "analyzer/page/tree.h"
#include "analyzer/report/report.h"

/* More than this a browser does not sum up while one waits for a click. */
#define VT_PAGE_NODES_MAX 600000

/* What the page is about: one analysis, or two to compare (sides 2), whose suppressions were
   applied. They must have been opened with these options: lifetimes, sizes, threads and a fine
   timeline. */
typedef struct {
  vt_analysis_t *const *analyses;
  int sides;
  vt_analysis_options_t const *options;
  vt_suppressions_t *suppressions;
  vt_report_part_t const *findings; /* NULL: there are none */
  int no_source;                    /* without "sources" (sources.h) */
} vt_page_contents_t;

/* Writes the data. Runs over the events once more. Returns the call tree as it was written, which
   the caller deletes. Write errors are the caller's to check (ferror). */
vt_page_tree_t *vt_page_write(vt_page_contents_t const *contents, FILE *out);

#endif
