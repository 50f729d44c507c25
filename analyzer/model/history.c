/* What every cell did when, in a bounded number of stretches of time: the timeline of each call
   stack, from which the HTML page shows a selected span. Entries are appended in order of time; a
   coarser resolution is one pass over them. */
#include "analyzer/model/internal.h"
#include "analyzer/util/mem.h"

#define MOMENTS_PER_BUCKET (VT_MOMENTS_MAX / VT_HISTORY_BUCKETS_MAX)
#define ENTRIES_MAX        (1 << 21) /* 128 MiB; beyond it buckets become longer */

static uint32_t bucket_now(vt_model_t const *model) {
  return (uint32_t)(model->moment / MOMENTS_PER_BUCKET) >> model->history_shift;
}

static uint32_t *last_of(vt_model_t *model, uint32_t cell) {
  while (model->history_last_cnt <= cell) VT_PUSH(model->history_last, NO_INDEX);
  return &model->history_last[cell];
}

/* The newest entry of the cell in this bucket for blocks of that age, among those that are linked
   from `at`; NO_INDEX: none. */
static uint32_t find_entry(vt_model_t const *model, uint32_t at, uint32_t bucket, uint32_t born) {
  for (; at != NO_INDEX && model->history[at].bucket == bucket; at = model->history[at].before)
    if (model->history[at].born == born) return at;
  return NO_INDEX;
}

/* The entry of the block's cell and bucket for the current time. */
static vt_history_t *entry_of(vt_model_t *model, vt_block_t const *block) {
  uint32_t *last = last_of(model, block->cell), bucket = bucket_now(model);
  uint64_t step = model->moment_step * MOMENTS_PER_BUCKET << model->history_shift;
  uint32_t born = block->time / step < bucket ? (uint32_t)(block->time / step) : bucket;
  uint32_t at = find_entry(model, *last, bucket, born);
  if (at != NO_INDEX) return &model->history[at];
  if (model->history_cnt >= ENTRIES_MAX && bucket) {
    model->history_shift++;
    vt_history_coarsen(model);
    return entry_of(model, block);
  }
  vt_history_t entry = {
      .cell = block->cell, .bucket = bucket, .born = born, .before = *last};
  *last = (uint32_t)model->history_cnt;
  VT_PUSH(model->history, entry);
  return &model->history[*last];
}

void vt_history_alloc(vt_model_t *model, vt_block_t const *block) {
  vt_history_t *entry = entry_of(model, block);
  entry->allocations++;
  entry->allocated_bytes += block->size;
}

void vt_history_free(vt_model_t *model, vt_block_t const *block, int temporary) {
  vt_history_t *entry = entry_of(model, block);
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
    entry.born /= 2;
    uint32_t at = find_entry(model, *last, entry.bucket, entry.born);
    if (at != NO_INDEX)
      add_entry(&model->history[at], &entry);
    else {
      entry.before = *last;
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
