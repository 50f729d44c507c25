/* Choosing events; see chosen.h. The model says of every chosen block which events begin and end
   it, and they are noted in a bitmap. */
#include "analyzer/report/chosen.h"
#include <stdlib.h>
#include <string.h>
#include "analyzer/model/blocks.h"
#include "analyzer/util/mem.h"

struct vt_chosen {
  uint8_t *bits; /* by event */
  uint64_t bytes;
  uint64_t *op_times; /* of operations on heaps, rising */
  size_t op_times_cnt, op_times_cap;
  int only_live;
  vt_blocks_t *live; /* with only_live, by heap; .size and .time: event and intent of a block */
  size_t live_cnt, live_cap;
  vt_analysis_t analysis;
};

static void mark(vt_chosen_t *c, uint64_t event) {
  if (event / 8 >= c->bytes) {
    uint64_t bytes = event / 8 + event / 16 + 4096;
    c->bits = vt_mem_resize(c->bits, bytes, 1);
    memset(c->bits + c->bytes, 0, bytes - c->bytes);
    c->bytes = bytes;
  }
  c->bits[event / 8] |= (uint8_t)(1 << event % 8);
}

static vt_blocks_t *live_blocks(vt_chosen_t *c, uint32_t cell) {
  size_t cnt;
  uint32_t heap = vt_model_cells(c->analysis.model, &cnt)[cell].heap;
  while (c->live_cnt <= heap) {
    vt_blocks_t blocks;
    vt_blocks_init(&blocks);
    VT_PUSH(c->live, blocks);
  }
  return &c->live[heap];
}

static void on_change_live(vt_chosen_t *c, vt_model_change_t const *change) {
  vt_blocks_t *blocks = live_blocks(c, change->cell);
  vt_block_t *slot = vt_blocks_find(blocks, change->address);
  vt_block_t block = {
      .address = change->address, .size = change->event, .time = change->intent, .cell = 1};
  if (change->begins)
    vt_blocks_insert(blocks, slot, block, 0);
  else
    vt_blocks_remove(blocks, slot);
}

/* What no thread did was an operation on a heap, or never seen: the address is handed out again. */
static void on_change(void *context, vt_model_change_t const *change) {
  vt_chosen_t *c = context;
  if (c->only_live) {
    on_change_live(c, change);
    return;
  }
  if (change->thread == VT_MODEL_NO_THREAD) {
    if (!c->op_times_cnt || c->op_times[c->op_times_cnt - 1] != change->time)
      VT_PUSH(c->op_times, change->time);
    return;
  }
  mark(c, change->event);
  mark(c, change->intent);
}

static void mark_live(vt_chosen_t *c) {
  for (size_t heap = 0; heap < c->live_cnt; heap++)
    for (size_t i = 0; i <= c->live[heap].mask; i++) {
      vt_block_t const *block = &c->live[heap].slots[i];
      if (!block->cell) continue;
      mark(c, block->size);
      mark(c, block->time);
    }
}

vt_chosen_t *vt_chosen_find(char *path, vt_analysis_options_t const *options, vt_error_t *error,
                            int *usage) {
  vt_chosen_t *c = vt_mem_new(1, sizeof *c);
  vt_analysis_options_t watched = *options;
  watched.watch = (vt_model_watch_t){.changed = on_change, .context = c, .nested = 1};
  c->only_live = options->filter.at != NULL;
  int failed = vt_analysis_open(&c->analysis, &path, 1, &watched, error, usage);
  if (!failed && c->analysis.nowhere) failed = *usage = 1;
  if (!failed) mark_live(c);
  vt_analysis_close(&c->analysis);
  if (!failed) return c;
  vt_chosen_free(c);
  return NULL;
}

void vt_chosen_free(vt_chosen_t *c) {
  if (!c) return;
  for (size_t i = 0; i < c->live_cnt; i++) vt_blocks_fini(&c->live[i]);
  free(c->live);
  free(c->bits);
  free(c->op_times);
  free(c);
}

int vt_chosen_has(vt_chosen_t const *c, uint64_t event) {
  return event / 8 < c->bytes && c->bits[event / 8] >> event % 8 & 1;
}

int vt_chosen_has_op(vt_chosen_t const *c, uint64_t time) {
  for (size_t low = 0, high = c->op_times_cnt; low < high;) {
    size_t middle = low + (high - low) / 2;
    if (c->op_times[middle] == time) return 1;
    if (c->op_times[middle] < time)
      low = middle + 1;
    else
      high = middle;
  }
  return 0;
}
