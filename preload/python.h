/* CPython under the shim: its allocators, and its frames. */
#ifndef VT_PRELOAD_PYTHON_H
#define VT_PRELOAD_PYTHON_H

#include "preload/process.h"

/* vt_python_begin looks for an interpreter among the objects that are loaded, and if its frames can be
   read wraps its allocators; what is refused is said in the trace. To be called once, when all
   objects are relocated and before the program begins. */
void vt_python_begin(void);

/* vt_python_passed says in the trace of a process that was attached to, if there is an interpreter in it, that nothing
   of it is recorded. To be called whenever recording has begun there. */
void vt_python_passed(void);

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
