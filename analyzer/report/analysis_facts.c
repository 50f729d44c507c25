/* What an analysis knows of its traces; see analysis.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/report/analysis.h"

uint64_t vt_analysis_shift(vt_analysis_t const *analysis, size_t trace) {
  uint64_t first = UINT64_MAX;
  for (size_t i = 0; i < analysis->trace_cnt; i++) {
    uint64_t start = vt_reader_info(analysis->readers[i])->start_unix_ns;
    if (start < first) first = start;
  }
  return vt_reader_info(analysis->readers[trace])->start_unix_ns - first;
}

uint64_t vt_analysis_end(vt_analysis_t const *analysis) {
  uint64_t end = 0;
  for (size_t t = 0; t < analysis->trace_cnt; t++) {
    uint64_t here = vt_analysis_shift(analysis, t) + vt_reader_end_time(analysis->readers[t]);
    if (here > end) end = here;
  }
  return end;
}

int vt_filter_duration(char const *text, uint64_t *ns) {
  static struct {
    char const *name;
    double scale;
  } const units[] = {{"ns", 1}, {"us", 1e3}, {"µs", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"", 1e9}};
  char *end;
  double value = strtod(text, &end);
  if (end == text || !(value >= 0)) return -1;
  for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
    if (strcmp(end, units[i].name)) continue;
    if (value * units[i].scale > 1e18) return -1;
    *ns = (uint64_t)(value * units[i].scale);
    return 0;
  }
  return -1;
}

vt_trace_thread_t vt_analysis_thread(vt_analysis_t const *analysis, uint32_t thread) {
  vt_trace_thread_t none = {.name = ""};
  size_t cnt, info_cnt;
  vt_model_thread_t const *threads = vt_model_threads(analysis->model, &cnt);
  if (thread >= cnt) return none;
  vt_trace_thread_t const *infos =
      vt_reader_threads(analysis->readers[threads[thread].trace], &info_cnt);
  return threads[thread].index < info_cnt ? infos[threads[thread].index] : none;
}

char const *vt_analysis_heap_name(vt_analysis_t const *analysis, uint32_t heap, char buffer[32]) {
  size_t cnt;
  vt_model_heap_t const *heaps = vt_model_heaps(analysis->model, &cnt);
  if (heap >= cnt || heaps[heap].kind == 0) return "libc";
  if (heaps[heap].name && heaps[heap].name[0]) return heaps[heap].name;
  snprintf(buffer, 32, "heap %u", heap);
  return buffer;
}

static int is_forked(vt_reader_t const *reader) {
  size_t cnt, i = 0;
  vt_trace_process_t const *said = vt_reader_process(reader, &cnt);
  while (i < cnt && said[i].kind != VT_PROCESS_FORKED) i++;
  return i < cnt;
}

static int has_own_allocator(vt_reader_t const *reader) {
  uint32_t wanted = VT_PATCHED_RECORDED | VT_PATCHED_APART;
  size_t cnt, i = 0;
  vt_trace_patched_t const *patched = vt_reader_patched(reader, &cnt);
  while (i < cnt && (patched[i].flags & wanted) != wanted) i++;
  return i < cnt;
}

vt_unseen_t vt_analysis_unseen(vt_analysis_t const *analysis, uint32_t trace) {
  for (uint32_t t = 0; t < analysis->trace_cnt; t++) {
    if (trace != VT_ALL_TRACES && trace != t) continue;
    if (is_forked(analysis->readers[t])) return VT_UNSEEN_PARENT;
    if (has_own_allocator(analysis->readers[t])) return VT_UNSEEN_INLINED;
  }
  return VT_UNSEEN_NONE;
}

char const *vt_unseen_text(vt_unseen_t unseen) {
  return unseen == VT_UNSEEN_PARENT    ? "the parent may have allocated it before the fork"
         : unseen == VT_UNSEEN_INLINED ? "the compiler may have made the allocation part of its caller"
                                       : "";
}

int vt_analysis_knows_mappings(vt_analysis_t const *analysis) {
  for (size_t t = 0; t < analysis->trace_cnt; t++) {
    size_t cnt;
    vt_trace_snapshot_t const *said = vt_reader_snapshots(analysis->readers[t], &cnt);
    if (!vt_reader_info(analysis->readers[t])->pid) return 0;
    if (cnt && said[cnt - 1].flags & VT_SNAPSHOT_NO_MAPPINGS) return 0;
  }
  return 1;
}

uint64_t vt_analysis_peak_rss(vt_analysis_t const *analysis, int *certain) {
  uint64_t peak = 0;
  *certain = 1;
  for (size_t t = 0; t < analysis->trace_cnt; t++) {
    size_t cnt;
    vt_trace_memory_t const *samples = vt_reader_memory(analysis->readers[t], &cnt);
    for (size_t i = 0; i < cnt; i++)
      if (samples[i].resident_bytes > peak) peak = samples[i].resident_bytes;
    uint64_t told = vt_reader_counter(analysis->readers[t], VT_COUNTER_PEAK_RESIDENT);
    if (told > peak) peak = told;
    *certain &= vt_reader_counter(analysis->readers[t], VT_COUNTER_PEAK_CERTAIN) != 0;
  }
  return peak;
}

vt_completeness_t vt_analysis_completeness(vt_analysis_t const *analysis) {
  vt_completeness_t sum = {.complete = 1, .ended = "unknown", .missing_since = VT_TIME_NEVER};
  for (size_t t = 0; t < analysis->trace_cnt; t++) {
    vt_completeness_t one = vt_completeness(analysis->readers[t]);
    if (one.missing_since != VT_TIME_NEVER) one.missing_since += vt_analysis_shift(analysis, t);
    if (!t) memcpy(sum.ended, one.ended, sizeof sum.ended);
    vt_completeness_add(&sum, &one);
  }
  return sum;
}

uint64_t vt_analysis_counter(vt_analysis_t const *analysis, vt_counter_t counter) {
  uint64_t sum = 0;
  for (size_t t = 0; t < analysis->trace_cnt; t++)
    sum += vt_reader_counter(analysis->readers[t], counter);
  return sum;
}
