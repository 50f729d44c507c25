/* The rarer half of counting: what only some views ask for. See count.h. */
#include "analyzer/model/count.h"
#include <string.h>
#include "analyzer/util/mem.h"

unsigned vt_count_size_class(uint64_t size) {
  if (size < 4) return (unsigned)size;
  unsigned exponent = 63 - (unsigned)__builtin_clzll(size);
  unsigned class = (exponent - 1) * 4 + ((size >> (exponent - 2)) & 3);
  return class < VT_SIZE_CLASSES ? class : VT_SIZE_CLASSES - 1;
}

enum { BEGINS, ENDS, ENDS_TEMPORARY };

static void tell(vt_model_t const *model, vt_block_t const *block, uint32_t thread, uint64_t time,
                 int what) {
  vt_model_watch_t const *watch = &model->options.watch;
  if (!watch->changed) return;
  vt_model_change_t change = {.address = block->address,
                              .size = block->size,
                              .share = vt_count_share(model, block),
                              .period = model->sampled ? vt_count_period(model, block) : 0,
                              .time = time,
                              .cell = block->cell,
                              .thread = thread,
                              .owner = block->thread,
                              .begins = what == BEGINS,
                              .temporary = what == ENDS_TEMPORARY,
                              .unseen = model->unseen,
                              .began = block->time,
                              .trace = model->cells[block->cell].trace,
                              .heap = model->cells[block->cell].heap,
                              .stack = model->cause.stack,
                              .api = model->cause.api,
                              .align = model->cause.align,
                              .said = model->cause.said,
                              .told = model->traces[model->cells[block->cell].trace].tells,
                              .event = model->cause.event,
                              .intent = model->cause.intent};
  watch->changed(watch->context, &change);
}

void vt_count_nested(vt_model_t const *model, vt_block_t const *block, uint32_t thread,
                     uint64_t time, int begins) {
  if (model->options.watch.nested && block->cell != VT_CELL_IGNORED)
    tell(model, block, thread, time, begins ? BEGINS : ENDS);
}

void vt_count_begin_extras(vt_model_t *model, vt_block_t const *block) {
  vt_share_t share = vt_count_share(model, block);
  tell(model, block, block->thread, block->time, BEGINS);
  if (model->options.threads) {
    vt_model_thread_t *thread = &model->threads[block->thread];
    thread->allocations += share.blocks;
    thread->allocated_bytes += share.bytes;
    thread->leaked_blocks += share.blocks;
    thread->leaked_bytes += share.bytes;
  }
  if (model->sizes) {
    vt_size_class_t *class = &model->sizes[vt_count_size_class(block->size)];
    class->allocations += share.blocks;
    class->allocated_bytes += share.bytes;
  }
  if (!model->moments) return;
  if (block->time >= model->moment_end) vt_timeline_advance(model, block->time);
  vt_moment_t *moment = &model->moments[model->moment];
  moment->allocations += share.blocks;
  moment->allocated_bytes += share.bytes;
}

static void count_free_by(vt_model_t *model, vt_block_t const *block, uint32_t thread,
                          int temporary) {
  vt_share_t share = vt_count_share(model, block);
  vt_model_thread_t *owner = &model->threads[block->thread];
  owner->leaked_blocks -= share.blocks;
  owner->leaked_bytes -= share.bytes;
  owner->temporary += temporary ? share.blocks : 0;
  if (thread == NO_THREAD) return;
  model->threads[thread].frees += share.blocks;
  if (thread == block->thread) return;
  model->threads[thread].frees_of_others += share.blocks;
  owner->freed_by_others += share.blocks;
}

void vt_count_end_extras(vt_model_t *model, vt_block_t const *block, uint32_t thread, uint64_t time,
                         int temporary) {
  vt_share_t share = vt_count_share(model, block);
  tell(model, block, thread, time, temporary ? ENDS_TEMPORARY : ENDS);
  if (model->options.threads) count_free_by(model, block, thread, temporary);
  if (model->sizes) {
    vt_size_class_t *class = &model->sizes[vt_count_size_class(block->size)];
    class->frees += share.blocks;
    class->freed_bytes += share.bytes;
    class->temporary += temporary ? share.blocks : 0;
  }
  if (!model->moments) return;
  if (time >= model->moment_end) vt_timeline_advance(model, time);
  model->moments[model->moment].frees += share.blocks;
}

/* A lifetime filter's first pass: the ordinal of the allocation takes the place of the cell. Those
   that do not fit share the last one, which never matches. */
#define ORDINAL_MAX ((uint64_t)UINT32_MAX - 1)

void vt_count_scan_begin(vt_model_t *model, vt_block_t *block) {
  uint64_t ordinal = model->inserted++;
  if (ordinal > ORDINAL_MAX) ordinal = ORDINAL_MAX;
  block->cell = 1 + (uint32_t)ordinal;
  if (ordinal < model->lifetime_bits_cnt) return;
  uint64_t cnt = model->lifetime_bits_cnt ? 2 * model->lifetime_bits_cnt : 1 << 16;
  model->lifetime_bits = vt_mem_resize(model->lifetime_bits, cnt / 8, 1);
  memset(model->lifetime_bits + model->lifetime_bits_cnt / 8, 0,
         (cnt - model->lifetime_bits_cnt) / 8);
  model->lifetime_bits_cnt = cnt;
}

void vt_count_scan_end(vt_model_t *model, vt_block_t const *block, uint64_t time, int leaked) {
  uint64_t lifetime = time > block->time ? time - block->time : 0;
  uint64_t end = model->options.lifetime_end;
  if (lifetime < model->options.min_lifetime || (end && (leaked || lifetime >= end))) return;
  uint64_t ordinal = block->cell - 1;
  if (ordinal == ORDINAL_MAX) return;
  model->lifetime_bits[ordinal / 8] |= (uint8_t)(1 << ordinal % 8);
}

void vt_count_peak(vt_model_t *model, uint64_t time) {
  model->totals.peak_bytes = model->live_bytes;
  model->totals.peak_blocks = model->live_blocks;
  model->totals.peak_time_ns = time;
  model->totals.peak_spread = model->live_spread;
  model->peak_number++;
}

uint64_t vt_count_period(vt_model_t const *model, vt_block_t const *block) {
  return block->cell < VT_CELL_FIRST ? 0 : model->traces[model->cells[block->cell].trace].period;
}

vt_share_t vt_count_sampled(vt_model_t const *model, vt_block_t const *block) {
  uint64_t period = vt_count_period(model, block);
  if (!period) return (vt_share_t){1, block->size};
  return vt_estimate_share(period, block->size, vt_estimate_identity(block->address, block->time));
}

static vt_cell_spread_t *spread_at(vt_model_t *model, uint32_t cell) {
  while (model->spreads_cnt <= cell) VT_PUSH(model->spreads, (vt_cell_spread_t){0});
  return &model->spreads[cell];
}

void vt_count_spread_of(vt_model_t *model, vt_block_t const *block, vt_counted_t what) {
  uint64_t period = vt_count_period(model, block);
  if (!period) return;
  vt_spread_t one = vt_estimate_spread(period, block->size);
  vt_cell_spread_t *cell = spread_at(model, block->cell);
  vt_model_totals_t *totals = &model->totals;
  vt_spread_t *sums[] = {&cell->temporary, &cell->reallocs, &cell->foreign};
  vt_spread_t *all[] = {&totals->temporary_spread, &totals->reallocs_spread, &totals->foreign_spread};
  vt_spread_add(sums[what], &one, 1);
  if (!model->cells[block->cell].nested) vt_spread_add(all[what], &one, 1);
}

void vt_count_spread(vt_model_t *model, vt_block_t const *block, int sign) {
  uint64_t period = vt_count_period(model, block);
  if (!period) return;
  vt_spread_t one = vt_estimate_spread(period, block->size);
  vt_cell_spread_t *cell = spread_at(model, block->cell);
  if (sign > 0) vt_spread_add(&cell->allocated, &one, 1);
  vt_spread_add(&cell->live, &one, sign);
  if (model->cells[block->cell].nested) return;
  if (sign > 0) vt_spread_add(&model->totals.allocated_spread, &one, 1);
  vt_spread_add(&model->live_spread, &one, sign);
}

void vt_count_peak_spread(vt_model_t *model, vt_cell_t const *cell) {
  size_t number = (size_t)(cell - model->cells);
  if (number < model->spreads_cnt) model->spreads[number].peak = model->spreads[number].live;
}
