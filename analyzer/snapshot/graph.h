/* Which live block points to which, and what follows from it.

   A pointer is *strong* when it looks like one to the start of its block, else *weak*. A block is
   reachable by strong pointers from a root; possible if weak ones are needed; else lost. Of the
   lost ones, those are definite that stand for a group (a strongly connected component) to which no
   other lost block points: the largest of the group; every other one is indirect. The flood is that
   of any mark phase; components are Tarjan's (SIAM J. Comput. 1, 1972). */
#ifndef VT_ANALYZER_SNAPSHOT_GRAPH_H
#define VT_ANALYZER_SNAPSHOT_GRAPH_H

#include <stddef.h>
#include <stdint.h>
#include "valtrace/trace_format.h"

#define VT_EDGE_WEAK ((uint32_t)1 << 31)

/* A pointer found in a root. */
typedef struct {
  uint64_t location;
  uint32_t edge; /* the block pointed to, with VT_EDGE_WEAK or not */
  uint32_t area; /* whose it is: the scanner's number */
} vt_root_edge_t;

typedef struct {
  uint32_t nodes;
  vt_root_edge_t *roots;
  size_t roots_cnt, roots_cap;
  uint32_t *edges; /* of block i: edges[first[i]] to edges[first[i + 1] - 1] */
  size_t edges_cnt, edges_cap;
  size_t *first; /* nodes + 1 entries */
} vt_graph_t;

/* How a block is held: by another one, by a root, or (lost and not pointed to) by nobody. */
#define VT_HELD_BY_ROOT ((uint64_t)1 << 32)
#define VT_HELD_NOT     UINT64_MAX

typedef struct {
  uint8_t *kinds; /* vt_class_t, by block */
  /* By block: the block before it on a shortest chain (from a root; of lost ones from the definite
     block), or VT_HELD_BY_ROOT + index of the root edge, or VT_HELD_NOT. */
  uint64_t *holders;
} vt_judged_t;

/* vt_graph_judge decides on every block; `size_of` is the size of one. The caller frees the
 * verdict. */
vt_judged_t vt_graph_judge(vt_graph_t const *graph,
                           uint64_t (*size_of)(void const *context, uint32_t block),
                           void const *context);
void vt_judged_free(vt_judged_t *verdict);
void vt_graph_free(vt_graph_t *graph);

#endif
