/* The curve of live bytes in a bounded number of intervals: when they run out, pairs are merged and
   intervals become twice as long. */
#include <string.h>
#include "analyzer/model/internal.h"

static void merge_pairs(vt_model_t *model) {
  for (size_t i = 0; i < model->moments_max / 2; i++) {
    vt_moment_t const *a = &model->moments[2 * i], *b = a + 1;
    model->moments[i] = (vt_moment_t){.max_bytes = a->max_bytes > b->max_bytes ? a->max_bytes : b->max_bytes,
                                      .sure_bytes = a->sure_bytes > b->sure_bytes ? a->sure_bytes : b->sure_bytes,
                                      .end_bytes = b->end_bytes,
                                      .end_blocks = b->end_blocks,
                                      .allocations = a->allocations + b->allocations,
                                      .frees = a->frees + b->frees,
                                      .allocated_bytes = a->allocated_bytes + b->allocated_bytes};
  }
  memset(model->moments + model->moments_max / 2, 0, model->moments_max / 2 * sizeof *model->moments);
  model->moment /= 2;
  model->moment_step *= 2;
}

static void close_moment(vt_model_t *model) {
  vt_moment_t *moment = &model->moments[model->moment];
  moment->end_bytes = model->live_bytes;
  moment->end_blocks = model->live_blocks;
  vt_timeline_note(model);
}

void vt_timeline_advance(vt_model_t *model, uint64_t time) {
  close_moment(model);
  while (time / model->moment_step >= model->moments_max) {
    for (size_t i = model->moment + 1; i < model->moments_max; i++) {
      model->moment = i;
      close_moment(model);
    }
    merge_pairs(model);
  }
  while (model->moment < time / model->moment_step) {
    close_moment(model);
    model->moment++;
    vt_timeline_note(model);
  }
  close_moment(model);
  model->moment_end = (model->moment + 1) * model->moment_step;
}
