/* Checks a capture against unwinding that shares nothing with the memo, the caches and the packed
   rules, and against libunwind if it is loaded. */
#include "core/trace/unwind_impl.h"

/* Frames in which a walk with all registers, from caller to the end, differs from stack. Either may have been cut at
   a return address of which it was not asked, this time, whether it leads to code (unwind_bare.c): then the other
   one may have more frames, and what both have is compared. */
static uint32_t general_differs(vt_unwind_t *u, vt_caller_t const *caller,
                                vt_stack_t const *stack) {
  uint64_t reg[VT_REG_CNT], pc;
  uint32_t exact, differs = 0, more = 0, i = stack->depth;
  int result = vt_general_reach(u, caller, 0, reg, &exact);
  while (result == VT_STEP_FRAME) {
    pc = reg[VT_REG_RIP] + exact;
    result = vt_general_step(u, reg, &exact);
    if (result == VT_STEP_BOGUS && i < stack->depth) break;
    if (i <= stack->truncated)
      more++;
    else
      differs += vt_frame_pc(stack, --i) != pc;
  }
  if (u->unasked) return differs;
  return differs + more + (i - stack->truncated) + ((result != VT_STEP_ROOT) != stack->truncated);
}

uint32_t vt_unwind_check(vt_unwind_t *u, vt_caller_t const *caller, vt_stack_t const *stack,
                         uint32_t *libunwind_cnt) {
  u->switches = 0;
  uint32_t differs = vt_libunwind_captures ? 0 : general_differs(u, caller, stack);
  uint32_t other = vt_libunwind_differs(u, caller, stack);
  u->unasked = 0;
  if (libunwind_cnt) *libunwind_cnt = other;
  return differs + other;
}
