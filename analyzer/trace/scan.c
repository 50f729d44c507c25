/* Walking the chunks of a file, with recovery from damage and torn tails.

   The scan reads the headers of event chunks only; their checksums are verified when they are
   decoded. After damage it looks for the next multiple of 8 with a chunk whose checksum is right.
 */
#include "analyzer/trace/reader_private.h"

#include <stdio.h>
#include <unistd.h>

#define SEARCH_SZ ((size_t)1 << 20)

/* intact tells whether a chunk's checksum is right. */
static int intact(vt_reader_t *r, vt_chunk_t const *c) {
  uint32_t committed;
  if (c->type == VT_CHUNK_SEGMENT) return vt_chunk_segment(r, c, &r->scratch, &committed) == 0;
  return vt_chunk_payload(r, c, &r->scratch) == 0;
}

/* skip_hole is the first offset from `off` on that is not in a hole of the file. */
static uint64_t skip_hole(vt_reader_t const *r, uint64_t off) {
  off_t data = lseek(r->fd, (off_t)off, SEEK_DATA);
  return data < 0 ? r->file_sz : (uint64_t)data;
}

/* search finds the next intact chunk from `off` on; returns its offset or the size of the file.
 *nonzero is set to the first byte that is not zero before that. */
static uint64_t search(vt_reader_t *r, uint64_t off, uint64_t *nonzero) {
  uint8_t *block = vt_mem_new(SEARCH_SZ, 1);
  *nonzero = UINT64_MAX;
  for (off = (off + 7) & ~(uint64_t)7; off + VT_CHUNK_HEADER_SZ <= r->file_sz;) {
    off = skip_hole(r, off) & ~(uint64_t)7;
    size_t sz = r->file_sz - off < SEARCH_SZ ? (size_t)(r->file_sz - off) : SEARCH_SZ;
    if (off >= r->file_sz || vt_chunk_read(r, block, sz, off)) break;
    for (size_t i = 0; i + 8 <= sz; i += 8) {
      vt_chunk_t c;
      if (*nonzero == UINT64_MAX && vt_load64(block + i)) *nonzero = off + i;
      if (vt_load32(block + i) != VT_CHUNK_MAGIC || vt_chunk_header(r, off + i, &c)) continue;
      if (!intact(r, &c)) continue;
      free(block);
      return off + i;
    }
    off += sz;
  }
  free(block);
  return r->file_sz;
}

static vt_stream_ref_t *stream_of(vt_reader_t *r, uint32_t id) {
  for (size_t i = r->streams_cnt; i-- > 0;)
    if (r->streams[i].id == id) return &r->streams[i];
  VT_PUSH(r->streams, (vt_stream_ref_t){.id = id});
  return &r->streams[r->streams_cnt - 1];
}

/* has_gap: is something missing before the chunk that is looked at? */
static int has_gap(vt_reader_t const *r) {
  return r->integrity.missing_chunks || r->integrity.damaged_chunks;
}

/* note_whole takes the word of a CLOCK chunk that all the process committed before it is in the file. */
static void note_whole(vt_reader_t *r, uint8_t const *payload, size_t sz) {
  if (sz < 8 || has_gap(r)) return;
  r->whole_until = vt_load64(payload);
}

/* add_totals adds what a thread of a sampled recording counted while it wrote this segment. */
static void add_totals(vt_reader_t *r, uint8_t const *segment) {
  uint64_t *totals = r->segment_totals;
  if (!r->header.sample_period) return;
  totals[VT_COUNTER_ALLOCATIONS] += vt_load64(segment + VT_SEGMENT_OFF_ALLOCATIONS);
  totals[VT_COUNTER_ALLOCATED_BYTES] += vt_load64(segment + VT_SEGMENT_OFF_BYTES);
  totals[VT_COUNTER_FREES] += vt_load64(segment + VT_SEGMENT_OFF_FREES);
  totals[VT_COUNTER_REALLOCS] += vt_load32(segment + VT_SEGMENT_OFF_REALLOCS);
}

/* note_events enters an event chunk into its stream. */
static int note_events(vt_reader_t *r, vt_chunk_t const *c) {
  uint8_t head[VT_SEGMENT_RECORDS_OFF];
  size_t sz = c->type == VT_CHUNK_SEGMENT ? sizeof head : VT_CHUNK_HEADER_SZ + 16;
  if (c->sz + VT_CHUNK_HEADER_SZ < sz || vt_chunk_read(r, head, sz, c->off)) return -1;
  vt_chunk_ref_t ref = {.off = c->off};
  if (c->type == VT_CHUNK_SEGMENT) {
    r->info.raw = 1;
    uint64_t committed = vt_load64(head + VT_SEGMENT_OFF_COMMITTED);
    ref.committed = committed > VT_SEGMENT_RECORDS_MAX ? VT_SEGMENT_RECORDS_MAX : (uint32_t)committed;
    ref.first = vt_load64(head + VT_SEGMENT_OFF_BASE_TICK);
    r->segments++;
    add_totals(r, head);
    if (!has_gap(r)) r->whole_until = vt_load64(head + VT_SEGMENT_OFF_CLOCK_TICK);
    vt_ticks_pair(r, vt_load64(head + VT_SEGMENT_OFF_CLOCK_TICK),
                    vt_load64(head + VT_SEGMENT_OFF_CLOCK_NS));
  } else {
    ref.first = vt_load64(head + VT_CHUNK_HEADER_SZ + 8) << r->header.time_shift;
  }
  vt_stream_ref_t *s = stream_of(r, c->writer);
  VT_PUSH(s->chunks, ref);
  r->integrity.event_chunks++;
  r->total_bytes += c->sz;
  return 0;
}

/* small_chunk uses any other chunk. Returns -1 when it is damaged. */
static int small_chunk(vt_reader_t *r, vt_chunk_t const *c) {
  uint8_t const *p;
  size_t sz;
  if (vt_chunk_payload(r, c, &r->scratch)) return -1;
  if (c->type == VT_CHUNK_END) r->integrity.ended = 1;
  if (c->type == VT_CHUNK_SYMBOLS) VT_PUSH(r->symbol_chunks, c->off);
  if (c->type < VT_CHUNK_STACKS || c->type > VT_CHUNK_MAX) r->integrity.unknown_chunks++;
  if (c->type < VT_CHUNK_STACKS || c->type > VT_CHUNK_MAX || c->type == VT_CHUNK_SYMBOLS) return 0;
  if (vt_chunk_unpack(c, &r->scratch, &r->unpacked, &p, &sz)) return -1;
  if (c->type == VT_CHUNK_CLOCK) note_whole(r, p, sz);
  return c->type == VT_CHUNK_STACKS ? vt_trie_decode(&r->trie, p, sz)
                                    : vt_tables_message(r, c->type, p, sz);
}

static int use_chunk(vt_reader_t *r, vt_chunk_t const *c) {
  int events = c->type == VT_CHUNK_EVENTS || c->type == VT_CHUNK_SEGMENT;
  uint64_t before = r->integrity.missing_chunks;
  if (c->seq > r->last_seq && !r->integrity.damaged_chunks)
    r->integrity.missing_chunks += c->seq - r->last_seq;
  if (events ? note_events(r, c) : small_chunk(r, c)) {
    r->integrity.missing_chunks = before;
    return -1;
  }
  r->integrity.chunks++;
  r->last_seq = (uint64_t)c->seq + 1;
  return 0;
}

static int is_raw(vt_reader_t const *r) { return (r->header.optional & VT_OPTIONAL_NO_COLLECTOR) != 0; }

static void note_damage(vt_reader_t *r, uint64_t off, uint64_t next) {
  vt_integrity_t *in = &r->integrity;
  if (in->recording && (is_raw(r) || next >= r->file_sz)) return; /* not yet written */
  if (next >= r->file_sz) {
    in->torn_off = off;
    in->torn_bytes = r->file_sz - off;
  } else if (in->damaged_chunks++ == 0) {
    in->damage_off = off;
  }
}

static int refuse(vt_reader_t const *r, vt_chunk_t const *c, vt_error_t *error) {
  if (!(c->flags & VT_CHUNK_FLAG_REQUIRED) || (c->type >= 1 && c->type <= VT_CHUNK_MAX)) return 0;
  vt_error_setf(error, r->info.path, "use a newer valtrace",
                "has chunks of type %u, which this reader must understand and does not", c->type);
  return -1;
}

/* is_original: is the file the one that its counters tell of? It may have been read on another device
   since, if it is known when it was made. */
static int is_original(vt_reader_t const *r) {
  uint64_t const *counters = r->tables.counters;
  uint64_t born = counters[VT_COUNTER_FILE_BORN_NS];
  if (!counters[VT_COUNTER_FILE_INODE] || counters[VT_COUNTER_FILE_INODE] != r->file.inode) return 0;
  return born ? born == r->file.born_ns : counters[VT_COUNTER_FILE_DEVICE] == r->file.device;
}

static int counts_segments(vt_reader_t const *r) {
  return is_raw(r) && (r->tables.counters_known >> VT_COUNTER_SEGMENTS & 1);
}

/* settle decides what is missing once all chunks have been seen. A file without collector says how
   many segments it must have: a number that is left out may be of one that was never begun. */
static void settle(vt_reader_t *r) {
  vt_integrity_t *in = &r->integrity;
  if (in->ended) in->recording = 0;
  for (int c = 1; c <= VT_COUNTER_MAX; c++) r->tables.counters[c] += r->segment_totals[c];
  if (!counts_segments(r)) return;
  uint64_t claimed = r->tables.counters[VT_COUNTER_SEGMENTS];
  in->counted = 1;
  in->missing_chunks = claimed > r->segments ? claimed - r->segments : 0;
  in->let_go = r->file.free && is_original(r);
}

/* half_begun: is there a segment at `off` whose process ended while it wrote the chunk header? It had
   not been counted yet, nor told its image. */
static int half_begun(vt_reader_t const *r, uint64_t off) {
  uint8_t head[VT_SEGMENT_RECORDS_OFF], zero[VT_SEGMENT_RECORDS_OFF] = {0};
  return counts_segments(r) && off % VT_SEGMENT_SZ == 0 && off + VT_SEGMENT_SZ <= r->file_sz &&
         vt_chunk_read(r, head, sizeof head, off) == 0 && memcmp(head, zero, VT_CHUNK_HEADER_SZ) &&
         !memcmp(head + VT_CHUNK_HEADER_SZ, zero, sizeof head - VT_CHUNK_HEADER_SZ);
}

int vt_scan_file(vt_reader_t *r, vt_error_t *error) {
  uint64_t off = r->scanned;
  while (off + VT_CHUNK_HEADER_SZ <= r->file_sz) {
    vt_chunk_t c;
    if (vt_chunk_header(r, off, &c) == 0) {
      if (refuse(r, &c, error)) return -1;
      if (use_chunk(r, &c) == 0) {
        off = r->scanned = vt_chunk_end(&c);
        continue;
      }
    }
    if (half_begun(r, off)) {
      off += VT_SEGMENT_SZ;
      continue;
    }
    uint64_t nonzero, next = search(r, off + 8, &nonzero);
    uint8_t here[8] = {0};
    if (!vt_chunk_read(r, here, sizeof here, off) && vt_load64(here)) nonzero = off;
    if (nonzero < next) note_damage(r, off, next);
    off = next;
  }
  if (off < r->file_sz) { /* a rest too short for a chunk */
    uint64_t nonzero;
    uint8_t rest[VT_CHUNK_HEADER_SZ] = {0};
    nonzero = vt_chunk_read(r, rest, (size_t)(r->file_sz - off), off);
    for (size_t i = 0; i < sizeof rest; i++) nonzero |= rest[i];
    if (nonzero) note_damage(r, off, r->file_sz);
  }
  settle(r);
  return 0;
}
