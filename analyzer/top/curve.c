/* See curve.h. */
#include "analyzer/top/curve.h"
#include <string.h>

static void start(vt_curve_t *curve, size_t columns) {
  *curve = (vt_curve_t){.cnt = columns < VT_CURVE_MAX ? columns : VT_CURVE_MAX};
}

static void finish(vt_curve_t *curve) {
  for (size_t i = 0; i < curve->cnt; i++)
    if (curve->values[i] > curve->most) curve->most = curve->values[i];
  if (curve->cnt) curve->last = curve->values[curve->cnt - 1];
}

/* time_at is where column `i` begins. */
static uint64_t time_at(vt_curve_t const *curve, uint64_t now, size_t i) {
  return (uint64_t)((unsigned __int128)now * i / curve->cnt);
}

void vt_curve_live(vt_curve_t *curve, vt_analysis_t const *analysis, uint64_t now, size_t columns) {
  size_t cnt;
  uint64_t step;
  vt_moment_t const *moments = vt_model_timeline(analysis->model, &cnt, &step);
  start(curve, columns);
  for (size_t i = 0; i < curve->cnt && cnt; i++) {
    uint64_t from = time_at(curve, now, i) / step, to = time_at(curve, now, i + 1) / step;
    for (uint64_t k = from; k <= to && k < cnt; k++)
      if (moments[k].max_bytes > curve->values[i]) curve->values[i] = moments[k].max_bytes;
  }
  finish(curve);
  curve->most = vt_model_totals(analysis->model)->peak_bytes;
  curve->last = vt_model_totals(analysis->model)->live_bytes;
}

void vt_curve_resident(vt_curve_t *curve, vt_analysis_t const *analysis, uint64_t now, size_t columns) {
  size_t cnt, at = 0;
  vt_trace_memory_t const *samples = vt_reader_memory(analysis->readers[0], &cnt);
  uint64_t last = 0;
  start(curve, columns);
  for (size_t i = 0; i < curve->cnt; i++) {
    for (; at < cnt && samples[at].time <= time_at(curve, now, i + 1); at++) {
      last = samples[at].resident_bytes;
      if (last > curve->values[i]) curve->values[i] = last;
    }
    if (!curve->values[i]) curve->values[i] = last;
  }
  finish(curve);
  curve->last = last;
}

void vt_curve_draw(vt_curve_t const *curve, int utf8, char *out) {
  static char const *const blocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  static char const *const letters[] = {" ", "_", ".", ":", "-", "=", "+", "*", "#"};
  for (size_t i = 0; i < curve->cnt; i++) {
    uint64_t value = curve->values[i];
    unsigned height = value && curve->most ? 1 + (unsigned)((unsigned __int128)(value - 1) * 8 / curve->most) : 0;
    if (height > 8) height = 8;
    char const *mark = (utf8 ? blocks : letters)[height];
    out = stpcpy(out, mark);
  }
  *out = '\0';
}
