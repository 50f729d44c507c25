/* Choosing moments; see moments.h. Three rankings take turns: the curve's bends as the
   Ramer-Douglas-Peucker algorithm finds them (each time the point farthest from the straight line
   between its neighbours), equal numbers of events, and equal times, both in van der Corput's
   order. */
#include "analyzer/page/moments.h"
#include <stdlib.h>
#include "analyzer/util/mem.h"

#define MARKERS_MAX 32

/* A part of the curve that is taken for a straight line so far. */
typedef struct {
  size_t from, to, at; /* at: the interval farthest from the line … */
  double error;        /* … by so much; 0: none is off it */
} segment_t;

typedef struct {
  vt_moment_t const *intervals;
  size_t cnt;
  uint64_t step;
  uint64_t *events; /* until the end of each interval */
  segment_t *segments;
  size_t segments_cnt, segments_cap;
  vt_page_moments_t *out;
} choice_t;

static void add(vt_page_moments_t *out, uint64_t time) {
  if (!time || time >= out->end || out->cnt >= VT_PAGE_STRETCHES_MAX - 1) return;
  for (size_t i = 0; i < out->cnt; i++)
    if (out->ranked[i] == time) return;
  out->ranked[out->cnt++] = time;
}

/* ---- bends of the curve ---- */

static void add_segment(choice_t *choice, size_t from, size_t to) {
  vt_moment_t const *v = choice->intervals;
  segment_t segment = {.from = from, .to = to};
  double start = (double)v[from].max_bytes;
  double slope = ((double)v[to].max_bytes - start) / (double)(to - from);
  for (size_t i = from + 1; i < to; i++) {
    double off = (double)v[i].max_bytes - start - slope * (double)(i - from);
    if (off < 0) off = -off;
    if (off <= segment.error) continue;
    segment.error = off;
    segment.at = i;
  }
  if (segment.error >= 1) VT_PUSH(choice->segments, segment);
}

/* Takes both ends of the interval that is farthest off. */
static void add_bend(choice_t *choice) {
  size_t best = 0;
  if (!choice->segments_cnt) return;
  for (size_t i = 1; i < choice->segments_cnt; i++)
    if (choice->segments[i].error > choice->segments[best].error) best = i;
  segment_t segment = choice->segments[best];
  choice->segments[best] = choice->segments[--choice->segments_cnt];
  add(choice->out, segment.at * choice->step);
  add(choice->out, (segment.at + 1) * choice->step);
  add_segment(choice, segment.from, segment.at);
  add_segment(choice, segment.at, segment.to);
}

/* ---- equal parts ---- */

/* 1/2, 1/4, 3/4, 1/8, 5/8, … for 1, 2, 3, 4, 5, … */
static double van_der_corput(unsigned n) {
  double value = 0, part = 0.5;
  for (; n; n >>= 1, part /= 2)
    if (n & 1) value += part;
  return value;
}

/* The interval in which the given share of all events is reached. */
static size_t interval_of(choice_t const *choice, double share) {
  double wanted = share * (double)choice->events[choice->cnt - 1];
  size_t low = 0, high = choice->cnt - 1;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if ((double)choice->events[middle] < wanted)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static void choose(choice_t *choice) {
  for (unsigned i = 1; i < VT_PAGE_STRETCHES_MAX; i++) {
    double share = van_der_corput(i);
    add_bend(choice);
    add(choice->out, interval_of(choice, share) * choice->step);
    add(choice->out, (uint64_t)(share * (double)choice->out->end));
  }
}

/* ---- interface ---- */

static void add_markers(vt_page_moments_t *out, vt_analysis_t const *analysis) {
  size_t cnt;
  vt_trace_marker_t const *markers = vt_reader_markers(analysis->readers[0], &cnt);
  for (size_t i = 0; i < cnt && i < MARKERS_MAX; i++)
    add(out, markers[i].time + vt_analysis_shift(analysis, 0));
}

uint64_t vt_page_moments_end(vt_analysis_t const *analysis) {
  uint64_t last = vt_model_totals(analysis->model)->end_time_ns, end = vt_analysis_end(analysis);
  return (last > end ? last : end) + 1;
}

void vt_page_moments_join(vt_page_moments_t *moments, vt_page_moments_t const *other) {
  vt_page_moments_t own = *moments;
  moments->cnt = 0;
  if (other->end > moments->end) moments->end = other->end;
  for (size_t i = 0; i < own.cnt || i < other->cnt; i++) {
    if (i < own.cnt) add(moments, own.ranked[i]);
    if (i < other->cnt) add(moments, other->ranked[i]);
  }
}

void vt_page_moments_choose(vt_page_moments_t *moments, vt_analysis_t const *analysis) {
  choice_t choice = {.out = moments};
  vt_model_totals_t const *totals = vt_model_totals(analysis->model);
  choice.intervals = vt_model_timeline(analysis->model, &choice.cnt, &choice.step);
  *moments = (vt_page_moments_t){.end = vt_page_moments_end(analysis)};
  if (!choice.cnt || !totals->allocations) return;
  choice.events = vt_mem_new(choice.cnt, sizeof *choice.events);
  uint64_t events = 0;
  for (size_t i = 0; i < choice.cnt; i++)
    choice.events[i] = events += choice.intervals[i].allocations + choice.intervals[i].frees;
  add(moments, totals->peak_time_ns + 1);
  add_markers(moments, analysis);
  if (choice.cnt > 1) add_segment(&choice, 0, choice.cnt - 1);
  choose(&choice);
  free(choice.events);
  free(choice.segments);
}

static int compare(void const *a, void const *b) {
  uint64_t x = *(uint64_t const *)a, y = *(uint64_t const *)b;
  return x < y ? -1 : x > y;
}

void vt_page_moments_borders(vt_page_moments_t const *moments, size_t n, uint64_t *borders) {
  borders[0] = 0;
  for (size_t i = 0; i + 1 < n; i++) borders[i + 1] = moments->ranked[i];
  qsort(borders + 1, n - 1, sizeof *borders, compare);
  borders[n] = moments->end;
}
