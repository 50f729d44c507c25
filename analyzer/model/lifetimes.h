/* Lifetimes of blocks as a histogram whose size depends on their spread, not on their number.

   Buckets are an eighth of a power of two wide, so that a median taken from the middle of its
   bucket is off by at most 1/16; minimum and maximum are exact. */
#ifndef VT_ANALYZER_MODEL_LIFETIMES_H
#define VT_ANALYZER_MODEL_LIFETIMES_H

#include <stdint.h>

#define VT_LIFETIME_BUCKETS 496

typedef struct {
  uint64_t min, max; /* ns; min > max: none was added */
  uint64_t sum;      /* ns; UINT64_MAX: or more */
  uint64_t *counts;  /* of buckets first … first + cnt - 1 */
  uint64_t added;    /* how often some were: of a sampled trace, the recorded blocks */
  uint16_t first, cnt;
} vt_lifetimes_t;

void vt_lifetimes_init(vt_lifetimes_t *lifetimes);
void vt_lifetimes_fini(vt_lifetimes_t *lifetimes);
/* Adds so many blocks that lived so long. */
void vt_lifetimes_add(vt_lifetimes_t *lifetimes, uint64_t ns, uint64_t blocks);
void vt_lifetimes_merge(vt_lifetimes_t *into, vt_lifetimes_t const *from);

/* Smallest lifetime of a bucket. */
uint64_t vt_lifetime_bucket_start(unsigned bucket);

/* The value below which half of the lifetimes lie (within 1/16), 0 when there is none. */
uint64_t vt_lifetimes_median(vt_lifetimes_t const *lifetimes);

#endif
