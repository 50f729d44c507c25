/* See fold.h. */
#include "analyzer/collector/fold.h"
#include "analyzer/model/model.h"
#include "analyzer/report/merge.h"
#include "analyzer/trace/copy.h"
#include "analyzer/trace/reader_private.h"
#include "analyzer/trace/stretches.h"
#include "analyzer/trace/summary.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define HIGHER 50 /* a sample of resident memory is kept that is higher by this part than the last one */

typedef struct {
  uint64_t clocks, resident, chunks;
} kept_t;

/* is_kept: events are in the summary, and so are operations on whole heaps; of clock pairs the first says how long the
   trace is, of samples the high ones what the peak is made of. */
static int is_kept(void *context, uint16_t type, uint8_t const *payload, size_t sz) {
  kept_t *k = context;
  uint64_t resident = type == VT_CHUNK_MEMORY && sz >= 16 ? vt_load64(payload + 8) : 0;
  switch (type) {
  case VT_CHUNK_EVENTS:
  case VT_CHUNK_HEAP_OP:
  case VT_CHUNK_SUMMARY: return 0;
  case VT_CHUNK_CLOCK:
    if (k->clocks++) return 0;
    break;
  case VT_CHUNK_MEMORY:
    if (resident <= k->resident + k->resident / HIGHER) return 0;
    k->resident = resident;
    break;
  default: break;
  }
  k->chunks++;
  return 1;
}

static int take_events(void *context, vt_event_t const *events, size_t cnt) {
  vt_model_events(context, 0, events, cnt);
  return 0;
}

static void take_op(void *context, vt_trace_heap_op_t const *op) {
  vt_model_heap_op(context, 0, op->heap, op->op, op->tag, op->time);
}

/* forgive: what a paused stretch, or one before recording began, leaves open is no error. */
static void forgive(vt_model_t *model, vt_reader_t const *reader) {
  size_t cnt;
  vt_stretch_t *stretches = vt_stretches(reader, &cnt);
  if (cnt) vt_model_partial(model, 0, stretches[0].from);
  free(stretches);
}

static void summarize(vt_reader_t *reader, uint64_t tick, vt_bytes_t *out) {
  vt_model_t *model = vt_model_new(&(vt_model_options_t){0});
  vt_summary_t summary;
  vt_model_add_trace(model, 0);
  forgive(model, reader);
  vt_merge_declare(model, 0, reader);
  vt_merge_resume(model, 0, reader);
  vt_reader_run(reader, &(vt_reader_sink_t){take_events, take_op, model});
  vt_model_summarize(model, &summary);
  summary.tick = tick;
  vt_summary_encode(&summary, reader, out);
  vt_summary_free(&summary);
  vt_model_delete(model);
}

static int count_all(void *context, uint16_t type, uint8_t const *payload, size_t sz) {
  kept_t *k = context;
  (void)type, (void)payload, (void)sz;
  k->chunks++;
  return 1;
}

void vt_fold_write(vt_fold_t const *fold, char const *to, vt_folded_t *result) {
  vt_error_t error;
  vt_bytes_t summary = {0};
  kept_t kept = {0};
  vt_reader_t *reader = vt_reader_open_until(fold->path, fold->cut, &error);
  int fd = reader ? open(to, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
  if (fd >= 0) {
    vt_writer_t *writer = vt_writer_on(fd, to);
    vt_writer_header(writer, &reader->header);
    int failed = vt_copy_chunks(reader->fd, reader->header_sz, fold->cut, writer, is_kept, &kept);
    summarize(reader, fold->tick, &summary);
    vt_writer_chunk(writer, VT_CHUNK_SUMMARY, VT_CHUNK_FLAG_ZSTD | VT_CHUNK_FLAG_REQUIRED, 0, summary.data, summary.sz);
    if (!failed) failed = vt_copy_chunks(reader->fd, fold->cut, fold->end, writer, count_all, &kept);
    result->size = vt_writer_bytes(writer);
    result->chunks = kept.chunks + 1;
    result->whole = !vt_writer_close(writer) && !failed;
  }
  vt_bytes_free(&summary);
  vt_reader_close(reader);
}
