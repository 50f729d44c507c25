/* Operations on a whole heap: what frees its blocks at once, and where its memory lies. */
#include "analyzer/model/count.h"

/* Frees the blocks of one heap, all or those with the tag. */
static void free_blocks(vt_model_t *model, uint32_t heap, int by_tag, uint64_t tag, uint64_t time) {
  vt_order_settle(model, heap);
  vt_blocks_t old = model->blocks[heap];
  if (!old.used) return;
  vt_blocks_init(&model->blocks[heap]);
  for (size_t i = 0; i <= old.mask; i++) {
    if (!old.slots[i].cell) continue;
    uint64_t block_tag = old.tags ? old.tags[i] : 0;
    if (by_tag && block_tag != tag) {
      vt_block_t *slot = vt_blocks_find(&model->blocks[heap], old.slots[i].address);
      vt_blocks_insert(&model->blocks[heap], slot, old.slots[i], block_tag);
    } else if (vt_stretches_unsure(model, &old.slots[i]))
      vt_count_end_unseen(model, heap, &old.slots[i], time);
    else
      vt_count_end(model, heap, &old.slots[i], NO_THREAD, time, 1);
  }
  vt_blocks_fini(&old);
}

/* Is it, or what it lies in, nested in `outer`? Chains of parents from a damaged trace may be
   circles. */
static int lies_in(vt_model_t const *model, uint32_t heap, uint32_t outer) {
  for (unsigned depth = 0; heap != VT_MODEL_NO_HEAP && depth < 8; depth++) {
    if (heap == outer) return 1;
    heap = model->heaps[heap].parent;
  }
  return 0;
}

/* A heap that has had no block yet in this trace is nested in the process's own heap if a live
   block of that contains its memory. */
static void place_heap(vt_model_t *model, uint32_t trace_number, uint32_t number, uint32_t heap,
                       uint64_t address) {
  trace_t *trace = &model->traces[trace_number];
  local_heap_t *local = &trace->heaps[number];
  uint32_t own = trace->heaps[0].heap;
  if (model->heaps[heap].nested || local->cells_cap || local->placed == address) return;
  local->placed = address;
  if (!vt_blocks_containing(&model->blocks[own], address)) return;
  model->heaps[heap].nested = 1;
  model->heaps[heap].parent = own;
}

void vt_model_heap_op(vt_model_t *model, uint32_t trace, uint32_t heap_number, uint32_t op,
                      uint64_t tag, uint64_t time_ns) {
  uint64_t time = time_ns + model->traces[trace].shift_ns;
  uint32_t heap = heap_number ? vt_model_heap_of(model, trace, heap_number) : NO_INDEX;
  if (heap == NO_INDEX || time >= model->options.to_ns) return;
  if (time >= model->next_ns) vt_stretches_advance(model, time);
  model->cause.stack = 0;
  if (op == VT_HEAP_OP_PLACE || op == VT_HEAP_OP_BASE)
    place_heap(model, trace, heap_number, heap, tag);
  if (op != VT_HEAP_OP_GONE && (!op || op > VT_HEAP_OP_RESTORE)) return;
  int by_tag = op == VT_HEAP_OP_TAG_FREE;
  for (uint32_t i = 0; i < model->heaps_cnt; i++) {
    if (i != heap &&
        (!lies_in(model, i, heap) || (by_tag && model->heaps[i].kind != VT_HEAP_KIND_ALLOC)))
      continue;
    free_blocks(model, i, by_tag, tag, time);
    if (op == VT_HEAP_OP_RESTORE) model->heaps[i].shared = 1;
  }
}
