/* Each trace is read by a thread of its own that hands over one batch at a time, so that decoding
   and folding go on side by side; of several traces the oldest event goes first. */
#include "analyzer/report/merge.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/util/progress.h"
#include "analyzer/util/mem.h"

/* A hand-over of one batch; `full` is guarded by `lock`. */
typedef struct {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  pthread_t thread;
  vt_reader_t *reader;
  vt_event_t *events;
  size_t cnt, cap, at;
  vt_trace_heap_op_t op;
  int is_op, full, finished;
  uint64_t done, total; /* progress of the reader */
} box_t;

/* Waits until the box is empty (wanted 0) or full or finished (wanted 1); returns with the lock. */
static void lock_when(box_t *box, int wanted) {
  pthread_mutex_lock(&box->lock);
  while (box->full != wanted && !(wanted && box->finished))
    pthread_cond_wait(&box->changed, &box->lock);
}

static void unlock(box_t *box) {
  pthread_cond_broadcast(&box->changed);
  pthread_mutex_unlock(&box->lock);
}

static int put_events(void *context, vt_event_t const *events, size_t cnt) {
  box_t *box = context;
  if (!cnt) return 0;
  lock_when(box, 0);
  if (cnt > box->cap) {
    box->events = vt_mem_resize(box->events, cnt, sizeof *events);
    box->cap = cnt;
  }
  memcpy(box->events, events, cnt * sizeof *events);
  vt_reader_progress(box->reader, &box->done, &box->total);
  box->cnt = cnt;
  box->at = 0;
  box->is_op = 0;
  box->full = 1;
  unlock(box);
  return 0;
}

static void put_op(void *context, vt_trace_heap_op_t const *op) {
  box_t *box = context;
  lock_when(box, 0);
  box->op = *op;
  box->is_op = 1;
  box->full = 1;
  unlock(box);
}

static void *read_thread(void *context) {
  box_t *box = context;
  vt_reader_run(box->reader, &(vt_reader_sink_t){put_events, put_op, box});
  lock_when(box, 0);
  box->finished = 1;
  unlock(box);
  return NULL;
}

static uint64_t head_time(box_t const *box) {
  if (!box->full) return UINT64_MAX;
  return box->is_op ? box->op.time : box->events[box->at].time;
}

/* The box with the oldest event; *limit: the time of the next oldest in another one. */
static size_t oldest(box_t *boxes, uint64_t const *shifts, size_t cnt, uint64_t *limit) {
  size_t best = cnt;
  uint64_t best_time = UINT64_MAX;
  *limit = UINT64_MAX;
  for (size_t i = 0; i < cnt; i++) {
    if (!boxes[i].full) continue;
    uint64_t time = head_time(&boxes[i]) + shifts[i];
    if (best == cnt || time < best_time) {
      *limit = best_time;
      best = i;
      best_time = time;
    } else if (time < *limit)
      *limit = time;
  }
  return best;
}

/* Waits for the next batch or the end of the trace. */
static void refill(box_t *box) {
  lock_when(box, 1);
  unlock(box);
}

/* Takes the events up to `limit` out of a full box; waits for the next batch when it gets empty. */
static void take(vt_model_t *model, uint32_t trace, box_t *box, uint64_t shift, uint64_t limit) {
  size_t end = box->at;
  if (box->is_op)
    vt_model_heap_op(model, trace, box->op.heap, box->op.op, box->op.tag, box->op.time);
  else {
    do end++;
    while (end < box->cnt && box->events[end].time + shift <= limit);
    vt_model_events(model, trace, box->events + box->at, end - box->at);
    box->at = end;
    if (end < box->cnt) return;
  }
  pthread_mutex_lock(&box->lock);
  box->full = 0;
  unlock(box);
  refill(box);
}

static void show(vt_progress_t *progress, box_t const *boxes, size_t cnt) {
  uint64_t done = 0, total = 0;
  for (size_t i = 0; i < cnt; i++) {
    done += boxes[i].done;
    total += boxes[i].total;
  }
  vt_progress_show(progress, done, total);
}

static int merge_all(vt_model_t *model, vt_reader_t *const *readers, uint64_t const *shifts,
                     size_t cnt, vt_progress_t *progress) {
  box_t *boxes = vt_mem_new(cnt, sizeof *boxes);
  size_t started = 0;
  for (; started < cnt; started++) {
    box_t *box = &boxes[started];
    box->reader = readers[started];
    pthread_mutex_init(&box->lock, NULL);
    pthread_cond_init(&box->changed, NULL);
    if (pthread_create(&box->thread, NULL, read_thread, box)) break;
    refill(box);
  }
  uint64_t limit, steps = 0;
  for (size_t i; (i = oldest(boxes, shifts, started, &limit)) < started;) {
    take(model, (uint32_t)i, &boxes[i], shifts[i], limit);
    if (!(++steps & 15)) show(progress, boxes, started);
  }
  for (size_t i = 0; i < started; i++) {
    pthread_join(boxes[i].thread, NULL);
    free(boxes[i].events);
  }
  free(boxes);
  return started == cnt ? 0 : -1;
}

int vt_merge_run(vt_model_t *model, vt_reader_t *const *readers, uint64_t const *shifts,
                 size_t cnt) {
  vt_progress_t progress = vt_progress_start("reading events");
  int result = merge_all(model, readers, shifts, cnt, &progress);
  vt_progress_end(&progress);
  vt_model_finish(model);
  return result;
}
