/* See view.h. */
#include "analyzer/top/view.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int vt_top_view_open(vt_top_view_t *view, char const *path, vt_error_t *error) {
  view->choice.filter = view->filter;
  view->awaits_next = 0;
  view->anew = 0;
  view->told = 0;
  view->pace = (vt_pace_t){0};
  snprintf(view->reference_name, sizeof view->reference_name, "the start");
  return vt_follow_open(&view->follow, path, error);
}

void vt_top_view_table(vt_top_view_t *view) {
  vt_top_table(&view->table, &view->follow.analysis, &view->reference, &view->before, &view->choice);
  if (view->selected >= view->table.rows_cnt) view->selected = view->table.rows_cnt ? view->table.rows_cnt - 1 : 0;
}

/* begin_anew forgets what was, since it cannot be compared: another file has taken the place of the trace. */
static void begin_anew(vt_top_view_t *view) {
  view->anew = view->follow.anew;
  vt_past_free(&view->before);
  vt_past_free(&view->latest);
  vt_past_free(&view->reference);
  snprintf(view->reference_name, sizeof view->reference_name, "the start");
  vt_top_view_say(view, "The trace was written anew: growth is counted from the start again.");
}

/* tell_lack says what the record lacks when that is new, as that there is no room on the disk. */
static void tell_lack(vt_top_view_t *view) {
  vt_completeness_t have = vt_completeness(view->follow.analysis.readers[0]);
  size_t lacks = have.reason_cnt - (have.recording && have.reason_cnt); /* the first one is that it is being recorded */
  if (lacks > view->told) vt_top_view_say(view, "! %s", have.reasons[have.reason_cnt - 1]);
  view->told = lacks;
}

/* Rates are those between the last two looks that had something new; of an ended process, those of its whole life. */
void vt_top_view_update(vt_top_view_t *view) {
  uint64_t now = view->follow.now_ns;
  if (view->anew != view->follow.anew) begin_anew(view);
  if (now != view->latest.time_ns) {
    vt_past_move(&view->before, &view->latest);
    vt_past_take(&view->latest, &view->follow.analysis, now);
  }
  if (view->follow.over) vt_past_free(&view->before);
  tell_lack(view);
  vt_top_view_table(view);
}

void vt_top_view_refer(vt_top_view_t *view, char const *name, int start) {
  snprintf(view->reference_name, sizeof view->reference_name, "%s", name);
  vt_past_free(&view->reference);
  if (!start) vt_past_take(&view->reference, &view->follow.analysis, view->follow.now_ns);
  vt_top_view_table(view);
}

void vt_top_view_say(vt_top_view_t *view, char const *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(view->message, sizeof view->message, format, args);
  va_end(args);
}

void vt_top_view_close(vt_top_view_t *view) {
  vt_past_free(&view->reference);
  vt_past_free(&view->before);
  vt_past_free(&view->latest);
  vt_top_table_free(&view->table);
  vt_follow_close(&view->follow);
}
