/* callgrind's format: self cost at the allocating function's line and, for each pair of caller and
   callee, the inclusive cost. Recursion is kept apart by counting each pair once per stack. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/export/export.h"
#include "analyzer/export/frame_table.h"
#include "analyzer/util/mem.h"

#define EVENTS 4 /* curB curBk totB totBk */

/* Cost of an edge caller -> callee at a line of the caller; callee == own: self cost. */
typedef struct {
  uint32_t caller, callee, line;
  uint64_t cost[EVENTS];
} edge_t;

static int compare_edges(void const *a, void const *b) {
  edge_t const *x = a, *y = b;
  if (x->caller != y->caller) return x->caller < y->caller ? -1 : 1;
  int x_self = x->callee == UINT32_MAX, y_self = y->callee == UINT32_MAX;
  if (x_self != y_self) return x_self ? -1 : 1;
  if (x->callee != y->callee) return x->callee < y->callee ? -1 : 1;
  return x->line < y->line ? -1 : x->line > y->line;
}

typedef struct {
  edge_t *edges;
  size_t edges_cnt, edges_cap;
} edges_t;

/* A pair of callee and caller in a stack: the caller's place in it. */
typedef struct {
  uint64_t pair;
  size_t k;
} step_t;

static int compare_steps(void const *a, void const *b) {
  step_t const *x = a, *y = b;
  if (x->pair != y->pair) return x->pair < y->pair ? -1 : 1;
  return x->k < y->k ? -1 : x->k > y->k;
}

/* number_frames gives each frame its function's number: that of frames[k] is out[k]. */
static void number_frames(vt_frame_table_t *table, vt_stack_frame_t const *frames, size_t cnt,
                          uint32_t *out) {
  for (size_t k = 0; k < cnt; k++) {
    vt_stack_frame_t frame = frames[k];
    frame.line = 0;
    frame.inlined = 0;
    out[k] = vt_frame_table_add(table, &frame);
  }
}

/* first_steps keeps the innermost one of equal pairs; returns how many. */
static size_t first_steps(uint32_t const *functions, size_t cnt, step_t *steps) {
  size_t kept = 0;
  for (size_t k = 0; k < cnt; k++)
    steps[k] = (step_t){(uint64_t)(k ? functions[k - 1] : UINT32_MAX) << 32 | functions[k], k};
  qsort(steps, cnt, sizeof *steps, compare_steps);
  for (size_t i = 0; i < cnt; i++)
    if (!i || steps[i].pair != steps[i - 1].pair) steps[kept++] = steps[i];
  return kept;
}

static void add_site(vt_export_t const *export, vt_frame_table_t *table, edges_t *out,
                     vt_site_t const *site) {
  size_t cnt;
  vt_stack_frame_t const *frames = vt_export_stack(export, site->node, &cnt);
  uint32_t *functions = vt_mem_new(cnt + 1, sizeof *functions);
  step_t *steps = vt_mem_new(cnt + 1, sizeof *steps);
  number_frames(table, frames, cnt, functions);
  size_t kept = first_steps(functions, cnt, steps);
  for (size_t i = 0; i < kept; i++) {
    edge_t edge = {
        (uint32_t)steps[i].pair,
        (uint32_t)(steps[i].pair >> 32),
        frames[steps[i].k].line,
        {site->leaked_bytes, site->leaked_blocks, site->allocated_bytes, site->allocations}};
    VT_PUSH(out->edges, edge);
  }
  free(functions);
  free(steps);
}

static size_t merge_edges(edge_t *edges, size_t cnt) {
  size_t kept = 0;
  if (cnt) qsort(edges, cnt, sizeof *edges, compare_edges);
  for (size_t i = 0; i < cnt; i++) {
    if (!kept || compare_edges(&edges[kept - 1], &edges[i])) {
      edges[kept++] = edges[i];
      continue;
    }
    for (int e = 0; e < EVENTS; e++) edges[kept - 1].cost[e] += edges[i].cost[e];
  }
  return kept;
}

static void put_name(FILE *out, char const *key, char const *text) {
  fprintf(out, "%s=", key);
  for (; *text; text++) putc((unsigned char)*text < ' ' ? ' ' : *text, out);
  putc('\n', out);
}

static void put_command(FILE *out, char const *path) {
  fputs("cmd: ", out);
  for (; *path; path++) putc((unsigned char)*path < ' ' ? ' ' : *path, out);
  putc('\n', out);
}

static void put_function(vt_export_t const *export, vt_stack_frame_t const *frame, int callee) {
  char buffer[300];
  put_name(export->out, callee ? "cob" : "ob", frame->module);
  put_name(export->out, callee ? "cfi" : "fl", frame->file[0] ? frame->file : "???");
  put_name(export->out, callee ? "cfn" : "fn", vt_frame_name(frame, buffer, sizeof buffer));
}

static void put_cost(FILE *out, edge_t const *edge) {
  fprintf(out, "%u", edge->line);
  for (int e = 0; e < EVENTS; e++) fprintf(out, " %" PRIu64, edge->cost[e]);
  putc('\n', out);
}

void vt_export_callgrind(vt_export_t const *export) {
  vt_analysis_t const *analysis = export->analysis;
  vt_model_totals_t const *totals = vt_model_totals(analysis->model);
  vt_frame_table_t table;
  edges_t all = {0};
  vt_frame_table_init(&table, 0);
  for (size_t i = 0; i < analysis->sites_cnt; i++)
    if (!analysis->sites[i].nested) add_site(export, &table, &all, &analysis->sites[i]);
  size_t cnt = merge_edges(all.edges, all.edges_cnt);
  fputs("# callgrind format\nversion: 1\ncreator: valtrace\n", export->out);
  if (export->analysis->sampled.period)
    fprintf(export->out, "desc: Sampled: estimates, one block in %" PRIu64 " bytes was recorded\n", export->analysis->sampled.period);
  if (vt_export_unsure(export)) fputs("desc: Paused: " VT_EXPORT_UNSURE "\n", export->out);
  put_command(export->out, vt_reader_info(analysis->readers[0])->executable);
  fputs("positions: line\nevent: curB : bytes live at the end\nevent: curBk : blocks live at the "
        "end\n"
        "event: totB : bytes allocated\nevent: totBk : blocks allocated\n"
        "events: curB curBk totB totBk\n\n",
        export->out);
  for (size_t i = 0; i < cnt; i++) {
    edge_t const *edge = &all.edges[i];
    if (!i || edge[-1].caller != edge->caller) {
      putc('\n', export->out);
      put_function(export, &table.frames[edge->caller], 0);
    }
    if (edge->callee != UINT32_MAX) {
      put_function(export, &table.frames[edge->callee], 1);
      fprintf(export->out, "calls=%" PRIu64 " 0\n", edge->cost[3]);
    }
    put_cost(export->out, edge);
  }
  fprintf(export->out, "\ntotals: %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
          totals->live_bytes, totals->live_blocks, totals->allocated_bytes, totals->allocations);
  free(all.edges);
  vt_frame_table_fini(&table);
}
