/* See face.h. */
#include "analyzer/top/face.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/report/term.h"
#include "analyzer/trace/stretches.h"

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
    snprintf(out, cap, is_paused(view->follow.analysis.readers[0]) ? "recording paused" : "recording");
  else if (!strcmp(ended, "exit"))
    snprintf(out, cap, "has ended");
  else if (!strcmp(ended, "exec"))
    snprintf(out, cap, "executed another program");
  else if (!strncmp(ended, "signal:", 7))
    snprintf(out, cap, "was ended by signal %s", ended + 7);
  else
    snprintf(out, cap, "%s", !strcmp(ended, "killed") ? "was killed" : "is not recorded any more");
}

static char const *program_of(vt_trace_info_t const *info) {
  char const *slash = strrchr(info->executable, '/');
  return slash ? slash + 1 : info->executable;
}

static void title(vt_top_view_t const *view, char *out, size_t cap) {
  char state[80];
  vt_face_state(view, state, sizeof state);
  vt_trace_info_t const *info = vt_reader_info(view->follow.analysis.readers[0]);
  snprintf(out, cap, "%.30s  pid %u  %s  %s%s", program_of(info), info->pid, state,
           vt_time_text(view->follow.now_ns).text, view->paused ? "  [paused]" : "");
}

static void counts(vt_top_view_t const *view, int frees, char *out, size_t cap) {
  vt_model_totals_t const *totals = vt_model_totals(view->follow.analysis.model);
  vt_past_t const *before = &view->before;
  uint64_t now = view->follow.now_ns;
  uint64_t cnt = frees ? totals->frees : totals->allocations;
  double rate = vt_past_rate(before, now, cnt - (frees ? before->frees : before->allocations));
  double bytes = vt_past_rate(before, now, totals->allocated_bytes - before->allocated_bytes);
  char blocks[120], unsure[64] = "";
  if (totals->unsure_blocks) snprintf(unsure, sizeof unsure, " (%s unsure)", vt_count_text(totals->unsure_blocks).text);
  snprintf(blocks, sizeof blocks, "in %s%s", vt_counted(totals->live_blocks, "block").text, unsure);
  snprintf(out, cap, " %-11s %13s %12s   %-9s %9s  %s", frees ? "frees" : "allocations", vt_count_text(cnt).text,
           rate_text(rate).text, frees ? "live" : "allocated",
           vt_bytes_text(frees ? totals->live_bytes : totals->allocated_bytes).text,
           frees ? blocks : bytes_rate_text(bytes).text);
}

static void shares(vt_top_view_t const *view, char *out, size_t cap) {
  vt_model_totals_t const *totals = vt_model_totals(view->follow.analysis.model);
  char peak[64];
  snprintf(peak, sizeof peak, "at %s", vt_time_text(totals->peak_time_ns).text);
  snprintf(out, cap, " %-11s %13s %12s   %-9s %9s  %s", "temporary", vt_count_text(totals->temporary).text,
           vt_percent_text(totals->temporary, totals->allocations).text, "peak", vt_bytes_text(totals->peak_bytes).text,
           peak);
}

void vt_face_head(vt_top_view_t const *view, int line, char *out, size_t cap) {
  switch (line) {
  case 0: title(view, out, cap); return;
  case 1: counts(view, 0, out, cap); return;
  case 2: counts(view, 1, out, cap); return;
  default: shares(view, out, cap); return;
  }
}

void vt_face_choice(vt_top_view_t const *view, char *out, size_t cap) {
  char filter[120] = "";
  if (view->filter[0]) snprintf(filter, sizeof filter, ", only \"%s\"", view->filter);
  snprintf(out, cap, "by %s, sorted by %s%s, growth since %s: %s", vt_top_fold_name(view->choice.fold),
           vt_top_sort_name(view->choice.sort), filter, view->reference_name, vt_counted(view->table.rows_cnt, "row").text);
}

void vt_face_columns(vt_top_view_t const *view, int wide, char *out, size_t cap) {
  char more[80] = "";
  if (wide) snprintf(more, sizeof more, "%11s %13s ", "BLOCKS", "ALLOCATIONS");
  snprintf(out, cap, "%10s %11s %s%10s %6s  %s", "LIVE", "GROWTH", more, view->follow.over ? "MEAN/S" : "ALLOC/S", "TEMP",
           vt_top_fold_name(view->choice.fold));
}

void vt_face_row(vt_top_view_t const *view, vt_top_row_t const *row, int wide, char *out, size_t cap) {
  char more[80] = "";
  double rate = vt_past_rate(&view->before, view->follow.now_ns, row->since);
  if (wide)
    snprintf(more, sizeof more, "%11s %13s ", vt_count_text(row->live_blocks).text, vt_count_text(row->allocations).text);
  text_t per_second = rate_text(rate);
  per_second.text[strcspn(per_second.text, "/")] = '\0';
  snprintf(out, cap, "%10s %11s %s%10s %5.0f%%  ", vt_bytes_text(row->live_bytes).text, growth_text(row->growth).text,
           more, per_second.text, row->allocations ? 100.0 * (double)row->temporary / (double)row->allocations : 0.0);
}
