/* Histogram of lifetimes with a window of buckets that grows as needed; see lifetimes.h. */
#include "analyzer/model/lifetimes.h"
#include <stdlib.h>
#include <string.h>
#include "analyzer/util/mem.h"

#define STEP 8 /* the window grows by this many buckets at least */

static unsigned bucket_of(uint64_t ns) {
  if (ns < 8) return (unsigned)ns;
  unsigned exponent = 63 - (unsigned)__builtin_clzll(ns);
  return (exponent - 2) * 8 + ((ns >> (exponent - 3)) & 7);
}

uint64_t vt_lifetime_bucket_start(unsigned bucket) {
  if (bucket < 8) return bucket;
  if (bucket >= VT_LIFETIME_BUCKETS) return UINT64_MAX;
  return (uint64_t)(8 + bucket % 8) << (bucket / 8 - 1);
}

void vt_lifetimes_init(vt_lifetimes_t *lifetimes) {
  *lifetimes = (vt_lifetimes_t){.min = UINT64_MAX};
}

void vt_lifetimes_fini(vt_lifetimes_t *lifetimes) { free(lifetimes->counts); }

/* Widens the window to contain the bucket. */
static void cover(vt_lifetimes_t *lifetimes, unsigned bucket) {
  unsigned first = bucket / STEP * STEP, end = first + STEP;
  if (lifetimes->cnt) {
    if (lifetimes->first < first) first = lifetimes->first;
    if (lifetimes->first + lifetimes->cnt > (int)end) end = lifetimes->first + lifetimes->cnt;
  }
  uint64_t *counts = vt_mem_new(end - first, sizeof *counts);
  if (lifetimes->cnt)
    memcpy(counts + (lifetimes->first - first), lifetimes->counts, lifetimes->cnt * sizeof *counts);
  free(lifetimes->counts);
  lifetimes->counts = counts;
  lifetimes->first = (uint16_t)first;
  lifetimes->cnt = (uint16_t)(end - first);
}

static void add_to_bucket(vt_lifetimes_t *lifetimes, unsigned bucket, uint64_t count) {
  if (bucket - lifetimes->first >= lifetimes->cnt) cover(lifetimes, bucket);
  lifetimes->counts[bucket - lifetimes->first] += count;
}

void vt_lifetimes_add(vt_lifetimes_t *lifetimes, uint64_t ns, uint64_t blocks) {
  uint64_t all;
  if (ns < lifetimes->min) lifetimes->min = ns;
  if (ns > lifetimes->max) lifetimes->max = ns;
  if (__builtin_mul_overflow(ns, blocks, &all) || __builtin_add_overflow(lifetimes->sum, all, &lifetimes->sum))
    lifetimes->sum = UINT64_MAX;
  lifetimes->added++;
  add_to_bucket(lifetimes, bucket_of(ns), blocks);
}

void vt_lifetimes_merge(vt_lifetimes_t *into, vt_lifetimes_t const *from) {
  if (from->min < into->min) into->min = from->min;
  if (from->max > into->max) into->max = from->max;
  into->added += from->added;
  if (__builtin_add_overflow(into->sum, from->sum, &into->sum)) into->sum = UINT64_MAX;
  for (unsigned i = 0; i < from->cnt; i++)
    if (from->counts[i]) add_to_bucket(into, from->first + i, from->counts[i]);
}

uint64_t vt_lifetimes_median(vt_lifetimes_t const *lifetimes) {
  uint64_t total = 0, below = 0;
  for (unsigned i = 0; i < lifetimes->cnt; i++) total += lifetimes->counts[i];
  if (!total) return 0;
  unsigned i = 0;
  while (below + lifetimes->counts[i] < (total + 1) / 2) below += lifetimes->counts[i++];
  uint64_t start = vt_lifetime_bucket_start(lifetimes->first + i);
  uint64_t end = vt_lifetime_bucket_start(lifetimes->first + i + 1);
  uint64_t middle = start + (end - 1 - start) / 2;
  if (middle < lifetimes->min) return lifetimes->min;
  return middle > lifetimes->max ? lifetimes->max : middle;
}
