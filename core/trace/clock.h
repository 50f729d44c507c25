/* The clock that stamps events: the TSC where the kernel trusts it, else CLOCK_MONOTONIC.

   Rationale and costs: docs/recording.md. An allocation is stamped after the allocator returned, a free
   before the allocator is called: then a free of an address is never later than the allocation that
   reuses it. */
#ifndef VT_CORE_TRACE_CLOCK_H
#define VT_CORE_TRACE_CLOCK_H

#include <stdint.h>
#include <time.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

/* FROZEN: the process has given up the right to read the TSC (seccomp strict mode, PR_SET_TSC),
   which the vDSO uses too; events then only count up from the last tick. */
typedef enum { VT_CLOCK_TSC = 0, VT_CLOCK_MONOTONIC = 1, VT_CLOCK_FROZEN = 2 } vt_clock_kind_t;
extern uint64_t vt_clock_frozen; /* the last tick given out; accessed atomically */

/* Nanoseconds of `id` (CLOCK_MONOTONIC, CLOCK_REALTIME). Async-signal-safe, no system call (vDSO).
 */
static inline uint64_t vt_clock_ns(clockid_t id) {
  struct timespec ts;
  clock_gettime(id, &ts);
  return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline uint64_t vt_clock_slow(vt_clock_kind_t kind) {
  if (kind == VT_CLOCK_FROZEN) return __atomic_add_fetch(&vt_clock_frozen, 1, __ATOMIC_RELAXED);
  return vt_clock_ns(CLOCK_MONOTONIC);
}

/* Now in ticks of `kind`; the plain read may move up over preceding loads. */
static inline uint64_t vt_clock_tick(vt_clock_kind_t kind) {
#if defined(__x86_64__)
  if (__builtin_expect(kind == VT_CLOCK_TSC, 1)) return __rdtsc();
#else
#endif
  return vt_clock_slow(kind);
}

/* Now in ticks, not before every preceding instruction has completed (rdtscp, Intel SDM vol. 2). */
static inline uint64_t vt_clock_tick_ordered(vt_clock_kind_t kind) {
#if defined(__x86_64__)
  unsigned aux;
  if (__builtin_expect(kind == VT_CLOCK_TSC, 1)) return __rdtscp(&aux);
#else
#endif
  return vt_clock_slow(kind);
}

#endif
