/* Merging the streams of a trace into one sequence in order of time.

   A heap of streams, keyed by the time of each one's next event; a stream whose next chunk is not
   decoded yet is keyed by the time its first event has according to the scan, so that chunks are
   decoded only when their time has come. While one stream stays ahead of the others its events are
   passed on without touching the heap. */
#include "analyzer/trace/reader_private.h"

#define BATCH 4096

typedef struct {
  uint64_t key; /* time of the next event, in ticks; times two, plus one unless it is a free */
  size_t stream;
  size_t chunk; /* index of the current chunk, or of the next when !events */
  vt_event_t const *events;
  size_t at, cnt;
  uint32_t tid, thread; /* the last translation */
} head_t;

typedef struct {
  vt_reader_t *r;
  vt_decoder_t *decoder;
  vt_reader_sink_t const *sink;
  head_t *heap;
  size_t heap_cnt;
  vt_event_t *batch;
  size_t batch_cnt;
  size_t next_op;
  uint64_t last_time;
  uint64_t events, bad;
  int result;
} merge_t;

static uint64_t key_of(uint64_t tick, int is_free) { return tick << 1 | !is_free; }

static uint64_t event_key(vt_event_t const *e) {
  return key_of(e->time, e->kind == VT_EVENT_FREE || e->kind == VT_EVENT_REALLOC_INTENT);
}

static void sift_down(merge_t *m, size_t i) {
  head_t h = m->heap[i];
  for (size_t child; (child = 2 * i + 1) < m->heap_cnt; i = child) {
    if (child + 1 < m->heap_cnt && m->heap[child + 1].key < m->heap[child].key) child++;
    if (m->heap[child].key >= h.key) break;
    m->heap[i] = m->heap[child];
  }
  m->heap[i] = h;
}

static void flush(merge_t *m) {
  if (!m->batch_cnt || m->result) return;
  m->events += m->batch_cnt;
  m->result = m->sink->events(m->sink->context, m->batch, m->batch_cnt);
  m->batch_cnt = 0;
}

/* ops_until delivers operations on whole heaps that come before an event at time ns. */
static void ops_until(merge_t *m, uint64_t ns) {
  vt_tables_t const *t = &m->r->tables;
  while (m->next_op < t->ops_cnt && t->ops[m->next_op].time <= ns) {
    flush(m);
    if (m->sink->heap_op && !m->result) m->sink->heap_op(m->sink->context, &t->ops[m->next_op]);
    m->next_op++;
  }
}

/* emit passes one event of a head on. */
static inline void emit(merge_t *m, head_t *h, vt_event_t const *e) {
  uint64_t ns = vt_reader_ns(m->r, e->time);
  if (ns < m->last_time) ns = m->last_time;
  m->last_time = ns;
  if (__builtin_expect(m->next_op < m->r->tables.ops_cnt, 0)) ops_until(m, ns);
  if (__builtin_expect(e->thread != h->tid, 0)) {
    h->tid = e->thread;
    h->thread = vt_reader_thread_index(m->r, e->thread);
  }
  vt_event_t *out = &m->batch[m->batch_cnt++];
  *out = *e;
  out->time = ns;
  out->thread = h->thread;
  if (m->batch_cnt == BATCH) flush(m);
}

static void note_failure(merge_t *m, head_t const *h, vt_decoded_t const *d) {
  vt_integrity_t *in = &m->r->shown;
  vt_chunk_t c;
  uint64_t off = m->r->streams[h->stream].chunks[h->chunk].off;
  (void)d;
  m->bad++;
  in->chunks--;
  int last = !vt_scan_header(m->r, off, &c) && !in->torn_bytes && !in->ended &&
             off + VT_CHUNK_HEADER_SZ + vt_pad8(c.sz) >= m->r->file_sz;
  if (last) {
    in->torn_off = off;
    in->torn_bytes = m->r->file_sz - off;
  } else if (in->damaged_chunks++ == 0 || off < in->damage_off) {
    in->damage_off = off;
  }
}

/* load decodes the head's chunk; 0 when it gave no events. */
static int load(merge_t *m, head_t *h) {
  vt_decoded_t const *d = vt_decoder_get(m->decoder, h->stream, h->chunk);
  vt_chunk_t c;
  if (!vt_scan_header(m->r, m->r->streams[h->stream].chunks[h->chunk].off, &c))
    m->r->done_bytes += c.sz;
  if (d->failed) note_failure(m, h, d);
  h->events = d->events;
  h->at = 0;
  h->cnt = d->cnt;
  return d->cnt != 0;
}

/* advance moves the head at the top of the heap to its next chunk, or off the heap. */
static void next_chunk(merge_t *m) {
  head_t *h = &m->heap[0];
  vt_stream_ref_t const *s = &m->r->streams[h->stream];
  h->events = NULL;
  if (++h->chunk < s->chunks_cnt) {
    h->key = key_of(s->chunks[h->chunk].first, 1);
  } else {
    vt_decoder_drop(m->decoder, h->stream);
    m->heap[0] = m->heap[--m->heap_cnt];
  }
  if (m->heap_cnt) sift_down(m, 0);
}

/* run_top passes on events of the top head as long as it stays first. */
static void run_top(merge_t *m) {
  head_t *h = &m->heap[0];
  uint64_t limit = UINT64_MAX;
  if (!h->events && !load(m, h)) return next_chunk(m);
  if (m->heap_cnt > 1) limit = m->heap[1].key;
  if (m->heap_cnt > 2 && m->heap[2].key < limit) limit = m->heap[2].key;
  uint64_t key = event_key(&h->events[h->at]);
  while (key <= limit && !m->result) {
    emit(m, h, &h->events[h->at]);
    if (++h->at == h->cnt) {
      uint64_t last = h->events[h->cnt - 1].time;
      if (last > m->r->end_ticks) m->r->end_ticks = last;
      return next_chunk(m);
    }
    key = event_key(&h->events[h->at]);
  }
  h->key = key;
  sift_down(m, 0);
}

static void begin(merge_t *m) {
  vt_reader_t *r = m->r;
  m->heap = vt_mem_new(r->streams_cnt ? r->streams_cnt : 1, sizeof *m->heap);
  m->batch = vt_mem_resize(NULL, BATCH, sizeof *m->batch);
  for (size_t i = 0; i < r->streams_cnt; i++) {
    if (!r->streams[i].chunks_cnt) continue;
    m->heap[m->heap_cnt++] = (head_t){.key = key_of(r->streams[i].chunks[0].first, 1),
                                      .stream = i,
                                      .tid = UINT32_MAX,
                                      .thread = vt_reader_thread_index(r, UINT32_MAX)};
  }
  for (size_t i = m->heap_cnt; i-- > 0;) sift_down(m, i);
}

/* forget_messages empties what the segments of a raw trace will tell again. */
static void forget_messages(vt_reader_t *r) {
  uint64_t counters[VT_COUNTER_MAX + 1];
  memcpy(counters, r->tables.counters, sizeof counters);
  vt_tables_clear(&r->tables);
  memcpy(r->tables.counters, counters, sizeof counters);
}

static void end(merge_t *m) {
  vt_reader_t *r = m->r;
  vt_integrity_t *in = &r->shown;
  in->events = m->events;
  in->bad_events = m->bad;
  uint64_t lost = vt_decoder_lost(m->decoder), counted = r->tables.counters[VT_COUNTER_LOST];
  in->lost_events = lost > counted ? lost : counted;
  free(m->heap);
  free(m->batch);
  vt_decoder_delete(m->decoder);
}

int vt_reader_run(vt_reader_t *r, vt_reader_sink_t const *sink) {
  merge_t m = {.r = r, .sink = sink};
  if (r->info.raw) forget_messages(r);
  r->shown = r->integrity;
  r->done_bytes = 0;
  m.decoder = vt_decoder_new(r);
  begin(&m);
  while (m.heap_cnt && !m.result) run_top(&m);
  if (!m.result) ops_until(&m, UINT64_MAX);
  flush(&m);
  for (size_t i = 0; i < r->threads_cnt; i++) vt_tables_name_thread(r, i);
  end(&m);
  return m.result;
}
