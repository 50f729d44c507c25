/* What a verdict may say when registers of threads are not known, as after SIGKILL: each may hold a block that nothing
   in the memory holds.

   A thread has few registers. Of a call stack that lost more blocks than all of them could hold, most are lost for sure,
   and all keep their class; the blocks of other call stacks, and what they point to, are possible, no more. */
#ifndef VT_ANALYZER_SNAPSHOT_DOUBT_H
#define VT_ANALYZER_SNAPSHOT_DOUBT_H

#include "analyzer/snapshot/blocks.h"
#include "analyzer/snapshot/graph.h"

/* Where the block at an address was allocated. */
typedef struct {
  uint64_t address;
  uint32_t site;
} vt_origin_t;

/* vt_doubt changes classes. origins: of all blocks, by address; others may be among them. */
void vt_doubt(vt_judged_t *verdict, vt_graph_t const *graph, vt_live_t const *live, vt_origin_t const *origins,
              size_t cnt, uint32_t threads);

#endif
