/* Which loaded object holds an address, and where its unwind tables are. Lock-free, async-signal-safe and
   without the loader's lock, as a capture may run under it.

   Where the C library has _dl_find_object (glibc 2.35) that is asked. Elsewhere objects are found from the
   kernel's mappings and the ELF headers in memory (object_list.c). */
#ifndef VT_CORE_TRACE_OBJECT_H
#define VT_CORE_TRACE_OBJECT_H

#include <stdint.h>

struct link_map;
struct dl_phdr_info;

typedef struct {
  uint64_t start, end;       /* of the mapping that holds the address; others of the object may be apart */
  uint64_t bias;             /* what is added to the addresses in its file */
  struct link_map *map;      /* the loader's; NULL: it does not know the object, or nobody could be asked */
  uint8_t const *eh_frame;   /* PT_GNU_EH_FRAME, the search table; NULL: none */
} vt_object_t;

/* vt_object_find tells the object at an address: 1, or 0: none is known there. In the way without the
   loader an object that is met for the first time costs reading /proc/self/maps; where that may not be
   opened (vt_unwind_confine) only objects from before are found. */
int vt_object_find(uint64_t address, vt_object_t *out);

/* vt_object_first is the first object of the loader's list: the program. NULL: there is no list. */
struct link_map *vt_object_first(void);

/* vt_object_own is the object that this code is in. */
struct link_map *vt_object_own(void);

/* vt_object_whole: is the object not one that is just being unloaded? The loader lists it for a while
   when its memory has gone. */
int vt_object_whole(struct link_map const *map);

/* vt_object_start notes what the loader says at start (dl_iterate_phdr), so that these objects need not be
   looked for. */
void vt_object_start(struct dl_phdr_info const *info);

/* vt_object_freed is told of each block that the loader frees, before it is. */
void vt_object_freed(void const *block);

/* vt_object_mapped is told when the program has mapped executable memory by itself. */
void vt_object_mapped(void);

#endif
