/* Collecting the blocks; see blocks.h. While the events go by, rows are found by their keys; when there are too many,
   stretches are put together. */
#include "analyzer/page/block_rows.h"
#include <stdlib.h>
#include <string.h>
#include "analyzer/model/count.h"
#include "analyzer/report/leaks.h"
#include "analyzer/util/mem.h"

#define ROWS_MAX (1 << 21)

/* ---- collecting ---- */

static int contains(vt_page_blocks_t const *b, size_t stretch, uint64_t time) {
  return b->borders[stretch] <= time && time < b->borders[stretch + 1];
}

static uint16_t stretch_of(vt_page_blocks_t *b, uint64_t time) {
  if (contains(b, b->now, time)) return (uint16_t)b->now;
  size_t low = 0, high = b->stretches - 1;
  while (low < high) {
    size_t middle = (low + high + 1) / 2;
    if (b->borders[middle] <= time)
      low = middle;
    else
      high = middle - 1;
  }
  return (uint16_t)(b->now = low);
}

static kind_t *kind_of(vt_page_blocks_t *b, uint32_t cell, uint32_t owner, uint64_t size) {
  return vt_keyed_row(&b->kinds, &(kind_key_t){cell, owner, vt_count_size_class(size)});
}

static uint32_t number_of(vt_page_blocks_t const *b, kind_t const *kind) { return (uint32_t)(kind - vt_page_kind(b, 0)); }

static void reach_peak(vt_page_blocks_t *b) {
  b->peak_bytes = 0;
  for (size_t i = 0; i < b->kinds.cnt; i++) {
    kind_t *kind = vt_page_kind(b, i);
    kind->peak_blocks = kind->live_blocks;
    kind->peak_bytes = kind->live_bytes;
  }
}

static void add_alloc(vt_page_blocks_t *b, kind_t *kind, vt_model_change_t const *change) {
  uint32_t stretch = stretch_of(b, change->time);
  if (!kind->last || b->allocs[kind->last - 1].stretch != stretch) {
    alloc_t row = {.kind = number_of(b, kind), .stretch = stretch};
    VT_PUSH(b->allocs, row);
    kind->last = (uint32_t)b->allocs_cnt;
  }
  b->allocs[kind->last - 1].blocks += change->share.blocks;
  b->allocs[kind->last - 1].bytes += change->share.bytes;
  kind->live_blocks += change->share.blocks;
  kind->live_bytes += change->share.bytes;
  b->live_bytes += change->share.bytes;
  if (b->peak_bytes && b->live_bytes == b->peak_bytes) reach_peak(b);
}

static void sum_frees(free_t *sum, free_t const *row) {
  sum->blocks += row->blocks;
  sum->bytes += row->bytes;
  sum->temporary += row->temporary;
  sum->temporary_bytes += row->temporary_bytes;
}

static uint16_t life_of(uint64_t ns) { return ns ? (uint16_t)(63 - __builtin_clzll(ns)) : 0; }

static void add_free(vt_page_blocks_t *b, kind_t *kind, vt_model_change_t const *change) {
  uint64_t lived = change->time > change->began ? change->time - change->began : 0;
  free_key_t key = {.kind = number_of(b, kind), .freer = change->thread, .life = life_of(lived)};
  key.stretch = stretch_of(b, change->time);
  key.born = stretch_of(b, change->began);
  if (key.born > key.stretch) key.born = key.stretch;
  uint64_t temporary = (uint64_t)change->temporary;
  sum_frees(vt_keyed_row(&b->frees, &key), &(free_t){.blocks = change->share.blocks,
                                         .bytes = change->share.bytes,
                                         .temporary = temporary * change->share.blocks,
                                         .temporary_bytes = temporary * change->share.bytes});
  kind->live_blocks -= change->share.blocks;
  kind->live_bytes -= change->share.bytes;
  b->live_bytes -= change->share.bytes;
}

void vt_page_map_stretches(vt_page_blocks_t const *b, size_t n, uint64_t const *borders,
                          uint16_t *map) {
  for (size_t i = 0, at = 0; i < b->stretches; i++) {
    while (at + 1 < n && borders[at + 1] <= b->borders[i]) at++;
    map[i] = (uint16_t)at;
  }
}

static vt_keyed_t new_table(size_t row_sz, size_t key_sz) { return (vt_keyed_t){.row_sz = row_sz, .key_sz = key_sz}; }

/* Goes on with half as many stretches. */
static void shrink(vt_page_blocks_t *b) {
  uint64_t borders[VT_PAGE_STRETCHES_MAX + 1];
  uint16_t map[VT_PAGE_STRETCHES_MAX];
  size_t n = b->stretches / 2;
  vt_keyed_t old = b->frees;
  free_t *frees = (free_t *)old.rows;
  vt_page_moments_borders(&b->moments, n, borders);
  vt_page_map_stretches(b, n, borders, map);
  b->frees = new_table(sizeof(free_t), sizeof(free_key_t));
  for (size_t i = 0; i < old.cnt; i++) {
    frees[i].key.born = map[frees[i].key.born];
    frees[i].key.stretch = map[frees[i].key.stretch];
    sum_frees(vt_keyed_row(&b->frees, &frees[i].key), &frees[i]);
  }
  vt_keyed_clear(&old);
  for (size_t i = 0; i < b->allocs_cnt; i++) b->allocs[i].stretch = map[b->allocs[i].stretch];
  memcpy(b->borders, borders, (n + 1) * sizeof *borders);
  b->stretches = n;
  b->now = 0;
}

static void changed(void *context, vt_model_change_t const *change) {
  vt_page_blocks_t *b = context;
  kind_t *kind = kind_of(b, change->cell, change->owner, change->size);
  if (change->begins)
    add_alloc(b, kind, change);
  else
    add_free(b, kind, change);
  if (b->frees.cnt > ROWS_MAX && b->stretches > 1) shrink(b);
}

static void judge(void *context, vt_model_live_t const *block) {
  vt_page_blocks_t *b = context;
  vt_leak_kind_t fate = vt_leaks_kind(vt_leaks_of(b->analysis, block->trace), block->address);
  if (fate == VT_LEAK_UNJUDGED) return;
  uint32_t kind = number_of(b, kind_of(b, block->cell, block->owner, block->size));
  judged_t *row = vt_keyed_row(&b->judged, &(judged_key_t){kind, stretch_of(b, block->began), fate});
  row->blocks += block->share.blocks;
  row->bytes += block->share.bytes;
}

vt_page_blocks_t *vt_page_blocks_new(vt_analysis_t *analysis,
                                     vt_analysis_options_t const *options,
                                     vt_page_moments_t const *moments) {
  vt_page_blocks_t *b = vt_mem_new(1, sizeof *b);
  b->analysis = analysis;
  b->moments = *moments;
  b->stretches = b->moments.cnt + 1;
  vt_page_moments_borders(&b->moments, b->stretches, b->borders);
  b->kinds = new_table(sizeof(kind_t), sizeof(kind_key_t));
  b->frees = new_table(sizeof(free_t), sizeof(free_key_t));
  b->judged = new_table(sizeof(judged_t), sizeof(judged_key_t));
  b->peak_bytes = vt_model_totals(analysis->model)->peak_bytes;
  vt_analysis_replay(analysis, options,
                     &(vt_model_watch_t){.changed = changed, .live = analysis->verdicts ? judge : NULL, .context = b});
  return b;
}

void vt_page_blocks_delete(vt_page_blocks_t *b) {
  if (!b) return;
  vt_keyed_clear(&b->kinds);
  vt_keyed_clear(&b->frees);
  vt_keyed_clear(&b->judged);
  free(b->allocs);
  free(b);
}
