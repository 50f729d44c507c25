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

static void insert(vt_model_t *model, waiting_t *alloc) {
  vt_blocks_t *blocks = &model->blocks[alloc->heap];
  uint64_t event = model->event, intent = model->intent;
  model->event = alloc->event;
  model->intent = alloc->intent;
  vt_model_begin(model, &alloc->block);
  model->event = event;
  model->intent = intent;
  vt_blocks_insert(blocks, vt_blocks_find(blocks, alloc->block.address), alloc->block, alloc->tag);
}

/* The address was handed out again, so the block there was freed unseen. */
static void replace(vt_model_t *model, waiting_t *alloc) {
  vt_block_t *slot = vt_blocks_find(&model->blocks[alloc->heap], alloc->block.address);
  if (slot->cell) {
    vt_block_t old = *slot;
    vt_blocks_remove(&model->blocks[alloc->heap], slot);
    vt_model_end(model, alloc->heap, &old, NO_THREAD, alloc->block.time, 1);
    model->totals.missed_frees++;
  }
  insert(model, alloc);
}

static void give_up_held(vt_model_t *model, size_t i) {
  waiting_t held = take(&model->held, i);
  replace(model, &held);
}

static void give_up_early(vt_model_t *model) {
  waiting_t early = take(&model->early, 0);
  if (model->heaps[early.heap].shared) {
    model->heaps[early.heap].unseen_frees++;
    return;
  }
  if (!model->totals.unmatched_frees++) {
    model->totals.unmatched_trace = early.trace;
    model->totals.unmatched_stack = early.stack;
  }
}

void vt_order_hold(vt_model_t *model, vt_block_t *slot, waiting_t const *alloc) {
  waiting_t copy = *alloc;
  if (slot->thread == alloc->block.thread) {
    replace(model, &copy); /* a thread's own events are in order: nothing was overtaken */
    return;
  }
  if (model->held.cnt == WAITING_MAX) give_up_held(model, 0);
  model->held.items[model->held.cnt++] = *alloc;
}

void vt_order_freed(vt_model_t *model, uint32_t heap, uint64_t address) {
  for (size_t i = 0; i < model->held.cnt; i++) {
    if (model->held.items[i].heap != heap || model->held.items[i].block.address != address)
      continue;
    waiting_t held = take(&model->held, i);
    insert(model, &held);
    model->totals.reordered++;
    return;
  }
}

void vt_order_early_free(vt_model_t *model, waiting_t const *early) {
  if (model->early.cnt == WAITING_MAX) give_up_early(model);
  model->early.items[model->early.cnt++] = *early;
}

/* Is it a free of this very moment by another thread? An older one freed an unknown block, whose
   address the allocator then handed out at once, as they do. */
static int overtook(waiting_t const *early, uint32_t heap, vt_block_t const *alloc) {
  uint64_t inside = early->block.address - alloc->address;
  return early->heap == heap && early->block.time == alloc->time &&
         early->block.thread != alloc->thread &&
         (inside == 0 || (early->interior && inside < alloc->size));
}

int vt_order_freed_early(vt_model_t *model, uint32_t heap, vt_block_t const *alloc) {
  for (size_t i = 0; i < model->early.cnt; i++) {
    if (!overtook(&model->early.items[i], heap, alloc)) continue;
    waiting_t early = take(&model->early, i);
    vt_block_t block = *alloc;
    vt_model_begin(model, &block);
    model->event = model->intent = early.event;
    vt_model_end(model, heap, &block, early.block.thread, early.block.time, early.realloc);
    model->totals.reordered++;
    return 1;
  }
  return 0;
}

void vt_order_settle(vt_model_t *model, uint32_t heap) {
  for (size_t i = 0; i < model->held.cnt;)
    if (model->held.items[i].heap == heap)
      give_up_held(model, i);
    else
      i++;
}

void vt_order_expire(vt_model_t *model, uint64_t now) {
  while (model->held.cnt && now - model->held.items[0].block.time > VT_MODEL_REPAIR_NS)
    give_up_held(model, 0);
  while (model->early.cnt && now > model->early.items[0].block.time) give_up_early(model);
}
