/* Each trace is a pass that hands out one batch at a time (its decoding goes on beside it); of
   several traces the oldest event goes first. */
#include "analyzer/report/merge.h"
#include <stdlib.h>
#include <string.h>
#include "analyzer/trace/stretches.h"
#include "analyzer/trace/summary.h"
#include "analyzer/util/progress.h"
#include "analyzer/util/mem.h"

typedef struct {
  vt_pass_t *pass;
  vt_batch_t batch; /* what is left of it */
  uint64_t shift;
  int more; /* the batch is one; 0 at the end of the trace */
} source_t;

static void refill(source_t *source) { source->more = vt_pass_next(source->pass, &source->batch); }

static uint64_t head_time(source_t const *source) {
  vt_batch_t const *batch = &source->batch;
  return source->shift + (batch->op ? batch->op->time : batch->events->time);
}

/* The source with the oldest event; *limit: the time of the next oldest in another one. */
static size_t oldest(source_t const *sources, size_t cnt, uint64_t *limit) {
  size_t best = cnt;
  uint64_t best_time = UINT64_MAX;
  *limit = UINT64_MAX;
  for (size_t i = 0; i < cnt; i++) {
    if (!sources[i].more) continue;
    uint64_t time = head_time(&sources[i]);
    if (best == cnt || time < best_time) {
      *limit = best_time;
      best = i;
      best_time = time;
    } else if (time < *limit)
      *limit = time;
  }
  return best;
}

/* How many events of the batch come up to `limit`; the first always does. */
static size_t events_until(source_t const *source, uint64_t limit) {
  vt_batch_t const *batch = &source->batch;
  size_t end = 1;
  if (limit == UINT64_MAX) return batch->cnt;
  while (end < batch->cnt && batch->events[end].time + source->shift <= limit) end++;
  return end;
}

/* Takes the events up to `limit`, or the operation on a heap. */
static void take(vt_model_t *model, uint32_t trace, source_t *source, uint64_t limit) {
  vt_batch_t *batch = &source->batch;
  if (batch->op) {
    vt_model_heap_op(model, trace, batch->op->heap, batch->op->op, batch->op->tag, batch->op->time);
    return refill(source);
  }
  size_t cnt = events_until(source, limit);
  vt_model_events(model, trace, batch->events, cnt);
  batch->events += cnt;
  batch->cnt -= cnt;
  if (!batch->cnt) refill(source);
}

static void show(vt_progress_t *progress, vt_reader_t *const *readers, size_t cnt) {
  uint64_t done = 0, total = 0;
  for (size_t i = 0; i < cnt; i++) {
    uint64_t done_here, total_here;
    vt_reader_progress(readers[i], &done_here, &total_here);
    done += done_here;
    total += total_here;
  }
  vt_progress_show(progress, done, total);
}

void vt_merge_run(vt_model_t *model, vt_reader_t *const *readers, uint64_t const *shifts,
                  size_t cnt) {
  vt_progress_t progress = vt_progress_start("reading events");
  source_t *sources = vt_mem_new(cnt, sizeof *sources);
  for (size_t i = 0; i < cnt; i++) {
    sources[i] = (source_t){.pass = vt_pass_begin(readers[i]), .shift = shifts[i]};
    refill(&sources[i]);
  }
  uint64_t limit, steps = 0;
  for (size_t i; (i = oldest(sources, cnt, &limit)) < cnt;) {
    take(model, (uint32_t)i, &sources[i], limit);
    if (!(++steps & 15)) show(&progress, readers, cnt);
  }
  uint64_t end = 0;
  for (size_t i = 0; i < cnt; i++) {
    vt_pass_end(sources[i].pass);
    uint64_t ended = shifts[i] + vt_reader_end_time(readers[i]);
    if (ended > end) end = ended;
  }
  free(sources);
  vt_progress_end(&progress);
  vt_model_finish(model, end);
}

static void announce(vt_model_t *model, uint32_t trace, vt_trace_heap_t const *heap) {
  vt_model_announcement_t what = {.op = heap->op,
                                  .heap = heap->heap,
                                  .parent = heap->parent,
                                  .kind = heap->kind,
                                  .name = heap->name};
  memcpy(what.uuid, heap->uuid, sizeof what.uuid);
  vt_model_heap(model, trace, &what);
}

void vt_merge_declare(vt_model_t *model, uint32_t trace, vt_reader_t const *reader) {
  size_t cnt;
  vt_stretch_t *stretches = vt_stretches(reader, &cnt);
  for (size_t i = 0; i < cnt; i++) vt_model_stretch(model, trace, stretches[i].from, stretches[i].to);
  free(stretches);
  vt_trace_heap_t const *heaps = vt_reader_heaps(reader, &cnt);
  for (size_t i = 0; i < cnt; i++) announce(model, trace, &heaps[i]);
  if (!vt_reader_interpreted(reader)) vt_model_not_interpreted(model, trace);
  if (vt_reader_info(reader)->optional & VT_OPTIONAL_DELETES && !vt_reader_counter(reader, VT_COUNTER_NEW_BEFORE))
    vt_model_deletes_tell(model, trace);
  vt_model_sampled(model, trace, vt_reader_info(reader)->sample_period);
}

void vt_merge_resume(vt_model_t *model, uint32_t trace, vt_reader_t const *reader) {
  vt_summary_t const *summary = vt_reader_summary(reader);
  if (summary) vt_model_resume(model, trace, summary);
}
