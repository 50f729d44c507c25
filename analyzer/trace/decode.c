/* Decoding event chunks, ahead of the merge and on several threads where chunks decode alone.

   Each stream that has begun holds at most AHEAD decoded chunks: the one being merged and those being
   prepared; only the one being merged when many streams run side by side, to bound memory. Raw
   segments share the trie that they build, so they are decoded when asked for. */
#include "analyzer/trace/reader_private.h"

#include <pthread.h>
#include <unistd.h>

#define AHEAD 3
/* Open streams up to which two chunks, or one, are prepared for each. */
#define FEW_STREAMS 6
#define SOME_STREAMS 24
#define WORKERS_MAX 8

/* A chunk on its way. */
enum { IDLE, QUEUED, BUSY, READY };
typedef struct job {
  int state;
  size_t stream, index;
  vt_decoded_t out;
  size_t cap;       /* of out.events */
  struct job *next; /* in the queue */
} job_t;

typedef struct {
  job_t jobs[AHEAD]; /* chunk i is in jobs[i % AHEAD] */
  size_t scheduled;  /* chunks below this have been queued */
  int open;          /* has begun and not been dropped */
  vt_raw_stream_t raw;
} lane_t;

/* What one thread needs to decode. */
typedef struct {
  vt_codec_t *codec;
  vt_bytes_t payload;
} tools_t;

struct vt_decoder {
  vt_reader_t *r;
  lane_t *lanes; /* one for each stream */
  size_t open_cnt;
  vt_raw_sink_t sink;
  tools_t tools; /* of the caller's thread */
  pthread_t workers[WORKERS_MAX];
  unsigned workers_cnt;
  pthread_mutex_t lock; /* guards all below and the state of jobs */
  pthread_cond_t work, done;
  job_t *first, **last;
  int stop;
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
static void decode_packed(vt_reader_t const *r, tools_t *t, job_t *j) {
  vt_chunk_t c;
  j->out.cnt = 0;
  j->out.failed = 1;
  if (vt_scan_header(r, r->streams[j->stream].chunks[j->index].off, &c)) return;
  if (vt_scan_payload(r, &c, &t->payload)) return;
  vt_bytes_t unpacked = {0};
  uint8_t const *p;
  size_t sz;
  if (vt_scan_unpack(&c, &t->payload, &unpacked, &p, &sz) == 0) {
    uint32_t cnt = vt_codec_count(p, sz);
    make_room(j, cnt);
    j->out.cnt = vt_codec_decode(t->codec, p, sz, r->header.time_shift, j->out.events);
    j->out.failed = !cnt || j->out.cnt != cnt;
    check_stacks(r, &j->out);
  }
  vt_bytes_free(&unpacked);
}

static void decode_raw(vt_decoder_t *d, job_t *j) {
  vt_chunk_t c;
  uint32_t committed, at = 0;
  lane_t *lane = &d->lanes[j->stream];
  j->out.cnt = 0;
  j->out.failed = 1;
  if (vt_scan_header(d->r, d->r->streams[j->stream].chunks[j->index].off, &c)) return;
  if (vt_scan_segment(d->r, &c, &d->tools.payload, &committed)) return;
  make_room(j, VT_SEGMENT_RECORDS_MAX / 16 + 1);
  uint64_t bad = d->sink.bad;
  vt_raw_begin(&lane->raw, d->tools.payload.data);
  j->out.cnt = vt_raw_decode(&lane->raw, &d->sink, d->tools.payload.data, &at, committed,
                             j->out.events, j->cap);
  j->out.failed = d->sink.bad != bad;
}

static void *work(void *arg) {
  vt_decoder_t *d = arg;
  tools_t tools = {.codec = vt_codec_new()};
  pthread_mutex_lock(&d->lock);
  while (!d->stop) {
    job_t *j = d->first;
    if (!j) {
      pthread_cond_wait(&d->work, &d->lock);
      continue;
    }
    if (!(d->first = j->next)) d->last = &d->first;
    if (j->state != QUEUED) continue;
    j->state = BUSY;
    pthread_mutex_unlock(&d->lock);
    decode_packed(d->r, &tools, j);
    pthread_mutex_lock(&d->lock);
    j->state = READY;
    pthread_cond_broadcast(&d->done);
  }
  pthread_mutex_unlock(&d->lock);
  vt_codec_delete(tools.codec);
  vt_bytes_free(&tools.payload);
  return NULL;
}

static void on_message(void *context, uint16_t type, uint8_t const *payload, uint32_t sz) {
  vt_tables_message(context, type, payload, sz);
}

vt_decoder_t *vt_decoder_new(vt_reader_t *r) {
  vt_decoder_t *d = vt_mem_new(1, sizeof *d);
  d->r = r;
  d->lanes = vt_mem_new(r->streams_cnt ? r->streams_cnt : 1, sizeof *d->lanes);
  d->last = &d->first;
  d->tools.codec = vt_codec_new();
  d->sink =
      (vt_raw_sink_t){.trie = &r->trie,
                      .no_free_stacks = (r->header.optional & VT_OPTIONAL_NO_FREE_STACKS) != 0,
                      .message = on_message,
                      .context = r};
  pthread_mutex_init(&d->lock, NULL);
  pthread_cond_init(&d->work, NULL);
  pthread_cond_init(&d->done, NULL);
  long cpus = sysconf(_SC_NPROCESSORS_ONLN);
  unsigned want = r->info.raw || r->integrity.event_chunks < 2 ? 0
                  : cpus > WORKERS_MAX                         ? WORKERS_MAX
                                                               : (unsigned)cpus;
  while (d->workers_cnt < want && !pthread_create(&d->workers[d->workers_cnt], NULL, work, d))
    d->workers_cnt++;
  return d;
}

static void free_job(job_t *j) {
  free(j->out.events);
  *j = (job_t){0};
}

/* unqueue takes a job that no worker has begun out of the queue. */
static void unqueue(vt_decoder_t *d, job_t *j) {
  job_t **at = &d->first;
  while (*at && *at != j) at = &(*at)->next;
  if (*at) *at = j->next;
  for (d->last = &d->first; *d->last;) d->last = &(*d->last)->next;
}

void vt_decoder_drop(vt_decoder_t *d, size_t stream) {
  lane_t *lane = &d->lanes[stream];
  pthread_mutex_lock(&d->lock);
  for (size_t i = 0; i < AHEAD; i++) {
    job_t *j = &lane->jobs[i];
    if (j->state == QUEUED) unqueue(d, j);
    while (j->state == BUSY) pthread_cond_wait(&d->done, &d->lock);
    free_job(j);
  }
  pthread_mutex_unlock(&d->lock);
  d->open_cnt -= (size_t)lane->open;
  lane->open = 0;
  vt_raw_stream_fini(&lane->raw);
}

void vt_decoder_delete(vt_decoder_t *d) {
  pthread_mutex_lock(&d->lock);
  d->stop = 1;
  pthread_cond_broadcast(&d->work);
  pthread_mutex_unlock(&d->lock);
  for (unsigned i = 0; i < d->workers_cnt; i++) pthread_join(d->workers[i], NULL);
  for (size_t i = 0; i < d->r->streams_cnt; i++) vt_decoder_drop(d, i);
  pthread_mutex_destroy(&d->lock);
  pthread_cond_destroy(&d->work);
  pthread_cond_destroy(&d->done);
  vt_codec_delete(d->tools.codec);
  vt_bytes_free(&d->tools.payload);
  free(d->lanes);
  free(d);
}

/* schedule queues the chunks that may be decoded beside chunk `index`, the one in use. */
static void schedule(vt_decoder_t *d, size_t stream, size_t index) {
  lane_t *lane = &d->lanes[stream];
  size_t cnt = d->r->streams[stream].chunks_cnt;
  size_t ahead = d->open_cnt <= FEW_STREAMS ? AHEAD : d->open_cnt <= SOME_STREAMS ? 2 : 1;
  job_t *consumed = &lane->jobs[(index + AHEAD - 1) % AHEAD];
  if (ahead < AHEAD && consumed->state != QUEUED && consumed->state != BUSY) free_job(consumed);
  for (size_t i = lane->scheduled; i < cnt && i < index + ahead; i++, lane->scheduled++) {
    job_t *j = &lane->jobs[i % AHEAD];
    j->stream = stream;
    j->index = i;
    j->state = QUEUED;
    j->next = NULL;
    *d->last = j;
    d->last = &j->next;
    pthread_cond_signal(&d->work);
  }
}

vt_decoded_t const *vt_decoder_get(vt_decoder_t *d, size_t stream, size_t index) {
  lane_t *lane = &d->lanes[stream];
  job_t *j = &lane->jobs[d->workers_cnt ? index % AHEAD : 0];
  d->open_cnt += (size_t)!lane->open;
  lane->open = 1;
  if (!d->workers_cnt) {
    j->stream = stream;
    j->index = index;
    if (d->r->info.raw)
      decode_raw(d, j);
    else
      decode_packed(d->r, &d->tools, j);
    return &j->out;
  }
  pthread_mutex_lock(&d->lock);
  schedule(d, stream, index);
  if (j->state == QUEUED) { /* no worker has come to it: do it here */
    unqueue(d, j);
    j->state = BUSY;
    pthread_mutex_unlock(&d->lock);
    decode_packed(d->r, &d->tools, j);
    pthread_mutex_lock(&d->lock);
    j->state = READY;
  }
  while (j->state != READY) pthread_cond_wait(&d->done, &d->lock);
  pthread_mutex_unlock(&d->lock);
  return &j->out;
}

uint64_t vt_decoder_lost(vt_decoder_t const *d) { return d->sink.lost; }
uint64_t vt_decoder_bad(vt_decoder_t const *d) { return d->sink.bad; }
