/* See face.h. */
#include "analyzer/top/face.h"
#include "analyzer/report/totals.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/report/term.h"
#include "analyzer/trace/stretches.h"

/* A line of totals: a number and something about it, twice. */
#define LINE " %-11s %13s %12s   %-9s %9s  %s"

/* A number with its unit or sign. */
typedef struct {
  char text[64];
} text_t;

/* A number for each second, with a digit more when there are few. */
static text_t rate_text(double rate) {
  text_t text;
  if (rate < 10)
    snprintf(text.text, sizeof text.text, "%.1f/s", rate);
  else
    snprintf(text.text, sizeof text.text, "%s/s", vt_count_text((uint64_t)(rate + 0.5)).text);
  return text;
}

static text_t bytes_rate_text(double rate) {
  text_t text;
  snprintf(text.text, sizeof text.text, "%s/s", vt_bytes_text((uint64_t)(rate + 0.5)).text);
  return text;
}

static text_t growth_text(int64_t growth) {
  text_t text;
  uint64_t size = growth < 0 ? -(uint64_t)growth : (uint64_t)growth;
  snprintf(text.text, sizeof text.text, "%s%s", growth > 0 ? "+" : growth < 0 ? "-" : "", vt_bytes_text(size).text);
  return text;
}

/* is_paused: has somebody paused the recording (`valtrace ctl PID stop`), and not resumed it? */
static int is_paused(vt_reader_t const *reader) {
  size_t cnt;
  vt_stretch_t *stretches = vt_stretches(reader, &cnt);
  int paused = cnt && stretches[cnt - 1].to == VT_TIME_NEVER;
  free(stretches);
  return paused;
}

void vt_face_state(vt_top_view_t const *view, char *out, size_t cap) {
  vt_completeness_t have = vt_completeness(view->follow.analysis.readers[0]);
  char const *ended = have.ended;
  if (!view->follow.over)
    snprintf(out, cap, is_paused(view->follow.analysis.readers[0]) ? "recording paused" : have.mid_life ? "attached" : "recording");
  else if (!strcmp(ended, "exit"))
    snprintf(out, cap, "has ended");
  else if (!strcmp(ended, "exec"))
    snprintf(out, cap, "executed another program");
  else if (!strncmp(ended, "signal:", 7))
    snprintf(out, cap, "was ended by signal %s", ended + 7);
  else
    snprintf(out, cap, "%s", !strcmp(ended, "killed") ? "was killed" : "is not recorded any more");
}

/* about marks estimates: most figures of a sampled trace. */
static char const *about(vt_top_view_t const *view) { return view->follow.analysis.sampled.period ? "~" : ""; }

static text_t bytes_about(vt_top_view_t const *view, uint64_t bytes) {
  text_t text;
  snprintf(text.text, sizeof text.text, "%s%s", about(view), vt_bytes_text(bytes).text);
  return text;
}

static void title(vt_top_view_t const *view, char *out, size_t cap) {
  char state[80];
  vt_face_state(view, state, sizeof state);
  vt_trace_info_t const *info = vt_reader_info(view->follow.analysis.readers[0]);
  snprintf(out, cap, "%.30s  pid %u  %s  %s%s", info->name, info->pid, state, vt_time_text(view->follow.now_ns).text,
           view->paused ? "  [paused]" : "");
}

/* What was allocated and freed in all. Of an ended sampled trace it was counted. */
typedef struct {
  uint64_t allocations, frees, bytes;
  char const *about;
} sums_t;

static sums_t sums_of(vt_top_view_t const *view) {
  vt_model_totals_t const *totals = vt_model_totals(view->follow.analysis.model);
  vt_sampled_t const *sampled = &view->follow.analysis.sampled;
  if (sampled->period && sampled->exact)
    return (sums_t){sampled->totals.allocations, sampled->totals.frees, sampled->totals.allocated_bytes, ""};
  return (sums_t){totals->allocations, totals->frees, totals->allocated_bytes, about(view)};
}

static void allocations(vt_top_view_t const *view, char *out, size_t cap) {
  sums_t sums = sums_of(view);
  char count[64], bytes[64];
  uint64_t now = view->follow.now_ns;
  snprintf(count, sizeof count, "%s%s", sums.about, vt_count_text(sums.allocations).text);
  snprintf(bytes, sizeof bytes, "%s%s", sums.about, vt_bytes_text(sums.bytes).text);
  snprintf(out, cap, LINE, "allocations", count,
           rate_text(vt_past_rate(&view->before, now, sums.allocations - view->before.allocations)).text, "allocated", bytes,
           bytes_rate_text(vt_past_rate(&view->before, now, sums.bytes - view->before.allocated_bytes)).text);
}

static void frees(vt_top_view_t const *view, char *out, size_t cap) {
  vt_model_totals_t const *totals = vt_model_totals(view->follow.analysis.model);
  sums_t sums = sums_of(view);
  char count[64], error[64] = "", blocks[160], unsure[64] = "";
  double rate = vt_past_rate(&view->before, view->follow.now_ns, sums.frees - view->before.frees);
  snprintf(count, sizeof count, "%s%s", sums.about, vt_count_text(sums.frees).text);
  if (view->follow.analysis.sampled.period)
    snprintf(error, sizeof error, "+- %s ", vt_bytes_text(vt_estimate_error(totals->live_spread.bytes)).text);
  if (totals->unsure_blocks) snprintf(unsure, sizeof unsure, " (%s unsure)", vt_count_text(totals->unsure_blocks).text);
  snprintf(blocks, sizeof blocks, "%sin %s%s%s", error, about(view), vt_counted(totals->live_blocks, "block").text, unsure);
  snprintf(out, cap, LINE, "frees", count, rate_text(rate).text, "live", bytes_about(view, totals->live_bytes).text, blocks);
}

static void shares(vt_top_view_t const *view, char *out, size_t cap) {
  vt_model_totals_t const *totals = vt_model_totals(view->follow.analysis.model);
  int sampled = view->follow.analysis.sampled.period != 0;
  char peak[64], temporary[64];
  int untold = view->follow.analysis.sampled.untold;
  snprintf(temporary, sizeof temporary, "%s%s", about(view), vt_count_text(totals->temporary).text);
  snprintf(peak, sizeof peak, "at %s%s", vt_time_text(totals->peak_time_ns).text,
           totals->peak_at_most ? ", at most" : sampled ? ", too high" : "");
  snprintf(out, cap, LINE, "temporary", untold ? "not known" : temporary,
           untold ? "" : vt_percent_text(totals->temporary, totals->allocations).text, "peak",
           bytes_about(view, totals->peak_bytes).text, peak);
}

void vt_face_head(vt_top_view_t const *view, int line, char *out, size_t cap) {
  switch (line) {
  case 0: title(view, out, cap); return;
  case 1: allocations(view, out, cap); return;
  case 2: frees(view, out, cap); return;
  default: shares(view, out, cap); return;
  }
}

void vt_face_choice(vt_top_view_t const *view, char *out, size_t cap) {
  char filter[120] = "", sampled[64] = "";
  uint64_t period = view->follow.analysis.sampled.period;
  if (period) snprintf(sampled, sizeof sampled, "; ~: sample of %s", vt_bytes_text(period).text);
  if (view->filter[0]) snprintf(filter, sizeof filter, ", only \"%s\"", view->filter);
  snprintf(out, cap, "by %s, sorted by %s%s, growth since %s: %s%s", vt_top_fold_name(view->choice.fold),
           vt_top_sort_name(view->choice.sort), filter, view->reference_name, vt_counted(view->table.rows_cnt, "row").text,
           sampled);
}

void vt_face_columns(vt_top_view_t const *view, int wide, char *out, size_t cap) {
  char more[80] = "";
  if (wide) snprintf(more, sizeof more, "%11s %13s ", "BLOCKS", "ALLOCATIONS");
  snprintf(out, cap, "%10s %11s %s%10s %9s  %s", "LIVE", "GROWTH", more, view->follow.over ? "MEAN/S" : "ALLOC/S",
           view->follow.analysis.sampled.period ? "+-" : "TEMP",
           vt_top_fold_name(view->choice.fold));
}

/* last_column: how much of a row is temporary; of a sampled trace, how far off its live bytes may be. */
static text_t last_column(vt_top_view_t const *view, vt_top_row_t const *row) {
  text_t text;
  if (view->follow.analysis.sampled.period)
    snprintf(text.text, sizeof text.text, "%s", row->error ? vt_bytes_text(row->error).text : "-");
  else
    snprintf(text.text, sizeof text.text, "%.0f%%", row->allocations ? 100.0 * (double)row->temporary / (double)row->allocations : 0.0);
  return text;
}

void vt_face_row(vt_top_view_t const *view, vt_top_row_t const *row, int wide, char *out, size_t cap) {
  char more[80] = "";
  double rate = vt_past_rate(&view->before, view->follow.now_ns, row->since);
  if (wide)
    snprintf(more, sizeof more, "%11s %13s ", vt_count_text(row->live_blocks).text, vt_count_text(row->allocations).text);
  text_t per_second = rate_text(rate);
  per_second.text[strcspn(per_second.text, "/")] = '\0';
  snprintf(out, cap, "%10s %11s %s%10s %9s  ", bytes_about(view, row->live_bytes).text, growth_text(row->growth).text, more,
           per_second.text, last_column(view, row).text);
}
