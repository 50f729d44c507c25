/* The source lines that a page shows: those around the frames that have most, of files that are at
   hand when it is made. A relative name is looked for beside the module of its frame, and nowhere
   else; whatever a recording names, only regular files whose suffix is that of source are read. */
#ifndef VT_ANALYZER_PAGE_SOURCES_H
#define VT_ANALYZER_PAGE_SOURCES_H

#include "analyzer/page/tree.h"
#include "analyzer/report/json.h"

/* Writes the string "sources": packed (pack.h) JSON, {file: {changed: since the recording started,
   lines: {number: text}}}, of bounded size; "": there are none. */
void vt_page_sources_write(vt_json_t *json, vt_page_tree_t const *tree, uint64_t started_unix_ns);

#endif
