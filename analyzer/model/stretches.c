/* Stretches whose events are left out: the trace was paused, or began in mid-life.

   What lived at the end of one may have been freed in it. Nothing is done to those blocks: that they began before the
   end of the latest stretch tells them from the others; how many of the live ones they are is kept up by cell. Within a stretch some events may be recorded, of what was
   under way when it began; its end is exact: nothing that begins later is left out. */
#include "analyzer/model/count.h"
#include "analyzer/util/mem.h"

void vt_model_stretch(vt_model_t *model, uint32_t trace_number, uint64_t from_ns, uint64_t to_ns) {
  trace_t *trace = &model->traces[trace_number];
  stretch_t stretch = {from_ns + trace->shift_ns, to_ns};
  if (to_ns != VT_MODEL_NO_END) stretch.to += trace->shift_ns;
  size_t at = 0;
  while (at < trace->stretches_cnt && trace->stretches[at].from != stretch.from) at++;
  if (at < trace->over) return;
  if (at == trace->stretches_cnt) VT_PUSH(trace->stretches, stretch);
  trace->stretches[at] = stretch;
  if (stretch.to < model->next_ns) model->next_ns = stretch.to;
}

int vt_stretches_unsure_slow(vt_model_t const *model, vt_block_t const *block) {
  return block->time < model->traces[model->threads[block->thread].trace].unsure_ns;
}

void vt_stretches_count(vt_model_t *model, vt_cell_t *cell, vt_share_t const *share, int sign) {
  cell->unsure_blocks += sign * share->blocks;
  cell->unsure_bytes += sign * share->bytes;
  if (!cell->nested) model->unsure_bytes += sign * share->bytes;
}

/* doubt makes what is live in the cell unsure, all of it. */
static void doubt(vt_model_t *model, vt_cell_t *cell, uint64_t time) {
  vt_count_before_change(model, cell);
  vt_share_t const rest = {cell->allocations - cell->frees - cell->unsure_blocks,
                           cell->allocated_bytes - cell->freed_bytes - cell->unsure_bytes};
  vt_stretches_count(model, cell, &rest, 1);
  vt_model_watch_t const *watch = &model->options.watch;
  if (watch->doubted) watch->doubted(watch->context, (uint32_t)(cell - model->cells), time);
}

/* over: blocks that began before `time`, which is now, are unsure from now on, and what the threads did last is not known. */
static void over(vt_model_t *model, size_t trace, uint64_t time) {
  if (!model->unsure_ns) model->totals.peak_at_least = model->totals.peak_bytes;
  model->traces[trace].unsure_ns = time;
  for (size_t i = VT_CELL_FIRST; i < model->cells_cnt; i++)
    if (model->cells[i].trace == trace) doubt(model, &model->cells[i], time);
  if (time > model->unsure_ns) model->unsure_ns = time;
  for (size_t i = 0; i < model->threads_cnt; i++)
    if (model->threads[i].trace == trace) model->threads[i].last_heap = NO_INDEX;
}

void vt_stretches_advance(vt_model_t *model, uint64_t time) {
  model->next_ns = model->options.to_ns;
  for (size_t t = 0; t < model->traces_cnt; t++) {
    trace_t *trace = &model->traces[t];
    for (; trace->over < trace->stretches_cnt && trace->stretches[trace->over].to <= time; trace->over++)
      over(model, t, trace->stretches[trace->over].to);
    if (trace->over == trace->stretches_cnt) continue;
    if (trace->stretches[trace->over].to < model->next_ns) model->next_ns = trace->stretches[trace->over].to;
  }
}

void vt_stretches_finish(vt_model_t *model) {
  uint64_t end = model->totals.end_time_ns;
  vt_stretches_advance(model, end);
  for (size_t t = 0; t < model->traces_cnt; t++) {
    trace_t const *trace = &model->traces[t];
    int lasts = trace->over < trace->stretches_cnt && trace->stretches[trace->over].from <= end;
    if (lasts) over(model, t, UINT64_MAX);
  }
}
