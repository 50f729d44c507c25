/* Entries of functions that preloading does not reach, patched so that their calls come to hooks. */
#ifndef VT_PRELOAD_PATCHED_H
#define VT_PRELOAD_PATCHED_H

#include "core/trace/patch.h"
#include "core/trace/stream.h"
#include "preload/hooks.h"

/* vt_patched_begin patches what the collector names, once, at start; without a collector it says what
   that misses. Nothing the program did before is known then. To be called while recording is set up,
   before any event. */
void vt_patched_begin(void);

/* vt_patched_order is vt_hooks_reached(), but for an allocator that is patched. */
vt_hooks_order_t vt_patched_order(void);

/* vt_patched_any: are there patched entries? */
int vt_patched_any(void);

/* vt_patched_write writes what is patched, and what is not and why, to the trace. */
void vt_patched_write(vt_stream_t *s);

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
