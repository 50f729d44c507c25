/* The history of the HTML page's call tree: what each node did when, in a form that is small in the
   page and exact at the borders of its buckets. */
#ifndef VT_ANALYZER_EXPORT_PAGE_HISTORY_H
#define VT_ANALYZER_EXPORT_PAGE_HISTORY_H

#include "analyzer/export/page_tree.h"
#include "analyzer/report/json.h"

/* Writes the object "history": bucket_ns, and data, packed numbers (page_pack.h). For each node that
   has entries: distance to the node before, number of buckets, and for each in order of time:
   distance to the bucket before, number of ages, and for each age of blocks (in buckets, youngest
   first): distance to the age before; allocations, and if there are any their bytes; frees, and if
   there are any their bytes and how many were temporary, and if any were the bytes of those.
   Buckets are made longer until data takes at most max characters. Nothing is written when the
   model has no history. */
void vt_page_history(vt_json_t *json, vt_page_tree_t const *tree, vt_model_t const *model,
                     size_t max);

#endif
