/* The walk along the chain of Python frames.

   Nothing on the C stack is read unless it lies where this very capture says that a call of the
   interpreter's loop keeps it: at the loop's CFA plus a distance that is the same in all calls of one
   build, and is learned from the first. A thread's state may point into a part of the stack that has
   been given to others (coroutines that switch stacks), and then nothing is believed. */
#include "core/trace/frames/python_memo.h"
#include "core/trace/frames/codes.h"

#define CAREFUL_WALKS  64 /* of a thread, which ask before they read */

_Atomic int64_t vt_python_cframe_at, vt_python_entry_at;

/* peek reads a word in the heap or of a place on the stack that is known to be the loop's. */
static inline int peek(walk_t *w, uint64_t at, uint64_t *value) {
  if (VT_UNLIKELY(w->asks) && (at & 7 || !vt_python_readable(at, 8))) return 0;
  if (VT_UNLIKELY(w->detached) && atomic_load_explicit(&vt_python_ended, memory_order_seq_cst))
    return 0;
  *value = vt_load(at);
  return 1;
}

/* Return addresses in parts of the loop that the compiler has put elsewhere (.cold): each is known
   from the first careful walk on that led by it from end to end. */
#define ELSEWHERE 64
static _Atomic uint64_t elsewhere[ELSEWHERE];

static _Atomic uint64_t *elsewhere_at(uint64_t pc) { return &elsewhere[(pc ^ pc >> 6) % ELSEWHERE]; }

int vt_python_is_elsewhere(uint64_t pc) { return atomic_load_explicit(elsewhere_at(pc), memory_order_relaxed) == pc; }

void vt_python_forget_places(void) {
  atomic_store_explicit(&vt_python_cframe_at, 0, memory_order_relaxed);
  atomic_store_explicit(&vt_python_entry_at, 0, memory_order_relaxed);
  for (uint32_t i = 0; i < ELSEWHERE; i++) atomic_store_explicit(&elsewhere[i], 0, memory_order_relaxed);
}

/* learn: does one of the loop's frames hold the object? Then its distance from the CFA is known. */
static uint32_t learn(walk_t const *w, uint64_t at, _Atomic int64_t *distance) {
  vt_frame_t const *f = w->stack->frames;
  for (uint32_t i = w->native; i-- > w->root + 1;) {
    if (at - f[i].sp >= f[i - 1].sp - f[i].sp) continue;
    if (!vt_python_in_loop(f[i].pc)) return 0;
    atomic_store_explicit(distance, (int64_t)(at - f[i - 1].sp), memory_order_relaxed);
    return i;
  }
  return 0;
}

/* native_of is the index of the native frame that holds the object, 0: none does, it is not to be
   read. */
static uint32_t native_of(walk_t *w, uint64_t at, _Atomic int64_t *distance) {
  vt_frame_t const *f = w->stack->frames;
  int64_t known = atomic_load_explicit(distance, memory_order_relaxed);
  if (VT_UNLIKELY(!known)) return learn(w, at, distance);
  uint64_t cfa = at - (uint64_t)known;
  vt_virtual_run_t const *old = w->memo->runs;
  while (w->old_run && old[w->old_run - 1].anchor < at) w->old_run--;
  if (w->old_run && old[w->old_run - 1].anchor == at) {
    uint32_t i = old[w->old_run - 1].native;
    if (i < w->stack->keep && i < w->native && f[i - 1].sp == cfa) return i;
  }
  for (uint32_t i = w->native; i-- > w->root + 1;) {
    if (f[i - 1].sp != cfa) continue;
    if (!vt_python_is_loop(f[i].pc)) {
      w->asks = 1;
      w->elsewhere = f[i].pc;
    }
    return i;
  }
  return 0;
}

static int on_stack(walk_t const *w, uint64_t at) { return at - w->lo < w->hi - w->lo; }

int vt_python_push(walk_t *w, uint64_t *frame) {
  vt_python_layout_t const *l = w->l;
  vt_virtual_frame_t *f = &w->fresh->frames[w->fresh->frame_cnt];
  if (VT_UNLIKELY(w->fresh->frame_cnt == VT_VIRTUAL_MAX)) return w->too_many = 1, 0;
  f->frame = *frame;
  if (!peek(w, *frame + l->code, &f->code) || !peek(w, *frame + l->instr, &f->instr) ||
      !peek(w, *frame + l->back, frame))
    return 0;
  f->code &= VT_PYTHON_CODE_MASK;
  w->fresh->frame_cnt++;
  return 1;
}

/* close_run: the frames pushed since the last one are those of a call of the loop. */
static int close_run(walk_t *w, uint64_t anchor, uint32_t native) {
  vt_virtual_frames_t *fresh = w->fresh;
  if (fresh->run_cnt == VT_VIRTUAL_RUNS) return 0;
  fresh->runs[fresh->run_cnt++] = (vt_virtual_run_t){anchor, native, fresh->frame_cnt};
  w->native = native;
  return 1;
}

/* 3.11: a run goes up to the frame that was the innermost one when its call began, which the cframe
   of the call outside has. */
static int walk_cframes(walk_t *w) {
  uint64_t cframe, frame, outer, limit;
  if (!peek(w, w->thread + w->l->thread_frame, &cframe)) return 0;
  uint32_t native = vt_python_is_root(w, cframe) ? 0 : native_of(w, cframe, &vt_python_cframe_at);
  while (native) {
    uint32_t start = w->fresh->frame_cnt;
    if (!peek(w, cframe + w->l->cframe_current, &frame)) return 0;
    w->native = native;
    if (vt_python_join(w, cframe, frame)) return 1;
    if (!peek(w, cframe + w->l->cframe_previous, &outer)) return 0;
    uint32_t next = vt_python_is_root(w, outer) ? 0 : native_of(w, outer, &vt_python_cframe_at);
    if (!next && !vt_python_is_root(w, outer)) return 0;
    if (!peek(w, outer + w->l->cframe_current, &limit)) return 0;
    while (frame && frame != limit && vt_python_push(w, &frame)) continue;
    if (frame != limit || !close_run(w, cframe, native)) {
      w->fresh->frame_cnt = start;
      return 0;
    }
    cframe = outer;
    native = next;
  }
  return 1;
}

/* innermost is the frame to begin with, of versions with entry frames. 0: there is none. */
static uint64_t innermost(walk_t *w) {
  uint64_t at;
  if (!peek(w, w->thread + w->l->thread_frame, &at)) return 0;
  if (w->l->chain == VT_PYTHON_ENTRIES) return at;
  if (!vt_python_is_root(w, at) && !native_of(w, at, &vt_python_cframe_at)) return 0;
  w->old_run = w->memo->run_cnt;
  return peek(w, at + w->l->cframe_current, &at) ? at : 0;
}

/* From 3.12: a run goes up to the entry frame of its call, which is on the C stack. */
static int walk_entries(walk_t *w) {
  uint64_t frame = innermost(w), owner;
  uint32_t start = w->fresh->frame_cnt;
  if (vt_python_join(w, 0, frame)) return 1;
  while (frame) {
    uint32_t native = on_stack(w, frame) ? native_of(w, frame, &vt_python_entry_at) : 0;
    if (on_stack(w, frame) && !native) break;
    if (!peek(w, (frame + w->l->owner) & ~(uint64_t)7, &owner)) break;
    owner = owner >> 8 * ((frame + w->l->owner) & 7) & 0xff;
    if ((owner >= VT_OWNER_ENTRY) != (native != 0)) break;
    if (!native) {
      if (!vt_python_push(w, &frame)) break;
      continue;
    }
    if (!close_run(w, frame, native) || !peek(w, frame + w->l->back, &frame)) break;
    start = w->fresh->frame_cnt;
    if (vt_python_join(w, 0, frame)) return 1;
  }
  if (!frame && start == w->fresh->frame_cnt) return 1;
  w->fresh->frame_cnt = start;
  return 0;
}

/* is_running: up to 3.9 a frame that runs has no pointer to the top of its stack, in 3.10 a negative depth.
   A generator through whose `yield from` an exception is thrown is linked but does not run. */
static int is_running(walk_t *w, uint64_t frame, int *running) {
  uint64_t word;
  if (!peek(w, frame + w->l->owner, &word)) return 0;
  *running = w->l->table == VT_LINES_LNOTAB ? !word : (int32_t)word < 0;
  return 1;
}

/* next_loop is the index of the next call of the loop outside of those that are done; 0: there is none. */
static uint32_t next_loop(walk_t const *w) {
  for (uint32_t i = w->native; i-- > w->root + 1;)
    if (vt_python_in_loop(w->stack->frames[i].pc)) return i;
  return 0;
}

/* push_object is push for frames that are objects. */
static int push_object(walk_t *w, uint64_t *frame) {
  vt_virtual_frame_t *f = &w->fresh->frames[w->fresh->frame_cnt];
  if (!vt_python_push(w, frame)) return 0;
  f->instr = (uint64_t)(int64_t)(int32_t)f->instr; /* what follows it is the line, which may change */
  if (w->l->table == VT_LINES_LNOTAB && (int64_t)f->instr > 0) f->instr /= 2;
  return 1;
}

/* One running frame for each call of the loop, in the same order; those inside of it that do not run are
   with it. If there are more of the ones than of the others (3.9 loses its own chain when an exception is
   thrown into a generator) nobody knows which belong together. */
static int walk_frames(walk_t *w) {
  uint64_t frame;
  uint32_t start = w->fresh->frame_cnt;
  int running, whole = peek(w, w->thread + w->l->thread_frame, &frame);
  while (whole && frame) {
    uint64_t at = frame;
    uint32_t native = next_loop(w);
    whole = is_running(w, frame, &running) && push_object(w, &frame);
    if (!whole || !running) continue;
    whole = native && close_run(w, at, native);
    start = w->fresh->frame_cnt;
  }
  if (whole && start == w->fresh->frame_cnt && !next_loop(w)) return 1;
  w->fresh->frame_cnt = w->fresh->run_cnt = 0;
  return 0;
}

static int walk_thread(walk_t *w) {
  if (w->l->chain == VT_PYTHON_FRAMES) return walk_frames(w);
  return w->l->chain == VT_PYTHON_CFRAMES ? walk_cframes(w) : walk_entries(w);
}

/* attach says whose frames are to be walked; 0: nobody's. Of a thread that runs a sub-interpreter up to
   3.11 the frames outside of it (3.11; before, there are too few), from 3.12 on those inside. */
static int attach(walk_t *w) {
  uint64_t current = vt_python.current();
  if (w->l->chain >= VT_PYTHON_CFRAME_ENTRIES) { /* the current one is this thread's */
    w->detached = !current;
    w->thread = current ? current : vt_python.own();
  } else { /* it may be any thread's */
    w->thread = vt_python.own();
    w->detached = current != w->thread;
  }
  return w->thread != 0;
}

/* nothing: no frames are known now. */
static void nothing(vt_virtual_t *v) {
  v->same_frames = v->same_runs = 0;
  v->native_before = v->memo.run_cnt ? v->memo.runs[0].native : UINT32_MAX;
  v->memo.frame_cnt = v->memo.run_cnt = 0;
}

/* too_deep: one mark stands for all frames, in the innermost native one. */
static void too_deep(walk_t *w) {
  nothing(w->v);
  w->v->named = 0;
  w->memo->frames[0] = (vt_virtual_frame_t){.pc = vt_virtual_address(VT_LANGUAGE_PYTHON, 0, UINT32_MAX)};
  w->memo->frame_cnt = w->memo->run_cnt = 1;
  w->memo->runs[0] = (vt_virtual_run_t){0, w->stack->depth - 1, 1};
}

/* walk_and_name does it while the frames cannot vanish: the flag is seen by vt_python_ending, or its
   word by us. */
static void walk_and_name(walk_t *w) {
  vt_virtual_t *v = w->v;
  if (vt_python_stays(w)) return;
  if (w->detached) atomic_store_explicit(&v->reading, 1, memory_order_seq_cst);
  int whole = walk_thread(w), named = !w->too_many && vt_python_settle(w);
  if (w->too_many)
    too_deep(w);
  else if (!named)
    vt_virtual_forget(v);
  else if (whole && w->elsewhere)
    atomic_store_explicit(elsewhere_at(w->elsewhere), w->elsewhere, memory_order_relaxed);
  if (w->detached) atomic_store_explicit(&v->reading, 0, memory_order_release);
}

/* begin empties what the walk finds. Numbers of codes that have been freed since are void. */
static int begin(walk_t *w, vt_virtual_t *v) {
  uint64_t voided = atomic_load_explicit(&vt_codes_voided, memory_order_acquire);
  v->fresh.frame_cnt = v->fresh.run_cnt = 0;
  v->same_frames = UINT32_MAX;
  w->joins = v->voided == voided && v->memo.run_cnt && !w->detached && w->l->chain != VT_PYTHON_FRAMES;
  if (v->voided != voided) v->named = 0;
  v->voided = voided;
  if (v->captures >= CAREFUL_WALKS || !vt_may(VT_UNWIND_ASKS)) return 0;
  v->captures++;
  return 1;
}

void vt_python_walk(vt_virtual_t *v, vt_stream_t *s, vt_caller_t const *caller, vt_stack_t const *stack) {
  uint64_t end = vt_unwind_own_end(s->unwind);
  walk_t w; /* each field is set here or by attach: to clear it first would take as long as a short walk */
  w.l = vt_python.layout;
  w.v = v;
  w.memo = &v->memo;
  w.fresh = &v->fresh;
  w.s = s;
  w.stack = stack;
  w.lo = caller->sp;
  w.hi = stack->frames[0].sp > end ? stack->frames[0].sp : end;
  w.root = stack->truncated;
  w.native = stack->depth;
  w.old_run = v->memo.run_cnt;
  w.elsewhere = 0;
  w.too_many = w.joined = w.joined_run = 0;
  if (v->exact != UINT32_MAX || !attach(&w)) return nothing(v);
  w.asks = begin(&w, v);
  walk_and_name(&w);
}
