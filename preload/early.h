/* Events before recording can begin: resolvers of indirect functions and preinit functions allocate
   before libc is set up. They are kept in a small array and written when the trace is open, with
   their caller as the only frame. */
#ifndef VT_PRELOAD_EARLY_H
#define VT_PRELOAD_EARLY_H

#include <stddef.h>
#include "valtrace/trace_format.h"

/* Keep an event if the process has not started recording; do nothing otherwise. What does not fit
   is counted (VT_COUNTER_BEFORE_START). */
void vt_early_alloc(void *p, size_t sz, vt_api_t api, void const *frame);
void vt_early_free(void *p, vt_api_t api, void const *frame);
/* One half of a realloc: the old block before, or the new one after the call. */
void vt_early_realloc(vt_kind_t half, void *p, size_t sz, vt_api_t api, void const *frame);

/* vt_early_replay writes what was kept; called once, when recording has begun. */
void vt_early_replay(void);

#endif
