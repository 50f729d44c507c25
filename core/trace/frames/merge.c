/* Putting virtual frames into the native stack.

   The frames of a run stand outside the pc in the call of the loop that runs them: that pc belongs to
   the innermost of them. The merged stack is kept from capture to capture; what both parts had before
   at its outer end is skipped, by whole runs, and the rest is written anew and compared, so that the
   result is a change against the capture before like one of the unwinder's. */
#include "core/trace/frames/codes.h"
#include "core/trace/frames/python.h"
#include "core/trace/frames/virtual.h"
#include "core/trace/sys.h"
#include "core/trace/unwind_impl.h"

#define STEPS_MAX 1000 /* times that quiesce gives the processor away: some milliseconds at least */
#define CAP_MIN   1024

static _Atomic(vt_virtual_t *) states;

static vt_virtual_t *new_state(void) {
  vt_virtual_t *v = vt_may(VT_UNWIND_NO_QUESTIONS) ? vt_sys_memory(sizeof *v) : NULL;
  if (!v) return NULL;
  v->exact = UINT32_MAX;
  v->next = atomic_load_explicit(&states, memory_order_relaxed);
  while (!atomic_compare_exchange_weak_explicit(&states, &v->next, v, memory_order_release,
                                                memory_order_relaxed))
    continue;
  return v;
}

static size_t size_of(uint32_t cap) { return (size_t)cap * sizeof(vt_frame_t); }

/* room makes the merged stack large enough for `need` frames; what it held is lost. 0: it cannot. */
static int room(vt_virtual_t *v, uint32_t need) {
  uint32_t cap = need < CAP_MIN ? CAP_MIN : need + need / 4;
  if (need <= v->cap) return 1;
  void *p = vt_may(VT_UNWIND_NO_QUESTIONS) ? vt_sys_memory(size_of(cap)) : NULL;
  if (!p) return 0;
  if (v->frames) vt_sys_munmap(v->frames, size_of(v->cap));
  v->frames = p;
  v->cap = cap;
  v->depth = 0;
  return 1;
}

void vt_virtual_forget(vt_virtual_t *v) {
  v->depth = 0;
  v->memo.run_cnt = v->memo.frame_cnt = 0;
}

/* find_exact keeps track of the outermost frame that a signal interrupted: the interpreter's chain may
   have been in the middle of a change there. */
static void find_exact(vt_virtual_t *v, vt_stack_t const *stack) {
  if (v->exact < stack->keep) return;
  v->exact = UINT32_MAX;
  for (uint32_t i = stack->keep; i < stack->depth; i++)
    if (stack->frames[i].info & VT_FRAME_EXACT) {
      v->exact = i;
      return;
    }
}

/* Where the writing of the merged stack is: the next native and virtual frame, the next place, and how many of
   the frames before it are those of the capture before. */
typedef struct {
  vt_virtual_t *v;
  vt_stack_t const *stack;
  uint32_t native, frame, at, keep;
  uint32_t run; /* runs done */
} merge_t;

static inline void put(merge_t *m, vt_frame_t frame) {
  vt_frame_t *to = &m->v->frames[m->at];
  if (m->keep == m->at && m->at < m->v->depth && vt_frame_same(to, &frame)) m->keep++;
  *to = frame;
  m->at++;
}

static void put_natives(merge_t *m, uint32_t end) {
  while (m->native < end) put(m, m->stack->frames[m->native++]);
}

/* skip passes by what is as it was: whole runs, and what follows the last of them up to where frames of a run
   that differs stand, now or then. */
static void skip(merge_t *m) {
  vt_virtual_t const *v = m->v;
  uint32_t end = m->stack->keep;
  if (!v->depth) return;
  for (m->run = v->same_runs; m->run; m->run--) {
    vt_virtual_run_t const *run = &v->memo.runs[m->run - 1];
    if (run->native >= end || run->end > v->same_frames) continue; /* one further out may be */
    m->native = run->native;
    m->frame = run->end;
    break;
  }
  if (m->run < v->memo.run_cnt && v->memo.runs[m->run].native < end) end = v->memo.runs[m->run].native;
  if (v->native_before < end) end = v->native_before;
  if (end > m->native) m->native = end;
  m->at = m->keep = m->native + m->frame;
}

static void merge(vt_virtual_t *v, vt_stack_t *stack) {
  merge_t m = {.v = v, .stack = stack};
  skip(&m);
  for (; m.run < v->memo.run_cnt; m.run++) {
    put_natives(&m, v->memo.runs[m.run].native);
    while (m.frame < v->memo.runs[m.run].end) put(&m, (vt_frame_t){.pc = v->memo.frames[m.frame++].pc});
  }
  put_natives(&m, stack->depth);
  *stack = (vt_stack_t){v->frames, m.keep, m.at, v->depth, stack->truncated};
  v->depth = m.at;
}

void vt_virtual_capture(vt_virtual_t **state, vt_stream_t *s, vt_caller_t const *caller,
                        vt_stack_t *stack) {
  vt_virtual_t *v = *state;
  if (VT_UNLIKELY(!v)) v = *state = new_state();
  if (!v) return;
  if (!stack->prev_depth) vt_virtual_forget(v);
  find_exact(v, stack);
  vt_python_walk(v, s, caller, stack);
  if (!room(v, stack->depth + v->memo.frame_cnt)) return vt_virtual_forget(v);
  merge(v, stack);
}

void vt_virtual_quiesce(void) {
  vt_virtual_t *v = atomic_load_explicit(&states, memory_order_acquire);
  for (uint32_t steps = 0; v; v = v->next)
    while (atomic_load_explicit(&v->reading, memory_order_seq_cst) && steps++ < STEPS_MAX)
      vt_sys(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
}

void vt_virtual_forget_all(void) {
  vt_virtual_t *v = atomic_load_explicit(&states, memory_order_acquire);
  for (; v; v = v->next) {
    atomic_store_explicit(&v->reading, 0, memory_order_relaxed);
    vt_virtual_forget(v);
  }
}

void vt_virtual_forked(void) {
  vt_virtual_forget_all();
  vt_codes_forked();
  vt_python_forked();
}

void vt_virtual_refused(vt_stream_t *s, vt_language_t language, char const *what, char const *why) {
  uint32_t what_sz = (uint32_t)strlen(what), why_sz = (uint32_t)strlen(why);
  vt_message_t m = vt_stream_blob_open(s, 20 + what_sz + why_sz);
  vt_message_u32(&m, 16 + what_sz + why_sz); /* of what follows */
  vt_message_u32(&m, VT_VFRAMES_REFUSED);
  vt_message_u32(&m, language);
  vt_message_string(&m, what, what_sz);
  vt_message_string(&m, why, why_sz);
  vt_stream_blob_close(s, VT_CHUNK_VFRAMES, &m);
}

void const *vt_virtual_memory(uint32_t nth, size_t *sz) {
  vt_virtual_t *v = atomic_load_explicit(&states, memory_order_acquire);
  for (uint32_t state = nth / 2; v && state--;) v = v->next;
  if (!v) return NULL;
  *sz = nth % 2 ? size_of(v->cap) : sizeof *v;
  return nth % 2 && v->frames ? (void const *)v->frames : v;
}
