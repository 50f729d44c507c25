/* What the walk along the chain of Python frames (python_walk.c) and its memo (python_memo.c) share: the
   state of one walk.

   The memo has the frames of the walk before, outermost first. A walk that meets one of them verifies
   the rest against memory instead of finding it again: the same reads, but nothing is written, and
   what has not changed needs no name. Only what lies inside of it is `fresh`. */
#ifndef VT_CORE_TRACE_FRAMES_PYTHON_MEMO_H
#define VT_CORE_TRACE_FRAMES_PYTHON_MEMO_H

#include "core/trace/frames/python.h"
#include "core/trace/unwind_impl.h"

#define VT_PYTHON_CODE_MASK ~(uint64_t)3 /* 3.14 keeps two bits of its own in pointers */
#define VT_OWNER_ENTRY 3 /* and above: a frame on the C stack that only marks where a run ends */

typedef struct {
  vt_python_layout_t const *l;
  vt_virtual_t *v;
  vt_virtual_frames_t *memo, *fresh;
  vt_stream_t *s;
  vt_stack_t const *stack;
  uint64_t lo, hi;    /* the C stack */
  uint64_t thread;    /* the thread's state */
  int asks;           /* reads are asked for first */
  int detached;       /* the frames stand still, until the interpreter ends */
  int joins;          /* the memo may serve */
  uint32_t root;      /* index of the outermost native frame */
  uint32_t native;    /* native frames from here on have their runs */
  uint32_t too_many;
  uint64_t elsewhere; /* a pc that may be in a part of the loop that lies elsewhere, or 0 */
  uint32_t old_run;   /* runs of the memo from here on are dealt with */
  uint32_t joined;    /* so many of the memo's outermost frames stay; */
  uint32_t joined_run; /* the innermost of them is in this run */
} walk_t;

/* How far from the loop's CFA its cframe and its entry frame are; 0: not known yet. */
extern _Atomic int64_t vt_python_cframe_at, vt_python_entry_at;

/* vt_python_is_loop: is this return address in the interpreter's loop, as far as is known? vt_python_is_elsewhere: in a
   part of it that lies elsewhere. */
int vt_python_is_elsewhere(uint64_t pc);
static inline int vt_python_in_loop(uint64_t pc) { return pc - vt_python.loop - 1 < vt_python.loop_end - vt_python.loop; }
static inline int vt_python_is_loop(uint64_t pc) { return VT_LIKELY(vt_python_in_loop(pc)) || vt_python_is_elsewhere(pc); }

/* vt_python_is_root: is this cframe that of the thread's state, outside of all calls of the loop? */
static inline int vt_python_is_root(walk_t const *w, uint64_t cframe) {
  return cframe == w->thread + w->l->root_cframe;
}

/* vt_python_push adds a frame and finds the one outside of it. 0: it cannot be read, or there are too many. */
int vt_python_push(walk_t *w, uint64_t *frame);

/* vt_python_stays: is the innermost frame that of the walk before, in the same call of the loop, and are those outside of
   it, but for instructions? Most events are such. Then the memo is what a walk would make it; else there was no effect. */
int vt_python_stays(walk_t *w);

/* vt_python_join: does the chain from `frame` lead, with a few fresh frames, to one of the memo's from where all is as
   it was but for instructions? Then the walk is at its end; else it has had no effect. `cframe`, where versions have
   it for each run (0), is that of the run, and runs in the native frame w->native. */
int vt_python_join(walk_t *w, uint64_t cframe, uint64_t frame);

/* vt_python_settle makes the memo what the walk has found, and names what is new. 0: a frame has no name; then the
   memo is empty. */
int vt_python_settle(walk_t *w);

#endif
