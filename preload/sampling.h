/* A sampled recording (VALTRACE_SAMPLE): of all allocations only those are recorded that the thread's
   sampler takes, and of frees and reallocs only those of recorded blocks. What happens in total is
   counted exactly, in the header of the segment that the thread writes to: that lies where records do,
   so that it survives what they survive, and each number is in one place only.

   A block that is not taken costs a few instructions: no stack, no time, no record. */
#ifndef VT_PRELOAD_SAMPLING_H
#define VT_PRELOAD_SAMPLING_H

#include "core/trace/hidden.h"
#include "core/trace/members.h"
#include "preload/options.h"
#include "preload/process.h"

extern VT_HIDDEN vt_members_t vt_sampled; /* recorded blocks that live */

/* vt_sampling: is only a sample recorded? */
static inline int vt_sampling(void) { return VT_UNLIKELY(vt_options.sample_period != 0); }

/* vt_sampling_begin makes ready for an image, a forked child's too, whose parent's blocks are none of its
   own. Returns 0, or -1 without memory. */
int vt_sampling_begin(void);

/* vt_sampling_thread seeds the sampler of a state that is new in this image. What threads hand on goes on: they
   may have a state for one event only. */
void vt_sampling_thread(vt_thread_t *t);

/* The key of a block in vt_sampled is its address; of one of an annotated heap, whose offsets are below 2^47: */
static inline uint64_t vt_sampled_heap_block(uint64_t heap, uint64_t offset) {
  return (uint64_t)1 << 63 | heap << 47 | offset;
}

/* vt_sampling_claim gets the thread's stream a segment; returns it, or NULL when recording has stopped: the event
   is counted as lost then. */
uint8_t *vt_sampling_claim(vt_thread_t *t);

static inline uint8_t *vt_sampling_segment(vt_thread_t *t) {
  return VT_LIKELY(t->stream.segment) ? t->stream.segment : vt_sampling_claim(t);
}

/* Only the thread writes its segment's totals; the collector reads them when it is done with it. */
static inline void vt_sampling_add(uint8_t *segment, uint32_t off, uint64_t n) {
  vt_sampler_add((_Atomic int64_t *)(segment + off), (int64_t)n);
}

/* vt_sampling_take_slow: see vt_sampling_take; for a block that the sampler takes, or whose key has a mark. */
int vt_sampling_take_slow(vt_thread_t *t, uint64_t key, uint64_t bytes);

/* vt_sampling_take: is the new block to be recorded? Then it is in vt_sampled. One that is there already was
   freed unseen: that is recorded first. */
static inline int vt_sampling_take(vt_thread_t *t, uint64_t key, size_t sz) {
  uint64_t bytes = vt_sampler_weighed(sz);
  if (VT_LIKELY(!vt_members_maybe(&vt_sampled, key) && vt_sampler_passes(&t->sampler, bytes))) return 0;
  return vt_sampling_take_slow(t, key, bytes);
}

/* vt_sampling_alloc counts an allocation of the process's own heap; returns whether it is to be recorded. */
static inline int vt_sampling_alloc(vt_thread_t *t, void const *p, size_t sz) {
  uint8_t *segment = vt_sampling_segment(t);
  if (VT_UNLIKELY(!segment)) return 0;
  vt_sampling_add(segment, VT_SEGMENT_OFF_ALLOCATIONS, 1);
  vt_sampling_add(segment, VT_SEGMENT_OFF_BYTES, sz);
  return vt_sampling_take(t, (uint64_t)p, sz);
}

/* vt_sampling_alone: is the block the last that the thread has allocated? Every allocation counts down the distance
   that was drawn when the block was taken. */
static inline int vt_sampling_alone(vt_thread_t const *t, uint64_t key) {
  return t->taken_key == key &&
         atomic_load_explicit(&t->sampler.left, memory_order_relaxed) == t->taken_left;
}

/* vt_sampling_forget: was the block recorded? It is no longer in vt_sampled then. */
static inline int vt_sampling_forget(uint64_t key) {
  return VT_UNLIKELY(vt_members_maybe(&vt_sampled, key)) && vt_members_take(&vt_sampled, key);
}

/* vt_sampling_free counts a free; returns whether it is to be recorded. */
static inline int vt_sampling_free(vt_thread_t *t, void const *p) {
  uint8_t *segment = vt_sampling_segment(t);
  if (VT_UNLIKELY(!segment)) return 0;
  vt_sampling_add(segment, VT_SEGMENT_OFF_FREES, 1);
  return vt_sampling_forget((uint64_t)p);
}

/* vt_sampling_enter is vt_enter if nothing is out of the ordinary, so that an event that need not be recorded can be
   counted without more; else NULL. vt_sampling_leave ends that, and returns whether it was. */
static inline vt_thread_t *vt_sampling_enter(void) {
  vt_thread_t *t = vt_tls.own;
  if (VT_UNLIKELY(!t || vt_tls.busy || vt_paused())) return NULL;
  vt_tls.busy = (uint64_t)__builtin_frame_address(0);
  atomic_signal_fence(memory_order_seq_cst);
  if (VT_LIKELY(vt_gate_open() && t->stream.segment)) return t;
  vt_tls.busy = 0;
  return NULL;
}
static inline int vt_sampling_leave(int counted) {
  atomic_signal_fence(memory_order_seq_cst);
  vt_tls.busy = 0;
  return counted;
}

/* vt_sampling_passes counts an allocation that need not be recorded; 0: it must be, or there is more to it, and
   nothing is counted. */
static inline int vt_sampling_passes(void const *p, size_t sz) {
  vt_thread_t *t = vt_sampling_enter();
  if (VT_UNLIKELY(!t)) return 0;
  if (VT_UNLIKELY(!p || vt_tls.watch || vt_members_maybe(&vt_sampled, (uint64_t)p) ||
                  !vt_sampler_passes(&t->sampler, vt_sampler_weighed(sz))))
    return vt_sampling_leave(0);
  vt_sampling_add(t->stream.segment, VT_SEGMENT_OFF_ALLOCATIONS, 1);
  vt_sampling_add(t->stream.segment, VT_SEGMENT_OFF_BYTES, sz);
  return vt_sampling_leave(1);
}

/* vt_sampling_freed: the same of a free. */
static inline int vt_sampling_freed(void const *p) {
  vt_thread_t *t = vt_sampling_enter();
  if (VT_UNLIKELY(!t)) return 0;
  if (VT_UNLIKELY(vt_members_maybe(&vt_sampled, (uint64_t)p))) return vt_sampling_leave(0);
  vt_sampling_add(t->stream.segment, VT_SEGMENT_OFF_FREES, 1);
  return vt_sampling_leave(1);
}

/* What a realloc of a block that was recorded or not (`known`) has become: the record to be written of it. */
typedef enum {
  VT_SAMPLED_NOTHING = 0,
  VT_SAMPLED_BOTH,  /* REALLOC_DONE as it is */
  VT_SAMPLED_FREE,  /* a REALLOC_DONE that freed the old block: the new one is not recorded */
  VT_SAMPLED_ALLOC, /* a realloc of no block: the old one was not */
} vt_sampled_realloc_t;

/* vt_sampling_realloc counts the end of a realloc to sz bytes that returned p. A failed one leaves a known block in
   vt_sampled. */
vt_sampled_realloc_t vt_sampling_realloc(vt_thread_t *t, int known, void const *old, void const *p, size_t sz);

#endif
