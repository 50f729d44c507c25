/* See table.h. */
#include "analyzer/top/table.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/report/names.h"
#include "analyzer/util/mem.h"

static char const *const sort_names[VT_TOP_SORTS] = {"live", "growth", "rate", "temporary"};
static char const *const fold_names[VT_TOP_FOLDS] = {"site", "function", "module", "thread"};
static vt_by_t const folds[VT_TOP_FOLDS] = {VT_BY_SITE, VT_BY_FUNCTION, VT_BY_MODULE, VT_BY_FUNCTION};

char const *vt_top_sort_name(vt_top_sort_t sort) { return sort_names[sort]; }
char const *vt_top_fold_name(vt_top_fold_t fold) { return fold_names[fold]; }

static int compare_u64(uint64_t a, uint64_t b) { return a < b ? 1 : a > b ? -1 : 0; }

static int compare_rows(void const *a, void const *b, void *context) {
  vt_top_row_t const *x = a, *y = b;
  int order = 0;
  switch (*(vt_top_sort_t const *)context) {
  case VT_TOP_GROWTH: order = x->growth < y->growth ? 1 : x->growth > y->growth ? -1 : 0; break;
  case VT_TOP_RATE: order = compare_u64(x->since, y->since); break;
  case VT_TOP_TEMPORARY: order = compare_u64(x->temporary, y->temporary); break;
  default: break;
  }
  if (!order) order = compare_u64(x->live_bytes, y->live_bytes);
  return order ? order : compare_u64(x->allocations, y->allocations);
}

static int has(char const *text, char const *wanted) { return text && strcasestr(text, wanted) != NULL; }

static int is_wanted(vt_top_row_t const *row, char const *filter) {
  return !filter[0] || has(row->frame.function, filter) || has(row->frame.file, filter) ||
         has(row->frame.module, filter) || has(row->thread, filter);
}

static void add_row(vt_top_table_t *table, vt_top_row_t const *row, vt_top_choice_t const *choice) {
  if (is_wanted(row, choice->filter)) VT_PUSH(table->rows, *row);
}

/* changes_of_sites is by site what its cells have changed. */
static vt_past_change_t *changes_of_sites(vt_analysis_t const *analysis, vt_past_t const *past) {
  size_t cnt;
  vt_cell_t const *cells = vt_model_cells(analysis->model, &cnt);
  vt_past_change_t *sums = vt_mem_new(analysis->sites_cnt + 1, sizeof *sums);
  for (size_t i = VT_CELL_FIRST; i < cnt; i++) {
    uint32_t site = analysis->cell_sites[i];
    if (!site) continue;
    vt_past_change_t one = vt_past_cell(past, cells, i);
    sums[site - 1].growth += one.growth;
    sums[site - 1].allocations += one.allocations;
  }
  return sums;
}

static void add_group(vt_top_table_t *table, vt_group_t const *group, vt_past_change_t const *grown,
                      vt_past_change_t const *since, vt_top_choice_t const *choice) {
  vt_site_t const *sum = &group->sum;
  vt_top_row_t row = {.frame = group->frame,
                      .live_bytes = sum->leaked_bytes,
                      .live_blocks = sum->leaked_blocks,
                      .allocations = sum->allocations,
                      .temporary = sum->temporary,
                      .temporary_bytes = sum->temporary_bytes,
                      .error = sum->sampled ? vt_estimate_error(sum->spread.live.bytes) : 0,
                      .node = sum->node};
  for (size_t i = 0; i < group->site_cnt; i++) {
    row.growth += grown[group->sites[i]].growth;
    row.since += since[group->sites[i]].allocations;
  }
  add_row(table, &row, choice);
}

static void add_groups(vt_top_table_t *table, vt_analysis_t const *analysis, vt_past_t const *reference,
                       vt_past_t const *before, vt_top_choice_t const *choice) {
  vt_past_change_t *grown = changes_of_sites(analysis, reference), *since = changes_of_sites(analysis, before);
  vt_groups_t groups = vt_groups_make(analysis, VT_METRIC_COUNT, folds[choice->fold]);
  for (size_t i = 0; i < groups.groups_cnt; i++) add_group(table, &groups.groups[i], grown, since, choice);
  vt_groups_free(&groups);
  free(grown);
  free(since);
}

static void add_threads(vt_top_table_t *table, vt_analysis_t const *analysis, vt_past_t const *reference,
                        vt_past_t const *before, vt_top_choice_t const *choice) {
  size_t cnt;
  vt_model_thread_t const *threads = vt_model_threads(analysis->model, &cnt);
  for (size_t i = 0; i < cnt; i++) {
    if (!threads[i].allocations) continue;
    vt_trace_thread_t who = vt_analysis_thread(analysis, (uint32_t)i);
    vt_top_row_t row = {.live_bytes = threads[i].leaked_bytes,
                        .live_blocks = threads[i].leaked_blocks,
                        .allocations = threads[i].allocations,
                        .temporary = threads[i].temporary,
                        .growth = vt_past_thread(reference, threads, i).growth,
                        .since = vt_past_thread(before, threads, i).allocations};
    snprintf(row.thread, sizeof row.thread, "thread %s %.20s", vt_trace_thread_label(&who).text, who.name);
    add_row(table, &row, choice);
  }
}

void vt_top_table(vt_top_table_t *table, vt_analysis_t const *analysis, vt_past_t const *reference,
                  vt_past_t const *before, vt_top_choice_t const *choice) {
  vt_top_sort_t sort = choice->sort;
  table->rows_cnt = 0;
  if (choice->fold == VT_TOP_THREAD)
    add_threads(table, analysis, reference, before, choice);
  else
    add_groups(table, analysis, reference, before, choice);
  if (table->rows_cnt) qsort_r(table->rows, table->rows_cnt, sizeof *table->rows, compare_rows, &sort);
}

void vt_top_table_free(vt_top_table_t *table) {
  free(table->rows);
  *table = (vt_top_table_t){0};
}

static char const *last_part(char const *path) {
  char const *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

char const *vt_top_row_name(vt_top_row_t const *row, vt_top_fold_t fold, char *buffer, size_t sz) {
  if (fold == VT_TOP_THREAD) return row->thread;
  if (fold == VT_TOP_MODULE) return row->frame.module[0] ? last_part(row->frame.module) : "[no module]";
  if (row->frame.function[0]) return vt_name_short(row->frame.function, buffer, sz);
  return vt_frame_name(&row->frame, buffer, sz);
}

char const *vt_top_row_place(vt_top_row_t const *row, vt_top_fold_t fold, char *buffer, size_t sz) {
  vt_stack_frame_t const *frame = &row->frame;
  buffer[0] = '\0';
  if (fold == VT_TOP_THREAD || fold == VT_TOP_MODULE) return buffer;
  if (fold == VT_TOP_SITE && frame->file[0])
    snprintf(buffer, sz, "%s:%u", last_part(frame->file), frame->line);
  else
    snprintf(buffer, sz, "%s", last_part(frame->file[0] ? frame->file : frame->module));
  return buffer;
}
