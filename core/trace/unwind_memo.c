/* The capture. Frames are unwound from the innermost outwards until the walk meets a frame of the
   previous capture in the same state; from there on the remembered frames are verified against
   memory instead. A step is a pure function of pc, sp, the live rbp and the slots it reads, so a
   verified tail is what unwinding would give, whatever the program did in between. */
#include "core/trace/sys.h"
#include "core/trace/unwind_impl.h"
#include "core/trace/unwind_trail.h"

#define FRAMES_MAPPED_MIN 2048

/* Steps that go up further than this are redone instead of verified: the stack may have changed. */
#define NEAR ((uint64_t)1 << 20)

/* ---- one step ---- */

/* Invariant between steps: the current range holds the slot below sp, so that [sp,hi) is readable.
   If even that slot cannot be read the range is that slot alone, which no step reads. */
static inline void anchor(vt_unwind_t *u, uint64_t sp) {
  uint64_t slot = sp + (uint64_t)VT_RA_OFF;
  if (VT_LIKELY(vt_stack_holds(u, slot)) || vt_stack_reach(u, slot)) return;
  u->lo = slot;
  u->hi = sp;
}

/* What a step that found this pc is. A kernel address is none (and would look like an exact pc in a
   rule's key). */
static inline int stepped_to(uint64_t pc) {
  if (VT_LIKELY((int64_t)pc > 0)) return VT_STEP_FRAME;
  return pc ? VT_STEP_LOST : VT_STEP_ROOT;
}

/* CFA-based step with every read checked. */
static int step_checked(vt_unwind_t *u, vt_frame_t *frame, uint64_t rule) {
  uint32_t kind = VT_RULE_KIND(rule);
  uint64_t slot = 0, pc, sp = frame->sp;
  uint64_t cfa = (kind == VT_RULE_RSP ? sp : frame->rbp) + (uint64_t)VT_RULE_CFA_OFF(rule);
  frame->info = kind == VT_RULE_AT_RBP ? VT_FRAME_DEREF : 0;
  if (kind == VT_RULE_AT_RBP && !vt_stack_load(u, cfa, &cfa)) return VT_STEP_LOST;
  if (cfa <= sp && u->switches++ >= VT_SWITCHES_MAX) return VT_STEP_LOST;
  if (cfa - sp - 1 >= NEAR) frame->info |= VT_FRAME_BARRIER;
  if (rule & VT_RULE_RESTORES) {
    slot = (rule & VT_RULE_SLOT_CHECK ? frame->rbp : cfa) + (uint64_t)VT_RULE_SLOT_OFF(rule);
    if (!vt_stack_load(u, slot, &frame->rbp)) return VT_STEP_LOST;
  }
  if (!vt_stack_load(u, cfa + (uint64_t)VT_RA_OFF, &pc)) return VT_STEP_LOST;
  frame->info |= slot << 8;
  frame->sp = cfa;
  frame->pc = pc;
  return VT_STEP_FRAME;
}

static int step_signal(vt_unwind_t *u, vt_frame_t *frame) {
  uint64_t at = frame->sp;
  frame->info = VT_FRAME_EXACT | VT_FRAME_BARRIER | (at + VT_SIGNAL_RBP_OFF) << 8;
  if (!vt_stack_load(u, at + VT_SIGNAL_RBP_OFF, &frame->rbp) ||
      !vt_stack_load(u, at + VT_SIGNAL_RIP_OFF, &frame->pc) ||
      !vt_stack_load(u, at + VT_SIGNAL_RSP_OFF, &frame->sp))
    return VT_STEP_LOST;
  frame->pc = vt_interrupted_pc(frame->pc);
  return VT_STEP_FRAME;
}

static int step_without_cfi(vt_unwind_t *u, vt_frame_t *frame) {
  uint64_t slot = 0;
  uint32_t how;
  int result = vt_step_without_cfi(u, frame, &slot, &how);
  frame->info = (how == VT_BARE_CODE ? 0 : VT_FRAME_BARRIER) |
                (how == VT_BARE_SIGNAL ? VT_FRAME_EXACT : 0) | slot << 8;
  return result;
}

static int step_general(vt_unwind_t *u, vt_caller_t const *caller, uint32_t nth,
                        vt_frame_t *frame) {
  uint64_t reg[VT_REG_CNT];
  uint32_t exact;
  u->counters.generals++;
  int result = vt_general_reach(u, caller, nth, reg, &exact);
  *frame = (vt_frame_t){reg[VT_REG_RIP], reg[VT_REG_RSP], reg[VT_REG_RBP],
                        VT_FRAME_BARRIER | VT_FRAME_SET | (exact ? VT_FRAME_EXACT : 0)};
  return result;
}

/* Any step but a plain one inside the current range; nth: index of the new frame from caller (0).
 */
static __attribute__((noinline)) int step_special(vt_unwind_t *u, vt_caller_t const *caller,
                                                  uint32_t nth, vt_frame_t *frame, uint64_t rule) {
  int result;
  switch (VT_RULE_KIND(rule)) {
  case VT_RULE_ROOT: return VT_STEP_ROOT;
  case VT_RULE_SIGNAL: result = step_signal(u, frame); break;
  case VT_RULE_GENERAL: result = step_general(u, caller, nth, frame); break;
  case VT_RULE_NO_FDE:
  case VT_RULE_NO_OBJECT: result = step_without_cfi(u, frame); break;
  default: result = step_checked(u, frame, rule);
  }
  if (result != VT_STEP_FRAME) return result;
  anchor(u, frame->sp);
  return stepped_to(frame->pc);
}

/* Is cfa a multiple of 8 bytes above sp, and not above hi? The rotation makes odd distances large.
 */
static inline int is_above(uint64_t sp, uint64_t cfa, uint64_t hi) {
  uint64_t distance = cfa - sp;
  return (distance >> 3 | distance << 61) - 1 < (hi - sp) >> 3;
}

static inline __attribute__((always_inline)) int
step(vt_unwind_t *u, vt_caller_t const *caller, uint32_t nth, vt_frame_t *frame, uint64_t rule) {
  uint64_t cfa = (rule & 1 ? frame->rbp : frame->sp) + (uint64_t)VT_RULE_CFA_OFF(rule);
  if (VT_LIKELY(VT_RULE_PLAIN(rule) && is_above(frame->sp, cfa, u->hi))) {
    uint64_t slot = 0;
    if (rule & VT_RULE_RESTORES) {
      slot = cfa + (uint64_t)VT_RULE_SLOT_OFF(rule);
      frame->rbp = vt_load(slot);
    }
    frame->pc = vt_load(cfa + (uint64_t)VT_RA_OFF);
    frame->sp = cfa;
    frame->info = slot << 8;
    return stepped_to(frame->pc);
  }
  vt_frame_t copy = *frame; /* so that *frame can stay in registers */
  int result = step_special(u, caller, nth, &copy, rule);
  *frame = copy;
  return result;
}

/* ---- the frame array ---- */

/* System calls are made directly: mmap may be interposed by who captures. */
static void unmap_frames(vt_unwind_t *u) {
  if (u->frames != u->inline_frames)
    vt_sys_munmap(u->frames, (uint64_t)u->cap * sizeof(vt_frame_t));
}

int vt_frames_grow(vt_unwind_t *u, uint32_t *top) {
  uint64_t cap = u->cap + u->cap / 4, used = u->cap - *top;
  if (cap < FRAMES_MAPPED_MIN) cap = FRAMES_MAPPED_MIN;
  cap = (cap + 127) & ~(uint64_t)127; /* whole pages */
  if (cap > INT32_MAX || !vt_may(VT_UNWIND_NO_QUESTIONS)) return 0;
  vt_frame_t *frames = vt_sys_mmap(NULL, cap * sizeof(vt_frame_t), PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (vt_sys_failed(frames)) return 0;
  memcpy(frames, u->frames, u->depth * sizeof(*frames));
  memcpy(frames + cap - used, u->frames + *top, used * sizeof(*frames));
  unmap_frames(u);
  u->frames = frames;
  u->cap = (uint32_t)cap;
  u->counters.mapped = cap * sizeof(*frames);
  *top = (uint32_t)(cap - used);
  return 1;
}

/* How many frames from the root on the previous capture had, too. */
static uint32_t common(vt_unwind_t const *u, uint32_t top, uint32_t at, uint32_t depth) {
  uint32_t keep = at, most = depth < u->depth ? depth : u->depth;
  while (keep < most && vt_frame_same(&u->frames[keep], &u->frames[top + (keep - at)])) keep++;
  return keep;
}

/* Marks a frame of which more than the return address must be verified. */
static inline uint64_t checked(uint64_t info) {
  int live_slot = (info & VT_FRAME_LIVE) && VT_FRAME_SLOT(info);
  return info | (live_slot || (info & (VT_FRAME_BARRIER | VT_FRAME_DEREF)) ? VT_FRAME_CHECK : 0);
}

/* The remembered frame was reached in the same state by another way: how, is verified from now on.
 */
static inline void rejoin(vt_frame_t *memo, vt_frame_t const *frame) {
  uint64_t own = VT_FRAME_USES | VT_FRAME_RESTORES | VT_FRAME_LIVE, derived = own | VT_FRAME_CHECK;
  if (VT_LIKELY(!((memo->info ^ frame->info) & ~derived))) return;
  memo->info = checked((memo->info & own) | (frame->info & ~derived));
}

/* Moves scratch frames to their place, outermost first, and derives what must be verified later. */
static void settle(vt_unwind_t *u, uint32_t top, uint32_t at) {
  vt_frame_t *to = u->frames + at;
  uint64_t live = at ? to[-1].info & VT_FRAME_LIVE : 0;
  for (vt_frame_t const *from = u->frames + top; from < u->frames + u->cap; from++, to++) {
    uint64_t info = from->info & ~(VT_FRAME_LIVE | VT_FRAME_CHECK);
    if (info & VT_FRAME_USES)
      live = VT_FRAME_LIVE;
    else if (info & VT_FRAME_RESTORES)
      live = 0;
    *to = (vt_frame_t){from->pc, from->sp, from->rbp, checked(info | live)};
  }
}

void vt_frames_commit(vt_unwind_t *u, uint32_t top, uint32_t at, vt_stack_t *out) {
  uint32_t depth = at + (u->cap - top);
  out->keep = common(u, top, at, depth);
  out->prev_depth = u->depth;
  settle(u, top, at);
  u->depth = depth;
  u->memo = u->bypass ? 0 : depth;
  u->truncated = u->frames[0].pc == VT_PC_TRUNCATED;
  u->counters.truncations += u->truncated;
  out->frames = u->frames;
  out->depth = depth;
  out->truncated = u->truncated;
}

/* ---- verifying remembered frames ---- */

/* Does the step out of frame k + 1 still lead to frame k? */
static int redo(vt_unwind_t *u, vt_caller_t const *caller, uint32_t nth, uint32_t k) {
  vt_frame_t const *want = &u->frames[k];
  vt_frame_t frame = u->frames[k + 1];
  uint64_t rule = vt_rule(u, vt_rule_key(frame.pc, frame.info));
  int result = step_special(u, caller, nth, &frame, rule);
  if (result == VT_STEP_LOST) return want->pc == VT_PC_TRUNCATED;
  return result == VT_STEP_FRAME && frame.pc == want->pc && frame.sp == want->sp &&
         frame.rbp == want->rbp && !((frame.info ^ want->info) & VT_FRAME_EXACT);
}

static int verify_special(vt_unwind_t *u, vt_caller_t const *caller, uint32_t nth, uint32_t k) {
  vt_frame_t const *frame = &u->frames[k], *inner = frame + 1;
  uint64_t value, at;
  if ((frame->info & VT_FRAME_BARRIER) || !vt_stack_holds(u, frame->sp + (uint64_t)VT_RA_OFF))
    return redo(u, caller, nth, k);
  if (frame->info & VT_FRAME_DEREF) {
    at = inner->rbp + (uint64_t)VT_RULE_CFA_OFF(vt_rule(u, vt_rule_key(inner->pc, inner->info)));
    if (!vt_stack_load(u, at, &value) || value != frame->sp) return 0;
  }
  if (vt_load(frame->sp + (uint64_t)VT_RA_OFF) != frame->pc) return 0;
  at = VT_FRAME_SLOT(frame->info);
  if (!(frame->info & VT_FRAME_LIVE) || !at) return 1;
  return vt_stack_load(u, at, &value) && value == frame->rbp;
}

/* Does the stack still end at frame 0 where it did not end by a ROOT rule? */
static int verify_end(vt_unwind_t *u, vt_caller_t const *caller, uint32_t nth) {
  vt_frame_t frame = u->frames[0];
  if (frame.pc == VT_PC_TRUNCATED) return 1; /* redone as the step into it */
  uint64_t rule = vt_rule(u, vt_rule_key(frame.pc, frame.info));
  return step_special(u, caller, nth, &frame, rule) == VT_STEP_ROOT;
}

static inline uint64_t load_ra(uint64_t cfa) { return vt_load(cfa + (uint64_t)VT_RA_OFF); }

#define GROUP 4

/* Verifies remembered frames below k, GROUP at a time while nothing but return addresses matters.
   The order of reads within a group is free: its slots lie between known readable ones. Returns the
   new k. */
static inline uint32_t verify_groups(vt_unwind_t const *u, uint32_t k) {
  uint64_t lo = u->lo, room = u->hi - lo - 8, differs, info;
  for (vt_frame_t const *f = u->frames + k; k >= GROUP; k -= GROUP) {
    f -= GROUP;
    info = f[0].info | f[1].info | f[2].info | f[3].info;
    if ((info & VT_FRAME_CHECK) || f[0].sp + (uint64_t)VT_RA_OFF - lo > room) return k;
    differs = (load_ra(f[3].sp) ^ f[3].pc) | (load_ra(f[2].sp) ^ f[2].pc) |
              (load_ra(f[1].sp) ^ f[1].pc) | (load_ra(f[0].sp) ^ f[0].pc);
    if (VT_UNLIKELY(differs)) return k;
  }
  return k;
}

static inline int verify_one(vt_unwind_t *u, vt_caller_t const *caller, uint32_t nth, uint32_t k) {
  vt_frame_t const *frame = &u->frames[k];
  uint64_t ra = frame->sp + (uint64_t)VT_RA_OFF, info = frame->info;
  if (VT_LIKELY(!(info & (VT_FRAME_BARRIER | VT_FRAME_DEREF)) && vt_stack_holds(u, ra))) {
    if (vt_load(ra) != frame->pc) return 0;
    if (!(info & VT_FRAME_CHECK)) return 1;
    if (VT_LIKELY(vt_stack_holds(u, VT_FRAME_SLOT(info)))) /* of a live rbp */
      return vt_load(VT_FRAME_SLOT(info)) == frame->rbp;
  }
  if (!verify_special(u, caller, nth, k)) return 0;
  anchor(u, u->frames[k].sp);
  return 1;
}

#define ALL_VERIFIED INT64_MIN

/* Frame m equals the state of the walk, which pushed frames inside it. Returns ALL_VERIFIED, or the
   index below the last good frame: the step out of frame (result + 1) leads elsewhere now. */
static inline __attribute__((always_inline)) int64_t
verify(vt_unwind_t *u, vt_caller_t const *caller, uint32_t pushed, uint32_t m) {
  uint32_t k = m;
  while (k) {
    k = verify_groups(u, k);
    for (uint32_t n = 0; n < GROUP && k; n++) {
      if (VT_UNLIKELY(!verify_one(u, caller, pushed + m - (k - 1), k - 1))) return k - 1;
      k--;
    }
  }
  return VT_UNLIKELY(u->restep) && !verify_end(u, caller, pushed + m + 1) ? -1 : ALL_VERIFIED;
}

/* ---- the walk ---- */

/* Room for one more scratch frame; without it the outermost one becomes the mark of truncation. */
static int make_room(vt_unwind_t *u, uint32_t *top) {
  return VT_LIKELY(*top > u->depth) || vt_frames_grow(u, top);
}

/* Takes over the remembered frames [last,m], verified but with stale dead rbp, as if unwound;
 *frame is the walk's state at m and then at last. */
static int take_over(vt_unwind_t *u, uint32_t *top, uint32_t m, uint32_t last, vt_frame_t *frame) {
  for (uint32_t k = m;; k--) {
    if (!make_room(u, top)) return 0;
    vt_frame_t const *from = &u->frames[k];
    if (k < m) {
      uint64_t rbp = from->info & VT_FRAME_SET ? from->rbp : frame->rbp;
      uint64_t slot = VT_FRAME_SLOT(from->info);
      if (slot && !vt_stack_load(u, slot, &rbp)) return 0;
      *frame = (vt_frame_t){from->pc, from->sp, rbp, from->info};
    } else {
      frame->info |= from->info & (VT_FRAME_USES | VT_FRAME_RESTORES);
    }
    u->frames[--*top] = *frame;
    if (k == last) return 1;
  }
}

/* Without memory the mark takes the outermost frame's place; if there is no room for that and the
   caller either, they take the place of the previous capture's two innermost frames, which no one
   reads now (a cut stack has no more than the mark in common with another). */
static void mark_truncated(vt_unwind_t *u, vt_caller_t const *caller, uint32_t *top) {
  if (!make_room(u, top) && u->cap - *top >= 2) ++*top;
  if (*top == u->cap) u->frames[--*top] = (vt_frame_t){caller->pc, caller->sp, caller->rbp, 0};
  u->frames[--*top] = (vt_frame_t){VT_PC_TRUNCATED, 0, 0, VT_FRAME_BARRIER};
}

static inline int joins(vt_frame_t const *memo, vt_frame_t const *frame) {
  return memo->sp == frame->sp && memo->pc == frame->pc &&
         !((memo->info ^ frame->info) & VT_FRAME_EXACT) &&
         (!(memo->info & VT_FRAME_LIVE) || memo->rbp == frame->rbp);
}

/* Unwinds from frame until the end of the stack or a verified tail of the memo; pushes frames below
 *top. Returns how many remembered frames stay. */
static inline __attribute__((always_inline)) uint32_t
walk(vt_unwind_t *u, vt_caller_t const *caller, uint32_t *top_io) {
  vt_frame_t frame = {caller->pc, caller->sp, caller->rbp, 0};
  uint32_t top = u->cap, next = u->memo;
  int result = VT_STEP_FRAME;
  uint64_t rule = 0;
  for (;;) {
    while (next && u->frames[next - 1].sp < frame.sp) next--;
    if (next && joins(&u->frames[next - 1], &frame)) {
      int64_t bad = verify(u, caller, u->cap - top, next - 1);
      u->counters.joins++;
      if (VT_LIKELY(bad == ALL_VERIFIED)) {
        rejoin(&u->frames[next - 1], &frame);
        break;
      }
      u->counters.mismatches++;
      vt_frame_t copy = frame;
      uint32_t to = top;
      int taken = take_over(u, &to, next - 1, (uint32_t)(bad + 1), &copy);
      frame = copy;
      top = to;
      next = (uint32_t)(bad + 1);
      anchor(u, frame.sp);
      rule = vt_rule(u, vt_rule_key(frame.pc, frame.info));
      result = taken ? step(u, caller, u->cap - top, &frame, rule) : VT_STEP_LOST;
    } else {
      rule = vt_rule(u, vt_rule_key(frame.pc, frame.info));
      if (VT_UNLIKELY(top == u->depth)) {
        uint32_t to = top;
        if (!vt_frames_grow(u, &to)) result = VT_STEP_LOST;
        top = to;
      }
      if (VT_LIKELY(result == VT_STEP_FRAME)) {
        u->frames[--top] = (vt_frame_t){frame.pc, frame.sp, frame.rbp,
                                        frame.info | (rule & (VT_RULE_USES | VT_RULE_RESTORES))};
        result = step(u, caller, u->cap - top, &frame, rule);
      }
    }
    if (VT_UNLIKELY(result != VT_STEP_FRAME)) {
      next = 0;
      break;
    }
  }
  if (!next) {
    u->restep = result != VT_STEP_ROOT || VT_RULE_KIND(rule) != VT_RULE_ROOT;
    if (result == VT_STEP_BOGUS && top + 1 < u->cap) top++;
    if (result != VT_STEP_ROOT) mark_truncated(u, caller, &top);
  }
  *top_io = top;
  return next;
}

/* ---- public ---- */

/* The epoch, and the range that holds the stack pointer, for a capture about to start. */
static inline void capture_begin(vt_unwind_t *u, vt_caller_t const *caller) {
  /* Pairs with the bumps around unloading: code loaded since is met with its own epoch. */
  uint64_t word = atomic_load_explicit(&vt_unwind_epoch_word, memory_order_acquire);
  if (VT_UNLIKELY(word != u->epoch)) vt_rule_new_epoch(u, word);
  u->switches = 0;
  u->counters.captures++;
  u->sp = caller->sp;
  anchor(u, caller->sp);
}

/* Captures by a trail if all of it and everything outside it is verified. */
static inline int capture_by_trail(vt_unwind_t *u, vt_caller_t const *caller, vt_trail_t const *t,
                                   vt_stack_t *out) {
  if (!vt_trail_joins(u, t) || t->joint + t->cnt >= u->cap || !vt_trail_holds(u, t, caller) ||
      verify(u, caller, t->cnt, t->joint) != ALL_VERIFIED)
    return 0;
  vt_trail_commit(u, t, out);
  vt_trail_found(u);
  return 1;
}

static inline uint32_t capture_by_walk(vt_unwind_t *u, vt_caller_t const *caller, vt_stack_t *out) {
  uint32_t top, at = walk(u, caller, &top);
  vt_frames_commit(u, top, at, out);
  return at;
}

void vt_unwind_capture(vt_unwind_t *u, vt_caller_t const *caller, vt_stack_t *out) {
  if (VT_UNLIKELY(vt_libunwind_captures) && vt_libunwind_capture(u, caller, out)) return;
  capture_begin(u, caller);
  if (VT_UNLIKELY(u->trail_rest)) {
    u->trail_rest--;
    capture_by_walk(u, caller, out);
    return;
  }
  uint32_t set = vt_trail_set(caller), i = vt_trail_find(u, caller, set);
  if (VT_LIKELY(i != VT_TRAIL_NONE) && VT_LIKELY(capture_by_trail(u, caller, &u->trail[i], out)))
    return;
  vt_trail_missed(u);
  uint32_t at = capture_by_walk(u, caller, out);
  if (vt_trail_seen(u, caller)) vt_trail_blaze(u, caller, set, i, at);
}

vt_unwind_t *vt_unwind_new(void *mem) {
  vt_unwind_t *u = mem;
  u->frames = u->inline_frames;
  u->cap = VT_FRAMES_INLINE;
  u->epoch = atomic_load_explicit(&vt_unwind_epoch_word, memory_order_acquire);
  u->bypass = (u->epoch & 0xFFFF) != 0;
  return u;
}

void vt_unwind_reset(vt_unwind_t *u) {
  u->depth = u->memo = 0;
  vt_stack_forget(u);
}

void vt_unwind_fini(vt_unwind_t *u) {
  unmap_frames(u);
  memset(u, 0, sizeof(*u));
  vt_unwind_new(u);
}

vt_unwind_counters_t const *vt_unwind_counters(vt_unwind_t const *u) { return &u->counters; }
