/* Trails: the inner frames of earlier captures. A program allocates and frees from the same places
   again and again, but rarely twice in a row from the same one; where the memo (unwind_memo.c) knows
   only the latest capture, trails know what lay between a caller and the frames that stayed.

   A trail is found by its caller's pc and sp and by the return address of its outermost frame, and
   is verified like the memo: by memory. Included by unwind_memo.c only. */
#ifndef VT_CORE_TRACE_UNWIND_TRAIL_H
#define VT_CORE_TRACE_UNWIND_TRAIL_H

#include "core/trace/unwind_impl.h"

#define VT_TRAIL_NONE UINT32_MAX
/* Captures without trails after they were of no use. */
#define VT_TRAIL_REST 32768

/* The way of the set that may hold a capture from caller, or VT_TRAIL_NONE. */
static inline uint32_t vt_trail_find(vt_unwind_t const *u, vt_caller_t const *caller,
                                     uint32_t set) {
  for (uint32_t i = set; i < set + VT_TRAIL_WAYS; i++) {
    vt_trail_key_t const *key = &u->trail_key[i];
    if (key->pc == caller->pc && key->sp == caller->sp &&
        vt_stack_holds(u, key->outer_sp + (uint64_t)VT_RA_OFF) &&
        vt_load(key->outer_sp + (uint64_t)VT_RA_OFF) == key->outer_pc)
      return i;
  }
  return VT_TRAIL_NONE;
}

/* Index of the first way of the caller's set. */
static inline uint32_t vt_trail_set(vt_caller_t const *caller) {
  uint32_t h = (uint32_t)(caller->pc ^ caller->sp << 4) * 0x9E3779B1u; /* Fibonacci hashing */
  return (h >> 16 & (VT_TRAIL_SETS - 1)) * VT_TRAIL_WAYS;
}

/* Is the frame that the trail leads to remembered, in the state it had? */
static inline int vt_trail_joins(vt_unwind_t const *u, vt_trail_t const *t) {
  vt_frame_t const *now = &u->frames[t->joint], *then = t->frames;
  return t->joint < u->memo && now->sp == then->sp && now->pc == then->pc && now->sp <= u->hi &&
         !((now->info ^ then->info) & (VT_FRAME_LIVE | VT_FRAME_EXACT)) &&
         (!(then->info & VT_FRAME_LIVE) || now->rbp == then->rbp);
}

/* Does memory still say that the trail's frames lead from caller to each other and to frames[0]?
   All return addresses lie between caller's sp and that of frames[0], which are readable. */
static inline int vt_trail_holds(vt_unwind_t const *u, vt_trail_t const *t,
                                 vt_caller_t const *caller) {
  vt_frame_t const *f = &t->frames[t->cnt];
  if ((f->info & VT_FRAME_LIVE) && f->rbp != caller->rbp) return 0;
  while (f-- != t->frames) {
    if (vt_load(f->sp + (uint64_t)VT_RA_OFF) != f->pc) return 0;
    if (VT_LIKELY(!(f->info & VT_FRAME_CHECK))) continue;
    uint64_t slot = VT_FRAME_SLOT(f->info); /* of a live rbp: nothing else is checked in a trail */
    if (!vt_stack_holds(u, slot) || vt_load(slot) != f->rbp) return 0;
  }
  return 1;
}

/* The trail's frames become the remembered ones outside of which nothing changed. */
static inline void vt_trail_commit(vt_unwind_t *u, vt_trail_t const *t, vt_stack_t *out) {
  uint32_t keep = t->joint + 1, depth = keep + t->cnt;
  uint32_t most = depth < u->depth ? depth : u->depth;
  vt_frame_t const *from = t->frames, *end = from + t->cnt;
  vt_frame_t *to = &u->frames[t->joint];
  *to++ = *from++;
  for (; keep < most && vt_frame_same(to, from); keep++) *to++ = *from++;
  while (from <= end) *to++ = *from++;
  *out = (vt_stack_t){u->frames, keep, depth, u->depth, u->truncated};
  u->depth = u->memo = depth;
  u->counters.truncations += u->truncated;
}

/* Is this the second time in a row that this caller was not found, as far as a small table tells?
   What is never captured again is not worth a trail. */
static inline int vt_trail_seen(vt_unwind_t *u, vt_caller_t const *caller) {
  uint32_t h = (uint32_t)(caller->pc ^ caller->sp << 8);
  uint32_t *seen = &u->trail_seen[(caller->pc ^ caller->sp >> 4) % VT_TRAIL_SEEN];
  if (*seen == h) return 1;
  *seen = h;
  return 0;
}

/* Makes the frames from index `at` on, just settled, the trail i (VT_TRAIL_NONE: any of the set), if
   they were plain steps: those that are redone or dereference have no place in it. */
static void vt_trail_blaze(vt_unwind_t *u, vt_caller_t const *caller, uint32_t set, uint32_t i,
                           uint32_t at) {
  uint32_t cnt = u->depth - at;
  uint64_t flags = 0;
  if (!at || !cnt || cnt > VT_TRAIL_MAX || u->bypass) return;
  if (i == VT_TRAIL_NONE) i = set + u->trail_next++ % VT_TRAIL_WAYS;
  vt_frame_t const *from = &u->frames[at - 1];
  for (uint32_t k = 0; k <= cnt; k++) flags |= from[k].info;
  if (flags & (VT_FRAME_EXACT | VT_FRAME_BARRIER | VT_FRAME_DEREF)) return;
  memcpy(u->trail[i].frames, from, (cnt + 1) * sizeof(*from));
  u->trail[i].cnt = cnt;
  u->trail[i].joint = at - 1;
  u->trail_key[i] = (vt_trail_key_t){caller->pc, caller->sp, from[1].pc, from[1].sp};
}

/* A trail not found costs about three times what one found saves: programs whose stacks repeat less
   rest from looking for trails. */
static inline void vt_trail_found(vt_unwind_t *u) {
  u->counters.trails++;
  u->trail_luck += u->trail_luck < VT_TRAIL_LUCK;
}
static inline void vt_trail_missed(vt_unwind_t *u) {
  if (u->trail_luck > 3) {
    u->trail_luck -= 3;
    return;
  }
  u->trail_luck = VT_TRAIL_LUCK;
  u->trail_rest = VT_TRAIL_REST;
}

#endif
