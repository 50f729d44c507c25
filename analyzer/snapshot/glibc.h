/* What the memory of glibc's malloc is, told by its own marks (malloc/malloc.c and malloc/arena.c
   of glibc 2.26 to 2.41: the layout of chunks, heap_info and malloc_state). */
#ifndef VT_ANALYZER_SNAPSHOT_GLIBC_H
#define VT_ANALYZER_SNAPSHOT_GLIBC_H

#include "analyzer/snapshot/memory.h"

typedef struct {
  uint64_t start, end;
} vt_span_t;

/* vt_glibc_arena: does a piece of an arena other than the first begin at this multiple of 64 MiB?
   Then 1, and *out is what of it is in use. */
#define VT_GLIBC_ARENA_ALIGN ((uint64_t)64 << 20)
int vt_glibc_arena(vt_memory_t const *memory, uint64_t address, vt_span_t *out);

/* vt_glibc_mapped: is the block one that malloc mapped for itself? Then 1, and *out is that
 * mapping. */
int vt_glibc_mapped(vt_memory_t const *memory, uint64_t block, uint64_t size, vt_span_t *out);

/* vt_glibc_main_arena finds the state of the first arena in libc's data [start,end): its lists
   point to free chunks, and those lie in the last word of the block before. Returns 1 and *out, or
   0. */
int vt_glibc_main_arena(vt_memory_t const *memory, uint64_t start, uint64_t end, vt_span_t *out);

#endif
