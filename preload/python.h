/* CPython under the shim: its allocators, and its frames. */
#ifndef VT_PRELOAD_PYTHON_H
#define VT_PRELOAD_PYTHON_H

#include "preload/process.h"
#include "core/trace/unwind.h"

struct link_map;

/* vt_python_begin looks for an interpreter among the objects that are loaded, and if its frames can be
   read wraps its allocators; what is refused is said in the trace. To be called once, when all
   objects are relocated and before the program begins. */
void vt_python_begin(void);

/* vt_python_wanted: is an interpreter to be looked for? Not if there is one already, or it was refused.
   vt_python_take looks for one from the object `first` on, as vt_python_find, and wraps its allocators. No part of it
   may have begun. vt_python_refuse says in the trace why there is nothing (more) of Python in it; vt_python_refuse_now
   does so outside of events. */
int vt_python_wanted(void);
int vt_python_take(struct link_map *first, char const **why);
void vt_python_refuse(vt_thread_t *t, char const *why);
void vt_python_refuse_now(char const *why);

/* python_opened.c: an interpreter that the program opens with dlopen. vt_python_objects is to be called by the loader,
   under its lock, with the list of objects: before some are unmapped (`leaving`), and when some have been mapped or
   unmapped. vt_python_runs is told of each capture while such an interpreter has not run yet. */
void vt_python_objects(struct link_map *list, int leaving);
void vt_python_runs(vt_thread_t *t, vt_stack_t const *stack);

/* vt_python_awaits: is the state at `runtime` that of such an interpreter? */
int vt_python_awaits(uint64_t runtime);

/* vt_python_met says so of an interpreter whose code has been seen and that is not, nor will be, the one that is recorded: it
   is in a namespace of its own, or was opened where the loader cannot be watched. */
void vt_python_met(vt_thread_t *t, uint64_t runtime);

/* vt_python_passed says in the trace of a process that was attached to, if there is an interpreter in it, that nothing
   of it is recorded. To be called when recording has begun there, while the loader loads the shim. */
void vt_python_passed(void);

/* vt_python_passed_again is for when recording begins again: the loader's lists may not be read then, which others change, so
   that what the first time saw counts, and whether the interpreter's library is `mapped`. */
void vt_python_passed_again(int mapped);

/* vt_python_tell_again writes to the trace of a forked child what was refused in its parent. */
void vt_python_tell_again(vt_thread_t *t);

/* vt_python_ready: are Python frames to be looked for? Not before the interpreter has begun, nor when
   it does not use the wrapped allocators; that is then said in t's trace. */
extern _Atomic uint32_t vt_python_trusted;
int vt_python_ready_slow(vt_thread_t *t);
static inline int vt_python_ready(vt_thread_t *t) {
  return VT_LIKELY(atomic_load_explicit(&vt_python_trusted, memory_order_relaxed)) ||
         vt_python_ready_slow(t);
}

#endif
