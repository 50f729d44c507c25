#ifndef HEADER_fd_src_util_math_fd_sqrt_h
#define HEADER_fd_src_util_math_fd_sqrt_h

/* Exact integer square roots: fd_T_sqrt(x) = floor(sqrt(x)) for every x, 0 included.  Pure
   functions. */

#include "../bits/fd_bits.h"

/* Newton's iteration from a power of two that is not below the root descends to it monotonically.
 */
static inline ulong fd_ulong_sqrt(ulong x) {
  if (x < 2UL) return x;
  ulong root = 1UL << ((fd_ulong_find_msb(x) >> 1) + 1);
  for (;;) {
    ulong next = (root + x / root) >> 1;
    if (next >= root) return root;
    root = next;
  }
}

static inline uint fd_uint_sqrt(uint x) { return (uint)fd_ulong_sqrt((ulong)x); }

#endif
