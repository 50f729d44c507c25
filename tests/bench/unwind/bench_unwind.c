/* Cost of a capture beside glibc's backtrace() and libunwind's unw_backtrace(), at depths 10, 30
   and 100: from the same place again and again, and from varying leaves. Prints nanoseconds (for
   the machine at hand) and ratios; code without frame pointers. Best of several rounds. */
#include <dlfcn.h>
#include <execinfo.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include "core/trace/unwind_impl.h"

#define NOINLINE __attribute__((noinline, noclone))

static vt_unwind_t *state;
static uint64_t forget; /* 1: capture without the memo */
static int (*unw_backtrace_)(void **buffer, int size);
static volatile uint64_t sink;

NOINLINE static void capture_own(void) {
  uint64_t *fp = (uint64_t *)__builtin_frame_address(0);
  vt_caller_t caller = {fp[1], (uint64_t)(uintptr_t)(fp + 2), fp[0]};
  vt_stack_t stack;
  if (forget) state->memo = 0;
  vt_unwind_capture(state, &caller, &stack);
  sink += stack.depth;
}
NOINLINE static void capture_glibc(void) {
  void *pcs[256];
  sink += (uint64_t)backtrace(pcs, 256);
}
NOINLINE static void capture_libunwind(void) {
  void *pcs[256];
  sink += (uint64_t)unw_backtrace_(pcs, 256);
}
NOINLINE static void capture_nothing(void) { __asm__ volatile("" ::: "memory"); }

static void (*capture)(void);

/* Seven functions with different frames; which are on the stack depends on path's digits. */
static void descend(uint64_t path, uint32_t depth, uint32_t times);
#define LEVEL(name, words)                                                                         \
  NOINLINE static uint64_t name(uint64_t path, uint32_t depth, uint32_t times) {                   \
    volatile uint64_t local[words];                                                                \
    local[0] = path ^ depth;                                                                       \
    descend(path, depth, times);                                                                   \
    return local[0] + times;                                                                       \
  }
LEVEL(level1, 1)
LEVEL(level2, 4)
LEVEL(level3, 9)
LEVEL(level4, 16)
LEVEL(level5, 3)
LEVEL(level6, 30)
LEVEL(level7, 2)

NOINLINE static void descend(uint64_t path, uint32_t depth, uint32_t times) {
  if (depth <= 1) {
    for (uint32_t i = 0; i < times; i++) capture();
    return;
  }
  uint64_t next = path / 7;
  switch (path % 7) {
  case 0: sink += level1(next, depth - 2, times); break;
  case 1: sink += level2(next, depth - 2, times); break;
  case 2: sink += level3(next, depth - 2, times); break;
  case 3: sink += level4(next, depth - 2, times); break;
  case 4: sink += level5(next, depth - 2, times); break;
  case 5: sink += level6(next, depth - 2, times); break;
  default: sink += level7(next, depth - 2, times); break;
  }
}

/* Varying leaves: the outer frames stay, the last six (three pairs) change with every capture. */
static uint32_t vary_times;
NOINLINE static void vary_leaves(void) {
  void (*real)(void) = capture;
  for (uint32_t i = 0; i < vary_times; i++) descend((i * 2654435761u) >> 16, 6, 1);
  capture = real;
}
static void (*leaf_capture)(void);
NOINLINE static void enter_leaves(void) {
  capture = leaf_capture;
  vary_leaves();
}

static uint64_t now_ns(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

#define ROUNDS 15
static uint64_t const path = 123456789012345678u;

static double same_ns(void (*what)(void), uint32_t depth, uint32_t times) {
  double best = 1e18;
  for (int round = 0; round < ROUNDS; round++) {
    capture = what;
    uint64_t start = now_ns();
    descend(path, depth, times);
    double ns = (double)(now_ns() - start) / times;
    if (ns < best) best = ns;
  }
  return best;
}

static double vary_ns(void (*what)(void), uint32_t depth, uint32_t times) {
  double best = 1e18;
  leaf_capture = what;
  vary_times = times;
  for (int round = 0; round < ROUNDS; round++) {
    capture = enter_leaves;
    uint64_t start = now_ns();
    descend(path, depth - 6, 1);
    double ns = (double)(now_ns() - start) / times;
    if (ns < best) best = ns;
  }
  return best;
}

typedef double measure_t(void (*what)(void), uint32_t depth, uint32_t times);

static void report(char const *name, measure_t *measure, uint32_t times) {
  printf("%-13s %6s %9s %9s %9s %9s %16s %14s\n", name, "depth", "glibc", "libunwind", "no memo",
         "own", "own/libunwind", "own/glibc");
  for (uint32_t depth = 10; depth <= 100; depth = depth == 10 ? 30 : depth == 30 ? 100 : 101) {
    double base = measure(capture_nothing, depth, times);
    double glibc = measure(capture_glibc, depth, times / 100) - base;
    double libunwind = unw_backtrace_ ? measure(capture_libunwind, depth, times / 10) - base : 0;
    forget = 1;
    double full = measure(capture_own, depth, times) - base;
    forget = 0;
    double own = measure(capture_own, depth, times) - base;
    printf("%13s %6u %9.0f %9.0f %9.1f %9.1f %16.3f %14.4f\n", "", depth, glibc, libunwind, full,
           own, libunwind > 0 ? own / libunwind : 0, own / glibc);
  }
}

static void *map_zeroed(size_t sz) {
  void *mem = mmap(NULL, sz, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mem == MAP_FAILED) abort();
  return mem;
}

int main(int argc, char **argv) {
  uint32_t times = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 20000;
  void *library = dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL);
  void *address = library ? dlsym(library, "unw_backtrace") : NULL;
  memcpy(&unw_backtrace_, &address, sizeof(address));
  vt_unwind_global_init(map_zeroed(VT_UNWIND_GLOBAL_SZ), VT_UNWIND_GLOBAL_SZ);
  state = vt_unwind_new(map_zeroed(VT_UNWIND_STATE_SZ));
  printf("ns a capture, call overhead subtracted; ratios travel better than times\n");
  report("same stack", same_ns, times);
  report("varying leaf", vary_ns, times);
  return 0;
}
