/* Which pages of a process are worth reading: those that are there, and are not as in a file. */
#ifndef VT_ANALYZER_SNAPSHOT_RESIDENT_H
#define VT_ANALYZER_SNAPSHOT_RESIDENT_H

#include "analyzer/snapshot/memory.h"

typedef struct vt_resident vt_resident_t;

/* vt_resident_new takes descriptors of /proc/PID/pagemap over: of the process, and for its shared memory of the one that
   it was forked from (a fork has no pages of that until it touches them), or -1. Release with vt_resident_delete. */
vt_resident_t *vt_resident_new(int pagemap, int of_shared);
void vt_resident_delete(vt_resident_t *r);

/* vt_resident_quick: does the kernel skip what was never touched (since Linux 6.7)? Else looking through the areas
   takes time in proportion to their addresses, used or not. */
int vt_resident_quick(vt_resident_t *r, vt_areas_t const *areas);

/* vt_resident_next is next_run of vt_memory_t. */
int vt_resident_next(vt_resident_t *r, vt_areas_t const *areas, uint64_t *start, uint64_t *end);

#endif
