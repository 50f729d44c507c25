/* What one recorded block of a sampled trace stands for: the Horvitz-Thompson estimator (1952), the one place
   where a number becomes an estimate.

   A block of s bytes (0 counts as 1) was recorded with probability p = 1 - exp(-s / period), independently
   of the others. So the sum of x / p over the recorded blocks is an unbiased estimate of the sum of x over all, and
   the sum of (1 - p) x^2 / p^2 one of its variance. Here x is 1, or the block's bytes.

   Counters are whole numbers: x / p is rounded up or down at random, with the probabilities that keep its
   mean, the same way whenever the same block is asked about (a hash decides). The variance contains that. */
#ifndef VT_ANALYZER_SAMPLING_ESTIMATE_H
#define VT_ANALYZER_SAMPLING_ESTIMATE_H

#include <stdint.h>

typedef struct {
  uint64_t blocks, bytes;
} vt_share_t;

/* Variances of a sum of blocks and of their bytes; 0: the sum is exact. Those of disjoint sums add up. */
typedef struct {
  double blocks, bytes;
} vt_spread_t;

/* vt_estimate_share is what a recorded block stands for. identity: a number of its own. */
vt_share_t vt_estimate_share(uint64_t period, uint64_t size, uint64_t identity);

/* The identity of a block in a trace. */
static inline uint64_t vt_estimate_identity(uint64_t address, uint64_t time_ns) { return address ^ time_ns << 20; }

/* vt_estimate_spread is its part of the variances. */
vt_spread_t vt_estimate_spread(uint64_t period, uint64_t size);

static inline void vt_spread_add(vt_spread_t *sum, vt_spread_t const *one, double sign) {
  sum->blocks += sign * one->blocks;
  sum->bytes += sign * one->bytes;
}

/* vt_estimate_error is the standard error of a sum of that variance, rounded; 0: exact. */
uint64_t vt_estimate_error(double variance);

#endif
