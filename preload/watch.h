/* What a thread records while a provider of operator new or delete runs that need not call malloc and free
   (cxx.c): only the thread itself can tell whether the block that the provider returns came by a hook.

   The blocks recorded since the outermost such call are kept in a list of the thread's state, which
   grows: a provider may allocate any number of further blocks after the one it returns. An exception
   leaves a provider without a word; the frame of the call tells later that it is over. */
#ifndef VT_PRELOAD_WATCH_H
#define VT_PRELOAD_WATCH_H

#include "preload/process.h"

/* vt_watch_begin is called before a provider is, from the frame of the operator's hook, and returns a
   mark for vt_watch_recorded: did this thread record an allocation at p since the mark? vt_watch_end
   is called, with the frame, when the provider has returned. */
uint32_t vt_watch_begin(void const *frame);
int vt_watch_recorded(uint32_t mark, void const *p);
void vt_watch_end(void const *frame);

/* vt_recorded notes that an allocation at p is recorded. */
void vt_recorded_slow(void *p);
static inline void vt_recorded(void *p) {
  if (VT_UNLIKELY(vt_tls.watch)) vt_recorded_slow(p);
}

#endif
