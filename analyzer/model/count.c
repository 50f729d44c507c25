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
                              .stack = model->stack,
                              .api = model->api,
                              .event = model->event,
                              .intent = model->intent};
  watch->changed(watch->context, &change);
}

void vt_count_nested(vt_model_t const *model, vt_block_t const *block, uint32_t thread,
                     uint64_t time, int begins) {
  if (model->options.watch.nested && block->cell != VT_CELL_IGNORED)
    tell(model, block, thread, time, begins ? BEGINS : ENDS);
}

void vt_count_begin_extras(vt_model_t *model, vt_block_t const *block) {
  tell(model, block, block->thread, block->time, BEGINS);
  if (model->options.threads) {
    vt_model_thread_t *thread = &model->threads[block->thread];
    thread->allocations++;
    thread->allocated_bytes += block->size;
    thread->leaked_blocks++;
    thread->leaked_bytes += block->size;
  }
  if (model->sizes) {
    vt_size_class_t *class = &model->sizes[vt_count_size_class(block->size)];
    class->allocations++;
    class->allocated_bytes += block->size;
  }
  if (!model->moments) return;
  if (block->time >= model->moment_end) vt_timeline_advance(model, block->time);
  vt_moment_t *moment = &model->moments[model->moment];
  moment->allocations++;
  moment->allocated_bytes += block->size;
}

static void count_free_by(vt_model_t *model, vt_block_t const *block, uint32_t thread,
                          int temporary) {
  vt_model_thread_t *owner = &model->threads[block->thread];
  owner->leaked_blocks--;
  owner->leaked_bytes -= block->size;
  owner->temporary += (uint64_t)temporary;
  if (thread == NO_THREAD) return;
  model->threads[thread].frees++;
  if (thread == block->thread) return;
  model->threads[thread].frees_of_others++;
  owner->freed_by_others++;
}

void vt_count_end_extras(vt_model_t *model, vt_block_t const *block, uint32_t thread, uint64_t time,
                         int temporary) {
  tell(model, block, thread, time, temporary ? ENDS_TEMPORARY : ENDS);
  if (model->options.threads) count_free_by(model, block, thread, temporary);
  if (model->sizes) {
    vt_size_class_t *class = &model->sizes[vt_count_size_class(block->size)];
    class->frees++;
    class->freed_bytes += block->size;
    class->temporary += (uint64_t)temporary;
  }
  if (!model->moments) return;
  if (time >= model->moment_end) vt_timeline_advance(model, time);
  model->moments[model->moment].frees++;
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
  model->peak_number++;
}
