/* What the sites, threads and totals had at an earlier moment: rates are counted from the look before, growth from a
   moment of reference. Cells and threads of the model keep their numbers, so what was is an array beside what is. */
#ifndef VT_ANALYZER_TOP_PAST_H
#define VT_ANALYZER_TOP_PAST_H

#include "analyzer/report/analysis.h"

typedef struct {
  uint64_t live, allocations; /* bytes, number */
} vt_past_count_t;

typedef struct {
  uint64_t time_ns; /* of the trace */
  uint64_t allocations, frees, allocated_bytes;
  vt_past_count_t *cells, *threads;
  size_t cells_cnt, threads_cnt;
} vt_past_t;

/* vt_past_take makes *past what is now. A zeroed one is the beginning of the trace. */
void vt_past_take(vt_past_t *past, vt_analysis_t const *analysis, uint64_t now_ns);
void vt_past_move(vt_past_t *to, vt_past_t *from); /* *from is the beginning then */
void vt_past_free(vt_past_t *past);

/* What has changed since: by how much live bytes grew (or shrank), and how many allocations there were. */
typedef struct {
  int64_t growth;
  uint64_t allocations;
} vt_past_change_t;
vt_past_change_t vt_past_cell(vt_past_t const *past, vt_cell_t const *cells, size_t cell);
vt_past_change_t vt_past_thread(vt_past_t const *past, vt_model_thread_t const *threads, size_t thread);

/* vt_past_rate is a number of things since then, for each second of the trace. */
double vt_past_rate(vt_past_t const *past, uint64_t now_ns, uint64_t things);

#endif
