/* Captures that go through libunwind: the same frames as the program's own record of calls, deltas
   by comparison, stacks deeper than the first buffer. */
#include <pthread.h>
#include "tests/unit/trace/shadow.h"

static flow_t flow;

/* libunwind's first use in a thread allocates thread-local storage: a capture in that malloc must
   not enter libunwind again, and so on for ever. */
#if !SANITIZED
extern void *__libc_malloc(size_t sz);
static __thread vt_unwind_t *nested __attribute__((tls_model("initial-exec")));
static __thread uint32_t nested_cnt __attribute__((tls_model("initial-exec")));
static __thread uint32_t level __attribute__((tls_model("initial-exec")));

void *malloc(size_t sz) {
  uint64_t *fp = (uint64_t *)__builtin_frame_address(0);
  vt_caller_t caller = {fp[1], (uint64_t)(uintptr_t)(fp + 2), fp[0]};
  vt_stack_t stack;
  if (nested && level++ < 100) {
    vt_unwind_reset(nested);
    vt_unwind_capture(nested, &caller, &stack);
    if (stack.depth > 3) nested_cnt++;
  }
  return __libc_malloc(sz);
}

typedef struct {
  flow_t flow;
  uint32_t cnt;
} first_use_t;

static void *first_use(void *arg) {
  first_use_t *result = (first_use_t *)arg;
  shadow = shadow_new();
  flow_init(&result->flow, 0);
  nested = vt_unwind_new(map_zeroed(VT_UNWIND_STATE_SZ));
  flow_capture(&result->flow);
  nested = NULL;
  result->cnt = nested_cnt;
  return NULL;
}

static void test_reentry(void) {
  first_use_t result;
  pthread_t thread;
  if (pthread_create(&thread, NULL, first_use, &result) || pthread_join(thread, NULL)) abort();
  flow_verdict(&result.flow, "first use in a thread");
  printf("# %u captures inside libunwind\n", result.cnt);
  ok(result.cnt < 10, "libunwind is not entered again");
}
#else
static void test_reentry(void) {}
#endif

NOINLINE static uint32_t recurse(uint32_t left) {
  ENTER();
  if (left) recurse(left - 1);
  if (left % 8 == 0) flow_capture(&flow);
  LEAVE();
  return left;
}

int main(void) {
  shadow = shadow_new();
  int result = vt_unwind_use_libunwind();
  if (result) {
    is_ulong((unsigned long)-result, 2, "no libunwind: ENOENT");
    return done_testing();
  }
  flow_init(&flow, 3);
  for (uint32_t depth = 0; depth < 3000; depth = depth * 3 + 1) recurse(depth);
  recurse(20);
  flow_verdict(&flow, "libunwind");
  ok(flow.kept > 0, "frames were kept: %lu", (unsigned long)flow.kept);
  vt_unwind_epoch_begin();
  vt_unwind_epoch_end();
  recurse(20);
  flow_verdict(&flow, "after an unload");
  test_reentry();
  return done_testing();
}
