/* See past.h. */
#include "analyzer/top/past.h"
#include <stdlib.h>
#include "analyzer/util/mem.h"

static vt_past_count_t count_of_cell(vt_cell_t const *cell) {
  return (vt_past_count_t){cell->allocated_bytes - cell->freed_bytes, cell->allocations};
}

static vt_past_count_t count_of_thread(vt_model_thread_t const *thread) {
  return (vt_past_count_t){thread->leaked_bytes, thread->allocations};
}

void vt_past_take(vt_past_t *past, vt_analysis_t const *analysis, uint64_t now_ns) {
  vt_model_totals_t const *totals = vt_model_totals(analysis->model);
  vt_cell_t const *cells = vt_model_cells(analysis->model, &past->cells_cnt);
  vt_model_thread_t const *threads = vt_model_threads(analysis->model, &past->threads_cnt);
  past->time_ns = now_ns;
  past->allocations = totals->allocations;
  past->frees = totals->frees;
  past->allocated_bytes = totals->allocated_bytes;
  past->cells = vt_mem_resize(past->cells, past->cells_cnt + 1, sizeof *past->cells);
  past->threads = vt_mem_resize(past->threads, past->threads_cnt + 1, sizeof *past->threads);
  for (size_t i = 0; i < past->cells_cnt; i++) past->cells[i] = count_of_cell(&cells[i]);
  for (size_t i = 0; i < past->threads_cnt; i++) past->threads[i] = count_of_thread(&threads[i]);
}

void vt_past_free(vt_past_t *past) {
  free(past->cells);
  free(past->threads);
  *past = (vt_past_t){0};
}

void vt_past_move(vt_past_t *to, vt_past_t *from) {
  vt_past_free(to);
  *to = *from;
  *from = (vt_past_t){0};
}

static vt_past_change_t change(vt_past_count_t was, vt_past_count_t is) {
  return (vt_past_change_t){(int64_t)(is.live - was.live), is.allocations - was.allocations};
}

vt_past_change_t vt_past_cell(vt_past_t const *past, vt_cell_t const *cells, size_t i) {
  return change(i < past->cells_cnt ? past->cells[i] : (vt_past_count_t){0}, count_of_cell(&cells[i]));
}

vt_past_change_t vt_past_thread(vt_past_t const *past, vt_model_thread_t const *threads, size_t i) {
  return change(i < past->threads_cnt ? past->threads[i] : (vt_past_count_t){0}, count_of_thread(&threads[i]));
}

double vt_past_rate(vt_past_t const *past, uint64_t now, uint64_t things) {
  return now > past->time_ns ? (double)things * 1e9 / (double)(now - past->time_ns) : 0;
}
