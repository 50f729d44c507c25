#ifndef HEADER_fd_src_util_math_fd_sqrt_h
#define HEADER_fd_src_util_math_fd_sqrt_h

/* Exact integer square roots: fd_T_sqrt(x) = floor(sqrt(x)) for every x, 0 included.  Pure
   functions. */

#include "../bits/fd_bits.h"

static inline ulong fd_ulong_sqrt(ulong x) { return fd_ulong_floor_sqrt(x); }
static inline uint fd_uint_sqrt(uint x) { return (uint)fd_ulong_floor_sqrt((ulong)x); }

#endif
