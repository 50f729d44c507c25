/* Building and folding the call tree; see tree.h. Frames and nodes are numbered by interning
   their keys, in order of first use. */
#include "analyzer/page/tree.h"
#include <stdlib.h>
#include <string.h>
#include "analyzer/report/languages.h"
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
  if (number <= tree->frames_cnt) return number - 1;
  frame.flags |= (uint32_t)vt_source_language(from) << VT_PAGE_LANGUAGE_SHIFT;
  VT_PUSH(tree->frames, frame);
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
      if (!analysis->no_inlines || !frames[k].inlined)
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

/* By node of the stacks: is its site suppressed? */
static uint8_t *covered_nodes(vt_analysis_t const *analysis, vt_suppressions_t *suppressions) {
  uint8_t *covered = vt_mem_new((size_t)vt_stacks_cnt(analysis->stacks) + 1, 1);
  if (!suppressions->items_cnt) return covered;
  uint8_t *sites = vt_suppressions_cover(suppressions, analysis);
  for (size_t i = 0; i < analysis->sites_cnt; i++)
    if (sites[i]) covered[analysis->sites[i].node] = 1;
  free(sites);
  return covered;
}

static void add_side(vt_page_tree_t *tree, vt_analysis_t const *analysis, int side,
                     vt_suppressions_t *suppressions) {
  size_t cnt;
  vt_cell_t const *cells = vt_model_cells(analysis->model, &cnt);
  uint32_t *nodes = add_stacks(tree, analysis);
  uint8_t *leaking = leaking_nodes(analysis), *covered = covered_nodes(analysis, suppressions);
  tree->node_of[side] = vt_mem_new(cnt + 1, sizeof **tree->node_of);
  tree->leaks[side] = vt_mem_new(cnt + 1, 1);
  for (size_t i = VT_CELL_FIRST; i < cnt; i++) {
    uint32_t ids = vt_reader_stacks(analysis->readers[cells[i].trace]).cnt;
    uint32_t at = cells[i].stack < ids ? analysis->nodes[cells[i].trace][cells[i].stack] : 0;
    uint32_t site = vt_stacks_skip_allocators(analysis->stacks, at);
    tree->node_of[side][i] = nodes[at];
    tree->leaks[side][i] = !covered[site];
    if (!cells[i].nested) add_values(tree->nodes[nodes[at]].self[side], &cells[i], leaking[site]);
  }
  free(nodes);
  free(leaking);
  free(covered);
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

static uint32_t folded_frame(vt_page_tree_t *tree) {
  if (tree->frames[tree->frames_cnt - 1].flags & VT_PAGE_FOLDED)
    return (uint32_t)tree->frames_cnt - 1; /* folded before */
  vt_page_frame_t frame = {.function = intern(tree, "[smaller frames]"), .flags = VT_PAGE_FOLDED};
  VT_PUSH(tree->frames, frame);
  return (uint32_t)tree->frames_cnt - 1;
}

static void add_self(vt_page_node_t *to, vt_page_node_t const *from) {
  for (int i = 0; i < 2 * VT_PAGE_VALUES; i++)
    to->self[i / VT_PAGE_VALUES][i % VT_PAGE_VALUES] +=
        from->self[i / VT_PAGE_VALUES][i % VT_PAGE_VALUES];
}

int vt_page_node_ends(vt_page_node_t const *node) {
  return node->self[0][VT_PAGE_ALLOCATIONS] || node->self[1][VT_PAGE_ALLOCATIONS];
}

/* A smaller tree of the same stacks. */
typedef struct {
  vt_page_tree_t const *from;
  vt_page_tree_t to;   /* nodes only */
  uint8_t *keep;       /* by old node */
  uint32_t *moved;     /* by old node: the new one where its own values went */
  uint32_t frame;      /* [smaller frames] */
  int with_ends, full; /* full: more nodes than max */
  size_t max;
} folding_t;

static void folding_reset(folding_t *fold) {
  vt_page_node_t root = {0};
  vt_strings_delete(fold->to.node_keys);
  fold->to.node_keys = vt_strings_new();
  fold->to.nodes_cnt = 0;
  VT_PUSH(fold->to.nodes, root);
}

/* The new node of a stack that is not kept to its end: [smaller frames] below its nearest kept
   caller, and there the first function outside run-time libraries, so that those who allocate keep
   their names. */
static uint32_t fold_stack(folding_t *fold, uint32_t node) {
  vt_page_tree_t const *from = fold->from;
  uint32_t own = node, caller = node;
  while (!fold->keep[own] && from->frames[from->nodes[own].frame].flags & VT_PAGE_RUNTIME)
    own = from->nodes[own].parent;
  while (!fold->keep[caller]) caller = from->nodes[caller].parent;
  uint32_t to = add_node(&fold->to, fold->moved[caller], fold->frame);
  if (!fold->with_ends || fold->keep[own]) return to;
  return add_node(&fold->to, to, from->nodes[own].frame);
}

/* Makes the tree with the best `kept` nodes in full. */
static void fold_to(folding_t *fold, rank_t const *ranks, size_t kept) {
  vt_page_tree_t const *from = fold->from;
  folding_reset(fold);
  memset(fold->keep, 0, from->nodes_cnt);
  for (size_t i = 0; i < kept; i++) fold->keep[ranks[i].node] = 1;
  for (uint32_t i = 0; i < from->nodes_cnt && fold->to.nodes_cnt <= fold->max; i++) {
    if (!fold->keep[i] && !vt_page_node_ends(&from->nodes[i])) continue;
    if (!fold->keep[i])
      fold->moved[i] = fold_stack(fold, i);
    else if (i)
      fold->moved[i] =
          add_node(&fold->to, fold->moved[from->nodes[i].parent], from->nodes[i].frame);
    add_self(&fold->to.nodes[fold->moved[i]], &from->nodes[i]);
  }
  fold->full = fold->to.nodes_cnt > fold->max;
}

/* Keeps as many nodes in full as fit with the ends of the other stacks; when there are too many
   ends (less than a tenth could be kept), those are folded as well. Returns how many were kept. */
static size_t fold_to_fit(folding_t *fold, rank_t const *ranks) {
  size_t kept = fold->max;
  fold->with_ends = 1;
  for (fold_to(fold, ranks, kept); fold->full && kept > 1; fold_to(fold, ranks, kept)) {
    kept -= kept / 5 + 1;
    if (fold->with_ends && kept < fold->max / 10) {
      fold->with_ends = 0;
      kept = fold->max;
    }
  }
  return kept;
}

/* Callers still come before their callees: a node is added below one that is there. */
static void take_over(vt_page_tree_t *tree, vt_analysis_t const *const *analyses, folding_t *fold) {
  for (int side = 0; side < tree->sides; side++) {
    size_t cells;
    vt_model_cells(analyses[side]->model, &cells);
    for (size_t i = 0; i < cells; i++) tree->node_of[side][i] = fold->moved[tree->node_of[side][i]];
  }
  free(tree->nodes);
  vt_strings_delete(tree->node_keys);
  tree->nodes = fold->to.nodes;
  tree->nodes_cnt = fold->to.nodes_cnt;
  tree->node_keys = fold->to.node_keys;
}

void vt_page_tree_fold(vt_page_tree_t *tree, vt_analysis_t const *const *analyses, size_t max) {
  if (tree->nodes_cnt <= max) return;
  rank_t *ranks = rank_nodes(tree);
  folding_t fold = {.from = tree, .max = max, .frame = folded_frame(tree)};
  fold.keep = vt_mem_new(tree->nodes_cnt, 1);
  fold.moved = vt_mem_new(tree->nodes_cnt, sizeof *fold.moved);
  size_t kept = fold_to_fit(&fold, ranks);
  tree->folded += tree->nodes_cnt - kept;
  if (ranks[kept].share > tree->folded_largest) tree->folded_largest = ranks[kept].share;
  take_over(tree, analyses, &fold);
  free(ranks);
  free(fold.keep);
  free(fold.moved);
}

/* ---- interface ---- */

vt_page_tree_t *vt_page_tree_new(vt_analysis_t const *const *analyses, int sides,
                                 vt_suppressions_t *suppressions) {
  vt_page_tree_t *tree = vt_mem_new(1, sizeof *tree);
  vt_page_node_t root = {0};
  tree->sides = sides;
  tree->by_function = sides > 1;
  tree->strings = vt_strings_new();
  tree->frame_keys = vt_strings_new();
  tree->node_keys = vt_strings_new();
  tree->node_of = vt_mem_new(2, sizeof *tree->node_of);
  tree->leaks = vt_mem_new(2, sizeof *tree->leaks);
  VT_PUSH(tree->nodes, root);
  for (int side = 0; side < sides; side++)
    add_side(tree, analyses[side], side, &suppressions[side]);
  return tree;
}

void vt_page_tree_delete(vt_page_tree_t *tree) {
  vt_strings_delete(tree->strings);
  vt_strings_delete(tree->frame_keys);
  vt_strings_delete(tree->node_keys);
  for (int side = 0; side < tree->sides; side++) {
    free(tree->node_of[side]);
    free(tree->leaks[side]);
  }
  free(tree->node_of);
  free(tree->leaks);
  free(tree->frames);
  free(tree->nodes);
  free(tree);
}
