/* See replay.h. */
#include "analyzer/snapshot/replay.h"
#include "analyzer/model/model.h"
#include "analyzer/trace/stretches.h"
#include "analyzer/trace/summary.h"
#include "analyzer/util/mem.h"

#include <stdlib.h>

/* Events until a moment. What happens in the time that a copy was made in may have happened before or after it: what is
   freed then stays, what is allocated then is added, and of both nothing is said. */
struct vt_replay {
  vt_reader_t *reader;
  vt_model_t *model;
  vt_pass_t *pass; /* NULL: none has followed */
  uint64_t begun, made; /* ns */
  int anew;
  vt_replayed_t out;
};

/* declare tells of stretches that are not recorded, before the events of that time. What is told again changes nothing. */
static void declare(vt_replay_t *r) {
  size_t cnt;
  vt_stretch_t *stretches = vt_stretches(r->reader, &cnt);
  for (size_t i = 0; i < cnt; i++) vt_model_stretch(r->model, 0, stretches[i].from, stretches[i].to);
  free(stretches);
}

static void begin_model(vt_replay_t *r) {
  if (r->model) vt_model_delete(r->model);
  r->model = vt_model_new(&(vt_model_options_t){0});
  vt_model_add_trace(r->model, 0);
  declare(r);
  if (vt_reader_summary(r->reader)) vt_model_resume(r->model, 0, vt_reader_summary(r->reader));
}

vt_replay_t *vt_replay_open(char const *path) {
  vt_error_t error;
  vt_reader_t *reader = vt_reader_open(path, &error);
  if (!reader) return NULL;
  vt_replay_t *r = vt_mem_new(1, sizeof *r);
  *r = (vt_replay_t){.reader = reader, .begun = UINT64_MAX, .made = UINT64_MAX};
  begin_model(r);
  return r;
}

static void end_pass(vt_replay_t *r) {
  if (r->pass) vt_pass_end(r->pass);
  r->pass = NULL;
}

void vt_replay_close(vt_replay_t *r) {
  if (!r) return;
  end_pass(r);
  vt_model_delete(r->model);
  vt_reader_close(r->reader);
  free(r);
}

static void fold_one(vt_replay_t *r, vt_event_t const *e) {
  if (e->time > r->made) return;
  int frees = e->kind == VT_EVENT_FREE || e->kind == VT_EVENT_REALLOC_INTENT;
  if (e->time >= r->begun && e->address && e->kind <= VT_EVENT_REALLOC_DONE) VT_PUSH(r->out.between, e->address);
  if (e->time < r->begun || !frees) vt_model_events(r->model, 0, e, 1);
}

static void fold(vt_replay_t *r, vt_batch_t const *batch) {
  if (batch->op) return; /* on a heap of its own, whose blocks are not judged */
  if (batch->cnt && batch->events[batch->cnt - 1].time < r->begun)
    vt_model_events(r->model, 0, batch->events, batch->cnt);
  else
    for (size_t i = 0; i < batch->cnt; i++) fold_one(r, &batch->events[i]);
}

static int never(void *context) { return context != NULL; }

static void read_on(vt_replay_t *r, int (*stop)(void *context), void *context) {
  vt_batch_t batch;
  while (!stop(context) && vt_pass_next(r->pass, &batch)) fold(r, &batch);
}

int vt_replay_follow(vt_replay_t *r, int (*stop)(void *context), void *context) {
  vt_error_t error;
  if (!r->pass) r->pass = vt_pass_follow(r->reader);
  if (vt_pass_grow(r->pass, &error)) return -1;
  declare(r);
  read_on(r, stop, context);
  return 0;
}

vt_reader_t *vt_replay_whole(vt_replay_t *r) {
  vt_error_t error;
  if (!r->pass) return r->reader;
  if (vt_pass_grow(r->pass, &error)) return NULL;
  vt_pass_lift(r->pass);
  declare(r);
  return r->reader;
}

/* read_anew: a pass over what is finished knows the order of everything. */
static void read_anew(vt_replay_t *r) {
  end_pass(r);
  begin_model(r);
  r->pass = vt_pass_begin(r->reader);
  read_on(r, never, NULL);
}

/* gather: of a block that may have been freed while recording was paused nothing is said; like all that was allocated
   then its memory is a root. */
static void gather(void *context, vt_model_live_t const *block) {
  vt_replayed_t *out = context;
  if (block->unsure) return;
  VT_PUSH(out->blocks, ((vt_live_block_t){block->address, block->size}));
  VT_PUSH(out->origins, ((vt_origin_t){block->address, block->cell}));
}

vt_replayed_t vt_replay_finish(vt_replay_t *r, uint64_t begun, uint64_t made) {
  int followed = r->pass != NULL;
  if (made) {
    r->begun = vt_reader_time(r->reader, begun);
    r->made = vt_reader_time(r->reader, made);
  }
  if (followed) read_on(r, never, NULL);
  r->anew = followed && !vt_pass_orderly(r->pass);
  if (!followed || r->anew) read_anew(r);
  end_pass(r);
  vt_model_finish(r->model, r->made);
  vt_model_live(r->model, gather, &r->out);
  r->out.missed = vt_model_totals(r->model)->missed_frees;
  r->out.missed -= r->out.missed < r->out.between_cnt ? r->out.missed : r->out.between_cnt;
  return r->out;
}

int vt_replay_anew(vt_replay_t const *r) { return r->anew; }
