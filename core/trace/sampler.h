/* Which allocations a sampled recording takes: those in which a Poisson process over the bytes that a
   thread allocates has a point. So a block of s bytes is taken with probability 1 - exp(-s / period),
   whatever was allocated before it; a block of no bytes counts as one byte.

   The distance to the next point is exponential. Blocks have whole bytes, and so only the whole part of
   a distance matters: nothing is lost by counting it down as an integer. Integer arithmetic throughout:
   a hook must leave the program's floating point state alone. */
#ifndef VT_CORE_TRACE_SAMPLER_H
#define VT_CORE_TRACE_SAMPLER_H

#include <stdatomic.h>
#include <stdint.h>

#define VT_SAMPLE_PERIOD_MAX ((uint64_t)1 << 40)

typedef struct {
  uint64_t state; /* of the generator: SplitMix64 (Steele, Lea, Flood 2014) */
  _Atomic int64_t left; /* bytes up to the next point; below 0: it has been passed */
} vt_sampler_t;

/* vt_sampler_seed begins anew: equal seeds give equal distances. period: 1 to VT_SAMPLE_PERIOD_MAX.
   One thread's at a time. */
void vt_sampler_seed(vt_sampler_t *s, uint64_t seed, uint64_t period);

/* vt_sampler_next draws the distance from the end of a block that was taken. As the process has no
   memory, further points in that block do not matter. Some 100 ns. */
void vt_sampler_next(vt_sampler_t *s, uint64_t period);

/* The bytes by which a block counts. */
static inline uint64_t vt_sampler_weighed(uint64_t sz) { return sz ? sz : 1; }

/* vt_sampler_add adds n in one instruction: a signal handler in between cannot make a sum of the same thread's go
   wrong. Other threads read at most. */
static inline void vt_sampler_add(_Atomic int64_t *sum, int64_t n) {
#if defined(__x86_64__)
  __asm__ volatile("addq %1, %0" : "+m"(*sum) : "er"(n));
#else
  atomic_fetch_add_explicit(sum, n, memory_order_relaxed);
#endif
}

static inline int vt_sampler_reaches(vt_sampler_t const *s, uint64_t bytes) {
  return atomic_load_explicit(&s->left, memory_order_relaxed) >= (int64_t)bytes; /* no block has 2^63 bytes */
}

/* vt_sampler_passes: is a block of so many (weighed) bytes not taken? Then the distance is counted down. */
static inline int vt_sampler_passes(vt_sampler_t *s, uint64_t bytes) {
  if (!vt_sampler_reaches(s, bytes)) return 0;
  vt_sampler_add(&s->left, -(int64_t)bytes);
  return 1;
}

#endif
