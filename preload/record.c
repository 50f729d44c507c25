/* The rarer half of recording: realloc, and the check against a second unwinder. */
#include "preload/record.h"
#include "preload/hooks.h"
#include "preload/python.h"

/* text_realloc: the log has no realloc, so it is a free and an allocation; a block whose realloc
   failed lives on and is logged anew with its usable size. */
static void text_realloc(vt_thread_t *t, vt_stack_t const *stack, vt_kind_t kind, void *old,
                         void *p, size_t sz) {
  if (kind == VT_KIND_REALLOC_INTENT)
    vt_text_free(t, stack, old);
  else if (p)
    vt_text_alloc(t, stack, p, 0, sz);
  else if (sz)
    vt_text_alloc(t, stack, old, 0, vt_real.malloc_usable_size(old));
}

/* same_stack: nothing was written since the INTENT, so that its stack is still the current one, and
   stays it because the DONE fits in the segment. */
static int same_stack(vt_thread_t const *t) {
  return t->intent_end && t->intent_end == t->stream.cursor &&
         t->stream.end - t->stream.cursor >= 64;
}

static void put_realloc(vt_thread_t *t, vt_kind_t kind, void *old, void *p, size_t sz, vt_api_t api,
                        void const *frame) {
  int done = kind == VT_KIND_REALLOC_DONE;
  vt_stack_t stack;
  vt_record_t r; /* see vt_put_alloc */
  r.w0 = (uint64_t)kind | (uint64_t)api << VT_W0_API_SHIFT;
  if (done && !p && !sz && vt_sampling() && vt_sampling_alone(t, (uint64_t)old)) r.w0 |= VT_W0_WIDE;
  r.tick = vt_clock_stamp(t->stream.sink->clock);
  r.words[0] = (uint64_t)(done ? p : old);
  r.words[1] = sz;
  r.word_cnt = 2;
  if (done && same_stack(t)) {
    vt_put(t, &r, NULL);
  } else {
    vt_capture(t, frame, &stack);
    if (VT_UNLIKELY(t->text))
      text_realloc(t, &stack, kind, old, p, sz);
    else
      vt_put(t, &r, &stack);
  }
  t->intent_end = done ? NULL : t->stream.cursor;
}

vt_resized_t vt_record_intent(void *old, size_t sz, vt_api_t api, void const *frame) {
  if (vt_paused()) return VT_RESIZED_UNSEEN;
  vt_thread_t *t = vt_enter(frame);
  if (!t) {
    vt_early_realloc(VT_KIND_REALLOC_INTENT, old, sz, api, frame);
    return VT_RESIZED_UNKNOWN;
  }
  int known = !vt_sampling() || vt_sampling_forget((uint64_t)old);
  if (known) put_realloc(t, VT_KIND_REALLOC_INTENT, old, NULL, sz, api, frame);
  vt_leave(t);
  return known ? VT_RESIZED_KNOWN : VT_RESIZED_UNKNOWN;
}

static void put_sampled(vt_thread_t *t, int known, void *old, void *p, size_t sz, vt_api_t api,
                        void const *frame) {
  switch (vt_sampling_realloc(t, known, old, p, sz)) {
  case VT_SAMPLED_BOTH: put_realloc(t, VT_KIND_REALLOC_DONE, old, p, sz, api, frame); break;
  case VT_SAMPLED_FREE: put_realloc(t, VT_KIND_REALLOC_DONE, old, NULL, 0, api, frame); break;
  case VT_SAMPLED_ALLOC:
    put_realloc(t, VT_KIND_REALLOC_INTENT, NULL, NULL, sz, api, frame);
    put_realloc(t, VT_KIND_REALLOC_DONE, NULL, p, sz, api, frame);
    break;
  case VT_SAMPLED_NOTHING: break;
  }
}

void vt_record_done(void *old, void *p, size_t sz, vt_api_t api, void const *frame, vt_resized_t was) {
  if (was == VT_RESIZED_UNSEEN) return;
  vt_recorded(p);
  vt_thread_t *t = vt_enter(frame);
  if (!t) return vt_early_realloc(VT_KIND_REALLOC_DONE, p, sz, api, frame);
  if (vt_sampling())
    put_sampled(t, was == VT_RESIZED_KNOWN, old, p, sz, api, frame);
  else
    put_realloc(t, VT_KIND_REALLOC_DONE, old, p, sz, api, frame);
  vt_leave(t);
}

_Atomic uint32_t vt_capture_more;

static void check(vt_thread_t *t, vt_caller_t const *caller, vt_stack_t const *stack) {
  vt_sink_t *sink = t->stream.sink;
  uint64_t busy = vt_internal_begin();
  uint32_t by_libunwind = 0;
  uint32_t differences = vt_unwind_check(t->stream.unwind, caller, stack, &by_libunwind);
  vt_internal_end(busy);
  vt_sink_count(sink, VT_COUNTER_UNWIND_CHECKED, 1);
  if (!differences) return;
  vt_sink_count(sink, VT_COUNTER_UNWIND_DIFFERENCES, differences - by_libunwind);
  vt_sink_count(sink, VT_COUNTER_LIBUNWIND_DIFFERENCES, by_libunwind);
}

/* Events inside of another one, of a signal handler, have no virtual frames: an interpreter may have been
   interrupted anywhere. */
void vt_capture_rest(vt_thread_t *t, vt_caller_t const *caller, vt_stack_t *stack) {
  /* Pairs with the release in vt_python_take. */
  uint32_t more = atomic_load_explicit(&vt_capture_more, memory_order_acquire);
  if (more & VT_CAPTURE_CHECK) check(t, caller, stack);
  if (more & VT_CAPTURE_OPENED && t == vt_tls.own) vt_python_runs(t, stack);
  if (more & VT_CAPTURE_VIRTUAL && t == vt_tls.own && vt_python_ready(t))
    vt_virtual_capture(&t->virtual_frames, &t->stream, caller, stack);
}

void vt_modules_met(vt_thread_t *t) {
  vt_module_flush(&t->stream);
  uint64_t runtime = atomic_exchange_explicit(&vt_module_interpreter, 0, memory_order_relaxed);
  if (runtime) vt_python_met(t, runtime);
}

void vt_put_wide(vt_thread_t *t, vt_record_t *r, uint64_t said, vt_stack_t const *stack) {
  uint64_t log = said >> VT_SAID_ALIGN_SHIFT, alone = r->w0 & VT_W0_WIDE ? VT_W3_DELETE_ALONE : 0;
  r->w0 = (r->w0 + VT_KIND_DELETE - VT_KIND_FREE) | VT_W0_WIDE;
  r->words[1] = said & (((uint64_t)1 << VT_SAID_ALIGN_SHIFT) - 1);
  r->words[2] = (log ? (uint64_t)1 << (log - 1) : 0) | alone;
  r->word_cnt = 3;
  vt_put(t, r, stack);
}

void vt_record_free_slow(void *p, vt_api_t api, void const *frame) {
  uint64_t busy = vt_tls.busy;
  void *resized = vt_tls.freeing;
  if (!(busy & VT_BUSY_INSIDE) || vt_tls.quiet || !resized || p == resized)
    return vt_early_free(p, api, frame);
  vt_tls.busy = 0;
  vt_tls.freeing = NULL;
  vt_record_free(p, api, 0, frame);
  vt_tls.freeing = resized;
  vt_tls.busy = busy;
}
