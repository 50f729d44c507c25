/* Merging the streams of a trace into one sequence in order of time.

   A heap of streams, keyed by the time of each one's next event; a stream whose next chunk is not
   decoded yet is keyed by the time its first event has according to the scan, so that chunks are
   decoded only when their time has come. While one stream stays ahead of the others, a run, its
   events are finished where the decoder put them; long runs are delivered from there, short ones
   are gathered in a batch.

   A pass that follows a growing file has a limit: nothing at or after it is handed out, since something
   may yet come before. A stream without chunks leaves the heap and comes back when there are more. */
#include "analyzer/trace/reader_private.h"

/* Events in a batch at most: they are still in the cache when the receiver reads them. */
#define BATCH 2048
/* Runs of so many events are not copied. */
#define LONG_RUN 256
/* A thread may be kept from the processor between the time stamp of an event and its place in the ring: so much of a
   second is waited for the events of other threads. */
#define HELD_BACK 4

typedef struct {
  uint64_t key; /* time of the next event, in ticks; times two, plus one unless it is a free */
  size_t stream;
  size_t chunk; /* index of the current chunk, or of the next when !events */
  vt_event_t *events;
  size_t at, cnt;
  uint64_t last_tick;  /* of the chunk's last event */
  uint32_t id, thread; /* the last translation */
} head_t;

struct vt_pass {
  vt_reader_t *r;
  vt_decoder_t *decoder;
  head_t *heap;
  size_t heap_cnt, heap_cap;
  size_t *taken; /* by stream: its chunks that are done with; SIZE_MAX: it is on the heap */
  size_t taken_cnt, taken_cap;
  uint64_t limit, limit_ns; /* a key, and the same as a time; UINT64_MAX: none */
  uint64_t late;            /* chunks and operations that came too late for their place */
  vt_trace_heap_op_t op;    /* the one delivered last */
  vt_event_t *batch;
  size_t batch_cnt;
  vt_event_t const *run; /* a long run, to be delivered after the batch */
  size_t run_cnt;
  size_t next_op;
  uint64_t op_time; /* of next_op; VT_TIME_NEVER: none */
  uint64_t last_time;
  uint64_t events, bad;
};

static uint64_t key_of(uint64_t tick, int is_free) { return tick << 1 | !is_free; }

static uint64_t event_key(vt_event_t const *e) {
  return key_of(e->time, e->kind == VT_EVENT_FREE || e->kind == VT_EVENT_REALLOC_INTENT);
}

static void sift_down(vt_pass_t *m, size_t i) {
  head_t h = m->heap[i];
  for (size_t child; (child = 2 * i + 1) < m->heap_cnt; i = child) {
    if (child + 1 < m->heap_cnt && m->heap[child + 1].key < m->heap[child].key) child++;
    if (m->heap[child].key >= h.key) break;
    m->heap[i] = m->heap[child];
  }
  m->heap[i] = h;
}

/* find_op notes when the next operation on a whole heap is due. */
static void find_op(vt_pass_t *m) {
  vt_tables_t const *t = &m->r->tables;
  m->op_time = m->next_op < t->ops_cnt ? t->ops[m->next_op].time : VT_TIME_NEVER;
}

static void note_failure(vt_pass_t *m, head_t const *h) {
  vt_integrity_t *in = &m->r->shown;
  vt_chunk_t c;
  uint64_t off = m->r->streams[h->stream].chunks[h->chunk].off;
  m->bad++;
  in->chunks--;
  int last = !vt_chunk_header(m->r, off, &c) && !in->torn_bytes && !in->ended &&
             off + VT_CHUNK_HEADER_SZ + vt_pad8(c.sz) >= m->r->file_sz;
  if (last) {
    in->torn_off = off;
    in->torn_bytes = m->r->file_sz - off;
  } else if (in->damaged_chunks++ == 0 || off < in->damage_off) {
    in->damage_off = off;
  }
}

/* load decodes the head's chunk; 0 when it gave no events. */
static int load(vt_pass_t *m, head_t *h) {
  vt_decoded_t *d = vt_decoder_get(m->decoder, h->stream, h->chunk);
  vt_chunk_t c;
  if (!vt_chunk_header(m->r, m->r->streams[h->stream].chunks[h->chunk].off, &c))
    m->r->done_bytes += c.sz;
  if (d->failed) note_failure(m, h);
  h->events = d->events;
  h->at = 0;
  h->cnt = d->cnt;
  if (d->cnt) h->last_tick = d->events[d->cnt - 1].time;
  find_op(m);
  return d->cnt != 0;
}

/* next_chunk moves the head at the top of the heap to its next chunk, or off the heap. */
static void next_chunk(vt_pass_t *m) {
  head_t *h = &m->heap[0];
  vt_stream_ref_t const *s = &m->r->streams[h->stream];
  h->events = NULL;
  if (++h->chunk < s->chunks_cnt) {
    h->key = key_of(s->chunks[h->chunk].first, 1);
  } else {
    vt_decoder_drop(m->decoder, h->stream);
    m->taken[h->stream] = h->chunk;
    m->heap[0] = m->heap[--m->heap_cnt];
  }
  if (m->heap_cnt) sift_down(m, 0);
}

static void new_thread(vt_pass_t *m, head_t *h, uint32_t id) {
  h->id = id;
  h->thread = vt_threads_index(m->r, id);
}

/* finish_run turns events of the head from ticks and identities into nanoseconds and indexes, while
   they come before the other streams (limit) and before the next operation on a heap. Returns how
   many.
 */
static size_t finish_run(vt_pass_t *m, head_t *h, uint64_t limit, size_t max) {
  vt_event_t *e = h->events + h->at, *end = e + max;
  uint64_t last = m->last_time;
  for (; e < end && event_key(e) <= limit; e++) {
    uint64_t ns = vt_reader_ns(m->r, e->time);
    if (ns < last) ns = last;
    last = ns;
    if (__builtin_expect(ns >= m->op_time, 0)) break;
    if (__builtin_expect(e->thread != h->id, 0)) new_thread(m, h, e->thread);
    e->time = ns;
    e->thread = h->thread;
  }
  m->last_time = last;
  return (size_t)(e - (h->events + h->at));
}

/* keep puts a finished run where it will be delivered from. */
static void keep(vt_pass_t *m, vt_event_t const *events, size_t cnt) {
  if (cnt >= LONG_RUN) {
    m->run = events;
    m->run_cnt = cnt;
  } else if (cnt) {
    memcpy(m->batch + m->batch_cnt, events, cnt * sizeof *events);
    m->batch_cnt += cnt;
  }
}

/* run_top finishes events of the top head as long as it stays first. */
static void run_top(vt_pass_t *m) {
  head_t *h = &m->heap[0];
  uint64_t limit = m->limit - 1;
  if (!h->events && !load(m, h)) return next_chunk(m);
  if (h->at == h->cnt) {
    if (h->last_tick > m->r->end_ticks) m->r->end_ticks = h->last_tick;
    return next_chunk(m);
  }
  if (m->heap_cnt > 1 && m->heap[1].key < limit) limit = m->heap[1].key;
  if (m->heap_cnt > 2 && m->heap[2].key < limit) limit = m->heap[2].key;
  size_t room = BATCH - m->batch_cnt, left = h->cnt - h->at;
  size_t cnt = finish_run(m, h, limit, left < room ? left : room);
  keep(m, h->events + h->at, cnt);
  h->at += cnt;
  if (h->at < h->cnt) {
    h->key = event_key(&h->events[h->at]);
    sift_down(m, 0);
  }
}

/* forget_messages empties what the segments of a raw trace will tell again. */
static void forget_messages(vt_reader_t *r) {
  uint64_t counters[VT_COUNTER_MAX + 1], known = r->tables.counters_known;
  memcpy(counters, r->tables.counters, sizeof counters);
  vt_tables_clear(&r->tables);
  vt_threads_forget_names(r);
  memcpy(r->tables.counters, counters, sizeof counters);
  r->tables.counters_known = known;
}

/* add_heads puts the streams that have chunks to be read on the heap. */
static void add_heads(vt_pass_t *m) {
  vt_reader_t const *r = m->r;
  while (m->taken_cnt < r->streams_cnt) VT_PUSH(m->taken, 0);
  for (size_t i = 0; i < r->streams_cnt; i++) {
    if (m->taken[i] >= r->streams[i].chunks_cnt) continue;
    uint64_t first = r->streams[i].chunks[m->taken[i]].first;
    m->late += vt_reader_ns(r, first) < m->last_time;
    VT_PUSH(m->heap, ((head_t){.key = key_of(first, 1), .stream = i, .chunk = m->taken[i], .id = UINT32_MAX}));
    m->taken[i] = SIZE_MAX;
  }
  for (size_t i = m->heap_cnt; i-- > 0;) sift_down(m, i);
}

static vt_pass_t *new_pass(vt_reader_t *r) {
  vt_pass_t *m = vt_mem_new(1, sizeof *m);
  m->r = r;
  m->limit = m->limit_ns = UINT64_MAX;
  r->shown = r->integrity;
  r->done_bytes = 0;
  m->decoder = vt_decoder_new(r);
  m->batch = vt_mem_resize(NULL, BATCH, sizeof *m->batch);
  add_heads(m);
  find_op(m);
  return m;
}

vt_pass_t *vt_pass_begin(vt_reader_t *r) {
  if (r->info.raw) forget_messages(r);
  return new_pass(r);
}

/* set_limit: while the file is written, what is a while older than the collector's last word that it has everything is
   certain; of one thread's events each is there before the next one is stamped. Events have their times rounded down
   to units, so it must be. */
static void set_limit(vt_pass_t *m) {
  vt_reader_t const *r = m->r;
  uint64_t back = r->streams_cnt > 1 ? r->header.tick_hz / HELD_BACK : 0;
  uint64_t tick = (r->whole_until > back ? r->whole_until - back : 0) >> r->header.time_shift << r->header.time_shift;
  m->limit = m->limit_ns = UINT64_MAX;
  if (!r->integrity.recording) return;
  m->limit = key_of(tick, 0);
  m->limit_ns = vt_reader_ns(r, tick);
}

vt_pass_t *vt_pass_follow(vt_reader_t *r) {
  vt_pass_t *m = new_pass(r);
  set_limit(m);
  return m;
}

void vt_pass_lift(vt_pass_t *m) { m->limit = m->limit_ns = UINT64_MAX; }

/* find_place: operations that came too late may have moved those that have been delivered. */
static void find_place(vt_pass_t *m) {
  vt_tables_t const *t = &m->r->tables;
  while (m->next_op && m->next_op < t->ops_cnt && memcmp(&t->ops[m->next_op - 1], &m->op, sizeof m->op)) {
    m->next_op++;
    m->late++;
  }
  find_op(m);
}

int vt_pass_grow(vt_pass_t *m, vt_error_t *error) {
  vt_decoder_rest(m->decoder);
  if (vt_reader_grow(m->r, error)) return -1;
  vt_decoder_grow(m->decoder);
  add_heads(m);
  find_place(m);
  set_limit(m);
  return 0;
}

uint64_t vt_pass_time(vt_pass_t const *m) {
  if (m->heap_cnt && m->heap[0].key < m->limit) return m->last_time;
  return m->limit_ns == UINT64_MAX ? vt_reader_end_time(m->r) : m->limit_ns;
}

int vt_pass_orderly(vt_pass_t const *m) { return !m->late && !m->bad; }

static int deliver(vt_pass_t *m, vt_batch_t *out, vt_event_t const *events, size_t *cnt) {
  *out = (vt_batch_t){.events = events, .cnt = *cnt};
  m->events += *cnt;
  *cnt = 0;
  return 1;
}

int vt_pass_next(vt_pass_t *m, vt_batch_t *out) {
  while (m->heap_cnt && m->heap[0].key < m->limit && !m->run_cnt && m->batch_cnt < BATCH && m->last_time < m->op_time)
    run_top(m);
  if (m->batch_cnt) return deliver(m, out, m->batch, &m->batch_cnt);
  if (m->run_cnt) return deliver(m, out, m->run, &m->run_cnt);
  if (m->op_time == VT_TIME_NEVER || m->op_time >= m->limit_ns) return 0;
  m->op = m->r->tables.ops[m->next_op++];
  *out = (vt_batch_t){.op = &m->op};
  find_op(m);
  return 1;
}

void vt_pass_end(vt_pass_t *m) {
  vt_reader_t *r = m->r;
  vt_integrity_t *in = &r->shown;
  in->events = m->events;
  in->bad_events = m->bad;
  uint64_t lost = vt_decoder_lost(m->decoder), counted = r->tables.counters[VT_COUNTER_LOST];
  in->lost_events = lost > counted ? lost : counted;
  vt_decoder_delete(m->decoder);
  free(m->heap);
  free(m->taken);
  free(m->batch);
  free(m);
}

int vt_reader_run(vt_reader_t *r, vt_reader_sink_t const *sink) {
  vt_pass_t *pass = vt_pass_begin(r);
  vt_batch_t batch;
  int result = 0;
  while (!result && vt_pass_next(pass, &batch)) {
    if (!batch.op)
      result = sink->events(sink->context, batch.events, batch.cnt);
    else if (sink->heap_op)
      sink->heap_op(sink->context, batch.op);
  }
  vt_pass_end(pass);
  return result;
}
