/* Recording one event: stamp, capture the stack, write. What every hook does after or before the
   real call; inlined into the hooks, because this is the event path. */
#ifndef VT_PRELOAD_RECORD_H
#define VT_PRELOAD_RECORD_H

#include "core/trace/hidden.h"
#include "preload/early.h"
#include "preload/options.h"
#include "preload/process.h"
#include "preload/sampling.h"
#include "preload/text.h"
#include "preload/watch.h"

/* vt_take_api is the api of this call for sz bytes (a free: any): what operator new or delete noted,
   or the function's own, or VT_API_INTERNAL for a call that the shim itself caused. */
static inline uint32_t vt_take_api(vt_api_t own, size_t sz) {
  uint32_t noted = vt_tls.api;
  if (VT_LIKELY(!noted)) return own;
  if (noted == VT_API_INTERNAL) return noted;
  if (sz < vt_tls.api_sz) return own;
  vt_tls.api = vt_tls.api_sz = 0;
  return noted - 1;
}

/* What an operator delete was told of the block in one word: its size in bits 0 to 55 (0: not told), the logarithm of
   its alignment plus 1 above (0: not told). */
#define VT_SAID_ALIGN_SHIFT 56
static inline uint64_t vt_said(size_t sz, size_t align) {
  uint64_t log = align ? (uint64_t)__builtin_ctzll(align) + 1 : 0;
  return (sz & (((uint64_t)1 << VT_SAID_ALIGN_SHIFT) - 1)) | log << VT_SAID_ALIGN_SHIFT;
}

/* vt_take_free is vt_take_api of a free, and what operator delete was told. */
static inline uint32_t vt_take_free(vt_api_t own, uint64_t *said) {
  uint32_t noted = vt_tls.api;
  *said = 0;
  if (VT_LIKELY(!noted)) return own;
  if (noted == VT_API_INTERNAL) return noted;
  *said = vt_tls.said;
  vt_tls.api = vt_tls.api_sz = 0;
  return noted - 1;
}

/* The state of the code that called the hook whose frame address is `frame`; see unwind.h. */
static inline vt_caller_t vt_caller_of(void const *frame) {
  uint64_t const *fp = frame;
  return (vt_caller_t){.pc = fp[1], .sp = (uint64_t)(fp + 2), .rbp = fp[0]};
}

/* vt_capture_more is what else a capture asks for: to be compared with a second unwinder
   (VALTRACE_UNWIND_CHECK=1), the frames of an interpreter, and whether the first code of an interpreter that was opened
   runs. */
enum { VT_CAPTURE_CHECK = 1, VT_CAPTURE_VIRTUAL = 2, VT_CAPTURE_OPENED = 4 };
extern VT_HIDDEN _Atomic uint32_t vt_capture_more;
void vt_capture_rest(vt_thread_t *t, vt_caller_t const *caller, vt_stack_t *stack);

/* vt_modules_met writes what was noticed of modules, and that there is an interpreter in one which nothing is recorded of. */
void vt_modules_met(vt_thread_t *t);

static inline __attribute__((always_inline)) void vt_capture(vt_thread_t *t, void const *frame,
                                                             vt_stack_t *stack) {
  vt_caller_t caller = vt_caller_of(frame);
  vt_unwind_capture(t->stream.unwind, &caller, stack);
  if (VT_UNLIKELY(atomic_load_explicit(&vt_capture_more, memory_order_relaxed)))
    vt_capture_rest(t, &caller, stack);
  if (VT_UNLIKELY(stack->truncated)) vt_sink_count(t->stream.sink, VT_COUNTER_TRUNCATED, 1);
  if (VT_UNLIKELY(atomic_load_explicit(&vt_module_pending, memory_order_relaxed)))
    vt_modules_met(t);
}

static inline __attribute__((always_inline)) void vt_put(vt_thread_t *t, vt_record_t const *r,
                                                         vt_stack_t const *stack) {
  vt_stream_put(&t->stream, r, stack);
  if (VT_UNLIKELY(t->stream.lost)) vt_losing(t);
}

/* vt_put_alloc writes the record of a block that was allocated just now. */
static inline __attribute__((always_inline)) void vt_put_alloc(vt_thread_t *t, void *p, size_t sz, size_t align,
                                                               vt_api_t api, void const *frame) {
  vt_stack_t stack;
  vt_capture(t, frame, &stack);
  vt_record_t r; /* set field by field: to clear it takes longer than the rest */
  r.tick = vt_clock_stamp(t->stream.sink->clock);
  if (VT_UNLIKELY(t->text)) {
    vt_text_alloc(t, &stack, p, align, sz);
  } else if (VT_UNLIKELY(align || sz >= VT_W1_SIZE_MAX || (uint64_t)p >> VT_W1_ADDRESS_BITS)) {
    r.w0 = VT_KIND_ALLOC | (uint64_t)api << VT_W0_API_SHIFT | VT_W0_WIDE;
    r.words[0] = (uint64_t)p;
    r.words[1] = sz;
    r.words[2] = align;
    r.word_cnt = 3;
    vt_put(t, &r, &stack);
  } else {
    r.w0 = VT_KIND_ALLOC | (uint64_t)api << VT_W0_API_SHIFT;
    r.words[0] = (uint64_t)p | (uint64_t)sz << VT_W1_ADDRESS_BITS;
    r.word_cnt = 1;
    vt_put(t, &r, &stack);
  }
}

/* vt_record_alloc records a block the real allocator has just returned. */
static inline __attribute__((always_inline)) void vt_record_alloc(void *p, size_t sz, size_t align,
                                                                  vt_api_t api, void const *frame) {
  if (vt_paused()) return;
  vt_recorded(p);
  vt_thread_t *t = vt_enter(frame);
  if (VT_UNLIKELY(!t)) return vt_early_alloc(p, sz, api, frame);
  if (vt_sampling() && VT_LIKELY(!vt_sampling_alloc(t, p, sz))) return vt_leave(t);
  vt_put_alloc(t, p, sz, align, api, frame);
  vt_leave(t);
}

/* vt_record_free_slow: recording has not begun, or is off, or an interpreter's allocator resizes a block
   (vt_tls.freeing): then other blocks that it frees were recorded, too. */
void vt_record_free_slow(void *p, vt_api_t api, void const *frame);

/* vt_put_wide writes the record of a free that says more than fits beside the address. */
void vt_put_wide(vt_thread_t *t, vt_record_t *r, uint64_t said, vt_stack_t const *stack);

static inline __attribute__((always_inline)) void vt_put_free(vt_thread_t *t, vt_record_t *r, uint64_t said,
                                                              vt_stack_t const *stack) {
  if (said) {
    if (VT_UNLIKELY(said > VT_W1_SIZE_MAX || r->words[0] >> VT_W1_ADDRESS_BITS || r->w0 & VT_W0_WIDE)) return vt_put_wide(t, r, said, stack);
    r->w0 += VT_KIND_DELETE - VT_KIND_FREE;
    r->words[0] |= said << VT_W1_ADDRESS_BITS;
  }
  vt_put(t, r, stack);
}

/* vt_record_free records a block about to be freed. said: what operator delete was told, or 0. */
static inline __attribute__((always_inline)) void vt_record_free(void *p, vt_api_t api, uint64_t said,
                                                                 void const *frame) {
  if (vt_paused()) return;
  vt_thread_t *t = vt_enter(frame);
  if (VT_UNLIKELY(!t)) return vt_record_free_slow(p, api, frame);
  if (vt_sampling() && VT_LIKELY(!vt_sampling_free(t, p))) return vt_leave(t);
  vt_stack_t stack;
  vt_record_t r;
  r.w0 = VT_KIND_FREE | (uint64_t)api << VT_W0_API_SHIFT;
  if (vt_sampling() && vt_sampling_alone(t, (uint64_t)p)) r.w0 |= VT_W0_WIDE;
  r.tick = vt_clock_stamp(t->stream.sink->clock);
  r.words[0] = (uint64_t)p;
  r.word_cnt = 1;
  if (VT_UNLIKELY(t->text)) {
    vt_capture(t, frame, &stack);
    vt_text_free(t, &stack, p);
  } else if (VT_UNLIKELY(vt_options.no_free_stacks)) {
    vt_put_free(t, &r, said, NULL);
  } else {
    vt_capture(t, frame, &stack);
    vt_put_free(t, &r, said, &stack);
  }
  vt_leave(t);
}

/* vt_record_intent and vt_record_done are the two halves of a realloc of a live block: of the two there
   is each or none. The first returns what it did, for the second. */
typedef enum {
  VT_RESIZED_UNSEEN = 0, /* nothing: recording was paused */
  VT_RESIZED_UNKNOWN,    /* the old block was not recorded: of a sampled recording, or before recording began */
  VT_RESIZED_KNOWN       /* it was */
} vt_resized_t;
vt_resized_t vt_record_intent(void *old, size_t sz, vt_api_t api, void const *frame);
void vt_record_done(void *old, void *p, size_t sz, vt_api_t api, void const *frame, vt_resized_t was);

#endif
