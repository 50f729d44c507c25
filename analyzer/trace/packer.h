/* A trace being written, packed: events of many streams go in as they come, chunks go out.

   Used by the collector (one for each process image), by pack and by import. Events of a stream are
   gathered until a chunk is full or vt_packer_flush is called; stack nodes are written before the
   events that use them. Not thread safe. */
#ifndef VT_ANALYZER_TRACE_PACKER_H
#define VT_ANALYZER_TRACE_PACKER_H

#include "analyzer/trace/codec.h"
#include "analyzer/trace/event.h"
#include "analyzer/trace/thread_ids.h"
#include "analyzer/trace/trie.h"
#include "analyzer/trace/writer.h"

typedef struct {
  uint32_t id;
  vt_event_t *events;
  size_t cnt, cap;
} vt_packer_stream_t;

typedef struct {
  vt_writer_t *writer; /* owned */
  vt_codec_t *codec;   /* borrowed: may be shared by packers of one thread */
  vt_header_t header;  /* strings owned */
  vt_trie_t trie;
  vt_thread_ids_t threads;
  uint32_t written_nodes;
  uint64_t events;   /* all that went in */
  uint64_t gathered; /* of these, not yet in a chunk */
  int held;          /* no event is written before vt_packer_cut */
  vt_packer_stream_t *streams;
  size_t streams_cnt, streams_cap;
  vt_bytes_t payload;
  vt_bytes_t mappings, vframes; /* MAPPING and VFRAMES messages not yet in a chunk */
} vt_packer_t;

/* vt_packer_shift is the time shift for a clock: units of 32 to 64 ns. */
uint32_t vt_packer_shift(uint64_t tick_hz);

/* vt_packer_open begins a trace: sets the header's time shift (0 for a sample that was written without collector), writes
   it. Takes writer over. */
void vt_packer_open(vt_packer_t *p, vt_writer_t *writer, vt_codec_t *codec,
                    vt_header_t const *header);

/* Events of all streams that may be gathered before chunks are written though they are not full: bounds
   the memory of a process with many threads. */
#define VT_PACKER_GATHERED_MAX ((uint64_t)1 << 20)

/* vt_packer_room is where up to VT_PACKER_BATCH events of a stream may be written (times in ticks,
   event.thread in p->threads, stacks in p->trie); vt_packer_add says how many were. */
#define VT_PACKER_BATCH 1024
vt_event_t *vt_packer_room(vt_packer_t *p, uint32_t stream);
void vt_packer_add(vt_packer_t *p, uint32_t stream, size_t cnt);

/* vt_packer_message writes a message as a chunk; those that have a stack, an id of p->trie, and those
   about virtual frames are gathered for a chunk of many. */
void vt_packer_message(vt_packer_t *p, vt_chunk_type_t type, uint32_t stack, uint8_t const *payload,
                       size_t sz);

/* vt_packer_flush writes all gathered events and frees their memory. */
void vt_packer_flush(vt_packer_t *p);

/* vt_packer_hold keeps events from being written until vt_packer_cut, which writes those before a tick: so that what is
   in the file up to there is all that was recorded before it, and nothing later. What is gathered meanwhile takes memory. */
void vt_packer_hold(vt_packer_t *p);
void vt_packer_cut(vt_packer_t *p, uint64_t tick);

/* vt_packer_finish writes what is left and END, closes the file and frees everything; returns 0 or
   the errno of a failed write. complete 0: the process's records may not all be there, so no END.
 */
int vt_packer_finish(vt_packer_t *p, int complete);

#endif
