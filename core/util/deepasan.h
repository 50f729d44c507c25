#ifndef CORE_UTIL_DEEPASAN_H
#define CORE_UTIL_DEEPASAN_H

/* FD_HAS_DEEPASAN: the allocators tell AddressSanitizer which bytes of their regions nobody owns,
   so that overruns and uses after free are found there too.  Without it all of this is nothing.
   The sanitizer's knowledge is each process's own: what one process freed and another allocates
   anew is still poisoned in the first, so such a build is for programs of one process. */

#include "fd/util/sanitize/fd_asan.h"

/* Sizes and alignments are raised to this, as the sanitizer knows whole granules only. */
#define DEEPASAN_GRANULE (FD_HAS_DEEPASAN ? FD_ASAN_ALIGN : 1UL)

static inline void deepasan_poison(void * lo, ulong sz) {
  if (FD_HAS_DEEPASAN) fd_asan_poison(lo, sz);
}

static inline void deepasan_unpoison(void * lo, ulong sz) {
  if (FD_HAS_DEEPASAN) fd_asan_unpoison(lo, sz);
}

#endif
