/* Resident memory over time, as the HTML page draws it: the collector's samples, in steps finer than the page can
   show unless it is zoomed far in. */
#ifndef VT_ANALYZER_PAGE_RESIDENT_H
#define VT_ANALYZER_PAGE_RESIDENT_H

#include "analyzer/report/analysis.h"
#include "analyzer/report/json.h"

/* Writes the object "resident": kinds (are the kinds of resident memory known of each sample?) and data, packed numbers
   (pack.h) in columns: how many samples; the distance in ns to the time of the one before; bytes resident; of these
   anonymous, of files, and shared. Of many samples those with most in each of equal spans of time are there. Of
   several processes there are none: theirs are not of the same moments. */
void vt_page_resident_write(vt_json_t *json, vt_analysis_t const *analysis);

#endif
