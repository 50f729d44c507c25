/* Entries of functions that preloading does not reach, patched so that their calls come to hooks. */
#ifndef VT_PRELOAD_PATCHED_H
#define VT_PRELOAD_PATCHED_H

#include "core/trace/patch.h"
#include "core/trace/stream.h"
#include "preload/hooks.h"

/* patched_objects.c: vt_patched_begin patches what the collector names, once, at start; without a
   collector it says what that misses. Nothing the program did before is known then. To be called while
   recording is set up, before any event. */
void vt_patched_begin(void);

/* vt_patched_ask asks for a plan and does it; `fresh`: nothing of what is named has run yet, else it is
   done only while vt_patched_alone. One thread at a time. */
void vt_patched_ask(vt_patch_request_t const *request, int fresh);

#define VT_PATCHED_THREADS "other threads run already, which may be in its code"

/* vt_patched_alone: is this the only thread? */
int vt_patched_alone(void);

/* vt_patched_adopt takes an answer, of sz bytes, whose entries are patched already, and stays in use; and leads their
   calls to the hooks. The gate must not be open. */
void vt_patched_adopt(void *answer, uint64_t sz);

/* vt_patched_lead leads to the hooks what has been led away from them meanwhile. */
void vt_patched_lead(void);

/* vt_patched_refuse notes that a function is not patched, and why. */
void vt_patched_refuse(char const *name, char const *why);

/* vt_patched_order is vt_hooks_reached(), but for an allocator that is patched. */
vt_hooks_order_t vt_patched_order(void);

/* vt_patched_new: is an operator new patched, so that its calls are seen? */
int vt_patched_new(void);

/* vt_patched_write writes what is patched, and what is not and why, to the trace; what is in it already
   only `again`. */
void vt_patched_write(vt_stream_t *s, int again);

/* patched_hooks.c: the hooks that stubs lead to. They get the function's arguments, and the descriptor
   as the sixth. */
typedef uint64_t vt_patched_hook_t(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                                   vt_patch_descriptor_t const *);
extern vt_patched_hook_t *const vt_patched_hooks[VT_SHAPE_CNT];

/* patched_keep.S: where stubs lead whose function's callers may count on any register. It keeps them
   all and calls vt_patched_kept. vt_patched_keep_init is to be called before the first of them. */
void vt_patched_keep(void);
void vt_patched_keep_init(void);

/* vt_patched_kept is such a call: args are the function's; frame points to the caller's rbp and the
   return address. */
uint64_t vt_patched_kept(uint64_t const args[VT_PATCH_ARGS], vt_patch_descriptor_t const *d,
                         void const *frame);

#endif
