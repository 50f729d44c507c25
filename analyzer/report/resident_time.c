/* See resident_time.h. */
#include "analyzer/report/resident_time.h"
#include "analyzer/memory/mappings.h"
#include "analyzer/util/mem.h"

#include <stdlib.h>

#define BAR 16 /* columns: what 80 leave */

/* Sums of samples. */
typedef struct {
  uint64_t resident, private, file, shared, swapped;
  int some, kinds; /* there is one; of all the kinds are known */
} row_t;

static void add(row_t *row, vt_trace_memory_t const *m) {
  row->kinds = (row->kinds || !row->some) && m->kinds_known;
  row->some = 1;
  row->resident += m->resident_bytes;
  row->private += m->private_bytes;
  row->file += m->file_bytes;
  row->shared += m->shared_bytes;
  row->swapped += m->swapped_bytes;
}

/* row_of adds up the latest samples before `to` of the processes that had not ended before `from`. */
static row_t row_of(vt_analysis_t const *analysis, uint64_t from, uint64_t to) {
  row_t row = {0};
  for (size_t t = 0; t < analysis->trace_cnt; t++) {
    size_t cnt, i = 0;
    uint64_t shift = vt_analysis_shift(analysis, t);
    vt_trace_memory_t const *samples = vt_reader_memory(analysis->readers[t], &cnt);
    while (i < cnt && samples[i].time + shift < to) i++;
    if (i && vt_reader_end_time(analysis->readers[t]) + shift >= from) add(&row, &samples[i - 1]);
  }
  return row;
}

static void print_stack(vt_term_t const *term, row_t const *row, uint64_t most) {
  static char const *const marks[] = {"█", "▒", "░"};
  uint64_t const parts[] = {row->private, row->file, row->shared};
  uint64_t sum = 0, printed = 0;
  if (!row->kinds || !most) return;
  fputs("  ", term->out);
  for (int i = 0; i < 3; i++) {
    sum += parts[i];
    for (; printed < (sum * BAR + most / 2) / most && printed < BAR; printed++) fputs(marks[i], term->out);
  }
}

/* mapped: NULL, it is not known. */
static void print_row(vt_term_t const *term, row_t const *row, uint64_t until, uint64_t const *mapped,
                      uint64_t most) {
  fprintf(term->out, "%10s", vt_time_text(until).text);
  fprintf(term->out, " %10s", row->some ? vt_bytes_text(row->resident).text : "");
  fprintf(term->out, " %10s", row->some ? vt_bytes_text(row->private).text : "");
  fprintf(term->out, " %9s", row->kinds ? vt_bytes_text(row->file).text : "");
  fprintf(term->out, " %9s", row->kinds ? vt_bytes_text(row->shared).text : "");
  fprintf(term->out, " %9s", mapped ? vt_bytes_text(*mapped).text : "");
  print_stack(term, row, most);
  putc('\n', term->out);
}

uint64_t *vt_resident_time_mapped(vt_analysis_t const *analysis, uint64_t step_ns, size_t intervals) {
  uint64_t *sums = vt_mem_new(intervals + 1, sizeof *sums), *times = vt_mem_new(intervals + 1, sizeof *times),
           *here = vt_mem_new(intervals + 1, sizeof *here);
  for (size_t t = 0; t < analysis->trace_cnt; t++) {
    size_t cnt;
    uint64_t shift = vt_analysis_shift(analysis, t), end = vt_reader_end_time(analysis->readers[t]);
    vt_trace_mapping_t const *records = vt_reader_mappings(analysis->readers[t], &cnt);
    for (size_t i = 0; i < intervals; i++) times[i] = (i + 1) * step_ns > shift ? (i + 1) * step_ns - shift - 1 : 0;
    vt_mappings_at(records, cnt, times, intervals, here);
    for (size_t i = 0; i < intervals; i++)
      if (i * step_ns <= end + shift && (i + 1) * step_ns > shift) sums[i] += here[i];
  }
  free(times);
  free(here);
  return sums;
}

static void print_foot(vt_analysis_t const *analysis, vt_term_t const *term, uint64_t swapped) {
  int certain;
  uint64_t peak = vt_analysis_peak_rss(analysis, &certain);
  vt_term_styled(term, VT_STYLE_FAINT,
                 "\n  the latest sample of each time, of all processes:"
                 " █ private, ▒ files, ░ shared\n"
                 "  mapped: address space by calls of the program, touched or not\n");
  if (peak)
    fprintf(term->out, "  highest resident memory of a process: %s%s\n", certain ? "" : "at least ",
            vt_bytes_text(peak).text);
  if (swapped) fprintf(term->out, "  swapped out at most: %s\n", vt_bytes_text(swapped).text);
}

void vt_resident_time_text(vt_analysis_t const *analysis, vt_term_t const *term, uint64_t step_ns,
                           size_t intervals) {
  row_t *rows = vt_mem_new(intervals + 1, sizeof *rows);
  uint64_t most = 0, swapped = 0, *mapped = vt_resident_time_mapped(analysis, step_ns, intervals);
  int some = 0, known = vt_analysis_knows_mappings(analysis);
  for (size_t i = 0; i < intervals; i++) {
    rows[i] = row_of(analysis, i * step_ns, (i + 1) * step_ns);
    some |= rows[i].some;
    if (rows[i].resident > most) most = rows[i].resident;
    if (rows[i].swapped > swapped) swapped = rows[i].swapped;
  }
  if (some) {
    fprintf(term->out, "\n%10s %10s %10s %9s %9s %9s\n", "until", "resident", "private", "files", "shared",
            "mapped");
    for (size_t i = 0; i < intervals; i++)
      print_row(term, &rows[i], (i + 1) * step_ns, known ? &mapped[i] : NULL, most);
    print_foot(analysis, term, swapped);
  } else {
    fputs("\n  resident memory is not known: only `valtrace run` takes samples\n", term->out);
  }
  free(rows);
  free(mapped);
}

static void json_kind(vt_json_t *json, char const *key, int known, uint64_t bytes) {
  if (known)
    vt_json_uint(json, key, bytes);
  else
    vt_json_null(json, key);
}

/* A sample of one trace among those of all, in the time of the analysis. Behind its process's end it is 0. */
typedef struct {
  uint64_t time, resident;
  uint32_t trace;
} moment_t;

static int by_time(void const *a, void const *b) {
  moment_t const *x = a, *y = b;
  if (x->time != y->time) return x->time < y->time ? -1 : 1;
  return x->trace < y->trace ? -1 : x->trace > y->trace;
}

/* moments_of gathers the samples of all traces in order of time; the caller frees. */
static moment_t *moments_of(vt_analysis_t const *analysis, size_t *out_cnt) {
  moment_t *m = NULL;
  size_t m_cnt = 0, m_cap = 0, cnt;
  for (uint32_t t = 0; t < analysis->trace_cnt; t++) {
    uint64_t shift = vt_analysis_shift(analysis, t);
    vt_trace_memory_t const *samples = vt_reader_memory(analysis->readers[t], &cnt);
    for (size_t i = 0; i < cnt; i++) VT_PUSH(m, ((moment_t){samples[i].time + shift, samples[i].resident_bytes, t}));
    if (analysis->trace_cnt > 1 && cnt) VT_PUSH(m, ((moment_t){vt_reader_end_time(analysis->readers[t]) + shift + 1, 0, t}));
  }
  if (m) qsort(m, m_cnt, sizeof *m, by_time);
  *out_cnt = m_cnt;
  return m;
}

uint64_t *vt_resident_time_highest(vt_analysis_t const *analysis, uint64_t step_ns, size_t intervals) {
  uint64_t *highest = vt_mem_new(intervals + 1, sizeof *highest), sum = 0;
  uint64_t *now = vt_mem_new(analysis->trace_cnt + 1, sizeof *now);
  size_t cnt;
  moment_t *m = moments_of(analysis, &cnt);
  for (size_t i = 0; i < cnt; i++) {
    sum += m[i].resident - now[m[i].trace];
    now[m[i].trace] = m[i].resident;
    size_t interval = step_ns ? m[i].time / step_ns : 0;
    if (interval < intervals && highest[interval] < sum) highest[interval] = sum;
  }
  free(m);
  free(now);
  return highest;
}

static void json_sample(vt_json_t *json, vt_trace_memory_t const *m, uint32_t trace, uint64_t shift) {
  vt_json_object_line(json, NULL);
  vt_json_uint(json, "t_ns", m->time + shift);
  vt_json_uint(json, "trace", trace);
  vt_json_uint(json, "resident_bytes", m->resident_bytes);
  vt_json_uint(json, "private_bytes", m->private_bytes);
  json_kind(json, "file_bytes", m->kinds_known, m->file_bytes);
  json_kind(json, "shared_bytes", m->kinds_known, m->shared_bytes);
  json_kind(json, "swapped_bytes", m->kinds_known, m->swapped_bytes);
  vt_json_end_object(json);
}

void vt_resident_time_json(vt_analysis_t const *analysis, vt_json_t *json) {
  vt_json_array(json, "memory");
  for (uint32_t t = 0; t < analysis->trace_cnt; t++) {
    size_t cnt;
    vt_trace_memory_t const *samples = vt_reader_memory(analysis->readers[t], &cnt);
    for (size_t i = 0; i < cnt; i++) json_sample(json, &samples[i], t, vt_analysis_shift(analysis, t));
  }
  vt_json_end_array(json);
}
