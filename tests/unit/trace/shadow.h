/* What the unwinder's tests share: a shadow stack of return addresses kept by the test functions
   themselves, and a hook that captures and compares every frame with it, every delta with the stack
   before, and every capture with unwinding in full (libgcc-independent, memo-independent). */
#ifndef TESTS_UNIT_TRACE_SHADOW_H
#define TESTS_UNIT_TRACE_SHADOW_H

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "core/trace/unwind.h"
#include "tests/unit/tap.h"

/* 1 in sanitizer builds: interceptors and instrumentation stand between tests and what they
 * measure. */
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define NOINLINE   __attribute__((noinline, noclone))
#define SHADOW_MAX 220000

typedef struct {
  uint64_t ra[SHADOW_MAX];
  uint32_t cnt;
} shadow_t;

/* What one flow of control (thread, signal handler) captures with. */
typedef struct {
  vt_unwind_t *u;
  uint64_t *mirror; /* the stack before, root first, built from deltas only */
  uint32_t mirror_cnt;
  uint32_t epoch;       /* before the previous capture */
  uint32_t check_every; /* full check at every nth capture; 0: never */
  uint64_t captures;
  uint64_t wrong_shadow;    /* captures that disagree with the shadow stack */
  uint64_t wrong_delta;     /* captures whose delta does not lead to their frames */
  uint64_t wrong_frames;    /* frames that unwinding in full sees differently */
  uint64_t libunwind_wrong; /* of these: libunwind alone */
  uint64_t truncated;
  uint64_t kept; /* frames not handed out anew */
  vt_stack_t last;
} flow_t;

static __thread shadow_t *shadow; /* of the running flow of control; coroutines swap it */

/* Stands in the shadow stack for any number of frames of code that keeps no record. */
#define GAP         ((uint64_t)0)
#define ENTER_GAP() (shadow->ra[shadow->cnt++] = GAP)

/* Every test function that calls on enters and leaves; the barrier keeps its frame from being
   replaced by a tail call. */
#define ENTER() (shadow->ra[shadow->cnt++] = (uint64_t)(uintptr_t)__builtin_return_address(0))
#define LEAVE()                                                                                    \
  do {                                                                                             \
    shadow->cnt--;                                                                                 \
    __asm__ volatile("" ::: "memory");                                                             \
  } while (0)

static void *map_zeroed(size_t sz) {
  void *mem = mmap(NULL, sz, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mem == MAP_FAILED) abort();
  return mem;
}

static shadow_t *shadow_new(void) { return (shadow_t *)map_zeroed(sizeof(shadow_t)); }

static void flow_init(flow_t *flow, uint32_t check_every) {
  memset(flow, 0, sizeof(*flow));
  flow->u = vt_unwind_new(map_zeroed(VT_UNWIND_STATE_SZ));
  flow->mirror = (uint64_t *)map_zeroed(8 * SHADOW_MAX);
  flow->check_every = check_every;
}

/* began: epoch before the capture. After another epoch began there is no previous capture. */
static void flow_mirror(flow_t *flow, vt_stack_t const *stack, uint64_t pc, uint32_t began) {
  if (!stack->prev_depth && vt_unwind_epoch() != flow->epoch) flow->mirror_cnt = 0;
  flow->epoch = began;
  uint32_t wrong = vt_frame_pc(stack, stack->depth - 1) != pc ||
                   stack->prev_depth != flow->mirror_cnt || stack->keep > stack->prev_depth ||
                   stack->keep > stack->depth;
  for (uint32_t i = 0; !wrong && i < stack->keep; i++)
    wrong = flow->mirror[i] != vt_frame_pc(stack, i);
  for (uint32_t i = stack->keep; i < stack->depth; i++) flow->mirror[i] = vt_frame_pc(stack, i);
  flow->mirror_cnt = stack->depth;
  flow->kept += stack->keep;
  flow->wrong_delta += wrong;
}

static void flow_compare(flow_t *flow, vt_stack_t const *stack, uint64_t pc) {
  uint32_t i = stack->depth, wrong = !i || vt_frame_pc(stack, --i) != pc;
  for (uint32_t n = shadow->cnt; n-- && !wrong;) {
    if (shadow->ra[n] != GAP) {
      wrong = !i || vt_frame_pc(stack, --i) != shadow->ra[n];
    } else if (n) {
      while (i && vt_frame_pc(stack, i - 1) != shadow->ra[n - 1]) i--;
    }
  }
  flow->wrong_shadow += wrong;
}

static void flow_print(vt_stack_t const *stack) {
  uint32_t shown = 0;
  for (uint32_t i = stack->depth; i-- && shown < 12; shown++)
    printf("#   %2u pc %#lx\n", i, (unsigned long)vt_frame_pc(stack, i));
}

/* Captures the stack of the function that calls it and compares. */
NOINLINE __attribute__((unused)) static void flow_capture(flow_t *flow) {
  uint64_t *fp = (uint64_t *)__builtin_frame_address(0);
  vt_caller_t caller = {fp[1], (uint64_t)(uintptr_t)(fp + 2), fp[0]};
  vt_stack_t stack;
  uint32_t wrong = 0, other = 0, epoch = vt_unwind_epoch();
  vt_unwind_capture(flow->u, &caller, &stack);
  flow->captures++;
  flow->truncated += stack.truncated;
  flow_mirror(flow, &stack, caller.pc, epoch);
  flow_compare(flow, &stack, caller.pc);
  if (flow->check_every && flow->captures % flow->check_every == 0)
    wrong = vt_unwind_check(flow->u, &caller, &stack, &other);
  if ((wrong || flow->wrong_shadow == 1) && flow->wrong_frames == 0) flow_print(&stack);
  flow->wrong_frames += wrong;
  flow->libunwind_wrong += other;
  flow->last = stack;
}

/* Test points: no capture of the flow since flow_init (or the last verdict) was wrong. */
static void flow_verdict(flow_t *flow, char const *name) {
  ok(flow->captures > 0, "%s: %lu captures", name, (unsigned long)flow->captures);
  is_ulong(flow->wrong_shadow, 0, "as the program's own record of calls");
  is_ulong(flow->wrong_delta, 0, "deltas lead from each stack to the next");
  is_ulong(flow->wrong_frames, 0, "no frame differs from unwinding in full");
  is_ulong(flow->truncated, 0, "none truncated");
  if (flow->libunwind_wrong)
    printf("# libunwind alone: %lu\n", (unsigned long)flow->libunwind_wrong);
  flow->captures = flow->wrong_shadow = flow->wrong_delta = flow->wrong_frames = flow->truncated =
      0;
  flow->libunwind_wrong = 0;
}

/* xorshift64*, for tests that print their seed. */
static __thread uint64_t random_state = 0x9E3779B97F4A7C15u;
__attribute__((unused)) static uint64_t next_random(void) {
  random_state ^= random_state >> 12;
  random_state ^= random_state << 25;
  random_state ^= random_state >> 27;
  return random_state * 0x2545F4914F6CDD1Du;
}

#endif
