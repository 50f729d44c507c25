/* Which pages live blocks hold, and how little of them may be in use: by the caller's key of the
   blocks (a place in the program).

   A page is held by every key that has a block on it, be it one byte. What else is on the page is other live
   blocks, or *rest*: free memory, headers and rounding, which the block keeps resident. A block may also
   have pages that are not there: they were never touched, or given back. */
#ifndef VT_ANALYZER_MEMORY_PINS_H
#define VT_ANALYZER_MEMORY_PINS_H

#include "analyzer/memory/account.h"

typedef struct {
  uint64_t blocks, bytes;                                /* live ones */
  uint64_t resident_bytes, swapped_bytes, untouched_bytes; /* of these; together they are `bytes` */
  double resident_variance, untouched_variance; /* of a sampled trace, of which those above are estimates, and … */
  uint64_t pages; /* resident ones with a block of this key */
  uint64_t alone; /* of these: without a block of another key */
  uint64_t rest_bytes; /* on these pages: of no live block; … these three mean nothing: what else lies there is not known */
} vt_pins_t;

/* vt_pins_make is an array of `keys` entries, the caller's to free. Blocks that lie where their allocator has
   no memory are left out. One pass over blocks and runs. */
vt_pins_t *vt_pins_make(vt_places_from_t const *from, vt_account_t const *account, size_t keys);

#endif
