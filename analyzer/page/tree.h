/* The call tree of the HTML page: the frames of all stacks of one or two analyses as one tree, with
   every metric of each. What is computed from the whole tree is exact. A tree that is too large for
   a page can be folded: a node [smaller frames] stands for the frames between a node that was kept
   and the inner ends of the stacks below it. Then the numbers of the nodes that are left are still
   exact, but those of a function, summed up over its nodes, are only lower bounds. */
#ifndef VT_ANALYZER_PAGE_TREE_H
#define VT_ANALYZER_PAGE_TREE_H

#include "analyzer/report/suppressions.h"
#include "analyzer/util/strings.h"

typedef enum {
  VT_PAGE_ALLOCATIONS,
  VT_PAGE_ALLOCATED_BYTES,
  VT_PAGE_TEMPORARY,
  VT_PAGE_TEMPORARY_BYTES,
  VT_PAGE_PEAK_BYTES,
  VT_PAGE_PEAK_BLOCKS,
  VT_PAGE_LEAKED_BYTES,
  VT_PAGE_LEAKED_BLOCKS,
  VT_PAGE_VALUES
} vt_page_value_t;

enum { VT_PAGE_INLINED = 1, VT_PAGE_ALLOCATOR = 2, VT_PAGE_RUNTIME = 4, VT_PAGE_FOLDED = 8 };
#define VT_PAGE_LANGUAGE_SHIFT 4 /* of a frame's flags: its language (vt_source_language_t) */

/* Strings are indexes into vt_page_tree_t.strings. */
typedef struct {
  uint32_t function, file, line, module, flags;
} vt_page_frame_t;

typedef struct {
  uint32_t parent, frame;
  uint64_t self[2][VT_PAGE_VALUES]; /* by side: the first analysis, the second */
} vt_page_node_t;

typedef struct {
  vt_strings_t *strings;
  vt_strings_t *frame_keys, *node_keys;
  vt_page_frame_t *frames;
  size_t frames_cnt, frames_cap;
  vt_page_node_t *nodes; /* [0] is the root; callers come before their callees */
  size_t nodes_cnt, nodes_cap;
  uint32_t **node_of; /* by side, by cell of its model: its node */
  uint8_t **leaks; /* the same: do its live blocks count as leaked, are they not suppressed? */
  int sides, by_function;
  size_t name_max;       /* bytes of a name that are written: as many as the page has room for */
  uint64_t folded;       /* nodes that were folded */
  double folded_largest; /* the largest share of any metric one of them had, 0 … 1 */
} vt_page_tree_t;

/* Makes the whole tree of one or two analyses (sides 2: frames are told apart by function and module
   only, so that two builds of a program can be compared), and their suppressions, which were
   applied. */
vt_page_tree_t *vt_page_tree_new(vt_analysis_t const *const *analyses, int sides,
                                 vt_suppressions_t *suppressions);
void vt_page_tree_delete(vt_page_tree_t *tree);

/* Folds the tree of these analyses until it has at most nodes_max nodes. */
void vt_page_tree_fold(vt_page_tree_t *tree, vt_analysis_t const *const *analyses,
                       size_t nodes_max);

/* Do stacks end at the node? */
int vt_page_node_ends(vt_page_node_t const *node);

#endif
