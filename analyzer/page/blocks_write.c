/* Writing the blocks; see blocks.h. Rows are sorted anew, since nodes, threads and classes can stand for several, and
   told apart less and less until they keep to their share of the page. */
#include <stdlib.h>
#include <string.h>
#include "analyzer/page/block_rows.h"
#include "analyzer/page/pack.h"
#include "analyzer/report/leaks.h"
#include "analyzer/util/mem.h"

/* How much is told apart. */
typedef struct {
  size_t stretches;
  unsigned size_step;
  int detailed;
} level_t;

/* A row that is to be written: what it is sorted by, and what it counts. */
typedef struct {
  uint64_t order[2];
  uint64_t counts[4];
} row_t;

typedef struct {
  row_t *rows;
  size_t rows_cnt;
} rows_t;

typedef struct {
  vt_page_blocks_t const *blocks;
  vt_page_tree_t const *tree;
  int side;
  vt_page_names_t const *names;
  vt_cell_t const *cells;
  level_t level;
  uint64_t borders[VT_PAGE_STRETCHES_MAX + 1];
  uint16_t map[VT_PAGE_STRETCHES_MAX]; /* of stretches */
  uint32_t *numbers;                   /* by kind: the number of its row */
  uint32_t *classes;                   /* by number of its row: size class */
} writing_t;

static int compare_rows(void const *a, void const *b) {
  row_t const *x = a, *y = b;
  if (x->order[0] != y->order[0]) return x->order[0] < y->order[0] ? -1 : 1;
  return x->order[1] < y->order[1] ? -1 : x->order[1] > y->order[1];
}

/* Sorts rows and adds up those that are equal. */
static void settle(rows_t *all) {
  size_t kept = 0;
  qsort(all->rows, all->rows_cnt, sizeof *all->rows, compare_rows);
  for (size_t i = 0; i < all->rows_cnt; i++) {
    if (kept && !compare_rows(&all->rows[kept - 1], &all->rows[i])) {
      for (int k = 0; k < 4; k++) all->rows[kept - 1].counts[k] += all->rows[i].counts[k];
    } else
      all->rows[kept++] = all->rows[i];
  }
  all->rows_cnt = kept;
}

/* order[0]: node, thread; order[1]: heap, class, does it leak. */
static row_t row_of_kind(writing_t const *w, kind_t const *kind) {
  vt_cell_t const *cell = &w->cells[kind->key.cell];
  uint64_t thread = w->names->thread_numbers[kind->key.thread];
  uint64_t heap = w->names->heap_numbers[cell->heap], class = kind->key.class / w->level.size_step;
  if (!w->level.detailed) thread = heap = class = 0;
  return (row_t){{(uint64_t)w->tree->node_of[w->side][kind->key.cell] << 32 | thread,
                  heap << 32 | class << 8 | w->tree->leaks[w->side][kind->key.cell]},
                 {kind->peak_blocks, kind->peak_bytes}};
}

static uint32_t find_row(rows_t const *all, row_t const *row) {
  size_t low = 0, high = all->rows_cnt - 1;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (compare_rows(&all->rows[middle], row) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return (uint32_t)low;
}

static rows_t make_kinds(writing_t *w) {
  vt_page_blocks_t const *b = w->blocks;
  rows_t all = {vt_mem_new(b->kinds.cnt + 1, sizeof(row_t)), b->kinds.cnt};
  for (size_t i = 0; i < b->kinds.cnt; i++) all.rows[i] = row_of_kind(w, vt_page_kind(b, i));
  settle(&all);
  w->numbers = vt_mem_new(b->kinds.cnt + 1, sizeof *w->numbers);
  w->classes = vt_mem_new(b->kinds.cnt + 1, sizeof *w->classes);
  for (size_t i = 0; i < b->kinds.cnt; i++) {
    row_t row = row_of_kind(w, vt_page_kind(b, i));
    w->numbers[i] = find_row(&all, &row);
    w->classes[w->numbers[i]] = (uint32_t)(row.order[1] >> 8 & 0xffffff) * w->level.size_step;
  }
  return all;
}

static rows_t make_allocs(writing_t const *w) {
  vt_page_blocks_t const *b = w->blocks;
  rows_t all = {vt_mem_new(b->allocs_cnt + 1, sizeof(row_t)), b->allocs_cnt};
  for (size_t i = 0; i < b->allocs_cnt; i++)
    all.rows[i] = (row_t){{w->numbers[b->allocs[i].kind], w->map[b->allocs[i].stretch]},
                          {b->allocs[i].blocks, b->allocs[i].bytes}};
  settle(&all);
  return all;
}

/* order[0]: kind, stretch; order[1]: what became of them. */
static rows_t make_judged(writing_t const *w) {
  vt_page_blocks_t const *b = w->blocks;
  rows_t all = {vt_mem_new(b->judged.cnt + 1, sizeof(row_t)), b->judged.cnt};
  for (size_t i = 0; i < b->judged.cnt; i++) {
    judged_t const *row = (judged_t const *)b->judged.rows + i;
    all.rows[i] = (row_t){{(uint64_t)w->numbers[row->key.kind] << 32 | w->map[row->key.stretch], row->key.fate},
                          {row->blocks, row->bytes}};
  }
  settle(&all);
  return all;
}

static uint64_t freer_of(writing_t const *w, free_t const *row) {
  if (row->key.freer == VT_MODEL_NO_THREAD) return 1;
  if (!w->level.detailed) return 0;
  uint32_t owner = w->names->thread_numbers[vt_page_kind(w->blocks, row->key.kind)->key.thread];
  uint32_t freer = w->names->thread_numbers[row->key.freer];
  return row->key.freer == vt_page_kind(w->blocks, row->key.kind)->key.thread ? 0 : owner == freer ? 2 + owner : 2 + freer;
}

/* order[0]: kind, both stretches; order[1]: lifetime, who frees. */
static rows_t make_frees(writing_t const *w) {
  vt_page_blocks_t const *b = w->blocks;
  rows_t all = {vt_mem_new(b->frees.cnt + 1, sizeof(row_t)), b->frees.cnt};
  for (size_t i = 0; i < b->frees.cnt; i++) {
    free_t const *row = (free_t const *)b->frees.rows + i;
    uint64_t life = w->level.detailed ? row->key.life : 0;
    all.rows[i] = (row_t){{(uint64_t)w->numbers[row->key.kind] << 32 |
                               (uint64_t)w->map[row->key.born] << 16 | w->map[row->key.stretch],
                           life << 32 | freer_of(w, row)},
                          {row->blocks, row->bytes, row->temporary, row->temporary_bytes}};
  }
  settle(&all);
  return all;
}

/* A column: bits of order[which], from `shift` on; with distances to the row before. */
static void put_order(vt_page_pack_t *out, rows_t const *all, int which, int shift, uint64_t mask,
                      int distances) {
  uint64_t before = 0;
  for (size_t i = 0; i < all->rows_cnt; i++) {
    uint64_t value = all->rows[i].order[which] >> shift & mask;
    vt_page_put(out, distances ? value - before : value);
    before = value;
  }
}

static uint64_t smallest_of(uint32_t class) {
  return class < 4 ? class : (uint64_t)(4 + class % 4) << (class / 4 - 1);
}

/* is_sampled: bytes are estimates, which may be less than the smallest of the class for each estimated block. */
static int is_sampled(writing_t const *w) { return w->blocks->analysis->sampled.period != 0; }

/* Two columns: blocks, and their bytes beyond the smallest of their class. */
static void put_counts(vt_page_pack_t *out, writing_t const *w, rows_t const *all, int which,
                       int by_kind) {
  for (size_t i = 0; i < all->rows_cnt; i++) vt_page_put(out, all->rows[i].counts[which]);
  for (size_t i = 0; i < all->rows_cnt; i++) {
    row_t const *row = &all->rows[i];
    size_t kind = by_kind == 0 ? i : by_kind == 1 ? row->order[0] : row->order[0] >> 32;
    vt_page_put(out, row->counts[which + 1] - (is_sampled(w) ? 0 : row->counts[which] * smallest_of(w->classes[kind])));
  }
}

#define ALL 0xffffffffu

static void put_kinds(vt_page_pack_t *out, writing_t const *w, rows_t const *kinds) {
  vt_page_put(out, kinds->rows_cnt);
  put_order(out, kinds, 0, 32, ALL, 1);
  put_order(out, kinds, 0, 0, ALL, 0);
  put_order(out, kinds, 1, 32, ALL, 0);
  put_order(out, kinds, 1, 8, 0xffffff, 0);
  put_order(out, kinds, 1, 0, 1, 0);
  put_counts(out, w, kinds, 0, 0);
}

static void put_allocs(vt_page_pack_t *out, writing_t const *w, rows_t const *allocs) {
  vt_page_put(out, allocs->rows_cnt);
  put_order(out, allocs, 0, 0, ALL, 1);
  put_order(out, allocs, 1, 0, ALL, 0);
  put_counts(out, w, allocs, 0, 1);
}

static void put_frees(vt_page_pack_t *out, writing_t const *w, rows_t const *frees) {
  vt_page_put(out, frees->rows_cnt);
  put_order(out, frees, 0, 32, ALL, 1);
  put_order(out, frees, 0, 16, 0xffff, 0);
  for (size_t i = 0; i < frees->rows_cnt; i++) {
    uint64_t order = frees->rows[i].order[0];
    vt_page_put(out, (order & 0xffff) - (order >> 16 & 0xffff));
  }
  put_order(out, frees, 1, 32, ALL, 0);
  put_order(out, frees, 1, 0, ALL, 0);
  put_counts(out, w, frees, 0, 2);
  put_counts(out, w, frees, 2, 2);
}

static void put_judged(vt_page_pack_t *out, writing_t const *w, rows_t const *judged) {
  vt_page_put(out, judged->rows_cnt);
  put_order(out, judged, 0, 32, ALL, 1);
  put_order(out, judged, 0, 0, ALL, 0);
  put_order(out, judged, 1, 0, ALL, 0);
  put_counts(out, w, judged, 0, 2);
}

static char *pack(writing_t *w) {
  vt_page_pack_t out = {0};
  vt_page_moments_borders(&w->blocks->moments, w->level.stretches, w->borders);
  vt_page_map_stretches(w->blocks, w->level.stretches, w->borders, w->map);
  rows_t kinds = make_kinds(w), allocs = make_allocs(w), frees = make_frees(w), judged = make_judged(w);
  put_kinds(&out, w, &kinds);
  put_allocs(&out, w, &allocs);
  put_frees(&out, w, &frees);
  put_judged(&out, w, &judged);
  char *text = vt_page_packed(&out);
  free(out.bytes);
  free(kinds.rows);
  free(allocs.rows);
  free(frees.rows);
  free(judged.rows);
  free(w->numbers);
  free(w->classes);
  return text;
}

/* The next coarser level; 0: there is none. */
static int coarsen(level_t *level) {
  if (level->stretches > 64 || (level->size_step > 1 && level->stretches > 1))
    level->stretches /= 2;
  else if (level->size_step == 1)
    level->size_step = 4;
  else if (level->detailed)
    level->detailed = 0;
  else
    return 0;
  return 1;
}

static void write_borders(vt_json_t *json, writing_t const *w) {
  vt_json_array(json, "moments_ns");
  for (size_t i = 0; i <= w->level.stretches; i++) vt_json_uint(json, NULL, w->borders[i]);
  vt_json_end_array(json);
}

void vt_page_blocks_write(vt_json_t *json, vt_page_blocks_t const *blocks,
                          vt_page_tree_t const *tree, int side, vt_page_names_t const *names,
                          size_t max) {
  size_t cells_cnt;
  writing_t w = {.blocks = blocks,
                 .tree = tree,
                 .side = side,
                 .names = names,
                 .cells = vt_model_cells(blocks->analysis->model, &cells_cnt),
                 .level = {blocks->stretches, 1, 1}};
  char *text = pack(&w);
  while (strlen(text) > max && coarsen(&w.level)) {
    free(text);
    text = pack(&w);
  }
  vt_json_object(json, "blocks");
  write_borders(json, &w);
  vt_json_uint(json, "end_ns", vt_page_moments_end(blocks->analysis) - 1);
  vt_json_uint(json, "size_step", w.level.size_step);
  vt_json_bool(json, "detailed", w.level.detailed);
  vt_json_bool(json, "judged", blocks->analysis->verdicts != NULL);
  vt_json_bool(json, "whole_bytes", is_sampled(&w));
  vt_json_string(json, "data", text);
  vt_json_end_object(json);
  free(text);
}
