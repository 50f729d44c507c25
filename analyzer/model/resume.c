/* From a model to a summary of the events so far, and back: what comes later is then counted as if it had seen all.

   In the summary heaps and threads have the trace's numbers, as the model's own depend on what else it looks at. Only
   threads are kept that have live blocks: of the others nothing is asked any more. */
#include "analyzer/model/count.h"
#include "analyzer/trace/summary.h"
#include "analyzer/util/mem.h"

#include <stdlib.h>

/* ---- to a summary ---- */

typedef struct {
  vt_model_t *model;
  vt_summary_t *out;
  uint32_t *threads; /* by thread of the model: its place in the summary + 1 */
  uint32_t *cells;   /* likewise */
} saving_t;

/* number_of is the trace's number of a heap. */
static uint32_t number_of(vt_model_t const *model, uint32_t heap) {
  trace_t const *trace = &model->traces[0];
  for (uint32_t i = 0; i < trace->heaps_cnt; i++)
    if (trace->heaps[i].heap == heap) return i;
  return heap == trace->python.heap ? VT_SUMMARY_PYTHON : VT_SUMMARY_NONE;
}

static uint32_t save_thread(saving_t *s, uint32_t thread) {
  if (s->threads[thread]) return s->threads[thread] - 1;
  vt_model_thread_t const *t = &s->model->threads[thread];
  vt_summary_thread_t one = {t->index, VT_SUMMARY_NONE, t->last_address};
  if (t->last_heap != NO_INDEX) one.last_heap = number_of(s->model, t->last_heap);
  VT_PUSH(s->out->threads, one);
  s->threads[thread] = (uint32_t)s->out->threads_cnt;
  return s->threads[thread] - 1;
}

static void save_cells(saving_t *s) {
  for (size_t i = VT_CELL_FIRST; i < s->model->cells_cnt; i++) {
    vt_cell_t *c = &s->model->cells[i];
    vt_count_before_change(s->model, c);
    vt_summary_cell_t one = {number_of(s->model, c->heap), c->stack,
                             {c->allocations, c->allocated_bytes, c->frees, c->freed_bytes, c->temporary,
                              c->temporary_bytes, c->peak_blocks, c->peak_bytes, c->reallocs, c->realloc_moved,
                              c->realloc_old_bytes, c->cross_thread_frees}};
    VT_PUSH(s->out->cells, one);
    s->cells[i] = (uint32_t)s->out->cells_cnt;
  }
}

static vt_summary_block_t saved(saving_t *s, uint32_t heap, vt_block_t const *b, uint64_t tag) {
  vt_summary_block_t out = {.heap = heap, .known = b->cell >= VT_CELL_FIRST};
  if (!out.known) return out;
  out.cell = s->cells[b->cell] - 1;
  out.thread = save_thread(s, b->thread);
  out.address = b->address;
  out.size = b->size;
  out.time = b->time;
  out.tag = tag;
  return out;
}

static void save_blocks(saving_t *s) {
  trace_t const *trace = &s->model->traces[0];
  for (uint32_t number = 0; number < trace->heaps_cnt; number++) {
    if (trace->heaps[number].heap == NO_INDEX || number_of(s->model, trace->heaps[number].heap) != number) continue;
    vt_blocks_t const *blocks = &s->model->blocks[trace->heaps[number].heap];
    for (size_t i = 0; i <= blocks->mask; i++) {
      if (!blocks->slots[i].cell) continue;
      vt_summary_block_t one = saved(s, number, &blocks->slots[i], blocks->tags ? blocks->tags[i] : 0);
      VT_PUSH(s->out->blocks, one);
    }
  }
}

static void save_limbos(saving_t *s) {
  for (uint32_t t = 0; t < s->model->limbos_cnt; t++)
    for (unsigned k = 0; s->model->limbos[t] && k < s->model->limbos[t]->cnt; k++) {
      limbo_t const *limbo = &s->model->limbos[t]->limbo[k];
      vt_summary_block_t one = saved(s, number_of(s->model, limbo->heap), &limbo->block, 0);
      one.limbo = 1;
      one.limbo_thread = save_thread(s, t);
      one.stack = limbo->stack;
      VT_PUSH(s->out->blocks, one);
    }
}

void vt_model_summarize(vt_model_t *model, vt_summary_t *out) {
  vt_model_totals_t const *t = &model->totals;
  vt_order_expire(model, UINT64_MAX);
  *out = (vt_summary_t){.totals = {t->events, t->peak_bytes, t->peak_blocks, t->peak_time_ns, t->unmatched_frees,
                                   t->reordered, t->missed_frees, t->ended_unseen, t->unknown_frees}};
  saving_t s = {model, out, vt_mem_new(model->threads_cnt + 1, sizeof *s.threads),
                vt_mem_new(model->cells_cnt + 1, sizeof *s.cells)};
  save_cells(&s);
  save_blocks(&s);
  save_limbos(&s);
  free(s.threads);
  free(s.cells);
}

/* ---- from a summary ---- */

typedef struct {
  vt_model_t *model;
  uint32_t trace;
  vt_summary_t const *from;
  uint32_t *threads, *cells; /* by place in the summary: the model's */
} loading_t;

static void load_threads(loading_t *l) {
  for (size_t i = 0; i < l->from->threads_cnt; i++) {
    vt_summary_thread_t const *t = &l->from->threads[i];
    uint32_t thread = l->threads[i] = vt_model_thread_of(l->model, l->trace, t->index);
    if (t->last_heap == VT_SUMMARY_NONE) continue;
    l->model->threads[thread].last_address = t->last_address;
    l->model->threads[thread].last_heap = vt_model_heap_of(l->model, l->trace, t->last_heap);
  }
}

static void load_cells(loading_t *l) {
  for (size_t i = 0; i < l->from->cells_cnt; i++) {
    vt_summary_cell_t const *from = &l->from->cells[i];
    int python = from->heap == VT_SUMMARY_PYTHON;
    if (!python && vt_model_heap_of(l->model, l->trace, from->heap) == NO_INDEX) continue;
    l->cells[i] = vt_model_cell_at(l->model, l->trace, python ? 0 : from->heap, python, from->stack);
    vt_cell_t *c = &l->model->cells[l->cells[i]];
    uint64_t const *n = from->counters;
    c->allocations = n[VT_SUMMARY_ALLOCATIONS];
    c->allocated_bytes = n[VT_SUMMARY_ALLOCATED_BYTES];
    c->frees = n[VT_SUMMARY_FREES];
    c->freed_bytes = n[VT_SUMMARY_FREED_BYTES];
    c->temporary = n[VT_SUMMARY_TEMPORARY];
    c->temporary_bytes = n[VT_SUMMARY_TEMPORARY_BYTES];
    c->peak_blocks = n[VT_SUMMARY_PEAK_BLOCKS];
    c->peak_bytes = n[VT_SUMMARY_PEAK_BYTES];
    c->reallocs = n[VT_SUMMARY_REALLOCS];
    c->realloc_moved = n[VT_SUMMARY_REALLOC_MOVED];
    c->realloc_old_bytes = n[VT_SUMMARY_REALLOC_OLD_BYTES];
    c->cross_thread_frees = n[VT_SUMMARY_CROSS_THREAD_FREES];
    c->peak_number = l->model->peak_number;
  }
}

/* load_live counts a block that is live. */
static void load_live(vt_model_t *model, vt_block_t const *block) {
  vt_cell_t *cell = &model->cells[block->cell];
  vt_share_t const share = {1, block->size};
  if (vt_stretches_unsure(model, block)) vt_stretches_count(model, cell, &share, 1);
  if (cell->nested) return;
  model->live_blocks++;
  model->live_bytes += block->size;
}

static void load_limbo(loading_t *l, vt_summary_block_t const *b, vt_block_t const *block, uint32_t heap) {
  limbo_t *limbo = vt_model_push_limbo(l->model, l->threads[b->limbo_thread]);
  *limbo = (limbo_t){.heap = heap, .stack = b->stack};
  if (b->known) limbo->block = *block;
}

static void load_blocks(loading_t *l) {
  for (size_t i = 0; i < l->from->blocks_cnt; i++) {
    vt_summary_block_t const *b = &l->from->blocks[i];
    uint32_t heap = vt_model_heap_of(l->model, l->trace, b->heap);
    vt_block_t block = {b->address, b->size, b->time + l->model->traces[l->trace].shift_ns, 0, 0};
    if (b->known) block.cell = l->cells[b->cell], block.thread = l->threads[b->thread];
    if (heap == NO_INDEX || (b->known && block.cell < VT_CELL_FIRST)) continue;
    if (b->known) load_live(l->model, &block);
    if (b->limbo) {
      load_limbo(l, b, &block, heap);
      continue;
    }
    vt_block_t *slot = vt_blocks_find(&l->model->blocks[heap], b->address);
    if (!slot->cell) vt_blocks_insert(&l->model->blocks[heap], slot, block, b->tag);
  }
}

/* was_sure: was the highest of the summary before the end of any stretch that is left out? */
static int was_sure(vt_model_t const *model, uint32_t trace) {
  trace_t const *t = &model->traces[trace];
  for (size_t i = 0; i < t->over; i++)
    if (t->stretches[i].to > t->shift_ns) return model->totals.peak_time_ns < t->stretches[i].to;
  return 1;
}

/* bound_peak: how much of a peak may have been freed unseen the summary does not say. So much was live at one time at least. */
static void bound_peak(vt_model_t *model, uint32_t trace) {
  int sure = was_sure(model, trace);
  model->totals.peak_at_least = sure ? model->totals.peak_bytes : vt_stretches_sure(model);
  for (size_t i = VT_CELL_FIRST; i < model->cells_cnt && !sure; i++)
    model->cells[i].peak_unsure_bytes = model->cells[i].peak_bytes;
}

void vt_model_resume(vt_model_t *model, uint32_t trace, vt_summary_t const *from) {
  vt_model_totals_t *t = &model->totals;
  loading_t l = {model, trace, from, vt_mem_new(from->threads_cnt + 1, sizeof *l.threads),
                 vt_mem_new(from->cells_cnt + 1, sizeof *l.cells)};
  t->events = from->totals[VT_SUMMARY_EVENTS];
  t->peak_bytes = from->totals[VT_SUMMARY_TOTAL_PEAK_BYTES];
  t->peak_blocks = from->totals[VT_SUMMARY_TOTAL_PEAK_BLOCKS];
  t->peak_time_ns = from->totals[VT_SUMMARY_TOTAL_PEAK_NS] + model->traces[trace].shift_ns;
  t->unmatched_frees = from->totals[VT_SUMMARY_UNMATCHED_FREES];
  t->reordered = from->totals[VT_SUMMARY_REORDERED];
  t->missed_frees = from->totals[VT_SUMMARY_MISSED_FREES];
  t->ended_unseen = from->totals[VT_SUMMARY_ENDED_UNSEEN];
  t->unknown_frees = from->totals[VT_SUMMARY_UNKNOWN_FREES];
  model->peak_number++;
  vt_stretches_advance(model, from->time + model->traces[trace].shift_ns);
  load_threads(&l);
  load_cells(&l);
  load_blocks(&l);
  bound_peak(model, trace);
  free(l.threads);
  free(l.cells);
}
