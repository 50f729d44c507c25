/* What the parts of the reader share. Each calls only those before it:

   ticks.c    what a tick is
   threads.c  an index and a name for each thread
   chunk.c    one chunk of the file
   tables.c   messages (tables_text.c: what they own)
   scan.c     all chunks of the file, once
   decode.c   events of a chunk, ahead of
   merge.c    the order of all events
   reader.c   opening, growing, closing and looking into the tables */
#ifndef VT_ANALYZER_TRACE_READER_PRIVATE_H
#define VT_ANALYZER_TRACE_READER_PRIVATE_H

#include <stddef.h>
#include <stdint.h>
#include "analyzer/trace/bytes.h"
#include "analyzer/trace/codec.h"
#include "analyzer/trace/header.h"
#include "analyzer/trace/raw.h"
#include "analyzer/trace/reader.h"
#include "analyzer/trace/thread_ids.h"
#include "analyzer/trace/trie.h"

/* An event chunk of a stream, found by the scan. */
typedef struct {
  uint64_t off;
  uint64_t first;     /* time of its first event, in clock ticks */
  uint32_t committed; /* SEGMENT: bytes of records as of the scan: it may grow while it is read */
} vt_chunk_ref_t;

typedef struct {
  uint32_t id;
  vt_chunk_ref_t *chunks;
  size_t chunks_cnt, chunks_cap;
} vt_stream_ref_t;

/* A chunk as the scan sees it. */
typedef struct {
  uint64_t off, sz; /* sz: payload as stored */
  uint16_t type, flags;
  uint32_t seq, writer;
  uint64_t checksum;
  uint8_t header[VT_CHUNK_OFF_CHECKSUM]; /* the bytes the checksum covers */
} vt_chunk_t;

/* Tables filled from messages; arrays in the shape of the public accessors. */
typedef struct {
  vt_trace_module_t *modules;
  size_t modules_cnt, modules_cap;
  vt_trace_process_t *process;
  size_t process_cnt, process_cap;
  vt_trace_memory_t *memory;
  size_t memory_cnt, memory_cap;
  vt_trace_marker_t *markers;
  size_t markers_cnt, markers_cap;
  vt_trace_heap_t *heaps;
  size_t heaps_cnt, heaps_cap;
  vt_trace_heap_op_t *ops; /* in order of time */
  size_t ops_cnt, ops_cap;
  vt_trace_leaks_t *leaks; /* NULL: none */
  vt_trace_leaks_t **leaks_at;
  size_t leaks_at_cnt, leaks_at_cap;
  struct vt_summary *summary; /* NULL: none */
  vt_trace_patched_t *patched;
  size_t patched_cnt, patched_cap;
  vt_trace_snapshot_t *snapshots;
  size_t snapshots_cnt, snapshots_cap;
  vt_trace_code_t *codes; /* by number */
  size_t codes_cnt, codes_cap;
  vt_trace_refusal_t *refusals;
  size_t refusals_cnt, refusals_cap;
  vt_trace_mapping_t *mappings; /* in order of the file */
  size_t mappings_cnt, mappings_cap;
  vt_trace_pages_t *pages; /* in order of time */
  size_t pages_cnt, pages_cap;
  vt_trace_jit_t *jit;
  size_t jit_cnt, jit_cap;
  void **owned; /* memory the entries point to */
  size_t owned_cnt, owned_cap;
  uint64_t counters[VT_COUNTER_MAX + 1];
  uint64_t counters_known; /* bit c: the trace has counter c */
  uint64_t end_time; /* latest time of any message */
} vt_tables_t;

/* A module in the index by address. */
typedef struct {
  uint64_t start, max_end; /* max_end: highest end of all up to here */
  uint32_t epoch, module;  /* of its load; index in the table */
  uint32_t group;          /* the first place with the same start */
} vt_module_place_t;

/* A thread that some message or event has told of. */
typedef struct {
  uint32_t place; /* index + 1 in the table of threads; 0: it has no event yet */
  char const *name;
} vt_known_thread_t;

/* What tells the file that is read from a copy of it. */
typedef struct {
  uint64_t inode, device;
  uint64_t born_ns; /* 0: not known */
  int free;         /* nobody holds a lock on it, as far as the file system knows of locks */
} vt_file_id_t;

struct vt_reader {
  int fd;
  vt_file_id_t file;
  uint64_t file_sz;
  vt_header_t header;
  uint8_t *header_bytes;
  uint64_t header_sz;
  vt_trace_info_t info;
  char **argv;
  vt_integrity_t integrity; /* of the scan */
  vt_integrity_t shown;     /* with what the last run found */
  vt_tables_t tables;
  vt_module_place_t *places; /* index of the first places_cnt modules */
  size_t places_cnt;
  size_t *again; /* of the first again_of mappings those that are code of a module, once more */
  size_t again_cnt, again_cap, again_of;
  vt_trie_t trie;
  vt_stream_ref_t *streams;
  size_t streams_cnt, streams_cap;
  uint64_t *symbol_chunks; /* offsets */
  size_t symbol_chunks_cnt, symbol_chunks_cap;
  uint64_t segments; /* SEGMENT chunks */
  uint64_t segment_totals[VT_COUNTER_MAX + 1]; /* counters whose values are in their headers */
  vt_trace_thread_t *threads;
  size_t threads_cnt, threads_cap;
  vt_thread_ids_t thread_ids;
  vt_known_thread_t *known_threads; /* by index in thread_ids */
  size_t known_threads_cnt, known_threads_cap;
  uint32_t *tid_table; /* tid -> index + 1 of its latest thread, open addressing */
  size_t tid_table_sz;
  uint64_t ns_per_tick_32;                /* nanoseconds per tick, times 2^32 */
  uint64_t clock_first[2], clock_last[2]; /* tick, ns; tick 0: none yet */
  uint64_t scanned;     /* the scan has used the file up to this offset */
  uint64_t whole_until; /* tick: what the process committed before is before the first gap in the file */
  uint64_t last_seq;                      /* next sequence number expected */
  uint64_t done_bytes, total_bytes;
  uint64_t end_ticks; /* latest event */
  uint64_t raw_lost;
  vt_bytes_t scratch, unpacked;
};

/* ticks.c */
/* vt_ticks_pair notes that the clock stood at `tick` when CLOCK_MONOTONIC was `ns`. */
void vt_ticks_pair(vt_reader_t *r, uint64_t tick, uint64_t ns);
/* vt_ticks_settle settles the tick rate: that of the pairs if they agree roughly with the header. */
void vt_ticks_settle(vt_reader_t *r);

/* vt_reader_ns turns a tick into nanoseconds since recording began. */
static inline uint64_t vt_reader_ns(vt_reader_t const *r, uint64_t tick) {
  if (!r->ns_per_tick_32) return tick; /* during the scan: converted when the clock is known */
  if (tick <= r->header.start_tick) return 0;
  unsigned __int128 ns = (unsigned __int128)(tick - r->header.start_tick) * r->ns_per_tick_32;
  return (uint64_t)(ns >> 32);
}

/* threads.c */
/* vt_threads_index is the place in the table of threads of the one that is `id` in thread_ids. */
uint32_t vt_threads_index(vt_reader_t *r, uint32_t id);
/* vt_threads_named notes the latest name of a thread, owned by the tables. */
void vt_threads_named(vt_reader_t *r, vt_thread_id_t who, char *name);
/* vt_threads_forget_names: names will be told again. */
void vt_threads_forget_names(vt_reader_t *r);

/* chunk.c, thread-safe */
/* vt_chunk_read reads sz bytes at off. Returns 0, or -1 when they are not there. */
int vt_chunk_read(vt_reader_t const *r, void *to, size_t sz, uint64_t off);
/* vt_chunk_header reads the chunk header at off; -1 when there is none. */
int vt_chunk_header(vt_reader_t const *r, uint64_t off, vt_chunk_t *c);
/* vt_chunk_payload reads the payload of a chunk into *b and verifies its checksum. Returns 0 or -1. */
int vt_chunk_payload(vt_reader_t const *r, vt_chunk_t const *c, vt_bytes_t *b);
/* vt_chunk_unpack gives the payload after decompression: *p and *sz point into b or into to. */
int vt_chunk_unpack(vt_chunk_t const *c, vt_bytes_t const *b, vt_bytes_t *to, uint8_t const **p,
                    size_t *sz);
/* vt_chunk_segment reads a whole segment into b and verifies it; *committed is the bytes of records. */
int vt_chunk_segment(vt_reader_t const *r, vt_chunk_t const *c, vt_bytes_t *b, uint32_t *committed);
/* vt_chunk_end is where the next chunk begins. */
static inline uint64_t vt_chunk_end(vt_chunk_t const *c) {
  return c->off + VT_CHUNK_HEADER_SZ + vt_pad8(c->sz);
}

/* tables.c */
/* vt_tables_message adds a message; a malformed one is counted in integrity.damaged_chunks by the
   caller when the result is -1. */
int vt_tables_message(vt_reader_t *r, uint16_t type, uint8_t const *payload, size_t sz);
/* vt_tables_own makes the tables free p in the end; returns it. */
void *vt_tables_own(vt_tables_t *t, void *p);
/* leaks_chunk.c */
int vt_tables_leaks(vt_reader_t *r, vt_cursor_t *c);
int vt_tables_leaks_at(vt_reader_t *r, vt_cursor_t *c);
/* pages_chunk.c */
int vt_tables_pages(vt_reader_t *r, vt_cursor_t *c);
/* jit_chunk.c; vt_tables_sort_jit brings the entries into their order. */
int vt_tables_jit(vt_reader_t *r, vt_cursor_t *c);
void vt_tables_sort_jit(vt_reader_t *r);
/* vframes_chunk.c */
int vt_tables_vframes(vt_reader_t *r, vt_cursor_t *c);
/* summary_chunk.c */
int vt_tables_summary(vt_reader_t *r, vt_cursor_t *c);
void vt_tables_convert_summary(vt_reader_t *r);
/* vt_tables_mapping adds one MAPPING message; -1: malformed. */
int vt_tables_mapping(vt_reader_t *r, uint32_t stack, uint8_t const *payload, size_t sz);
void vt_tables_clear(vt_tables_t *t);
char *vt_tables_text(vt_tables_t *t, void const *p, size_t sz);
/* vt_tables_convert turns the ticks of messages read during the scan into nanoseconds. */
void vt_tables_convert(vt_reader_t *r);

/* scan.c */
/* vt_scan_file hops over all chunks from r->scanned on. Of a file that is still written an unfinished end is left
   for the next time. Returns -1 and *error when the file needs a newer reader. */
int vt_scan_file(vt_reader_t *r, vt_error_t *error);

/* reader.c */
/* vt_reader_grow looks how long the file is by now, whether it is still written, and scans what is new. Nobody may
   decode meanwhile. Returns 0, or -1 and *error. */
int vt_reader_grow(vt_reader_t *r, vt_error_t *error);

/* decode.c: decoded chunks, ahead of the merge. */
typedef struct vt_decoder vt_decoder_t;
typedef struct {
  vt_event_t *events; /* times in ticks, thread in thread_ids; the merge may change them */
  size_t cnt;
  int failed; /* the chunk is damaged */
} vt_decoded_t;

vt_decoder_t *vt_decoder_new(vt_reader_t *r);
void vt_decoder_delete(vt_decoder_t *d);
/* vt_decoder_rest returns when no thread decodes: only then the reader's tables may change. */
void vt_decoder_rest(vt_decoder_t *d);
/* vt_decoder_grow makes room for streams that the reader has come to know. */
void vt_decoder_grow(vt_decoder_t *d);
/* vt_decoder_get is chunk `index` of a stream, decoded; it stays valid until the next call for the
   same stream. Chunks of a stream are asked for in order. */
vt_decoded_t *vt_decoder_get(vt_decoder_t *d, size_t stream, size_t index);
/* vt_decoder_drop frees what a stream holds that has no more chunks, or none yet. */
void vt_decoder_drop(vt_decoder_t *d, size_t stream);
/* Raw traces: losses seen so far. */
uint64_t vt_decoder_lost(vt_decoder_t const *d);

#endif
