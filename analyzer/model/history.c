/* What every cell did when, in a bounded number of stretches of time: the timeline of each call
   stack, from which the HTML page shows a selected span. Entries are appended in order of time; a
   coarser resolution is one pass over them. */
#include "analyzer/model/internal.h"
#include "analyzer/util/mem.h"

#define MOMENTS_PER_BUCKET (VT_MOMENTS_MAX / VT_HISTORY_BUCKETS_MAX)
#define ENTRIES_MAX        (1 << 21) /* 112 MiB; beyond it buckets become longer */

static uint32_t bucket_now(vt_model_t const *model) {
  return (uint32_t)(model->moment / MOMENTS_PER_BUCKET) >> model->history_shift;
}

static uint32_t *last_of(vt_model_t *model, uint32_t cell) {
  while (model->history_last_cnt <= cell) VT_PUSH(model->history_last, NO_INDEX);
  return &model->history_last[cell];
}

/* The entry of this cell for the current time. */
static vt_history_t *entry_of(vt_model_t *model, uint32_t cell) {
  uint32_t *last = last_of(model, cell), bucket = bucket_now(model);
  if (*last != NO_INDEX && model->history[*last].bucket == bucket) return &model->history[*last];
  if (model->history_cnt >= ENTRIES_MAX && bucket) {
    model->history_shift++;
    vt_history_coarsen(model);
    return entry_of(model, cell);
  }
  vt_history_t entry = {.cell = cell, .bucket = bucket};
  *last = (uint32_t)model->history_cnt;
  VT_PUSH(model->history, entry);
  return &model->history[*last];
}

void vt_history_alloc(vt_model_t *model, vt_block_t const *block) {
  vt_history_t *entry = entry_of(model, block->cell);
  entry->allocations++;
  entry->allocated_bytes += block->size;
}

void vt_history_free(vt_model_t *model, vt_block_t const *block, int temporary) {
  vt_history_t *entry = entry_of(model, block->cell);
  entry->frees++;
  entry->freed_bytes += block->size;
  if (!temporary) return;
  entry->temporary++;
  entry->temporary_bytes += block->size;
}

static void add_entry(vt_history_t *sum, vt_history_t const *entry) {
  sum->allocations += entry->allocations;
  sum->allocated_bytes += entry->allocated_bytes;
  sum->frees += entry->frees;
  sum->freed_bytes += entry->freed_bytes;
  sum->temporary += entry->temporary;
  sum->temporary_bytes += entry->temporary_bytes;
}

void vt_history_coarsen(vt_model_t *model) {
  size_t kept = 0;
  for (size_t i = 0; i < model->history_last_cnt; i++) model->history_last[i] = NO_INDEX;
  for (size_t i = 0; i < model->history_cnt; i++) {
    vt_history_t entry = model->history[i];
    uint32_t *last = &model->history_last[entry.cell];
    entry.bucket /= 2;
    if (*last != NO_INDEX && model->history[*last].bucket == entry.bucket)
      add_entry(&model->history[*last], &entry);
    else {
      *last = (uint32_t)kept;
      model->history[kept++] = entry;
    }
  }
  model->history_cnt = kept;
}

vt_history_t const *vt_model_history(vt_model_t const *model, size_t *cnt, uint64_t *bucket_ns) {
  *cnt = model->history_cnt;
  *bucket_ns = model->moment_step * MOMENTS_PER_BUCKET << model->history_shift;
  return model->history;
}
