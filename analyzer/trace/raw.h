/* Decoding the raw records that a traced process writes (SEGMENT in docs/trace-format.md).

   One decoder for the collector (from the ring), for pack and for the reader (from a file). Input
   is hostile: everything is bounds-checked, a segment that goes wrong is left at the first bad
   record. It must not change while it is decoded: the collector decodes a copy of what is in the
   ring. */
#ifndef VT_ANALYZER_TRACE_RAW_H
#define VT_ANALYZER_TRACE_RAW_H

#include <stddef.h>
#include <stdint.h>
#include "analyzer/trace/event.h"
#include "analyzer/trace/thread_ids.h"
#include "analyzer/trace/trie.h"

/* A stream as its segments are decoded one after the other. */
typedef struct {
  uint32_t *nodes; /* trie nodes of the current stack; nodes[0] is the epoch's root */
  uint32_t depth;  /* entries of nodes in use, 0: the root is not looked up yet */
  uint32_t cap;
  vt_thread_id_t who;
  uint32_t thread; /* its index in the sink's thread ids; UINT32_MAX: not looked up yet */
  uint32_t epoch;
  uint64_t tick;    /* of the last record */
  uint32_t segment; /* number of the segment the state belongs to, to know whether one is missing */
  uint32_t known;   /* 1 once a segment has been begun */
} vt_raw_stream_t;

/* Where decoded things go. `message` gets the payload of a BLOB, valid during the call, and the stack
   of its stream at that point, which is the message's own if it is one of those that have one. */
typedef struct {
  vt_trie_t *trie;
  vt_thread_ids_t *threads;
  int no_free_stacks; /* FREE records carry no stack */
  void (*message)(void *context, uint16_t type, uint32_t stack, uint8_t const *payload,
                  uint32_t sz);
  void *context;
  uint64_t lost; /* events of LOST records */
  uint64_t bad;  /* segments left before their end because of a malformed record */
} vt_raw_sink_t;

void vt_raw_stream_fini(vt_raw_stream_t *s);

/* vt_raw_begin starts on a segment: reads its header. `segment` has VT_SEGMENT_SZ bytes. */
void vt_raw_begin(vt_raw_stream_t *s, uint8_t const *segment);

/* vt_raw_decode decodes the records from byte *at (relative to the first record) to `committed`
   into events, at most cap, and advances *at; call again while *at < committed. Event times are
   clock ticks and never decrease within a stream; event.thread is the index in sink->threads.
   Returns the number of events. */
size_t vt_raw_decode(vt_raw_stream_t *s, vt_raw_sink_t *sink, uint8_t const *segment, uint32_t *at,
                     uint32_t committed, vt_event_t *events, size_t cap);

#endif
