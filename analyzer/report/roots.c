/* See roots.h. What is outside of a node is the same for all stacks it is in, and callers have
   lower numbers than their callees: one pass over the nodes suffices. */
#include "analyzer/report/roots.h"
#include <stdlib.h>
#include <string.h>
#include "analyzer/util/mem.h"

/* What lies outside of a node, and itself. */
typedef struct {
  uint32_t outermost; /* the outermost node with code */
  uint8_t truncated;
  uint8_t generated; /* code in no module, that has callers */
} outside_t;

static outside_t *look_outside(vt_stacks_t const *stacks) {
  uint32_t cnt = vt_stacks_cnt(stacks);
  outside_t *all = vt_mem_new((size_t)cnt + 1, sizeof *all);
  for (uint32_t i = 1; i < cnt; i++) {
    uint32_t parent = vt_stacks_parent(stacks, i);
    vt_code_t code = vt_stacks_code(stacks, i);
    all[i] = all[parent];
    all[i].truncated |= code == VT_CODE_TRUNCATED;
    all[i].generated |= code == VT_CODE_GENERATED && all[parent].outermost;
    if (!all[i].outermost && code <= VT_CODE_GENERATED) all[i].outermost = i;
  }
  return all;
}

static void add_cut(vt_roots_t *roots, char const *module, uint64_t allocations) {
  for (size_t i = 0; i < roots->cut_cnt; i++)
    if (!strcmp(roots->cut[i].module, module)) {
      roots->cut[i].allocations += allocations;
      return;
    }
  VT_PUSH(roots->cut, ((vt_root_t){module, allocations}));
}

static int most_first(void const *a, void const *b) {
  vt_root_t const *x = a, *y = b;
  if (x->allocations != y->allocations) return x->allocations > y->allocations ? -1 : 1;
  return strcmp(x->module, y->module);
}

vt_roots_t vt_analysis_roots(vt_analysis_t const *analysis) {
  vt_stack_frame_t frames[VT_STACKS_FRAMES_MAX];
  vt_roots_t roots = {0};
  size_t cells_cnt;
  vt_cell_t const *cells = vt_model_cells(analysis->model, &cells_cnt);
  outside_t *outside = look_outside(analysis->stacks);
  for (size_t i = VT_CELL_FIRST; i < cells_cnt; i++) {
    outside_t const *of = &outside[vt_analysis_cell_node(analysis, &cells[i], 1)];
    if (!cells[i].allocations) continue;
    if (of->truncated && of->outermost) {
      vt_stacks_frames(analysis->stacks, of->outermost, 0, frames);
      int generated = vt_stacks_code(analysis->stacks, of->outermost) == VT_CODE_GENERATED;
      add_cut(&roots, generated ? "" : frames[0].module, cells[i].allocations);
    } else if (of->generated) {
      roots.uncertain += cells[i].allocations;
    }
  }
  free(outside);
  if (roots.cut) qsort(roots.cut, roots.cut_cnt, sizeof *roots.cut, most_first);
  return roots;
}
