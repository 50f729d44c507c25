/* massif's format: live bytes over time and a tree of who held them at the peak. The tree grows
   from the allocation outwards: sites sorted by their frames, innermost first, make each subtree a
   range. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/export/export.h"
#include "analyzer/util/mem.h"

#define SNAPSHOTS 80
#define DEPTH_MAX 40
#define THRESHOLD 100 /* parts below 1/100 of the peak are put together */

typedef struct {
  vt_export_t const *export;
  vt_frame_table_t table;
  vt_stack_numbers_t stacks;
  uint32_t *sites; /* with bytes at the peak, sorted by their frames */
  size_t site_cnt;
} tree_t;

/* A subtree: sites first … end-1 share their innermost frames. */
typedef struct {
  size_t first, end;
  uint64_t bytes;
} part_t;

static size_t depth_of(tree_t const *tree, uint32_t site) {
  return tree->stacks.starts[site + 1] - tree->stacks.starts[site];
}

static uint32_t frame_at(tree_t const *tree, uint32_t site, size_t depth) {
  return tree->stacks.numbers[tree->stacks.starts[site] + depth];
}

static int compare_sites(void const *a, void const *b, void *context) {
  tree_t const *tree = context;
  uint32_t x = *(uint32_t const *)a, y = *(uint32_t const *)b;
  size_t x_depth = depth_of(tree, x), y_depth = depth_of(tree, y);
  for (size_t i = 0; i < x_depth && i < y_depth; i++)
    if (frame_at(tree, x, i) != frame_at(tree, y, i))
      return frame_at(tree, x, i) < frame_at(tree, y, i) ? -1 : 1;
  return x_depth < y_depth ? -1 : x_depth > y_depth;
}

static int compare_parts(void const *a, void const *b) {
  part_t const *x = a, *y = b;
  return x->bytes > y->bytes   ? -1
         : x->bytes < y->bytes ? 1
                               : (x->first > y->first) - (x->first < y->first);
}

/* The subtrees of a range by their frame at `depth`, largest first. */
static part_t *split(tree_t const *tree, part_t const *whole, size_t depth, size_t *cnt) {
  part_t *parts = vt_mem_new(whole->end - whole->first + 1, sizeof *parts);
  *cnt = 0;
  for (size_t i = whole->first; i < whole->end; i++) {
    uint32_t site = tree->sites[i];
    if (depth_of(tree, site) <= depth) continue;
    int same = *cnt && frame_at(tree, tree->sites[parts[*cnt - 1].first], depth) ==
                           frame_at(tree, site, depth);
    if (!same) parts[(*cnt)++] = (part_t){i, i, 0};
    parts[*cnt - 1].end = i + 1;
    parts[*cnt - 1].bytes += tree->export->analysis->sites[site].peak_bytes;
  }
  qsort(parts, *cnt, sizeof *parts, compare_parts);
  return parts;
}

/* put_line prints a name on the line. */
static void put_line(FILE *out, char const *text) {
  for (; *text; text++) putc((unsigned char)*text < ' ' ? ' ' : *text, out);
}

static void put_label(tree_t const *tree, part_t const *part, size_t depth) {
  char buffer[300];
  FILE *out = tree->export->out;
  if (!depth) {
    fputs("(heap allocation functions) malloc/new/new[], --alloc-fns, etc.", out);
    return;
  }
  vt_stack_frame_t const *frame =
      &tree->table.frames[frame_at(tree, tree->sites[part->first], depth - 1)];
  fprintf(out, "0x%" PRIX64 ": ", frame->offset);
  put_line(out, vt_frame_name(frame, buffer, sizeof buffer));
  fputs(frame->file[0] ? " (" : " (in ", out);
  put_line(out, frame->file[0] ? frame->file : frame->module);
  if (frame->file[0]) fprintf(out, ":%u", frame->line);
  putc(')', out);
}

static void put_part(tree_t const *tree, part_t const *part, size_t depth, uint64_t peak) {
  size_t cnt = 0, shown = 0;
  part_t *parts = depth < DEPTH_MAX ? split(tree, part, depth, &cnt) : NULL;
  uint64_t rest = 0;
  while (shown < cnt && parts[shown].bytes >= peak / THRESHOLD) shown++;
  for (size_t i = shown; i < cnt; i++) rest += parts[i].bytes;
  FILE *out = tree->export->out;
  fprintf(out, "%*sn%zu: %" PRIu64 " ", (int)depth, "", shown + (shown < cnt), part->bytes);
  put_label(tree, part, depth);
  putc('\n', out);
  for (size_t i = 0; i < shown; i++) put_part(tree, &parts[i], depth + 1, peak);
  if (shown < cnt)
    fprintf(out, "%*sn0: %" PRIu64 " in %zu place%s, all below massif's threshold (1.00%%)\n",
            (int)depth + 1, "", rest, cnt - shown, cnt - shown == 1 ? "" : "s");
  free(parts);
}

static void put_tree(vt_export_t const *export) {
  vt_analysis_t const *analysis = export->analysis;
  tree_t tree = {.export = export, .sites = vt_mem_new(analysis->sites_cnt + 1, sizeof(uint32_t))};
  uint64_t peak = vt_model_totals(analysis->model)->peak_bytes;
  vt_frame_table_init(&tree.table, 1);
  tree.stacks = vt_export_number_stacks(export, &tree.table);
  for (size_t i = 0; i < analysis->sites_cnt; i++)
    if (!analysis->sites[i].nested && analysis->sites[i].peak_bytes)
      tree.sites[tree.site_cnt++] = (uint32_t)i;
  qsort_r(tree.sites, tree.site_cnt, sizeof *tree.sites, compare_sites, &tree);
  put_part(&tree, &(part_t){0, tree.site_cnt, peak}, 0, peak);
  vt_export_free_numbers(&tree.stacks);
  vt_frame_table_fini(&tree.table);
  free(tree.sites);
}

static void put_snapshot(vt_export_t const *export, int number, uint64_t ns, uint64_t bytes,
                         int peak) {
  fprintf(export->out,
          "#-----------\nsnapshot=%d\n#-----------\ntime=%" PRIu64 "\nmem_heap_B=%" PRIu64
          "\nmem_heap_extra_B=0\nmem_stacks_B=0\nheap_tree=%s\n",
          number, ns / 1000000, bytes, peak ? "peak" : "empty");
  if (peak) put_tree(export);
}

void vt_export_massif(vt_export_t const *export) {
  vt_model_totals_t const *totals = vt_model_totals(export->analysis->model);
  vt_trace_info_t const *info = vt_reader_info(export->analysis->readers[0]);
  size_t cnt;
  uint64_t step;
  vt_moment_t const *moments = vt_model_timeline(export->analysis->model, &cnt, &step);
  size_t each = (cnt + SNAPSHOTS - 1) / SNAPSHOTS;
  int number = 0, peak_done = 0;
  fputs("desc: valtrace", export->out);
  if (export->analysis->sampled.period)
    fprintf(export->out, ", estimates: one block in %" PRIu64 " bytes was recorded", export->analysis->sampled.period);
  if (vt_export_unsure(export)) fputs("; " VT_EXPORT_UNSURE, export->out);
  fputs("\ncmd:", export->out);
  for (uint32_t i = 0; i < info->argc; i++) {
    putc(' ', export->out);
    put_line(export->out, info->argv[i]);
  }
  fputs("\ntime_unit: ms\n", export->out);
  put_snapshot(export, number++, 0, 0, 0);
  for (size_t i = 0; i < cnt; i += each) {
    size_t last = i + each <= cnt ? i + each - 1 : cnt - 1;
    uint64_t time = (last + 1) * step;
    if (!peak_done && totals->peak_bytes && totals->peak_time_ns <= time) {
      put_snapshot(export, number++, totals->peak_time_ns, totals->peak_bytes, 1);
      peak_done = 1;
    }
    put_snapshot(export, number++, time, moments[last].end_bytes, 0);
  }
}
