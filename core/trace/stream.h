/* A stream of records: one thread's events on their way into segments of the sink.

   The fast path writes a record of a few words into the current segment and commits it with one
   release store; everything else (next segment, deep stacks, clock gaps, new epochs) is in
   vt_stream_put_slow. A stream is always exclusively owned by its caller. */
#ifndef VT_CORE_TRACE_STREAM_H
#define VT_CORE_TRACE_STREAM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include "core/trace/message.h"
#include "core/trace/sink.h"
#include "core/trace/unwind.h"
#include "valtrace/trace_format.h"

/* Depth of a stream whose current stack is not known: the next event sends its stack in full. */
#define VT_DEPTH_UNKNOWN UINT32_MAX

typedef struct {
  uint8_t *cursor;  /* where the next record goes; NULL: no segment */
  uint8_t *end;     /* end of the segment */
  uint8_t *segment; /* its start */
  uint64_t last_tick;
  uint32_t depth; /* frames of the current stack as recorded, or VT_DEPTH_UNKNOWN */
  uint32_t epoch; /* of code addresses, as recorded */
  uint32_t index; /* of the segment in the sink */
  uint32_t writer;
  uint32_t number; /* of the next segment in this stream */
  uint32_t tid;
  uint32_t thread;    /* number of the thread in this image */
  uint32_t max_depth; /* UINT32_MAX: no limit */
  uint32_t cut;       /* 1: the recorded stack ends in VT_ADDRESS_CUT */
  uint64_t lost;      /* events lost since the last LOST record */
  vt_sink_t *sink;
  vt_unwind_t *unwind;
} vt_stream_t;

/* A record to be written: its kind, api and flags as in w0, time, and 0-5 words. */
typedef struct {
  uint64_t w0; /* kind, api, wide */
  uint64_t tick;
  uint64_t words[5];
  uint32_t word_cnt;
} vt_record_t;

/* vt_stream_put_slow is vt_stream_put for every case its fast path does not cover. stack NULL: the
   record carries no stack change. */
void vt_stream_put_slow(vt_stream_t *s, vt_record_t const *r, vt_stack_t const *stack);

/* vt_stream_blob_open begins a message (docs/trace-format.md) of at most `cap` bytes, less than
   half a segment, to be built in place; it has no capacity when recording has stopped.
   vt_stream_blob_close commits it; a message that overflowed is dropped. Nothing else may be
   written to the stream in between. */
vt_message_t vt_stream_blob_open(vt_stream_t *s, uint32_t cap);
void vt_stream_blob_close(vt_stream_t *s, vt_chunk_type_t type, vt_message_t const *m);

/* vt_stream_blob_open_at begins a message that has a stack: the current stack of the stream becomes
   the one just captured, at `tick`. Else as vt_stream_blob_open; without capacity the caller has lost
   an event, which is not counted here. */
vt_message_t vt_stream_blob_open_at(vt_stream_t *s, uint32_t cap, uint64_t tick,
                                    vt_stack_t const *stack);

/* vt_stream_thread makes the stream the one of the image's thread number `thread`, which the kernel
   calls `tid`. */
void vt_stream_thread(vt_stream_t *s, uint32_t tid, uint32_t thread);

/* vt_stream_claim gets the stream a segment if it has none. Returns 0, or -1 when recording has stopped: an event
   is counted as lost then. */
int vt_stream_claim(vt_stream_t *s);

/* vt_stream_finish hands the current segment back; the next record claims another. */
void vt_stream_finish(vt_stream_t *s);

/* vt_stream_abandon forgets the current segment without touching it: it is another process's. */
void vt_stream_abandon(vt_stream_t *s);

static inline void vt_stream_commit(vt_stream_t *s, uint8_t *cursor) {
  s->cursor = cursor;
  /* Pairs with the collector's acquire load of committed. */
  atomic_store_explicit((_Atomic uint64_t *)(s->segment + VT_SEGMENT_OFF_COMMITTED),
                        VT_LE64((uint64_t)(cursor - s->segment - VT_SEGMENT_RECORDS_OFF)),
                        memory_order_release);
}

/* vt_stream_put writes one event with the stack just captured (NULL: none). On return it is
   committed, or counted as lost because recording has stopped. */
static inline __attribute__((always_inline)) void
vt_stream_put(vt_stream_t *s, vt_record_t const *r, vt_stack_t const *stack) {
  uint32_t push = 0, pop = 0;
  if (stack) {
    /* prev_depth 0 may be a new epoch, which only the slow half notices; it wraps round here. */
    if (__builtin_expect(s->depth != stack->prev_depth || stack->depth > s->max_depth ||
                             stack->prev_depth - 1 >= s->max_depth,
                         0))
      return vt_stream_put_slow(s, r, stack);
    push = stack->depth - stack->keep;
    pop = s->depth - stack->keep;
  }
  uint64_t dt = r->tick - s->last_tick;
  size_t sz = 8u * (1u + r->word_cnt + push);
  if (__builtin_expect((size_t)(s->end - s->cursor) < sz || dt > UINT32_MAX ||
                           push > VT_W0_PUSH_MAX || pop > VT_W0_POP_MAX,
                       0))
    return vt_stream_put_slow(s, r, stack);
  uint8_t *p = s->cursor;
  vt_store64(p, r->w0 | (uint64_t)push << VT_W0_PUSH_SHIFT | (uint64_t)pop << VT_W0_POP_SHIFT |
                    dt << VT_W0_TIME_SHIFT);
  p += 8;
  for (uint32_t i = 0; i < r->word_cnt; i++, p += 8) vt_store64(p, r->words[i]);
  if (stack) {
    for (uint32_t i = stack->keep; i < stack->depth; i++, p += 8)
      vt_store64(p, vt_frame_pc(stack, i));
    s->depth = stack->depth;
  }
  s->last_tick = r->tick;
  vt_stream_commit(s, p);
}

#endif
