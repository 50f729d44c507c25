/* See resident.h. */
#include "analyzer/page/resident.h"
#include <stdlib.h>
#include "analyzer/page/pack.h"
#include "analyzer/util/mem.h"

#define SAMPLES_MAX 4000

/* The samples that are shown, in order: the highest of each span. The caller frees them. */
static vt_trace_memory_t *choose(vt_analysis_t const *analysis, size_t *chosen) {
  size_t cnt;
  vt_trace_memory_t const *all = vt_reader_memory(analysis->readers[0], &cnt);
  vt_trace_memory_t *out = vt_mem_new(SAMPLES_MAX + 1, sizeof *out);
  if (analysis->trace_cnt > 1) cnt = 0;
  uint64_t span = cnt ? all[cnt - 1].time / SAMPLES_MAX + 1 : 1;
  *chosen = 0;
  for (size_t i = 0; i < cnt; i++) {
    vt_trace_memory_t *last = *chosen ? &out[*chosen - 1] : NULL;
    if (!last || all[i].time / span != last->time / span)
      out[(*chosen)++] = all[i];
    else if (all[i].resident_bytes > last->resident_bytes)
      *last = all[i];
  }
  return out;
}

void vt_page_resident_write(vt_json_t *json, vt_analysis_t const *analysis) {
  size_t cnt;
  int kinds = 1;
  vt_page_pack_t out = {0};
  vt_trace_memory_t *samples = choose(analysis, &cnt);
  vt_page_put(&out, cnt);
  for (size_t i = 0; i < cnt; i++)
    vt_page_put(&out, samples[i].time - (i ? samples[i - 1].time : 0));
  for (size_t i = 0; i < cnt; i++) vt_page_put(&out, samples[i].resident_bytes);
  for (size_t i = 0; i < cnt; i++) vt_page_put(&out, samples[i].private_bytes);
  for (size_t i = 0; i < cnt; i++) vt_page_put(&out, samples[i].file_bytes);
  for (size_t i = 0; i < cnt; i++) vt_page_put(&out, samples[i].shared_bytes);
  for (size_t i = 0; i < cnt; i++) kinds &= samples[i].kinds_known;
  char *text = vt_page_packed(&out);
  vt_json_object(json, "resident");
  vt_json_bool(json, "kinds", cnt && kinds);
  vt_json_string(json, "data", text);
  vt_json_end_object(json);
  free(text);
  free(out.bytes);
  free(samples);
}
