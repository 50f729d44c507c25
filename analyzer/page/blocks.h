/* The blocks of the HTML page: all of them, put together when they are alike in everything by which
   the page can choose: call stack, thread, heap, size class, the stretches of time in which they
   were allocated and freed, how long they lived, and who freed them. Whatever is chosen, sums over
   this table are exact. */
#ifndef VT_ANALYZER_PAGE_BLOCKS_H
#define VT_ANALYZER_PAGE_BLOCKS_H

#include "analyzer/page/moments.h"
#include "analyzer/page/tree.h"
#include "analyzer/report/json.h"

typedef struct vt_page_blocks vt_page_blocks_t;

/* How threads and heaps are called in the table, by their number in the model. */
typedef struct {
  uint32_t const *thread_numbers, *heap_numbers;
} vt_page_names_t;

/* Runs over the events of an analysis once more, with the options it was opened with, and collects
   its blocks, by stretches between the moments. The caller deletes them. */
vt_page_blocks_t *vt_page_blocks_new(vt_analysis_t *analysis, vt_analysis_options_t const *options,
                                     vt_page_moments_t const *moments);
void vt_page_blocks_delete(vt_page_blocks_t *blocks);

/* Writes the object "blocks": moments_ns (the borders of the stretches: the first is 0, the last
   lies after the last event), end_ns (when this side is over), size_step, detailed, judged, whole_bytes, and data, packed
   numbers (pack.h) in columns:
   - kinds of blocks, by node: how many there are; the distance to the node before; thread; heap;
     size class (vt_count_size_class) / size_step; 1 if live ones count as leaked (are not
     suppressed); blocks at the peak, and their bytes;
   - allocations: how many rows; the distance to the kind before; stretch; blocks; bytes;
   - frees: how many rows; the distance to the kind before; the stretch of the allocation; the
     distance from it to that of the free; the power of two of the lifetime in ns; who freed them (0:
     the thread that allocated them, 1: none, else the thread's number + 2); blocks; bytes; how many
     were temporary, and their bytes;
   - blocks that live at the end and were judged (`judged`: is there a verdict?): how many rows; the distance to the
     kind before; the stretch of the allocation; what became of them (vt_leak_kind_t); blocks; bytes.
   Bytes are those beyond the smallest of the size class for each block, with whole_bytes (of a sampled trace) all of them. Stretches and classes are made larger
   until data takes at most max characters; without `detailed` there is but one thread, heap and class. */
void vt_page_blocks_write(vt_json_t *json, vt_page_blocks_t const *blocks,
                          vt_page_tree_t const *tree, int side, vt_page_names_t const *names,
                          size_t max);

#endif
