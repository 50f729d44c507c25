/* The clock that stamps events: the TSC where the kernel trusts it, else CLOCK_MONOTONIC.

   For one address, stamps are in the order in which things happened: an allocation is stamped after
   the allocator returned, a free before the allocator is called, and neither before the load that
   fetched the pointer. A plain rdtsc may be executed before that load: see vt_clock_stamp, and
   docs/recording.md for the reasons and the cost. */
#ifndef VT_CORE_TRACE_CLOCK_H
#define VT_CORE_TRACE_CLOCK_H

#include "core/trace/hidden.h"
#include <stdint.h>
#include <time.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

/* FROZEN: the process has given up the right to read the TSC (seccomp strict mode, PR_SET_TSC),
   which the vDSO uses too; events then only count up from the last tick. */
typedef enum { VT_CLOCK_TSC = 0, VT_CLOCK_MONOTONIC = 1, VT_CLOCK_FROZEN = 2 } vt_clock_kind_t;
extern VT_HIDDEN uint64_t vt_clock_frozen; /* the last tick given out; accessed atomically */

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
#endif
  return vt_clock_slow(kind);
}

/* Now in ticks, not before every preceding load has its value (LFENCE then RDTSC: Intel SDM vol. 2,
   RDTSC; AMD processors too, since Linux has made LFENCE dispatch-serializing on them). */
static inline uint64_t vt_clock_tick_ordered(vt_clock_kind_t kind) {
#if defined(__x86_64__)
  if (__builtin_expect(kind == VT_CLOCK_TSC, 1)) {
    __asm__ volatile("lfence" ::: "memory"); /* the intrinsic is for code with SSE only */
    return __rdtsc();
  }
#endif
  return vt_clock_slow(kind);
}

/* Nonzero once a second stream of events has begun in this process; never cleared. Stored before
   that stream's first event, accessed atomically. */
extern VT_HIDDEN uint32_t vt_clock_shared;

/* The time of an event on a block of the process's own heap. While all events are in one stream
   they are in order without a fence. Who gets a pointer from another thread sees vt_clock_shared
   set, by a load that follows the one of the pointer: that thread's state was made before its first
   event, and x86 keeps stores in order, and loads. */
static inline uint64_t vt_clock_stamp(vt_clock_kind_t kind) {
  if (__builtin_expect(__atomic_load_n(&vt_clock_shared, __ATOMIC_ACQUIRE), 0))
    return vt_clock_tick_ordered(kind);
  return vt_clock_tick(kind);
}

#endif
