/* What a model has to tell when the events are over: sums over cells, and the blocks that are live. */
#include "analyzer/model/count.h"
#include "analyzer/util/mem.h"

/* clear_sums makes the sums over cells zero; what events count themselves stays. */
static void clear_sums(vt_model_t *model) {
  vt_model_totals_t *totals = &model->totals;
  totals->allocations = totals->allocated_bytes = totals->frees = totals->reallocs = 0;
  totals->temporary = totals->cross_thread_frees = 0;
  totals->unsure_blocks = totals->unsure_bytes = 0;
  for (size_t i = 0; i < model->heaps_cnt; i++) {
    vt_model_heap_t *heap = &model->heaps[i];
    heap->allocations = heap->frees = heap->live_bytes = heap->live_blocks = 0;
    heap->leaked_bytes = heap->leaked_blocks = 0;
  }
}

static void add_to_sums(vt_model_t *model, vt_cell_t const *cell) {
  vt_model_heap_t *heap = &model->heaps[cell->heap];
  heap->allocations += cell->allocations;
  heap->frees += cell->frees;
  heap->live_bytes += cell->allocated_bytes - cell->freed_bytes;
  heap->live_blocks += cell->allocations - cell->frees;
  heap->leaked_bytes = heap->live_bytes;
  heap->leaked_blocks = heap->live_blocks;
  if (cell->nested) return;
  vt_model_totals_t *totals = &model->totals;
  totals->allocations += cell->allocations;
  totals->allocated_bytes += cell->allocated_bytes;
  totals->frees += cell->frees;
  totals->reallocs += cell->reallocs;
  totals->temporary += cell->temporary;
  totals->unsure_blocks += cell->unsure_blocks;
  totals->unsure_bytes += cell->unsure_bytes;
  totals->cross_thread_frees += cell->cross_thread_frees;
}

/* Hands out every block that is live at the end, those in the middle of a realloc too. */
static void for_live(vt_model_t *model,
                     void (*visit)(vt_model_t *, vt_block_t const *, void const *),
                     void const *context) {
  for (size_t heap = 0; heap < model->heaps_cnt; heap++)
    for (size_t i = 0; i <= model->blocks[heap].mask; i++)
      if (model->blocks[heap].slots[i].cell) visit(model, &model->blocks[heap].slots[i], context);
  for (size_t i = 0; i < model->limbos_cnt; i++)
    for (unsigned k = 0; model->limbos[i] && k < model->limbos[i]->cnt; k++)
      if (model->limbos[i]->limbo[k].block.cell)
        visit(model, &model->limbos[i]->limbo[k].block, context);
}

typedef struct {
  void (*visit)(void *context, vt_model_live_t const *block);
  void *context;
} visitor_t;

static vt_model_live_t live_of(vt_model_t const *model, vt_block_t const *block, vt_cell_t const *cell) {
  return (vt_model_live_t){.address = block->address,
                           .size = block->size,
                           .cell = block->cell,
                           .trace = cell->trace,
                           .owner = block->thread,
                           .began = block->time,
                           .share = vt_count_share(model, block),
                           .period = model->sampled ? vt_count_period(model, block) : 0,
                           .unsure = vt_stretches_unsure(model, block)};
}

static void visit_own(vt_model_t *model, vt_block_t const *block, void const *context) {
  visitor_t const *v = context;
  vt_cell_t const *cell = &model->cells[block->cell];
  if (block->cell == VT_CELL_IGNORED) return;
  uint32_t kind = model->heaps[cell->heap].kind;
  if (kind && kind != VT_HEAP_KIND_PYTHON) return;
  vt_model_live_t live = live_of(model, block, cell);
  v->visit(v->context, &live);
}

void vt_model_live(vt_model_t *model, void (*visit)(void *context, vt_model_live_t const *block),
                   void *context) {
  visitor_t v = {visit, context};
  for_live(model, visit_own, &v);
}

/* visit_placed hands out a block where the process has it in memory. One of a nested heap lies in a block
   that is handed out anyway. */
static void visit_placed(vt_model_t *model, vt_block_t const *block, void const *context) {
  visitor_t const *v = context;
  vt_cell_t const *cell = &model->cells[block->cell];
  if (block->cell == VT_CELL_IGNORED || model->heaps[cell->heap].nested) return;
  vt_model_live_t live = live_of(model, block, cell);
  if (model->heaps[cell->heap].kind) live.heap = cell->heap;
  if (live.heap && model->heaps[cell->heap].kind != VT_HEAP_KIND_PYTHON) {
    trace_t const *trace = &model->traces[cell->trace];
    size_t local = 0;
    while (local < trace->heaps_cnt && trace->heaps[local].heap != cell->heap) local++;
    if (local == trace->heaps_cnt || !trace->heaps[local].placed) return;
    live.address += trace->heaps[local].placed;
  }
  v->visit(v->context, &live);
}

void vt_model_live_placed(vt_model_t *model,
                          void (*visit)(void *context, vt_model_live_t const *block), void *context) {
  visitor_t v = {visit, context};
  for_live(model, visit_placed, &v);
}

static void scan_live(vt_model_t *model, vt_block_t const *block, void const *context) {
  (void)context;
  vt_count_scan_end(model, block, model->totals.end_time_ns, 1);
}

/* sum_up computes what follows from the counters of the cells. */
static void sum_up(vt_model_t *model) {
  clear_sums(model);
  if (model->moments) vt_timeline_advance(model, model->totals.end_time_ns);
  for (size_t i = VT_CELL_FIRST; i < model->cells_cnt; i++) {
    vt_count_before_change(model, &model->cells[i]);
    add_to_sums(model, &model->cells[i]);
  }
  model->totals.live_bytes = model->live_bytes;
  model->totals.live_blocks = model->live_blocks;
  model->totals.live_spread = model->live_spread;
  if (!model->unsure_ns) model->totals.peak_at_least = model->totals.peak_bytes;
  model->totals.peak_at_most = model->totals.peak_at_least < model->totals.peak_bytes;
  for (unsigned i = 0; model->sizes && i < VT_SIZE_CLASSES; i++) {
    vt_size_class_t *class = &model->sizes[i];
    class->leaked_bytes = class->allocated_bytes - class->freed_bytes;
    class->leaked_blocks = class->allocations - class->frees;
  }
}

static void note_end(vt_model_t *model, uint64_t end_ns) {
  if (end_ns > model->options.to_ns) end_ns = model->options.to_ns;
  if (end_ns > model->totals.end_time_ns) model->totals.end_time_ns = end_ns;
}

void vt_model_finish(vt_model_t *model, uint64_t end_ns) {
  note_end(model, end_ns);
  vt_order_expire(model, UINT64_MAX);
  vt_stretches_finish(model);
  if (model->scanning)
    for_live(model, scan_live, NULL);
  else
    sum_up(model);
}

void vt_model_settle(vt_model_t *model, uint64_t now_ns) {
  note_end(model, now_ns);
  vt_order_expire(model, now_ns);
  vt_stretches_advance(model, now_ns);
  sum_up(model);
}

void vt_model_take_lifetimes(vt_model_t *model, vt_model_t *scan) {
  model->lifetime_bits = scan->lifetime_bits ? scan->lifetime_bits : vt_mem_new(1, 1);
  model->lifetime_bits_cnt = scan->lifetime_bits_cnt;
  scan->lifetime_bits = NULL;
  scan->lifetime_bits_cnt = 0;
}

static void take_out(uint64_t *bytes, uint64_t *blocks, vt_share_t const *share) {
  *bytes -= share->bytes;
  *blocks -= share->blocks;
}

static void suppress(vt_model_t *model, vt_block_t const *block, void const *marks) {
  if (!((uint8_t const *)marks)[block->cell]) return;
  vt_share_t const share = vt_count_share(model, block);
  vt_cell_t const *cell = &model->cells[block->cell];
  vt_model_heap_t *heap = &model->heaps[cell->heap];
  take_out(&heap->leaked_bytes, &heap->leaked_blocks, &share);
  if (cell->nested) return;
  take_out(&model->totals.live_bytes, &model->totals.live_blocks, &share);
  if (vt_stretches_unsure(model, block)) take_out(&model->totals.unsure_bytes, &model->totals.unsure_blocks, &share);
  vt_model_thread_t *thread = &model->threads[block->thread];
  if (model->options.threads) take_out(&thread->leaked_bytes, &thread->leaked_blocks, &share);
  if (!model->sizes) return;
  vt_size_class_t *class = &model->sizes[vt_count_size_class(block->size)];
  take_out(&class->leaked_bytes, &class->leaked_blocks, &share);
}

void vt_model_suppress(vt_model_t *model, uint8_t const *marks) {
  for_live(model, suppress, marks);
}

vt_model_totals_t const *vt_model_totals(vt_model_t const *model) { return &model->totals; }

vt_cell_t const *vt_model_cells(vt_model_t const *model, size_t *cnt) {
  *cnt = model->cells_cnt;
  return model->cells;
}

vt_model_thread_t const *vt_model_threads(vt_model_t const *model, size_t *cnt) {
  *cnt = model->threads_cnt;
  return model->threads;
}

vt_model_heap_t const *vt_model_heaps(vt_model_t const *model, size_t *cnt) {
  *cnt = model->heaps_cnt;
  return model->heaps;
}

vt_size_class_t const *vt_model_sizes(vt_model_t const *model) {
  for (unsigned i = 0; model->sizes && i < VT_SIZE_CLASSES; i++) {
    unsigned next = i + 1;
    model->sizes[i].max_size = next < 4 ? i : ((uint64_t)(4 + next % 4) << (next / 4 - 1)) - 1;
  }
  return model->sizes;
}

vt_moment_t const *vt_model_timeline(vt_model_t const *model, size_t *cnt, uint64_t *step_ns) {
  *cnt = model->moments ? model->moment + 1 : 0;
  *step_ns = model->moment_step;
  return model->moments;
}
