/* The walk along the chain of Python frames.

   Nothing on the C stack is read unless it lies where this very capture says that a call of the
   interpreter's loop keeps it: at the loop's CFA plus a distance that is the same in all calls of one
   build, and is learned from the first. A thread's state may point into a part of the stack that has
   been given to others (coroutines that switch stacks), and then nothing is believed. */
#include "core/trace/frames/python.h"
#include "core/trace/frames/codes.h"
#include "core/trace/unwind_impl.h"

#define OWNER_ENTRY    3  /* and above: a frame on the C stack that only marks where a run ends */
#define CAREFUL_WALKS  64 /* of a thread, which ask before they read */

/* How far from the loop's CFA its cframe and its entry frame are; 0: not known yet. */
static _Atomic int64_t cframe_at, entry_at;

typedef struct {
  vt_python_layout_t const *l;
  vt_virtual_walk_t *now;
  vt_virtual_walk_t const *before;
  vt_stack_t const *stack;
  uint64_t lo, hi;   /* the C stack */
  uint64_t thread;   /* the thread's state */
  int asks;          /* reads are asked for first */
  int detached;      /* the frames stand still, until the interpreter ends */
  uint32_t root;     /* index of the outermost native frame */
  uint32_t native;   /* native frames from here on have their runs */
  uint32_t too_many;
  uint64_t elsewhere; /* a pc that may be in a part of the loop that lies elsewhere, or 0 */
  uint32_t old_run;  /* of before: those inside of it are dealt with */
} walk_t;

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

static inline int in_loop(uint64_t pc) {
  return pc - vt_python.loop - 1 < vt_python.loop_end - vt_python.loop;
}

static int is_loop(uint64_t pc) {
  return in_loop(pc) || atomic_load_explicit(elsewhere_at(pc), memory_order_relaxed) == pc;
}

/* learn: does one of the loop's frames hold the object? Then its distance from the CFA is known. */
static uint32_t learn(walk_t const *w, uint64_t at, _Atomic int64_t *distance) {
  vt_frame_t const *f = w->stack->frames;
  for (uint32_t i = w->native; i-- > w->root + 1;) {
    if (at - f[i].sp >= f[i - 1].sp - f[i].sp) continue;
    if (!in_loop(f[i].pc)) return 0;
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
  vt_virtual_run_t const *old = w->before->runs;
  while (w->old_run < w->before->run_cnt && old[w->old_run].anchor < at) w->old_run++;
  if (w->old_run < w->before->run_cnt && old[w->old_run].anchor == at) {
    uint32_t i = old[w->old_run].native;
    if (i < w->stack->keep && i < w->native && f[i - 1].sp == cfa) return i;
  }
  for (uint32_t i = w->native; i-- > w->root + 1;) {
    if (f[i - 1].sp != cfa) continue;
    if (!is_loop(f[i].pc)) {
      w->asks = 1;
      w->elsewhere = f[i].pc;
    }
    return i;
  }
  return 0;
}

static int on_stack(walk_t const *w, uint64_t at) { return at - w->lo < w->hi - w->lo; }

/* push adds a frame and finds the one outside of it. */
static inline int push(walk_t *w, uint64_t *frame) {
  vt_python_layout_t const *l = w->l;
  vt_virtual_frame_t *f = &w->now->frames[w->now->frame_cnt];
  if (VT_UNLIKELY(w->now->frame_cnt == VT_VIRTUAL_MAX)) return w->too_many = 1, 0;
  f->frame = *frame;
  if (!peek(w, *frame + l->code, &f->code) || !peek(w, *frame + l->instr, &f->instr) ||
      !peek(w, *frame + l->back, frame))
    return 0;
  w->now->frame_cnt++;
  return 1;
}

/* close_run: the frames pushed since `start` are those of a call of the loop. */
static int close_run(walk_t *w, uint64_t anchor, uint32_t native, uint32_t start) {
  vt_virtual_walk_t *now = w->now;
  if (now->run_cnt == VT_VIRTUAL_RUNS) return 0;
  now->runs[now->run_cnt++] = (vt_virtual_run_t){anchor, native, now->frame_cnt - start};
  w->native = native;
  return 1;
}

static int is_root(walk_t const *w, uint64_t cframe) {
  return cframe == w->thread + w->l->root_cframe;
}

/* 3.11: a run goes up to the frame that was the innermost one when its call began, which the cframe
   of the call outside has. */
static int walk_cframes(walk_t *w) {
  uint64_t cframe, frame, outer, limit;
  if (!peek(w, w->thread + w->l->thread_frame, &cframe)) return 0;
  uint32_t native = is_root(w, cframe) ? 0 : native_of(w, cframe, &cframe_at);
  while (native) {
    uint32_t start = w->now->frame_cnt;
    if (!peek(w, cframe + w->l->cframe_current, &frame) ||
        !peek(w, cframe + w->l->cframe_previous, &outer))
      return 0;
    w->native = native;
    uint32_t next = is_root(w, outer) ? 0 : native_of(w, outer, &cframe_at);
    if (!next && !is_root(w, outer)) return 0;
    if (!peek(w, outer + w->l->cframe_current, &limit)) return 0;
    while (frame && frame != limit && push(w, &frame)) continue;
    if (frame != limit || !close_run(w, cframe, native, start)) {
      w->now->frame_cnt = start;
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
  if (!is_root(w, at) && !native_of(w, at, &cframe_at)) return 0;
  w->old_run = 0;
  return peek(w, at + w->l->cframe_current, &at) ? at : 0;
}

/* From 3.12: a run goes up to the entry frame of its call, which is on the C stack. */
static int walk_entries(walk_t *w) {
  uint64_t frame = innermost(w), owner;
  uint32_t start = w->now->frame_cnt;
  while (frame) {
    uint32_t native = on_stack(w, frame) ? native_of(w, frame, &entry_at) : 0;
    if (on_stack(w, frame) && !native) break;
    if (!peek(w, (frame + w->l->owner) & ~(uint64_t)7, &owner)) break;
    owner = owner >> 8 * ((frame + w->l->owner) & 7) & 0xff;
    if ((owner >= OWNER_ENTRY) != (native != 0)) break;
    if (!native) {
      if (!push(w, &frame)) break;
      continue;
    }
    if (!close_run(w, frame, native, start) || !peek(w, frame + w->l->back, &frame)) break;
    start = w->now->frame_cnt;
  }
  if (!frame && start == w->now->frame_cnt) return 1;
  w->now->frame_cnt = start;
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
    if (in_loop(w->stack->frames[i].pc)) return i;
  return 0;
}

/* push_object is push for frames that are objects. */
static int push_object(walk_t *w, uint64_t *frame) {
  vt_virtual_frame_t *f = &w->now->frames[w->now->frame_cnt];
  if (!push(w, frame)) return 0;
  f->instr = (uint64_t)(int64_t)(int32_t)f->instr; /* what follows it is the line, which may change */
  if (w->l->table == VT_LINES_LNOTAB && (int64_t)f->instr > 0) f->instr /= 2;
  return 1;
}

/* One running frame for each call of the loop, in the same order; those inside of it that do not run are
   with it. If there are more of the ones than of the others (3.9 loses its own chain when an exception is
   thrown into a generator) nobody knows which belong together. */
static int walk_frames(walk_t *w) {
  uint64_t frame;
  uint32_t start = w->now->frame_cnt;
  int running, whole = peek(w, w->thread + w->l->thread_frame, &frame);
  while (whole && frame) {
    uint64_t at = frame;
    uint32_t native = next_loop(w);
    whole = is_running(w, frame, &running) && push_object(w, &frame);
    if (!whole || !running) continue;
    whole = native && close_run(w, at, native, start);
    start = w->now->frame_cnt;
  }
  if (whole && start == w->now->frame_cnt && !next_loop(w)) return 1;
  w->now->frame_cnt = w->now->run_cnt = 0;
  return 0;
}

static int walk_thread(walk_t *w) {
  if (w->l->chain == VT_PYTHON_FRAMES) return walk_frames(w);
  return w->l->chain == VT_PYTHON_CFRAMES ? walk_cframes(w) : walk_entries(w);
}

/* attach says whose frames are to be walked; 0: nobody's. Of a thread that runs a sub-interpreter up to
   3.11 the frames outside of it (3.11; before, there are too few), from 3.12 on those inside. */
static int attach(walk_t *w) {
  uint64_t own = vt_python.own(), current = vt_python.current();
  if (w->l->chain >= VT_PYTHON_CFRAME_ENTRIES) { /* the current one is this thread's */
    w->detached = !current;
    w->thread = current ? current : own;
  } else { /* it may be any thread's */
    w->detached = current != own;
    w->thread = own;
  }
  return w->thread != 0;
}

/* name finds what each frame runs; returns how many outermost ones are those of the walk before. */
static int name(walk_t *w, vt_stream_t *s, uint32_t *keep) {
  vt_virtual_walk_t *now = w->now;
  vt_virtual_walk_t const *before = w->before;
  uint64_t voided = atomic_load_explicit(&vt_codes_voided, memory_order_acquire);
  uint32_t old = before->voided == voided ? before->frame_cnt : 0, same = 1;
  now->voided = voided;
  *keep = 0;
  for (uint32_t i = 1; i <= now->frame_cnt; i++) {
    vt_virtual_frame_t *f = &now->frames[now->frame_cnt - i];
    vt_virtual_frame_t const *b = i <= old ? &before->frames[old - i] : NULL;
    if (b && f->frame == b->frame && f->code == b->code && f->instr == b->instr) {
      f->pc = b->pc;
      *keep += same;
      continue;
    }
    same = 0;
    f->pc = vt_python_pc(s, f->code, f->instr, w->asks);
    if (!f->pc) return 0;
  }
  return 1;
}

/* too_deep: one mark stands for all frames, in the innermost native one. */
static void too_deep(walk_t *w) {
  vt_virtual_walk_t *now = w->now;
  now->frames[0] = (vt_virtual_frame_t){.pc = vt_virtual_address(VT_LANGUAGE_PYTHON, 0, UINT32_MAX)};
  now->frame_cnt = now->run_cnt = 1;
  now->runs[0] = (vt_virtual_run_t){0, w->stack->depth - 1, 1};
  now->voided = UINT64_MAX;
}

/* walk_and_name does it while the frames cannot vanish: the flag is seen by vt_python_ending, or its
   word by us. */
static uint32_t walk_and_name(walk_t *w, vt_virtual_t *v, vt_stream_t *s) {
  uint32_t keep = 0;
  if (w->detached) atomic_store_explicit(&v->reading, 1, memory_order_seq_cst);
  int whole = walk_thread(w);
  if (w->too_many)
    too_deep(w);
  else if (!name(w, s, &keep))
    w->now->frame_cnt = w->now->run_cnt = keep = 0;
  else if (whole && w->elsewhere)
    atomic_store_explicit(elsewhere_at(w->elsewhere), w->elsewhere, memory_order_relaxed);
  if (w->detached) atomic_store_explicit(&v->reading, 0, memory_order_release);
  return keep;
}

uint32_t vt_python_walk(vt_virtual_t *v, vt_stream_t *s, vt_caller_t const *caller,
                        vt_stack_t const *stack) {
  uint64_t end = vt_unwind_own_end(s->unwind);
  walk_t w = {.l = vt_python.layout,
              .now = v->now,
              .before = v->before,
              .stack = stack,
              .lo = caller->sp,
              .hi = stack->frames[0].sp > end ? stack->frames[0].sp : end,
              .root = stack->truncated,
              .native = stack->depth};
  v->now->frame_cnt = v->now->run_cnt = 0;
  if (v->exact != UINT32_MAX || !attach(&w)) return 0;
  if (v->captures < CAREFUL_WALKS && vt_may(VT_UNWIND_ASKS)) {
    v->captures++;
    w.asks = 1;
  }
  return walk_and_name(&w, v, s);
}
