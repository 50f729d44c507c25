/* Building and folding the call tree; see page_tree.h. Frames and nodes are numbered by interning
   their keys, in order of first use. */
#include "analyzer/export/page_tree.h"
#include <stdlib.h>
#include <string.h>
#include "analyzer/util/mem.h"

/* ---- frames and nodes ---- */

static uint32_t intern(vt_page_tree_t *tree, char const *text) {
  return vt_strings_intern_cstr(tree->strings, text);
}

static uint32_t add_frame(vt_page_tree_t *tree, vt_stack_frame_t const *from) {
  char buffer[300];
  char const *slash = strrchr(from->module, '/'), *module = from->module;
  if (tree->by_function && slash) module = slash + 1;
  vt_page_frame_t frame = {.function = intern(tree, vt_frame_name(from, buffer, sizeof buffer)),
                           .module = intern(tree, module),
                           .flags = (from->inlined ? VT_PAGE_INLINED : 0) |
                                    (from->allocator ? VT_PAGE_ALLOCATOR : 0) |
                                    (from->runtime ? VT_PAGE_RUNTIME : 0)};
  uint32_t file = intern(tree, from->file);
  uint32_t key[4] = {frame.function, frame.module, tree->by_function ? 0 : file,
                     tree->by_function ? 0 : from->line};
  frame.file = file;
  frame.line = from->line;
  uint32_t number = vt_strings_intern(tree->frame_keys, (char const *)key, sizeof key);
  if (number > tree->frames_cnt) VT_PUSH(tree->frames, frame);
  return number - 1;
}

static uint32_t add_node(vt_page_tree_t *tree, uint32_t parent, uint32_t frame) {
  uint32_t key[2] = {parent, frame};
  uint32_t number = vt_strings_intern(tree->node_keys, (char const *)key, sizeof key);
  vt_page_node_t node = {.parent = parent, .frame = frame};
  if (number >= tree->nodes_cnt) VT_PUSH(tree->nodes, node);
  return number;
}

/* By node of the analysis's stacks: the node of its innermost function here. */
static uint32_t *add_stacks(vt_page_tree_t *tree, vt_analysis_t const *analysis) {
  vt_stack_frame_t frames[VT_STACKS_FRAMES_MAX];
  uint32_t cnt = vt_stacks_cnt(analysis->stacks);
  uint32_t *nodes = vt_mem_new((size_t)cnt + 1, sizeof *nodes);
  for (uint32_t i = 1; i < cnt; i++) {
    uint32_t at = nodes[vt_stacks_parent(analysis->stacks, i)];
    for (size_t k = vt_stacks_frames(analysis->stacks, i, 0, frames); k-- > 0;)
      at = add_node(tree, at, add_frame(tree, &frames[k]));
    nodes[i] = at;
  }
  return nodes;
}

/* ---- values ---- */

/* By node of the stacks: has a site there leaks? Suppressed ones do not. */
static uint8_t *leaking_nodes(vt_analysis_t const *analysis) {
  uint8_t *leaking = vt_mem_new((size_t)vt_stacks_cnt(analysis->stacks) + 1, 1);
  for (size_t i = 0; i < analysis->sites_cnt; i++)
    if (analysis->sites[i].leaked_blocks) leaking[analysis->sites[i].node] = 1;
  return leaking;
}

static void add_values(uint64_t *sum, vt_cell_t const *cell, int leaking) {
  sum[VT_PAGE_ALLOCATIONS] += cell->allocations;
  sum[VT_PAGE_ALLOCATED_BYTES] += cell->allocated_bytes;
  sum[VT_PAGE_TEMPORARY] += cell->temporary;
  sum[VT_PAGE_TEMPORARY_BYTES] += cell->temporary_bytes;
  sum[VT_PAGE_PEAK_BYTES] += cell->peak_bytes;
  sum[VT_PAGE_PEAK_BLOCKS] += cell->peak_blocks;
  if (!leaking) return;
  sum[VT_PAGE_LEAKED_BYTES] += cell->allocated_bytes - cell->freed_bytes;
  sum[VT_PAGE_LEAKED_BLOCKS] += cell->allocations - cell->frees;
}

static void add_side(vt_page_tree_t *tree, vt_analysis_t const *analysis, int side) {
  size_t cnt;
  vt_cell_t const *cells = vt_model_cells(analysis->model, &cnt);
  uint32_t *nodes = add_stacks(tree, analysis);
  uint8_t *leaking = leaking_nodes(analysis);
  tree->node_of[side] = vt_mem_new(cnt + 1, sizeof **tree->node_of);
  for (size_t i = VT_CELL_FIRST; i < cnt; i++) {
    uint32_t ids = vt_reader_stacks(analysis->readers[cells[i].trace]).cnt;
    uint32_t at = cells[i].stack < ids ? analysis->nodes[cells[i].trace][cells[i].stack] : 0;
    uint32_t site = vt_stacks_skip_allocators(analysis->stacks, at);
    tree->node_of[side][i] = nodes[at];
    if (!cells[i].nested) add_values(tree->nodes[nodes[at]].self[side], &cells[i], leaking[site]);
  }
  free(nodes);
  free(leaking);
}

/* ---- folding ---- */

typedef struct {
  double share;
  uint32_t node;
} rank_t;

static int compare_ranks(void const *a, void const *b) {
  rank_t const *x = a, *y = b;
  if (x->share != y->share) return x->share > y->share ? -1 : 1;
  return x->node < y->node ? -1 : 1;
}

/* Nodes by the largest share of a metric that they and their callees have; no node comes before its
   caller. */
static rank_t *rank_nodes(vt_page_tree_t const *tree) {
  rank_t *ranks = vt_mem_new(tree->nodes_cnt, sizeof *ranks);
  uint64_t *sums = vt_mem_new(tree->nodes_cnt, sizeof *sums);
  for (size_t i = 0; i < tree->nodes_cnt; i++) ranks[i].node = (uint32_t)i;
  for (int metric = 0; metric < tree->sides * VT_PAGE_VALUES; metric++) {
    for (size_t i = 0; i < tree->nodes_cnt; i++)
      sums[i] = tree->nodes[i].self[metric / VT_PAGE_VALUES][metric % VT_PAGE_VALUES];
    for (size_t i = tree->nodes_cnt - 1; i > 0; i--) sums[tree->nodes[i].parent] += sums[i];
    for (size_t i = 0; sums[0] && i < tree->nodes_cnt; i++) {
      double share = (double)sums[i] / (double)sums[0];
      if (share > ranks[i].share) ranks[i].share = share;
    }
  }
  ranks[0].share = 2; /* the root stays */
  qsort(ranks, tree->nodes_cnt, sizeof *ranks, compare_ranks);
  free(sums);
  return ranks;
}

/* Sets keep[node] for the best cnt nodes; returns how many of them have folded callees. */
static size_t choose(vt_page_tree_t const *tree, rank_t const *ranks, size_t cnt, uint8_t *keep) {
  size_t parents = 0;
  memset(keep, 0, tree->nodes_cnt);
  for (size_t i = 0; i < cnt; i++) keep[ranks[i].node] = 1;
  for (size_t i = cnt; i < tree->nodes_cnt; i++) {
    uint8_t *parent = &keep[tree->nodes[ranks[i].node].parent];
    parents += *parent == 1;
    if (*parent) *parent = 2;
  }
  return parents;
}

static uint32_t folded_frame(vt_page_tree_t *tree) {
  vt_page_frame_t frame = {.function = intern(tree, "[smaller frames]"), .flags = VT_PAGE_FOLDED};
  VT_PUSH(tree->frames, frame);
  return (uint32_t)tree->frames_cnt - 1;
}

static void add_self(vt_page_node_t *to, vt_page_node_t const *from) {
  for (int i = 0; i < 2 * VT_PAGE_VALUES; i++)
    to->self[i / VT_PAGE_VALUES][i % VT_PAGE_VALUES] +=
        from->self[i / VT_PAGE_VALUES][i % VT_PAGE_VALUES];
}

/* Where a node that is not kept goes: to the [smaller frames] below its nearest kept caller, whose
   number is kept in `folds`. */
static uint32_t fold_of(uint32_t caller, uint32_t frame, uint32_t *folds, vt_page_node_t *nodes,
                        size_t *cnt) {
  if (!folds[caller]) {
    folds[caller] = (uint32_t)*cnt;
    nodes[(*cnt)++] = (vt_page_node_t){.parent = caller, .frame = frame};
  }
  return folds[caller];
}

/* Replaces the nodes by the kept ones and their folds; nodes[old] in `moved` is the new number. */
static void rebuild(vt_page_tree_t *tree, uint8_t const *keep, size_t total, uint32_t *moved) {
  vt_page_node_t *nodes = vt_mem_new(total + 1, sizeof *nodes);
  uint32_t *folds = vt_mem_new(total + 1, sizeof *folds), frame = folded_frame(tree);
  uint32_t *caller = vt_mem_new(tree->nodes_cnt, sizeof *caller); /* nearest kept, new number */
  size_t cnt = 0;
  for (size_t i = 0; i < tree->nodes_cnt; i++) {
    if (!keep[i]) continue;
    moved[i] = (uint32_t)cnt;
    nodes[cnt] = tree->nodes[i];
    nodes[cnt++].parent = moved[tree->nodes[i].parent];
  }
  for (size_t i = 0; i < tree->nodes_cnt; i++) {
    uint32_t parent = tree->nodes[i].parent;
    caller[i] = keep[i] ? moved[i] : caller[parent];
    if (keep[i]) continue;
    moved[i] = fold_of(caller[i], frame, folds, nodes, &cnt);
    add_self(&nodes[moved[i]], &tree->nodes[i]);
  }
  free(folds);
  free(caller);
  free(tree->nodes);
  tree->nodes = nodes;
  tree->nodes_cnt = tree->nodes_cap = cnt;
}

static void fold(vt_page_tree_t *tree, vt_analysis_t const *const *analyses, size_t max) {
  if (tree->nodes_cnt <= max) return;
  rank_t *ranks = rank_nodes(tree);
  uint8_t *keep = vt_mem_new(tree->nodes_cnt, 1);
  uint32_t *moved = vt_mem_new(tree->nodes_cnt, sizeof *moved);
  size_t cnt = max, parents = choose(tree, ranks, cnt, keep);
  while (cnt + parents > max) { /* ends: there are never more parents than kept nodes */
    size_t excess = cnt + parents - max;
    cnt = cnt > max / 2 + excess ? cnt - excess : max / 2;
    parents = choose(tree, ranks, cnt, keep);
  }
  tree->folded = tree->nodes_cnt - cnt;
  tree->folded_largest = ranks[cnt].share;
  rebuild(tree, keep, cnt + parents, moved);
  for (int side = 0; side < tree->sides; side++) {
    size_t cells;
    vt_model_cells(analyses[side]->model, &cells);
    for (size_t i = 0; i < cells; i++) tree->node_of[side][i] = moved[tree->node_of[side][i]];
  }
  free(ranks);
  free(keep);
  free(moved);
}

/* ---- interface ---- */

vt_page_tree_t *vt_page_tree_new(vt_analysis_t const *const *analyses, int sides,
                                 size_t nodes_max) {
  vt_page_tree_t *tree = vt_mem_new(1, sizeof *tree);
  vt_page_node_t root = {0};
  tree->sides = sides;
  tree->by_function = sides > 1;
  tree->strings = vt_strings_new();
  tree->frame_keys = vt_strings_new();
  tree->node_keys = vt_strings_new();
  tree->node_of = vt_mem_new(2, sizeof *tree->node_of);
  VT_PUSH(tree->nodes, root);
  for (int side = 0; side < sides; side++) add_side(tree, analyses[side], side);
  fold(tree, analyses, nodes_max);
  return tree;
}

void vt_page_tree_delete(vt_page_tree_t *tree) {
  vt_strings_delete(tree->strings);
  vt_strings_delete(tree->frame_keys);
  vt_strings_delete(tree->node_keys);
  for (int side = 0; side < tree->sides; side++) free(tree->node_of[side]);
  free(tree->node_of);
  free(tree->frames);
  free(tree->nodes);
  free(tree);
}
