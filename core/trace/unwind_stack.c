/* Which memory may be read. The thread's own stack is, from its stack pointer up. Of other memory a
   state remembers contiguous ranges known to be readable; the kernel is asked once per page that a
   walk reaches beyond them, so a wild frame pointer or damaged stack ends a walk and never faults.
   Also the steps that rest on no CFI at all. */
#include "core/trace/unwind_impl.h"

_Atomic uint32_t vt_unwind_calls = VT_UNWIND_ASKS;

void vt_unwind_confine(vt_unwind_calls_t calls) {
  atomic_store_explicit(&vt_unwind_calls, calls, memory_order_relaxed);
}

vt_unwind_calls_t vt_unwind_confined(void) {
  return (vt_unwind_calls_t)atomic_load_explicit(&vt_unwind_calls, memory_order_relaxed);
}

static int readable(uint64_t addr) { return vt_may(VT_UNWIND_ASKS) && vt_arch_readable(addr); }

/* Up to this distance a new page is joined to the current range, asking for each page between. */
#define JOIN_MAX ((uint64_t)1 << 20)

static int fits(vt_range_t const *range, uint64_t addr) {
  return addr >= range->lo && addr < range->hi && range->hi - addr >= 8;
}

static int extend_up(vt_unwind_t *u, uint64_t addr) {
  while (u->hi < addr + 8) {
    if (!readable(u->hi)) return 0;
    u->hi += VT_PROBE_PAGE;
  }
  return 1;
}

static int extend_down(vt_unwind_t *u, uint64_t addr) {
  while (u->lo > addr) {
    if (!readable(u->lo - VT_PROBE_PAGE)) return 0;
    u->lo -= VT_PROBE_PAGE;
  }
  return 1;
}

/* A range of whole pages, not the mark of a slot that cannot be read. */
static int is_known(vt_range_t range) {
  return range.hi > range.lo && !((range.lo | range.hi) & (VT_PROBE_PAGE - 1));
}

static void put_aside(vt_unwind_t *u, vt_range_t *where) {
  vt_range_t range = {u->lo, u->hi};
  *where = is_known(range) ? range : (vt_range_t){0, 0};
}

/* Stores the current range among the others and starts one with the page of addr. */
static int begin_range(vt_unwind_t *u, uint64_t addr) {
  uint64_t page = addr & ~(VT_PROBE_PAGE - 1);
  if (!readable(page)) return 0;
  put_aside(u, &u->range[u->range_next++ % VT_RANGE_CNT]);
  u->lo = page;
  u->hi = page + VT_PROBE_PAGE;
  return extend_up(u, addr);
}

static int recall_range(vt_unwind_t *u, uint64_t addr) {
  for (uint32_t i = 0; i < VT_RANGE_CNT; i++) {
    vt_range_t found = u->range[i];
    if (!fits(&found, addr)) continue;
    put_aside(u, &u->range[i]);
    u->lo = found.lo;
    u->hi = found.hi;
    return 1;
  }
  return 0;
}

/* Extends the current range to addr if that is not far. */
static int join_range(vt_unwind_t *u, uint64_t addr) {
  if (addr >= u->lo) return addr + 8 - u->hi <= JOIN_MAX && extend_up(u, addr);
  return u->lo - addr <= JOIN_MAX && extend_down(u, addr) && extend_up(u, addr);
}

void vt_unwind_own_stack(vt_unwind_t *u, uint64_t lo, uint64_t hi) {
  u->own_lo = lo;
  u->own_hi = u->own_read = hi;
}

/* Makes the thread's own stack, as far as it is in use, the current range. */
static int own_range(vt_unwind_t *u, uint64_t addr) {
  uint64_t slot = u->sp + (uint64_t)VT_RA_OFF; /* has the return address of who captures */
  if (slot - u->own_lo < u->own_hi - u->own_lo && slot < u->own_read)
    u->own_read = slot & ~(VT_PROBE_PAGE - 1);
  vt_range_t own = {u->own_read, u->own_hi};
  if (!fits(&own, addr)) return 0;
  if (u->lo > own.hi || u->hi < own.lo || u->lo == u->hi) { /* comes from another stack */
    if (u->lo != u->hi && u->switches++ >= VT_SWITCHES_MAX) return 0;
    put_aside(u, &u->range[u->range_next++ % VT_RANGE_CNT]);
    u->lo = own.lo;
    u->hi = own.hi;
  }
  if (own.lo < u->lo) u->lo = own.lo;
  if (own.hi > u->hi) u->hi = own.hi;
  return 1;
}

int vt_stack_reach(vt_unwind_t *u, uint64_t addr) {
  if (addr < VT_PROBE_PAGE || addr > (uint64_t)INT64_MAX - VT_PROBE_PAGE) return 0;
  if (vt_stack_holds(u, addr) || own_range(u, addr)) return 1;
  if (is_known((vt_range_t){u->lo, u->hi}) && join_range(u, addr)) return 1;
  if (u->switches++ >= VT_SWITCHES_MAX) return 0;
  return recall_range(u, addr) || begin_range(u, addr);
}

void vt_stack_forget(vt_unwind_t *u) {
  memset(u->range, 0, sizeof(u->range));
  u->lo = u->hi = 0;
}

/* ---- steps without CFI ---- */

/* A frame-pointer chain may skip this much stack at a time. */
#define FP_STEP_MAX ((uint64_t)1 << 20)

/* The 8 bytes before pc, the last one in the highest byte; zeros where they cannot be read. No
   memcpy: a sanitizer's would look for shadow memory of arbitrary addresses. */
static uint64_t code_before(uint64_t pc) {
  uint64_t page = (pc - 1) & ~(VT_PROBE_PAGE - 1);
  if (!readable(page)) return 0;
  if (pc - page >= 8 || readable(page - 1)) return vt_load(pc - 8);
  return vt_load(page) << 8 * (8 - (pc - page));
}

static int is_restorer(uint64_t pc) {
  uint64_t last = pc + VT_RESTORER_SZ - 1;
  return readable(pc) && ((pc ^ last) < VT_PROBE_PAGE || readable(last)) &&
         vt_arch_is_restorer(vt_load(pc), *(uint8_t const *)(uintptr_t)last);
}

enum { CODE_BOGUS = 0, CODE_RETURN, CODE_RESTORER };

int (*vt_unwind_executable)(uint64_t addr, uint64_t *lo, uint64_t *hi);

/* A question costs a microsecond a mapping; damaged stacks may ask one in each capture. */
#define CODE_WAIT 16

/* Is pc in generated code? HotSpot's interpreter and others push addresses there that no call made
   (docs/unwinder.md): where it is in executable memory outside of all objects that will do. Code of
   objects is always called. */
static int is_generated(vt_unwind_t *u, uint64_t pc) {
  struct dl_find_object object;
  vt_range_t *range = &u->code[u->code_next % VT_CODE_CNT];
  for (uint32_t i = 0; i < VT_CODE_CNT; i++)
    if (pc - u->code[i].lo < u->code[i].hi - u->code[i].lo) return 1;
  if (!vt_unwind_executable || !vt_may(VT_UNWIND_ASKS)) return 0;
  if (u->code_wait) return u->code_wait--, 0;
  if (!_dl_find_object((void *)(uintptr_t)pc, &object)) return 0;
  if (vt_unwind_executable(pc, &range->lo, &range->hi)) return ++u->code_next != 0;
  *range = (vt_range_t){0, 0};
  u->code_wait = CODE_WAIT;
  return 0;
}

/* What code without CFI at pc can be. Looks at it only after asking the kernel, once per pc. */
static int code_kind(vt_unwind_t *u, uint64_t pc) {
  uint64_t *known = &u->jit[(pc ^ (pc >> 6)) % VT_JIT_CNT];
  int kind = CODE_BOGUS;
  if (pc < VT_PROBE_PAGE || pc >> 63) return CODE_BOGUS;
  if ((*known & ~VT_KEY_EXACT) == pc) return *known & VT_KEY_EXACT ? CODE_RESTORER : CODE_RETURN;
  if (vt_arch_follows_call(code_before(pc)))
    kind = CODE_RETURN;
  else if (is_restorer(pc))
    kind = CODE_RESTORER;
  else if (is_generated(u, pc))
    kind = CODE_RETURN;
  if (kind && !u->bypass) *known = pc | (kind == CODE_RESTORER ? VT_KEY_EXACT : 0);
  return kind;
}

static int step_restorer(vt_unwind_t *u, vt_frame_t *frame, uint64_t *slot) {
  uint64_t at = frame->sp;
  *slot = at + VT_SIGNAL_RBP_OFF;
  return vt_stack_load(u, *slot, &frame->rbp) &&
                 vt_stack_load(u, at + VT_SIGNAL_RIP_OFF, &frame->pc) &&
                 vt_stack_load(u, at + VT_SIGNAL_RSP_OFF, &frame->sp)
             ? VT_STEP_FRAME
             : VT_STEP_LOST;
}

int vt_step_without_cfi(vt_unwind_t *u, vt_frame_t *frame, uint64_t *slot, uint32_t *signal) {
  uint64_t fp = frame->rbp;
  int kind = frame->info & VT_FRAME_EXACT ? CODE_RETURN : code_kind(u, frame->pc);
  *signal = kind == CODE_RESTORER;
  if (kind == CODE_BOGUS) return VT_STEP_BOGUS;
  if (*signal) return step_restorer(u, frame, slot);
  if (!fp) return VT_STEP_ROOT; /* the psABI's mark of the deepest frame */
  if ((fp & 7) || fp < frame->sp || fp - frame->sp > FP_STEP_MAX) return VT_STEP_LOST;
  if (!vt_stack_load(u, fp, &frame->rbp) || !vt_stack_load(u, fp + 8, &frame->pc))
    return VT_STEP_LOST;
  *slot = fp;
  frame->sp = fp + 16;
  if (!frame->pc) return VT_STEP_ROOT;
  return code_kind(u, frame->pc) == CODE_BOGUS ? VT_STEP_LOST : VT_STEP_FRAME;
}
