/* Which memory of a process keeps its blocks alive.

   All that the program can hold a pointer in: data of modules, stacks, TLS, mappings private and
   shared. Not the memory of the allocator, of which only live blocks are looked at, whatever lies
   between them; nor the shim's own, which lists every address. What libc's allocator has is told by
   its own marks (glibc.h); what another one has, by who mapped it, or else by the blocks in it. */
#ifndef VT_ANALYZER_SNAPSHOT_ROOTS_H
#define VT_ANALYZER_SNAPSHOT_ROOTS_H

#include "analyzer/memory/mappings.h"
#include "analyzer/snapshot/chunks.h"
#include "analyzer/snapshot/scan.h"
#include "analyzer/trace/reader.h"

typedef struct {
  vt_memory_t const *memory;
  vt_areas_t const *areas;
  vt_live_t const *live;
  vt_trace_snapshot_t const *snapshot; /* what the process said */
  vt_trace_mapping_t const *records;   /* what `mappings` was made from */
  vt_mappings_t const *mappings;
  int mid_life; /* blocks live that nobody saw begin: what lies between the known ones keeps alive,
                   too, unless the allocator has it free */
  vt_chunks_t *chunks; /* what libc's malloc says; NULL: nothing */
} vt_roots_from_t;

typedef struct {
  vt_root_t *roots; /* root.area: index of the mapping in `areas` */
  size_t roots_cnt, roots_cap;
} vt_roots_t;

vt_roots_t vt_roots_find(vt_roots_from_t const *from);
void vt_roots_free(vt_roots_t *roots);

#endif
