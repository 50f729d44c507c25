/* See sampler.h. An exponential distance of mean P is -ln(u) P with u uniform in (0,1]: here
   (64 - log2 n) ln 2 P, n a random number of 64 bits. The digits of the logarithm come one after the
   other, by squaring (Knuth, The Art of Computer Programming 1, 1.2.2, exercise 25). */
#include "core/trace/sampler.h"

#define LN2      ((uint64_t)2977044472) /* times 2^32 */
#define FRACTION 32                     /* binary digits of the logarithm */

static uint64_t draw(vt_sampler_t *s) {
  uint64_t z = s->state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

/* log2_of is the logarithm of n > 0, times 2^FRACTION. */
static uint64_t log2_of(uint64_t n) {
  unsigned whole = 63 - (unsigned)__builtin_clzll(n);
  uint64_t digits = whole, m = n << (63 - whole); /* m / 2^63 is in [1,2) */
  for (int i = 0; i < FRACTION; i++) {
    unsigned __int128 square = (unsigned __int128)m * m;
    int carry = (int)(square >> 127);
    m = (uint64_t)(square >> (carry ? 64 : 63));
    digits = digits << 1 | (uint64_t)carry;
  }
  return digits;
}

void vt_sampler_next(vt_sampler_t *s, uint64_t period) {
  uint64_t n = draw(s) | 1;
  uint64_t bits = ((uint64_t)64 << FRACTION) - log2_of(n); /* of information: -log2 u */
  uint64_t distance = (uint64_t)((unsigned __int128)bits * LN2 >> FRACTION); /* of mean 2^FRACTION */
  atomic_store_explicit(&s->left, (int64_t)(distance * (unsigned __int128)period >> FRACTION), memory_order_relaxed);
}

void vt_sampler_seed(vt_sampler_t *s, uint64_t seed, uint64_t period) {
  s->state = seed;
  s->state = draw(s); /* neighbours' sequences would be one, shifted */
  vt_sampler_next(s, period);
}
