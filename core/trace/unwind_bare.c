/* Steps out of frames without CFI: assembly, Go, generated code. In the order of their worth: the code
   at the return address says what it will do (unwind_code.c), or the frame pointer leads on. What a
   frame pointer finds is believed if it looks like a return address; a stack is called whole only
   where an end is certain, which it is not in code outside of all objects, where rbp may be anything,
   also zero. */
#include "core/trace/maps.h"
#include "core/trace/unwind_impl.h"

/* A frame-pointer chain may skip this much stack at a time. */
#define FP_STEP_MAX ((uint64_t)1 << 20)

static int in_object(uint64_t pc) {
  vt_object_t object;
  return vt_object_find(pc, &object);
}

static int is_restorer(uint64_t pc) {
  uint64_t last = pc + VT_RESTORER_SZ - 1;
  return vt_readable(pc) && ((pc ^ last) < VT_PROBE_PAGE || vt_readable(last)) &&
         vt_arch_is_restorer(vt_load(pc), *(uint8_t const *)(uintptr_t)last);
}

static int executable_mapping(uint64_t addr, uint64_t *lo, uint64_t *hi) {
  vt_maps_line_t line;
  if (vt_maps_find(addr, &line) || line.perms[2] != 'x') return 0;
  *lo = line.start;
  *hi = line.end;
  return 1;
}

int (*vt_unwind_executable)(uint64_t addr, uint64_t *lo, uint64_t *hi) = executable_mapping;
uint64_t (*vt_unwind_moved)(uint64_t pc);

/* A question costs a microsecond a mapping; damaged stacks may ask one in each capture. */
#define CODE_WAIT 16

/* Is pc in generated code? HotSpot's interpreter and others push addresses there that no call made
   (docs/unwinder.md): where it is in executable memory outside of all objects that will do. Code of
   objects is always called. */
static int is_generated(vt_unwind_t *u, uint64_t pc) {
  vt_range_t *range = &u->code[u->code_next % VT_CODE_CNT];
  for (uint32_t i = 0; i < VT_CODE_CNT; i++)
    if (pc - u->code[i].lo < u->code[i].hi - u->code[i].lo) return 1;
  if (!vt_unwind_executable || !vt_may(VT_UNWIND_ASKS)) return 0;
  if (u->code_wait) return u->code_wait--, 0;
  if (in_object(pc)) return 0;
  if (vt_unwind_executable(pc, &range->lo, &range->hi)) return ++u->code_next != 0;
  *range = (vt_range_t){0, 0};
  u->code_wait = CODE_WAIT;
  return 0;
}

/* What code without CFI at a return address is. */
enum {
  CODE_BOGUS = 0, /* no return address */
  CODE_RETURN,
  CODE_RESTORER,
  CODE_EXITS,       /* goes straight to its `ret` */
  CODE_ENDS,        /* a stack was made to begin here */
  CODE_GO_SWITCHED, /* Go's asmcgocall, from a goroutine's stack */
  CODE_GO_STAYED    /* the same from the thread's */
};
#define KIND_SHIFT 60
#define KIND_PC    (((uint64_t)1 << KIND_SHIFT) - 1)

static int called_kind(uint64_t pc) {
  uint8_t code[VT_CODE_SZ];
  vt_exit_t exit;
  vt_code_at(pc, code);
  int go = vt_code_go(code);
  if (go && in_object(pc)) return go == VT_GO_SWITCHED ? CODE_GO_SWITCHED : CODE_GO_STAYED;
  return vt_code_exits(code, &exit) ? CODE_EXITS : CODE_RETURN;
}

static int ends(uint64_t pc, uint64_t before) {
  uint8_t code[VT_CODE_SZ];
  vt_code_at(pc, code);
  return vt_code_ends(before, code) && in_object(pc);
}

/* Looks at the code only after asking the kernel, once per pc. */
static int code_kind(vt_unwind_t *u, uint64_t pc) {
  uint64_t *known = &u->jit[(pc ^ (pc >> 6)) % VT_JIT_CNT];
  int kind = CODE_BOGUS;
  if (pc < VT_PROBE_PAGE || pc >> 47) return CODE_BOGUS;
  if ((*known & KIND_PC) == pc) return (int)(*known >> KIND_SHIFT);
  uint64_t before = vt_code_before(pc);
  if (vt_arch_follows_call(before))
    kind = called_kind(pc);
  else if (is_restorer(pc))
    kind = CODE_RESTORER;
  else if (ends(pc, before))
    kind = CODE_ENDS;
  else if (is_generated(u, pc))
    kind = called_kind(pc);
  if (kind && !u->bypass) *known = pc | (uint64_t)kind << KIND_SHIFT;
  return kind;
}

/* ---- the steps ---- */

static int stepped(vt_unwind_t *u, vt_frame_t const *frame) {
  return code_kind(u, frame->pc) == CODE_BOGUS ? VT_STEP_LOST : VT_STEP_FRAME;
}

static int step_restorer(vt_unwind_t *u, vt_frame_t *frame, uint64_t *slot) {
  uint64_t at = frame->sp;
  *slot = at + VT_SIGNAL_RBP_OFF;
  if (!vt_stack_load(u, *slot, &frame->rbp) || !vt_stack_load(u, at + VT_SIGNAL_RIP_OFF, &frame->pc) ||
      !vt_stack_load(u, at + VT_SIGNAL_RSP_OFF, &frame->sp))
    return VT_STEP_LOST;
  frame->pc = vt_interrupted_pc(frame->pc);
  return VT_STEP_FRAME;
}

/* Could rbp be a frame pointer? */
static int leads_up(vt_frame_t const *frame) {
  uint64_t fp = frame->rbp;
  return !(fp & 7) && fp >= frame->sp && fp - frame->sp <= FP_STEP_MAX;
}

/* Zero for a frame pointer or a return address is the psABI's mark of the deepest frame; in code that
   may keep anything in rbp it means nothing. */
static int step_zero(vt_frame_t const *frame) {
  return in_object(frame->pc) ? VT_STEP_ROOT : VT_STEP_LOST;
}

static int step_by_pointer(vt_unwind_t *u, vt_frame_t *frame, uint64_t *slot) {
  vt_frame_t const from = *frame;
  uint64_t fp = from.rbp;
  if (!fp) return step_zero(&from);
  if (!leads_up(&from)) return VT_STEP_LOST;
  if (!vt_stack_load(u, fp, &frame->rbp) || !vt_stack_load(u, fp + 8, &frame->pc))
    return VT_STEP_LOST;
  *slot = fp;
  frame->sp = fp + 16;
  return frame->pc ? stepped(u, frame) : step_zero(&from);
}

/* The code is read anew each time: a JIT may have written other code to the same place. */
static int step_exit(vt_unwind_t *u, vt_frame_t *frame, uint64_t *slot) {
  uint8_t code[VT_CODE_SZ];
  vt_exit_t exit;
  vt_code_at(frame->pc, code);
  if (!vt_code_exits(code, &exit)) return step_by_pointer(u, frame, slot);
  if (exit.by_rbp && !leads_up(frame)) return VT_STEP_LOST;
  uint64_t base = exit.by_rbp ? frame->rbp : frame->sp, ret = base + (uint64_t)exit.sp;
  if (exit.restores) {
    *slot = base + (uint64_t)exit.rbp_at;
    if (!vt_stack_load(u, *slot, &frame->rbp)) return VT_STEP_LOST;
  }
  if (!vt_stack_load(u, ret, &frame->pc)) return VT_STEP_LOST;
  frame->sp = ret + 8;
  return frame->pc ? stepped(u, frame) : VT_STEP_ROOT;
}

/* asmcgocall's frame has at 40 its stack pointer from before the switch, or how far that was below the
   end of the goroutine's stack, which is the second word of the goroutine at 48: stacks may move. */
#define GO_SAVED_OFF  40
#define GO_G_OFF      48
#define GO_STACK_END  8
#define GO_STACK_MAX  ((uint64_t)1 << 30) /* of goroutines, runtime.maxstacksize */

static int step_go(vt_unwind_t *u, vt_frame_t *frame, int switched) {
  uint64_t sp, g, end;
  if (!vt_stack_load(u, frame->sp + GO_SAVED_OFF, &sp)) return VT_STEP_LOST;
  if (switched) {
    if (sp > GO_STACK_MAX || !vt_stack_load(u, frame->sp + GO_G_OFF, &g) ||
        !vt_stack_load(u, g + GO_STACK_END, &end))
      return VT_STEP_LOST;
    sp = end - sp;
  }
  if ((sp & 7) || !vt_stack_load(u, sp, &frame->pc)) return VT_STEP_LOST;
  frame->sp = sp + 8;
  return stepped(u, frame);
}

int vt_step_without_cfi(vt_unwind_t *u, vt_frame_t *frame, uint64_t *slot, uint32_t *signal) {
  int kind = frame->info & VT_FRAME_EXACT ? CODE_RETURN : code_kind(u, frame->pc);
  *signal = kind == CODE_RESTORER;
  switch (kind) {
  case CODE_BOGUS: return VT_STEP_BOGUS;
  case CODE_RESTORER: return step_restorer(u, frame, slot);
  case CODE_ENDS: return leads_up(frame) ? VT_STEP_LOST : VT_STEP_ROOT;
  case CODE_EXITS: return step_exit(u, frame, slot);
  case CODE_GO_SWITCHED:
  case CODE_GO_STAYED: return step_go(u, frame, kind == CODE_GO_SWITCHED);
  default: return step_by_pointer(u, frame, slot);
  }
}
