/* See estimate.h. */
#include "analyzer/sampling/estimate.h"
#include <math.h>

/* The probability with which a block is recorded. */
static double probability(uint64_t period, uint64_t size) {
  return -expm1(-(double)(size ? size : 1) / (double)period);
}

/* round_at_random: `random` is uniform in [0,1). */
static uint64_t round_at_random(double x, double random) {
  double whole = floor(x);
  return (uint64_t)whole + (x - whole > random);
}

/* rounding is the variance of round_at_random(x). */
static double rounding(double x) {
  double part = x - floor(x);
  return part * (1 - part);
}

/* uniform is a number in [0,1) that the identity gives (SplitMix64's last step). */
static double uniform(uint64_t identity) {
  uint64_t z = identity + 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

vt_share_t vt_estimate_share(uint64_t period, uint64_t size, uint64_t identity) {
  double weight = 1 / probability(period, size), random = uniform(identity);
  return (vt_share_t){round_at_random(weight, random),
                      round_at_random(weight * (double)size, uniform(~identity))};
}

vt_spread_t vt_estimate_spread(uint64_t period, uint64_t size) {
  double p = probability(period, size), weight = 1 / p, bytes = (double)size;
  double factor = (1 - p) * weight * weight;
  return (vt_spread_t){factor + rounding(weight), factor * bytes * bytes + rounding(weight * bytes)};
}

uint64_t vt_estimate_error(double variance) { return variance > 0.25 ? (uint64_t)(sqrt(variance) + 0.5) : 0; }
