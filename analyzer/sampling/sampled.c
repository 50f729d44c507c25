/* See sampled.h. */
#include "analyzer/sampling/sampled.h"

/* other_heaps: are there blocks that count and that the process did not get from malloc or an interpreter?
   Those are not counted apart. */
static int other_heaps(vt_model_t const *model) {
  size_t cnt;
  vt_model_heap_t const *heaps = vt_model_heaps(model, &cnt);
  for (size_t i = 0; i < cnt; i++)
    if (heaps[i].kind && heaps[i].kind != VT_HEAP_KIND_PYTHON && !heaps[i].nested && heaps[i].allocations) return 1;
  return 0;
}

/* knows_all: can no block have been allocated where the trace does not see it? */
static int knows_all(vt_reader_t const *reader) {
  size_t cnt, i = 0;
  vt_trace_process_t const *said = vt_reader_process(reader, &cnt);
  while (i < cnt && said[i].kind != VT_PROCESS_FORKED && said[i].kind != VT_PROCESS_PAUSED) i++;
  return i == cnt && !(vt_reader_info(reader)->flags & VT_HEADER_FLAG_MID_LIFE);
}

int vt_sampled_untold(vt_reader_t const *reader) {
  vt_trace_info_t const *info = vt_reader_info(reader);
  return info->sample_period && !(info->optional & VT_OPTIONAL_SAMPLE_ALONE);
}

vt_sampled_t vt_sampled_of(vt_reader_t *const *readers, size_t cnt, vt_model_t const *model, int whole) {
  vt_sampled_t out = {.exact = whole && !other_heaps(model)};
  for (size_t i = 0; i < cnt; i++) {
    uint64_t period = vt_reader_info(readers[i])->sample_period;
    vt_trace_exact_t one;
    out.untold |= vt_sampled_untold(readers[i]);
    out.mixed |= i && period != out.period;
    if (period > out.period) out.period = period;
    if (!vt_reader_exact(readers[i], &one)) out.exact = 0;
    out.frees_of_others |= period && !knows_all(readers[i]);
    out.totals.allocations += one.allocations;
    out.totals.allocated_bytes += one.allocated_bytes;
    out.totals.frees += one.frees;
    out.totals.reallocs += one.reallocs;
  }
  return out;
}
