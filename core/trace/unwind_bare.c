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

/* Is pc in executable memory outside of all objects? */
static int is_generated(vt_unwind_t *u, uint64_t pc) {
  vt_range_t range;
  for (uint32_t i = 0; i < VT_CODE_CNT; i++)
    if (pc - u->code[i].lo < u->code[i].hi - u->code[i].lo) return 1;
  if (!vt_unwind_executable || !vt_may(VT_UNWIND_ASKS)) return 0;
  if (u->code_wait) return u->code_wait--, u->unasked++, 0;
  if (in_object(pc)) return 0;
  if (vt_unwind_executable(pc, &range.lo, &range.hi)) {
    u->code[u->code_next++ % VT_CODE_CNT] = range;
    return 1;
  }
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
  CODE_GO,          /* Go's asmcgocall */
  CODE_BEGINS       /* generated code whose function's beginning was found */
};
/* A kind is remembered above its pc, and above that how far back its function begins. */
#define KIND_SHIFT     47
#define DISTANCE_SHIFT 50
#define KIND_PC        (((uint64_t)1 << KIND_SHIFT) - 1)
_Static_assert(CODE_BEGINS < 1 << (DISTANCE_SHIFT - KIND_SHIFT), "a kind has its bits");
_Static_assert(VT_CODE_BACK < 1 << (64 - DISTANCE_SHIFT), "a distance, too");

static uint32_t known_index(uint64_t pc) { return (uint32_t)(pc ^ (pc >> 6)) % VT_JIT_CNT; }

static int called_kind(uint64_t pc, uint32_t *distance) {
  uint8_t code[VT_CODE_SZ];
  vt_exit_t exit;
  uint64_t frame_sz;
  vt_code_at(pc, code);
  if (vt_code_exits(code, &exit)) return CODE_EXITS;
  if (in_object(pc)) return vt_code_go(code) ? CODE_GO : CODE_RETURN;
  return vt_code_begin(pc, distance, &frame_sz) ? CODE_BEGINS : CODE_RETURN;
}

static int ends(uint64_t pc, uint64_t before) {
  uint8_t code[VT_CODE_SZ];
  vt_code_at(pc, code);
  return vt_code_ends(before, code) && in_object(pc);
}

/* Looks at the code only after asking the kernel, once per pc. */
static int code_kind(vt_unwind_t *u, uint64_t pc) {
  uint32_t distance = 0, index = known_index(pc);
  uint64_t *known = &u->jit[index];
  int kind = CODE_BOGUS;
  if (pc < VT_PROBE_PAGE || pc >> 47) return CODE_BOGUS;
  if ((*known & KIND_PC) == pc) return (int)(*known >> KIND_SHIFT) & 7;
  uint64_t before = vt_code_before(pc);
  if (vt_arch_follows_call(before))
    kind = called_kind(pc, &distance);
  else if (is_restorer(pc))
    kind = CODE_RESTORER;
  else if (ends(pc, before))
    kind = CODE_ENDS;
  else if (is_generated(u, pc)) /* HotSpot's interpreter and others push addresses there
                                                  that no call made; code of objects is always called */
    kind = called_kind(pc, &distance);
  if (!kind || u->bypass) return kind;
  *known = pc | (uint64_t)kind << KIND_SHIFT | (uint64_t)distance << DISTANCE_SHIFT;
  u->jit_code[index] = distance ? vt_code_hash(pc) : 0;
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

/* Generated code lies together: what is further away is none. Whether memory near pc is executable is not
   asked: the answer would cost more than a stack that is cut in vain. */
#define NEAR_CODE ((uint64_t)256 << 20)

static int is_near(uint64_t word, uint64_t pc) { return word - (pc - NEAR_CODE) < 2 * NEAR_CODE; }

/* Does a return address lie between the frame's sp and its frame pointer, into generated code or (objects)
   into an object? Then rbp is not this frame's, but one of a caller further out that this one has kept, and
   the step would skip the callers in between. A stale address in a frame's own memory looks the same: such a
   stack is cut, too. */
static int skips_caller(vt_unwind_t *u, vt_frame_t const *frame, int objects) {
  uint64_t word;
  for (uint64_t at = frame->sp; at < frame->rbp; at += 8) {
    if (!vt_stack_load(u, at, &word)) return 1;
    if (word < VT_PROBE_PAGE || word >> 47) continue;
    if (!(objects ? in_object(word) : is_near(word, frame->pc))) continue;
    if (vt_arch_follows_call(vt_code_before(word))) return 1;
  }
  return 0;
}

static int follow_pointer(vt_unwind_t *u, vt_frame_t *frame, uint64_t *slot) {
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

/* A step from generated code to native code is looked at twice: that is where callers in objects, most of
   which keep no frame pointer, can have been skipped. */
static int step_by_pointer(vt_unwind_t *u, vt_frame_t *frame, uint64_t *slot) {
  vt_frame_t const from = *frame;
  int generated = leads_up(&from) && !in_object(from.pc);
  if (generated && skips_caller(u, &from, 0)) return VT_STEP_LOST;
  int result = follow_pointer(u, frame, slot);
  if (!generated || result != VT_STEP_FRAME || !in_object(frame->pc)) return result;
  return skips_caller(u, &from, 1) ? VT_STEP_LOST : VT_STEP_FRAME;
}

/* begin_now is what is known of the beginning of the function at pc, if its code is still the one that was
   looked at; a JIT may have written other code to the same place. */
static int begin_now(vt_unwind_t *u, uint64_t pc, uint64_t *frame_sz) {
  uint32_t index = known_index(pc), distance = (uint32_t)(u->jit[index] >> DISTANCE_SHIFT);
  int known = (u->jit[index] & KIND_PC) == pc && u->jit_code[index] == vt_code_hash(pc);
  if (known && u->jit_code[index]) return vt_code_begins(pc - distance, frame_sz);
  u->jit[index] = 0;
  return vt_code_begin(pc, &distance, frame_sz);
}

/* Out of generated code whose function's beginning was found. */
static int step_by_begin(vt_unwind_t *u, vt_frame_t *frame, uint64_t *slot, uint32_t *how) {
  uint64_t frame_sz;
  int begin = begin_now(u, frame->pc, &frame_sz);
  if (begin == VT_BEGIN_UNKNOWN) return step_by_pointer(u, frame, slot);
  *how = VT_BARE_CODE;
  if (begin == VT_BEGIN_FRAMED) return follow_pointer(u, frame, slot);
  *slot = frame->sp + frame_sz;
  if (!vt_stack_load(u, *slot, &frame->rbp) || !vt_stack_load(u, *slot + 8, &frame->pc))
    return VT_STEP_LOST;
  frame->sp = *slot + 16;
  return stepped(u, frame);
}

/* The code is read anew each time: a JIT may have written other code to the same place. */
static int step_exit(vt_unwind_t *u, vt_frame_t *frame, uint64_t *slot, uint32_t *how) {
  uint8_t code[VT_CODE_SZ];
  vt_exit_t exit;
  vt_code_at(frame->pc, code);
  if (!vt_code_exits(code, &exit)) return step_by_pointer(u, frame, slot);
  *how = VT_BARE_CODE;
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

static int step_go(vt_unwind_t *u, vt_frame_t *frame) {
  uint8_t code[VT_CODE_SZ];
  uint64_t sp, g, end;
  vt_code_at(frame->pc, code);
  if (!vt_stack_load(u, frame->sp + GO_SAVED_OFF, &sp)) return VT_STEP_LOST;
  if (vt_code_go(code) == VT_GO_SWITCHED) {
    if (sp > GO_STACK_MAX || !vt_stack_load(u, frame->sp + GO_G_OFF, &g) ||
        !vt_stack_load(u, g + GO_STACK_END, &end))
      return VT_STEP_LOST;
    sp = end - sp;
  }
  if ((sp & 7) || !vt_stack_load(u, sp, &frame->pc)) return VT_STEP_LOST;
  frame->sp = sp + 8;
  return stepped(u, frame);
}

int vt_step_without_cfi(vt_unwind_t *u, vt_frame_t *frame, uint64_t *slot, uint32_t *how) {
  int kind = frame->info & VT_FRAME_EXACT ? CODE_RETURN : code_kind(u, frame->pc);
  *how = kind == CODE_RESTORER ? VT_BARE_SIGNAL : VT_BARE_GUESS;
  switch (kind) {
  case CODE_BOGUS: return VT_STEP_BOGUS;
  case CODE_RESTORER: return step_restorer(u, frame, slot);
  case CODE_ENDS: return leads_up(frame) ? VT_STEP_LOST : VT_STEP_ROOT;
  case CODE_EXITS: return step_exit(u, frame, slot, how);
  case CODE_GO: return step_go(u, frame);
  case CODE_BEGINS: return step_by_begin(u, frame, slot, how);
  default: return step_by_pointer(u, frame, slot);
  }
}
