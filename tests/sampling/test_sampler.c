/* The set of recorded blocks, by eight threads that hand keys on to each other; and the distances between
   samples, against the distribution they are to have. */
#include "core/trace/members.h"
#include "core/trace/sampler.h"
#include "core/trace/sys.h"
#include "tests/unit/tap.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#define THREADS 8
#define ROUNDS  20000
#define HELD    64

static vt_members_t set;
static _Atomic uint64_t missed, doubled, boxes[HELD]; /* keys that any thread may take */

/* Keys of a thread are its own: (thread, number). They have all the same mark but for the thread's bits. */
static uint64_t key_of(uint64_t thread, uint64_t number) { return (number % 8 * THREADS + thread + 1) << 34 | number << 4; }

static void take(uint64_t key) {
  if (!key) return;
  if (!vt_members_maybe(&set, key) || !vt_members_take(&set, key)) missed++;
  if (vt_members_take(&set, key)) doubled++;
}

static void *churn(void *arg) {
  uint64_t thread = (uint64_t)(uintptr_t)arg;
  for (uint64_t i = 0; i < ROUNDS; i++) {
    uint64_t key = key_of(thread, i);
    if (vt_members_add(&set, key)) missed++;
    take(atomic_exchange(&boxes[(i * 7 + thread) % HELD], key));
  }
  return NULL;
}

static uint64_t marks(void) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < VT_MEMBERS_MARKS; i++) sum += set.marks[i];
  return sum;
}

static void test_threads(void) {
  pthread_t threads[THREADS];
  ok(!vt_members_begin(&set, vt_sys_memory), "a set begins");
  for (uintptr_t i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, churn, (void *)i);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < HELD; i++) take(boxes[i]);
  is_ulong(missed, 0, "every key is there from when it was added until it is taken");
  is_ulong(doubled, 0, "no key can be taken twice");
  is_ulong(marks(), 0, "all marks are gone with the keys");
}

static void test_many(void) {
  enum { MANY = 500000 };
  uint64_t there = 0, strangers = 0;
  for (uint64_t i = 1; i <= MANY; i++) vt_members_add(&set, i << 4);
  for (uint64_t i = 1; i <= MANY; i++) strangers += (uint64_t)vt_members_take(&set, i << 4 | 8);
  for (uint64_t i = 1; i <= MANY; i++) there += (uint64_t)vt_members_take(&set, i << 4);
  is_ulong(there, MANY, "more keys than lines have room for are all there");
  is_ulong(strangers, 0, "and no others");
  vt_members_add(&set, 16);
  ok(!vt_members_begin(&set, vt_sys_memory) && !vt_members_maybe(&set, 16), "begun again it is empty");
}

/* How often a block of that size is taken, in standard deviations off what it should be. */
static double deviation(uint64_t period, uint64_t size) {
  enum { TRIES = 200000 };
  vt_sampler_t s;
  uint64_t taken = 0;
  vt_sampler_seed(&s, period * 31 + size, period);
  for (int i = 0; i < TRIES; i++) {
    if (vt_sampler_passes(&s, size)) continue;
    taken++;
    vt_sampler_next(&s, period);
  }
  double p = -expm1(-(double)size / (double)period);
  return ((double)taken - TRIES * p) / sqrt(TRIES * p * (1 - p) + 1e-9);
}

static void test_distances(void) {
  static uint64_t const sizes[][2] = {{1, 1}, {16, 1}, {4096, 24}, {4096, 4096}, {4096, 30000}, {524288, 500}, {524288, 100000}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    double off = deviation(sizes[i][0], sizes[i][1]);
    if (!ok(fabs(off) < 4, "period %lu: blocks of %lu bytes are taken as often as they should be",
            (unsigned long)sizes[i][0], (unsigned long)sizes[i][1]))
      printf("# %.1f standard deviations off\n", off);
  }
  vt_sampler_t a, b;
  vt_sampler_seed(&a, 1, VT_SAMPLE_PERIOD_MAX);
  vt_sampler_seed(&b, 2, VT_SAMPLE_PERIOD_MAX);
  ok(a.left != b.left && a.left < 64 * (int64_t)VT_SAMPLE_PERIOD_MAX, "the longest period has distances, too");
}

int main(void) {
  test_threads();
  test_many();
  test_distances();
  return done_testing();
}
