/* Captures that go through libunwind: the same frames as the program's own record of calls, deltas by
   comparison, stacks deeper than the first buffer. */
#include "tests/unit/trace/shadow.h"

static flow_t flow;

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
  return done_testing();
}
