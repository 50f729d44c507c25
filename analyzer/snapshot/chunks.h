/* What glibc's malloc itself says of its chunks: which are free (malloc/malloc.c of glibc 2.27 to 2.41: chunks,
   fastbins, tcache with its key; lists in the protected form of 2.32 or plain).

   A block whose chunk is free is not live, whatever was recorded: its free was not seen. And where not all live
   blocks are known, all of the allocator's memory may hold pointers but what is proven free. */
#ifndef VT_ANALYZER_SNAPSHOT_CHUNKS_H
#define VT_ANALYZER_SNAPSHOT_CHUNKS_H

#include "analyzer/snapshot/glibc.h"

typedef struct vt_chunks vt_chunks_t;

/* vt_chunks_learn reads the allocator's lists. NULL: the first arena's state was not found, and nothing can be said.
   Release with vt_chunks_delete. */
vt_chunks_t *vt_chunks_learn(vt_memory_t const *memory, vt_areas_t const *areas);
void vt_chunks_delete(vt_chunks_t *chunks);

/* vt_chunks_gone: is it sure that no live block of that size begins there? Only for blocks of this malloc. Cheapest
   when asked in the order of addresses. */
int vt_chunks_gone(vt_chunks_t *chunks, uint64_t block, uint64_t size);

/* vt_chunks_walk goes through the chunks of all arenas and calls for the content of each free one, the top one too.
   Of pieces of arenas that cannot be walked from their first chunk to the top nothing is told. Returns the bytes of
   those that were walked, which sum up to the sizes of the pieces. */
uint64_t vt_chunks_walk(vt_chunks_t *chunks, void (*is_free)(void *context, uint64_t start, uint64_t end),
                        void *context);

#endif
