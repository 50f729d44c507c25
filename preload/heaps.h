/* The annotated heaps of this process, as far as the rest of the shim must know them. */
#ifndef VT_PRELOAD_HEAPS_H
#define VT_PRELOAD_HEAPS_H

#include "core/trace/stream.h"

/* vt_heaps_write announces all heaps in the trace of a forked child, to which they now belong too.
 */
void vt_heaps_write(vt_stream_t *s);

/* vt_heaps_memory is the table of heaps, *sz 0: there is none. */
void const *vt_heaps_memory(size_t *sz);

#endif
