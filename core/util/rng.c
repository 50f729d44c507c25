/* Floating-point distributions (see fd_rng.h).  The robust uniform draws the exponent from coin tosses
   and a full mantissa besides; the others transform uniforms: inversion, and Box and Muller's pair. */

#include "fd/util/rng/fd_rng.h"

#include <math.h>

static double robust(fd_rng_t * rng) {
  int tosses = (int)fd_ulong_min(fd_rng_coin_tosses(rng), 1000UL);
  return ldexp(1. + 0x1p-52 * (double)(long)(fd_rng_ulong(rng) >> 12), -tosses);
}

static double exponential(fd_rng_t * rng) { return -log(robust(rng)); }

static double normal(fd_rng_t * rng) {
  double radius = sqrt(2. * exponential(rng));
  return radius * cos(0x1.921fb54442d18p+2 * robust(rng)); /* 2 pi */
}

float fd_rng_float_robust(fd_rng_t * rng) {
  float below_one = 1.f - 0x1p-24f; /* rounding may not reach 1 */
  return fminf((float)robust(rng), below_one);
}

float fd_rng_float_exp(fd_rng_t * rng) { return (float)exponential(rng); }
float fd_rng_float_norm(fd_rng_t * rng) { return (float)normal(rng); }

#if FD_HAS_DOUBLE
double fd_rng_double_robust(fd_rng_t * rng) { return robust(rng); }
double fd_rng_double_exp(fd_rng_t * rng) { return exponential(rng); }
double fd_rng_double_norm(fd_rng_t * rng) { return normal(rng); }
#endif
