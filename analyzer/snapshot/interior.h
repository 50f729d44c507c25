/* Pointers into the middle of a block that stand for the block all the same, as can be told from
   what is around the place they point to. */
#ifndef VT_ANALYZER_SNAPSHOT_INTERIOR_H
#define VT_ANALYZER_SNAPSHOT_INTERIOR_H

#include "analyzer/snapshot/scan.h"

/* A pointer that was found at `location` and whose value is `target`. */
typedef struct {
  uint64_t target, location;
  uint32_t block; /* that it points into */
  uint32_t in_root;
  size_t edge; /* index in the graph's root edges or edges */
} vt_interior_t;

/* vt_interior_judge makes the edges strong of those of the pointers that are. Sorts the array.
   Returns 0, or -1 when something could not be read. */
int vt_interior_judge(vt_scan_t const *scan, vt_graph_t *graph, vt_interior_t *pointers,
                      size_t cnt);

#endif
