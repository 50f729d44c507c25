/* Reading the memory of a snapshot once, from roots and live blocks, and finding the pointers to
   live blocks in it.

   A pointer is a word at an address that is a multiple of eight (in executable memory that is no
   file, at any address: a JIT writes them into instructions) whose value lies in a live block; and so are the
   frame and the stack that a jmp_buf tells of. */
#ifndef VT_ANALYZER_SNAPSHOT_SCAN_H
#define VT_ANALYZER_SNAPSHOT_SCAN_H

#include "analyzer/snapshot/blocks.h"
#include "analyzer/snapshot/graph.h"
#include "analyzer/snapshot/memory.h"

typedef struct {
  uint64_t start, end;
  uint32_t area;  /* goes into the edges found here */
  int every_byte; /* pointers may lie at any address */
} vt_root_t;

typedef struct {
  vt_memory_t const *memory;
  vt_areas_t const *areas; /* to tell what read-only memory of files is */
  vt_live_t const *live;
  vt_root_t const *roots;
  size_t roots_cnt;
  int high_tags; /* the top 16 bits of a pointer are not part of it */
  uint64_t pointer_guard; /* what the C library mixes into the pointers of a jmp_buf; 0: not known */
} vt_scan_t;

/* vt_scan_run fills *graph, whose release is the caller's. Returns the number of bytes read, or
   UINT64_MAX when some of it could not be read: then the graph says nothing. */
uint64_t vt_scan_run(vt_scan_t const *scan, vt_graph_t *graph);

#endif
