/* Packed events: the payload of an EVENTS chunk, made from and to arrays of events of one stream.

   The idea: a program repeats itself, so encoder and decoder keep the same small model of what
   comes next (which stack follows the last two, which function and size a stack asks for, which
   address the allocator hands out, which block is freed) and the file holds one byte per event
   saying which guesses were right, zero when all were, and columns with what was not.
   docs/trace-format.md defines the model exactly. A chunk's model starts empty, so that every chunk
   decodes alone. */
#ifndef VT_ANALYZER_TRACE_CODEC_H
#define VT_ANALYZER_TRACE_CODEC_H

#include <stddef.h>
#include <stdint.h>
#include "analyzer/trace/bytes.h"
#include "analyzer/trace/event.h"
#include "analyzer/trace/thread_ids.h"

/* Events a writer puts in a chunk: enough to learn from, few enough to stay in the cache. */
#define VT_CODEC_EVENTS 32768

typedef struct vt_codec vt_codec_t;

vt_codec_t *vt_codec_new(void);
void vt_codec_delete(vt_codec_t *codec);

/* vt_codec_encode appends the payload for cnt events (1 … VT_EVENTS_MAX) to out. Times are clock
   ticks that do not decrease; they are stored in units of 2^shift. event.thread is an
   index in threads. Returns the required feature bits of a trace that has this payload. */
uint64_t vt_codec_encode(vt_codec_t *codec, vt_event_t const *events, size_t cnt, uint32_t shift,
                         vt_thread_ids_t *threads, vt_bytes_t *out);

/* vt_codec_count is the number of events a payload says it has, or 0 when it is malformed. */
uint32_t vt_codec_count(uint8_t const *payload, size_t sz);

/* vt_codec_decode decodes a payload into out, which has room for vt_codec_count events: times in
   clock ticks, event.thread is an index in threads. Returns the number of good events, less than
   vt_codec_count when the payload is malformed. */
size_t vt_codec_decode(vt_codec_t *codec, uint8_t const *payload, size_t sz, uint32_t shift,
                       vt_thread_ids_t *threads, vt_event_t *out);

#endif
