/* The account of the resident memory of a process at one moment: every page that is there is in one of
   its lines, and the lines add up to what the kernel says. */
#ifndef VT_ANALYZER_MEMORY_ACCOUNT_H
#define VT_ANALYZER_MEMORY_ACCOUNT_H

#include "analyzer/memory/places.h"

/* What is resident of one mapping by the program's own calls. */
typedef struct {
  size_t record; /* in vt_reader_mappings */
  vt_place_t place;
  uint64_t bytes, resident;
} vt_account_mapping_t;

/* A run of resident pages within one part. */
typedef struct {
  uint64_t start, end;
  size_t part; /* index in places.parts */
} vt_resident_t;

typedef struct {
  vt_trace_pages_t const *pages;
  vt_places_t places;
  vt_resident_t *resident; /* by address */
  size_t resident_cnt, resident_cap;
  uint64_t by_place[VT_PLACES];   /* bytes */
  uint64_t blocks_bytes;          /* of the allocator's: requested by live blocks */
  uint64_t heap_blocks_bytes;     /* of the program's heaps': the same */
  int sampled;                    /* only a sample of the blocks is known: sums of blocks mean nothing */
  int divided;                    /* the next three are known: libc's malloc, and all its blocks */
  uint64_t overhead_bytes;        /* headers of live blocks, and what they are larger than requested */
  uint64_t free_bytes;            /* kept by the allocator */
  uint64_t trim_bytes;            /* of these: malloc_trim would give it back, at most */
  uint64_t resident_bytes;        /* by the kernel */
  uint64_t unexplained_bytes;     /* of these: which pages is not known, or they came while it was read */
  vt_account_mapping_t *mappings; /* of VT_PLACE_MAPPED, _FILE and _SHARED, by record */
  size_t mappings_cnt, mappings_cap;
} vt_account_t;

/* vt_account_make accounts for a capture; release with vt_account_free. Costs one pass over the runs of pages
   and over the blocks. `from` must last as long as nothing more than the sums is wanted. */
vt_account_t vt_account_make(vt_places_from_t const *from);
void vt_account_free(vt_account_t *account);

#endif
