/* The text sink (VALTRACE_SINK=text:FD): each event as a record of the backtracing valloc log,
   whose exact shape is that of fd_backtracing_vtable (include/fd/util/valloc/fd_valloc.h). */
#ifndef VT_PRELOAD_TEXT_H
#define VT_PRELOAD_TEXT_H

#include <stddef.h>
#include "preload/process.h"

#define VT_TEXT_FRAMES_MAX 128
#define VT_TEXT_BUFFER_SZ  131072

/* vt_text_init finds what names functions; to be called at start. */
void vt_text_init(void);

/* Write one record; a failed write stops recording. A failed realloc's old block is not written
 * anew. */
void vt_text_alloc(vt_thread_t *t, vt_stack_t const *stack, void *p, size_t align, size_t sz);
void vt_text_free(vt_thread_t *t, vt_stack_t const *stack, void *p);

#endif
