/* Decoding event chunks, ahead of the merge and on all CPUs (pool.h): packed chunks decode alone.

   Each stream that has begun holds at most AHEAD decoded chunks: the one being merged and those being
   prepared; only the one being merged when many streams run side by side, to bound memory. Raw
   segments share the trie that they build, so they are decoded when asked for. */
#include "analyzer/trace/pool.h"
#include "analyzer/trace/reader_private.h"

#define AHEAD 3
/* Open streams up to which two chunks, or one, are prepared for each. */
#define FEW_STREAMS 6
#define SOME_STREAMS 24

typedef struct {
  vt_task_t task; /* first: the pool's tasks are our jobs */
  vt_reader_t const *r;
  vt_thread_ids_t *threads;
  size_t stream, index;
  vt_decoded_t out;
  size_t cap; /* of out.events */
} job_t;

typedef struct {
  job_t jobs[AHEAD]; /* chunk i is in jobs[i % AHEAD] */
  size_t scheduled;  /* chunks below this have been queued */
  int open;          /* has begun and not been dropped */
  vt_raw_stream_t raw;
} lane_t;

struct vt_decoder {
  vt_reader_t *r;
  lane_t **lanes; /* one for each stream; they lie still */
  size_t lanes_cnt, lanes_cap;
  size_t open_cnt;
  vt_raw_sink_t sink;
  vt_tools_t tools; /* of the caller's thread */
};

/* check_stacks replaces ids that the trie does not have. */
static void check_stacks(vt_reader_t const *r, vt_decoded_t *out) {
  for (size_t i = 0; i < out->cnt; i++)
    if (out->events[i].stack >= r->trie.cnt) out->events[i].stack = 0;
}

static void make_room(job_t *j, size_t cnt) {
  if (cnt <= j->cap) return;
  free(j->out.events);
  j->out.events = vt_mem_resize(NULL, cnt, sizeof *j->out.events);
  j->cap = cnt;
}

/* decode_packed decodes one EVENTS chunk; what it could not becomes `failed`. */
static void decode_packed(vt_task_t *task, vt_tools_t *t) {
  job_t *j = (job_t *)task;
  vt_reader_t const *r = j->r;
  vt_chunk_t c;
  uint8_t const *p;
  size_t sz;
  j->out.cnt = 0;
  j->out.failed = 1;
  if (vt_chunk_header(r, r->streams[j->stream].chunks[j->index].off, &c)) return;
  if (vt_chunk_payload(r, &c, &t->payload)) return;
  if (vt_chunk_unpack(&c, &t->payload, &t->unpacked, &p, &sz)) return;
  uint32_t cnt = vt_codec_count(p, sz);
  make_room(j, cnt);
  j->out.cnt = vt_codec_decode(t->codec, p, sz, r->header.time_shift, j->threads, j->out.events);
  j->out.failed = !cnt || j->out.cnt != cnt;
  check_stacks(r, &j->out);
}

static void decode_raw(vt_decoder_t *d, job_t *j) {
  vt_chunk_t c;
  uint32_t committed, at = 0;
  lane_t *lane = d->lanes[j->stream];
  j->out.cnt = 0;
  j->out.failed = 1;
  vt_chunk_ref_t const *ref = &d->r->streams[j->stream].chunks[j->index];
  if (vt_chunk_header(d->r, ref->off, &c)) return;
  if (vt_chunk_segment(d->r, &c, &d->tools.payload, &committed)) return;
  if (committed > ref->committed) committed = ref->committed; /* each pass sees the same events */
  make_room(j, VT_SEGMENT_RECORDS_MAX / 16 + 1);
  uint64_t bad = d->sink.bad;
  vt_raw_begin(&lane->raw, d->tools.payload.data);
  j->out.cnt = vt_raw_decode(&lane->raw, &d->sink, d->tools.payload.data, &at, committed,
                             j->out.events, j->cap);
  j->out.failed = d->sink.bad != bad;
}

static void on_message(void *context, uint16_t type, uint32_t stack, uint8_t const *payload,
                       uint32_t sz) {
  if (type == VT_CHUNK_MAPPING)
    vt_tables_mapping(context, stack, payload, sz);
  else
    vt_tables_message(context, type, payload, sz);
  if (type == VT_CHUNK_JIT) vt_tables_sort_jit(context);
}

void vt_decoder_grow(vt_decoder_t *d) {
  while (d->lanes_cnt < d->r->streams_cnt) VT_PUSH(d->lanes, vt_mem_new(1, sizeof **d->lanes));
}

vt_decoder_t *vt_decoder_new(vt_reader_t *r) {
  vt_decoder_t *d = vt_mem_new(1, sizeof *d);
  d->r = r;
  vt_decoder_grow(d);
  d->sink =
      (vt_raw_sink_t){.trie = &r->trie,
                      .threads = &r->thread_ids,
                      .no_free_stacks = (r->header.optional & VT_OPTIONAL_NO_FREE_STACKS) != 0,
                      .message = on_message,
                      .context = r};
  vt_tools_init(&d->tools);
  if (!r->info.raw) vt_pool_enter();
  return d;
}

static void free_job(job_t *j) {
  vt_pool_cancel(&j->task);
  free(j->out.events);
  *j = (job_t){0};
}

void vt_decoder_drop(vt_decoder_t *d, size_t stream) {
  lane_t *lane = d->lanes[stream];
  for (size_t i = 0; i < AHEAD; i++) free_job(&lane->jobs[i]);
  d->open_cnt -= (size_t)lane->open;
  lane->open = 0;
  vt_raw_stream_fini(&lane->raw);
}

void vt_decoder_delete(vt_decoder_t *d) {
  for (size_t i = 0; i < d->lanes_cnt; i++) {
    vt_decoder_drop(d, i);
    free(d->lanes[i]);
  }
  if (!d->r->info.raw) vt_pool_leave();
  vt_tools_fini(&d->tools);
  free(d->lanes);
  free(d);
}

void vt_decoder_rest(vt_decoder_t *d) {
  for (size_t i = 0; i < d->lanes_cnt; i++)
    for (size_t k = 0; k < AHEAD; k++) vt_pool_finish(&d->lanes[i]->jobs[k].task, &d->tools);
}

/* schedule queues the chunks that may be decoded beside chunk `index`, the one in use. */
static void schedule(vt_decoder_t *d, size_t stream, size_t index) {
  lane_t *lane = d->lanes[stream];
  size_t cnt = d->r->streams[stream].chunks_cnt;
  size_t ahead = d->open_cnt <= FEW_STREAMS ? AHEAD : d->open_cnt <= SOME_STREAMS ? 2 : 1;
  size_t consumed = index + AHEAD - 1;
  if (ahead < AHEAD && lane->scheduled <= consumed) free_job(&lane->jobs[consumed % AHEAD]);
  for (; lane->scheduled < cnt && lane->scheduled < index + ahead; lane->scheduled++) {
    job_t *j = &lane->jobs[lane->scheduled % AHEAD];
    j->task.run = decode_packed;
    j->r = d->r;
    j->threads = &d->r->thread_ids;
    j->stream = stream;
    j->index = lane->scheduled;
    vt_pool_queue(&j->task);
  }
}

vt_decoded_t *vt_decoder_get(vt_decoder_t *d, size_t stream, size_t index) {
  lane_t *lane = d->lanes[stream];
  d->open_cnt += (size_t)!lane->open;
  lane->open = 1;
  if (d->r->info.raw) {
    job_t *j = &lane->jobs[0];
    j->stream = stream;
    j->index = index;
    decode_raw(d, j);
    return &j->out;
  }
  schedule(d, stream, index);
  vt_pool_finish(&lane->jobs[index % AHEAD].task, &d->tools);
  return &lane->jobs[index % AHEAD].out;
}

uint64_t vt_decoder_lost(vt_decoder_t const *d) { return d->sink.lost; }
