/* What the beginning and the end of a block change in the sums: the lowest layer of the model,
   which knows no events and no order. Inlined where every event passes. */
#ifndef VT_ANALYZER_MODEL_COUNT_H
#define VT_ANALYZER_MODEL_COUNT_H

#include "analyzer/model/internal.h"

/* ---- count.c ---- */

unsigned vt_count_size_class(uint64_t size);
/* Tells the watcher of a block of a nested heap, if it asked for those. */
void vt_count_nested(vt_model_t const *model, vt_block_t const *block, uint32_t thread,
                     uint64_t time, int begins);
/* What is collected only if options ask for it. */
void vt_count_begin_extras(vt_model_t *model, vt_block_t const *block);
void vt_count_end_extras(vt_model_t *model, vt_block_t const *block, uint32_t thread, uint64_t time,
                         int temporary);
/* The live bytes are more than ever. */
void vt_count_peak(vt_model_t *model, uint64_t time);
/* The bytes that live for sure may be more than ever. Only kept up after a stretch that is left out. */
static inline void vt_count_sure_peak(vt_model_t *model) {
  uint64_t sure = vt_stretches_sure(model);
  if (sure > model->totals.peak_at_least) model->totals.peak_at_least = sure;
}
/* The same for the first pass of a lifetime filter. leaked: the block never ends. */
void vt_count_scan_begin(vt_model_t *model, vt_block_t *block);
void vt_count_scan_end(vt_model_t *model, vt_block_t const *block, uint64_t time, int leaked);

/* Sampled traces: what a recorded block stands for; its part of the variances (sign 1: it begins, -1: it ends);
   what the variances of a cell were at the latest peak. */
vt_share_t vt_count_sampled(vt_model_t const *model, vt_block_t const *block);
uint64_t vt_count_period(vt_model_t const *model, vt_block_t const *block); /* of its trace; 0: it is not sampled */
typedef enum { VT_COUNTED_TEMPORARY, VT_COUNTED_REALLOC, VT_COUNTED_FOREIGN } vt_counted_t;
void vt_count_spread_of(vt_model_t *model, vt_block_t const *block, vt_counted_t what);
void vt_count_spread(vt_model_t *model, vt_block_t const *block, int sign);
void vt_count_peak_spread(vt_model_t *model, vt_cell_t const *cell);

/* ---- inlined ---- */

/* The cell is about to change: its share of the latest peak is what it has now. */
static inline void vt_count_before_change(vt_model_t *model, vt_cell_t *cell) {
  if (cell->peak_number == model->peak_number) return;
  cell->peak_bytes = cell->allocated_bytes - cell->freed_bytes;
  cell->peak_blocks = cell->allocations - cell->frees;
  cell->peak_unsure_bytes = cell->unsure_bytes;
  cell->peak_number = model->peak_number;
  if (__builtin_expect(model->sampled, 0)) vt_count_peak_spread(model, cell);
}

/* What the block stands for: itself, but in a sampled trace. */
static inline vt_share_t vt_count_share(vt_model_t const *model, vt_block_t const *block) {
  if (__builtin_expect(model->sampled, 0)) return vt_count_sampled(model, block);
  return (vt_share_t){1, block->size};
}

/* Is the block that is freed the last that its thread has allocated? Of a sampled trace the event says it. */
static inline int vt_count_is_last(vt_model_t const *model, uint32_t heap, vt_block_t const *block) {
  vt_model_thread_t const *owner = &model->threads[block->thread];
  if (__builtin_expect(model->sampled, 0) && vt_count_period(model, block)) return model->cause.alone;
  return owner->last_address == block->address && owner->last_heap == heap;
}

/* Does the lifetime of the block that begins next fit? */
static inline int vt_count_lifetime_fits(vt_model_t const *model) {
  uint64_t ordinal = model->inserted;
  return ordinal < model->lifetime_bits_cnt && model->lifetime_bits[ordinal / 8] >> ordinal % 8 & 1;
}

static inline void count_alloc(vt_model_t *model, vt_block_t const *block) {
  vt_cell_t *cell = &model->cells[block->cell];
  vt_share_t share = vt_count_share(model, block);
  vt_count_before_change(model, cell);
  if (__builtin_expect(model->sampled, 0)) vt_count_spread(model, block, 1);
  if (vt_stretches_unsure(model, block)) vt_stretches_count(model, cell, &share, 1);
  cell->allocations += share.blocks;
  cell->allocated_bytes += share.bytes;
  if (model->options.lifetimes && cell->allocated_bytes - cell->freed_bytes > cell->max_bytes) {
    cell->max_bytes = cell->allocated_bytes - cell->freed_bytes;
    cell->max_blocks = cell->allocations - cell->frees;
  }
  if (cell->nested) {
    vt_count_nested(model, block, block->thread, block->time, 1);
    return;
  }
  if (model->extras) vt_count_begin_extras(model, block);
  model->live_blocks += share.blocks;
  model->live_bytes += share.bytes;
  if (model->live_bytes > model->totals.peak_bytes) vt_count_peak(model, block->time);
  if (__builtin_expect(model->unsure_ns != 0, 0)) vt_count_sure_peak(model);
  if (model->moments) vt_timeline_note(model);
}

/* Counts the beginning of a block; *block is then what belongs into the table. */
static inline void vt_count_begin(vt_model_t *model, vt_block_t *block) {
  if (__builtin_expect(model->scanning, 0)) {
    vt_count_scan_begin(model, block);
    return;
  }
  if (model->lifetime_bits && !vt_count_lifetime_fits(model)) block->cell = VT_CELL_IGNORED;
  model->inserted++;
  count_alloc(model, block);
}

/* Counts the end of a block. thread: who freed it, NO_THREAD; realloc: another takes its place. */
static inline void vt_count_end(vt_model_t *model, uint32_t heap, vt_block_t const *block,
                                uint32_t thread, uint64_t time, int realloc) {
  if (__builtin_expect(model->scanning, 0)) {
    if (!model->unseen) vt_count_scan_end(model, block, time, 0); /* else it fits no lifetime */
    return;
  }
  vt_cell_t *cell = &model->cells[block->cell];
  int temporary = !realloc && thread == block->thread && vt_count_is_last(model, heap, block);
  int foreign = thread != block->thread && thread != NO_THREAD;
  vt_share_t share = vt_count_share(model, block);
  vt_count_before_change(model, cell);
  if (__builtin_expect(model->sampled, 0)) vt_count_spread(model, block, -1);
  if (vt_stretches_unsure(model, block)) vt_stretches_count(model, cell, &share, -1);
  cell->frees += share.blocks;
  cell->freed_bytes += share.bytes;
  if (temporary) {
    cell->temporary += share.blocks;
    cell->temporary_bytes += share.bytes;
  }
  if (model->options.lifetimes && !model->unseen)
    vt_lifetimes_add(&cell->lifetimes, time > block->time ? time - block->time : 0, share.blocks);
  if (__builtin_expect(foreign, 0)) cell->cross_thread_frees += share.blocks;
  if (__builtin_expect(model->sampled, 0) && temporary) vt_count_spread_of(model, block, VT_COUNTED_TEMPORARY);
  if (__builtin_expect(model->sampled, 0) && foreign) vt_count_spread_of(model, block, VT_COUNTED_FOREIGN);
  if (cell->nested) {
    vt_count_nested(model, block, thread, time, 0);
    return;
  }
  if (model->extras) vt_count_end_extras(model, block, thread, time, temporary);
  model->live_blocks -= share.blocks;
  model->live_bytes -= share.bytes;
}

/* Counts the end of a block that must have ended, it is not known when and by whom. */
static inline void vt_count_end_unseen(vt_model_t *model, uint32_t heap, vt_block_t const *block, uint64_t time) {
  uint32_t stack = model->cause.stack;
  model->unseen = 1;
  model->cause.stack = 0;
  vt_count_end(model, heap, block, NO_THREAD, time, 1);
  model->cause.stack = stack;
  model->unseen = 0;
  model->totals.ended_unseen += block->cell != VT_CELL_IGNORED && !model->scanning;
}

/* Counts a realloc with its new block. old: the block that was live; cell 0: it is not known, of a sampled trace. */
static inline void vt_count_realloc(vt_model_t *model, vt_block_t const *block, vt_block_t const *old) {
  vt_cell_t *cell = &model->cells[block->cell];
  cell->reallocs += vt_count_share(model, block).blocks;
  if (__builtin_expect(model->sampled, 0)) vt_count_spread_of(model, block, VT_COUNTED_REALLOC);
  if (!old->cell) return;
  cell->realloc_moved += block->address != old->address;
  cell->realloc_old_bytes += old->size;
}

#endif
