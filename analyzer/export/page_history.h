/* The history of the HTML page's call tree: what each node did when, in a form that is small in the
   page and exact at the borders of its buckets. */
#ifndef VT_ANALYZER_EXPORT_PAGE_HISTORY_H
#define VT_ANALYZER_EXPORT_PAGE_HISTORY_H

#include "analyzer/export/page_tree.h"
#include "analyzer/report/json.h"

/* Writes the object "history": bucket_ns, and data, base64 of LEB128 numbers. For each node that
   has entries: distance to the node before, number of entries, and for each entry, in order of
   time: distance to the bucket before, allocations, allocated bytes, frees, freed bytes, temporary,
   temporary bytes. Buckets are made longer until data takes at most max characters. Nothing is
   written when the model has no history. */
void vt_page_history(vt_json_t *json, vt_page_tree_t const *tree, vt_model_t const *model,
                     size_t max);

#endif
