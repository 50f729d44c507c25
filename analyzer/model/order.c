/* Repair of the order between threads: each address alternates between allocated and free, so an
   event that does not fit waits a short while for the one that makes it fit. Both lists are short
   and nearly always empty; hostile input cannot make them longer than WAITING_MAX. */
#include <string.h>
#include "analyzer/model/internal.h"

static waiting_t take(waiting_list_t *list, size_t i) {
  waiting_t item = list->items[i];
  list->cnt--;
  memmove(&list->items[i], &list->items[i + 1], (list->cnt - i) * sizeof item);
  return item;
}

/* The overtaken free never came: the old block was freed unseen, the waiting one takes its place.
 */
static void give_up_held(vt_model_t *model) {
  waiting_t held = take(&model->held, 0);
  vt_block_t *slot = vt_blocks_find(&model->blocks[held.heap], held.block.address);
  if (slot->cell) {
    vt_block_t old = *slot;
    vt_blocks_remove(&model->blocks[held.heap], slot);
    vt_model_release(model, held.heap, &old, NO_THREAD, held.block.time, 1);
    model->totals.missed_frees++;
  }
  slot = vt_blocks_find(&model->blocks[held.heap], held.block.address);
  vt_model_insert(model, held.heap, slot, held.block, held.tag);
}

static void give_up_early(vt_model_t *model) {
  waiting_t early = take(&model->early, 0);
  if (!model->totals.unmatched_frees++) {
    model->totals.unmatched_trace = early.trace;
    model->totals.unmatched_stack = early.stack;
  }
}

void vt_order_hold(vt_model_t *model, waiting_t const *alloc) {
  if (model->held.cnt == WAITING_MAX) give_up_held(model);
  model->held.items[model->held.cnt++] = *alloc;
}

void vt_order_freed(vt_model_t *model, uint32_t heap, uint64_t address) {
  for (size_t i = 0; i < model->held.cnt; i++) {
    if (model->held.items[i].heap != heap || model->held.items[i].block.address != address)
      continue;
    waiting_t held = take(&model->held, i);
    vt_model_insert(model, heap, vt_blocks_find(&model->blocks[heap], address), held.block,
                    held.tag);
    model->totals.reordered++;
    return;
  }
}

void vt_order_early_free(vt_model_t *model, waiting_t const *early) {
  if (model->early.cnt == WAITING_MAX) give_up_early(model);
  model->early.items[model->early.cnt++] = *early;
}

void vt_order_inserted(vt_model_t *model, uint32_t heap, vt_block_t const *block) {
  for (size_t i = 0; i < model->early.cnt; i++) {
    vt_block_t const *freed = &model->early.items[i].block;
    /* A free of this very moment by another thread; an older one freed an unknown block, whose
       address the allocator then handed out at once, as they do. */
    if (model->early.items[i].heap != heap || freed->address != block->address ||
        freed->time != block->time || freed->thread == block->thread)
      continue;
    waiting_t early = take(&model->early, i);
    vt_block_t *slot = vt_blocks_find(&model->blocks[heap], block->address), inserted = *slot;
    vt_blocks_remove(&model->blocks[heap], slot);
    vt_model_release(model, heap, &inserted, early.block.thread, early.block.time, early.realloc);
    model->totals.reordered++;
    return;
  }
}

void vt_order_expire(vt_model_t *model, uint64_t now) {
  while (model->held.cnt && now - model->held.items[0].block.time > VT_MODEL_REPAIR_NS)
    give_up_held(model);
  while (model->early.cnt && now > model->early.items[0].block.time) give_up_early(model);
}
