/* The clock that stamps events: the TSC where the kernel trusts it, else CLOCK_MONOTONIC.

   Rationale and costs: docs/unwinder.md. An allocation is stamped after the allocator returned, with
   an ordered read; a free before the allocator is called, with a plain one. Then a free of an address
   is never later than the allocation that reuses it. */
#ifndef VT_CORE_TRACE_CLOCK_H
#define VT_CORE_TRACE_CLOCK_H

#include <stdint.h>
#include <time.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

typedef enum { VT_CLOCK_TSC = 0, VT_CLOCK_MONOTONIC = 1 } vt_clock_kind_t;

/* Nanoseconds of `id` (CLOCK_MONOTONIC, CLOCK_REALTIME). Async-signal-safe, no system call (vDSO). */
static inline uint64_t vt_clock_ns(clockid_t id) {
  struct timespec ts;
  clock_gettime(id, &ts);
  return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Now in ticks of `kind`; the plain read may move up over preceding loads. */
static inline uint64_t vt_clock_tick(vt_clock_kind_t kind) {
#if defined(__x86_64__)
  if (__builtin_expect(kind == VT_CLOCK_TSC, 1)) return __rdtsc();
#else
  (void)kind;
#endif
  return vt_clock_ns(CLOCK_MONOTONIC);
}

/* Now in ticks, not before every preceding instruction has completed (rdtscp, Intel SDM vol. 2). */
static inline uint64_t vt_clock_tick_ordered(vt_clock_kind_t kind) {
#if defined(__x86_64__)
  unsigned aux;
  if (__builtin_expect(kind == VT_CLOCK_TSC, 1)) return __rdtscp(&aux);
#else
  (void)kind;
#endif
  return vt_clock_ns(CLOCK_MONOTONIC);
}

#endif
