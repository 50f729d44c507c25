/* Repair of the order between threads: each address alternates between allocated and free, so an
   event that does not fit waits a short while for the one that makes it fit. Both lists are short
   and nearly always empty; hostile input cannot make them longer than WAITING_MAX.

   The order within a thread is true always. So an allocation at a live address waits for a free by
   another thread; if its own thread frees the address first, the older block's free was not seen.
   And a free of an address that is not live is of an unknown block, unless another thread allocates
   there at the same moment: stamps are ordered (core/trace/clock.h), but packed traces have them in
   units of 32 to 64 ns. A unit is too short for a free, the way of the address through the
   allocator to another processor, and an allocation there, so that such two are never in this
   order. */
#include <string.h>
#include "analyzer/model/count.h"

static waiting_t take(waiting_list_t *list, size_t i) {
  waiting_t item = list->items[i];
  list->cnt--;
  memmove(&list->items[i], &list->items[i + 1], (list->cnt - i) * sizeof item);
  return item;
}

static void insert(vt_model_t *model, waiting_t *alloc) {
  vt_blocks_t *blocks = &model->blocks[alloc->heap];
  cause_t now = model->cause;
  model->cause = alloc->cause;
  vt_count_begin(model, &alloc->block);
  model->cause = now;
  vt_blocks_insert(blocks, vt_blocks_find(blocks, alloc->block.address), alloc->block, alloc->tag);
}

/* The address was handed out again, so the block there was freed unseen. */
static void replace(vt_model_t *model, waiting_t *alloc) {
  vt_block_t *slot = vt_blocks_find(&model->blocks[alloc->heap], alloc->block.address);
  if (slot->cell) {
    vt_block_t old = *slot;
    vt_blocks_remove(&model->blocks[alloc->heap], slot);
    int unsure = vt_stretches_unsure(model, &old);
    if (unsure)
      vt_count_end_unseen(model, alloc->heap, &old, alloc->block.time);
    else
      vt_count_end(model, alloc->heap, &old, NO_THREAD, alloc->block.time, 1);
    if (!unsure && alloc->block.time < model->traces[model->heaps[alloc->heap].trace].partial_ns)
      model->totals.missed_frees++;
  }
  insert(model, alloc);
}

static void give_up_held(vt_model_t *model, size_t i) {
  waiting_t held = take(&model->held, i);
  replace(model, &held);
}

static void tell_unmatched(vt_model_t const *model, waiting_t const *early) {
  vt_model_watch_t const *watch = &model->options.watch;
  if (!watch->unmatched) return;
  vt_model_unmatched_t what = {.address = early->block.address,
                               .time = early->block.time,
                               .event = early->cause.event,
                               .trace = early->trace,
                               .heap = early->heap,
                               .stack = early->cause.stack,
                               .thread = early->block.thread,
                               .api = early->cause.api};
  watch->unmatched(watch->context, &what);
}

static void give_up_early(vt_model_t *model) {
  waiting_t early = take(&model->early, 0);
  if (early.block.time >= model->traces[early.trace].partial_ns) {
    model->totals.unknown_frees++;
    return;
  }
  if (model->heaps[early.heap].shared) {
    model->heaps[early.heap].unseen_frees++;
    return;
  }
  if (early.interior && model->traces[early.trace].period) return; /* its block was not recorded */
  tell_unmatched(model, &early);
  if (!model->totals.unmatched_frees++) {
    model->totals.unmatched_trace = early.trace;
    model->totals.unmatched_stack = early.cause.stack;
  }
}

void vt_order_hold(vt_model_t *model, waiting_t const *alloc) {
  if (model->held.cnt == WAITING_MAX) give_up_held(model, 0);
  model->held.items[model->held.cnt++] = *alloc;
}

/* The oldest allocation that waits for a free of the address, or held.cnt. */
static size_t find_held(vt_model_t const *model, uint32_t heap, uint64_t address) {
  size_t i = 0;
  while (i < model->held.cnt &&
         (model->held.items[i].heap != heap || model->held.items[i].block.address != address))
    i++;
  return i;
}

void vt_order_frees(vt_model_t *model, uint32_t heap, uint64_t address, uint32_t thread) {
  size_t i;
  while ((i = find_held(model, heap, address)) < model->held.cnt &&
         model->held.items[i].block.thread == thread)
    give_up_held(model, i);
}

void vt_order_freed(vt_model_t *model, uint32_t heap, uint64_t address) {
  size_t i = find_held(model, heap, address);
  if (i == model->held.cnt) return;
  waiting_t held = take(&model->held, i);
  insert(model, &held);
  model->totals.reordered++;
}

void vt_order_early_free(vt_model_t *model, waiting_t const *early) {
  if (model->early.cnt == WAITING_MAX) give_up_early(model);
  model->early.items[model->early.cnt++] = *early;
}

/* Is it a free of this very moment by another thread? */
static int overtook(waiting_t const *early, vt_order_life_t const *life) {
  uint64_t inside = early->block.address - life->block.address;
  return early->heap == life->heap && early->block.time == life->time &&
         early->block.thread != life->thread &&
         (inside == 0 || (early->interior && inside < life->block.size));
}

/* The block's realloc still goes on: it goes where the INTENT would have put it. */
static int put_in_limbo(vt_model_t *model, waiting_t const *early, vt_block_t const *block) {
  limbo_stack_t *begun = model->limbos[early->block.thread];
  for (unsigned i = begun->cnt; i-- > 0;)
    if (begun->limbo[i].event == early->cause.event) {
      begun->limbo[i].block = *block;
      return 1;
    }
  return 0;
}

/* Ends the block that its free overtook. Whether it is temporary depends on what the thread that
   freed it had allocated last by then. */
static void end_late(vt_model_t *model, waiting_t const *early, vt_block_t const *block) {
  int over = early->end == REALLOC_DONE;
  if (early->realloc && !over && put_in_limbo(model, early, block)) return;
  vt_model_thread_t *thread = &model->threads[early->block.thread], now = *thread;
  thread->last_address = early->last_address;
  thread->last_heap = early->last_heap;
  model->cause = early->cause;
  model->cause.intent = early->cause.event;
  vt_count_end(model, early->heap, block, early->block.thread,
               over ? early->end_time : early->block.time,
               early->realloc && (!over || early->new_address));
  thread->last_address = now.last_address;
  thread->last_heap = now.last_heap;
  if (over && early->made.cell) vt_count_realloc(model, &early->made, block);
}

int vt_order_freed_early(vt_model_t *model, vt_order_life_t const *life) {
  for (size_t i = 0; i < model->early.cnt; i++) {
    if (!overtook(&model->early.items[i], life)) continue;
    waiting_t early = take(&model->early, i);
    model->totals.reordered++;
    if (early.end == REALLOC_FAILED) return 0;
    vt_block_t block = life->block;
    if (!life->counted) vt_count_begin(model, &block);
    end_late(model, &early, &block);
    return 1;
  }
  return 0;
}

void vt_order_realloc_ends(vt_model_t *model, uint64_t intent, waiting_t const *how) {
  for (size_t i = 0; i < model->early.cnt; i++) {
    waiting_t *early = &model->early.items[i];
    if (!early->realloc || early->cause.event != intent) continue;
    early->end = how->end;
    early->end_time = how->end_time;
    early->new_address = how->new_address;
    early->made = how->made;
  }
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
