/* See draw.h. From top to bottom: totals, two curves, what the table shows, the table, and a line for keys, messages and
   what is typed. */
#include "analyzer/top/draw.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/report/names.h"
#include "analyzer/report/term.h"
#include "analyzer/top/curve.h"
#include "analyzer/top/face.h"
#include "analyzer/top/screen.h"

#define CURVES_AT  VT_FACE_HEAD
#define CHOICE_AT  (CURVES_AT + 2)
#define COLUMNS_AT (CHOICE_AT + 1)
#define ROWS_AT    (COLUMNS_AT + 1)
#define CURVE_LEFT 11
#define CURVE_TEXT 11
#define WIDE       120

static char const keys_line[] =
    "q quit  s sort  b fold  f filter  p pause  g growth  m mark  w write  h help";

static char const *const help_lines[] = {
    "q         quit; a recording that was there before goes on",
    "s         sort by live, growth, rate, temporary",
    "b         fold by site, function, module, thread",
    "f  /      only rows whose function, file or module has what is typed",
    "p  space  pause: look no more until it is pressed again",
    "g  G      count growth from now; from the start",
    "m         set a marker (as `valtrace ctl PID mark`), count growth from it",
    "w         write all rows, as they are shown, to a file",
    "up down   mark another row; page up, page down, home, end, too",
    "enter     the stack that holds most of the marked row; again: back",
    "",
    "LIVE is allocated and not freed, GROWTH its change since the reference, TEMP",
    "how many were temporary: freed before the same thread allocated again.",
    "There are 1 to 10 s between two looks, so that they take one percent of a",
    "core if the program allows it. Above at the right it says what they take."};

static int lines_cnt(void) {
  int lines, columns;
  vt_screen_size(&lines, &columns);
  return lines;
}

static int columns_cnt(void) {
  int lines, columns;
  vt_screen_size(&lines, &columns);
  return columns;
}

int vt_top_room(void) {
  int room = lines_cnt() - ROWS_AT - 1;
  return room > 0 ? room : 0;
}

/* draw_cost says at the right how often is looked, and what that takes. */
static void draw_cost(vt_top_view_t const *view) {
  char cost[80];
  if (view->reading)
    snprintf(cost, sizeof cost, "reading %u %%", vt_follow_progress(&view->follow));
  else if (view->follow.over)
    snprintf(cost, sizeof cost, "final");
  else
    snprintf(cost, sizeof cost, "every %.0f s, %.1f %% of a core", (double)view->pace.wait_ns / 1e9,
             vt_pace_share(&view->pace));
  int at = columns_cnt() - (int)strlen(cost) - 1;
  vt_screen_text(0, at > 0 ? at : 0, (int)strlen(cost) + 1, VT_SCREEN_FAINT, cost);
}

static void draw_head(vt_top_view_t const *view) {
  char line[VT_FACE_WIDTH];
  for (int i = 0; i < VT_FACE_HEAD; i++) {
    vt_face_head(view, i, line, sizeof line);
    vt_screen_text(i, 0, columns_cnt(), i ? VT_SCREEN_PLAIN : VT_SCREEN_TITLE, line);
  }
  draw_cost(view);
}

static void draw_curve(int line, char const *name, vt_curve_t const *curve) {
  static char marks[4 * VT_CURVE_MAX + 1];
  vt_curve_draw(curve, vt_screen_utf8(), marks);
  vt_screen_text(line, 1, CURVE_LEFT, VT_SCREEN_PLAIN, name);
  vt_screen_text(line, CURVE_LEFT, (int)curve->cnt, VT_SCREEN_FAINT, marks);
  vt_screen_text(line, CURVE_LEFT + (int)curve->cnt + 1, CURVE_TEXT, VT_SCREEN_PLAIN,
                 curve->last || curve->most ? vt_bytes_text(curve->last).text : "not known");
}

static void draw_curves(vt_top_view_t const *view) {
  static vt_curve_t curve;
  vt_analysis_t const *analysis = &view->follow.analysis;
  int columns = columns_cnt() - CURVE_LEFT - CURVE_TEXT;
  if (columns < 1) return;
  vt_curve_live(&curve, analysis, view->follow.now_ns, (size_t)columns);
  draw_curve(CURVES_AT, "live", &curve);
  vt_curve_resident(&curve, analysis, view->follow.now_ns, (size_t)columns);
  draw_curve(CURVES_AT + 1, "resident", &curve);
}

static void draw_row(vt_top_view_t const *view, int line, vt_top_row_t const *row, int marked) {
  char numbers[VT_FACE_WIDTH], name[VT_FACE_WIDTH], place[VT_FACE_WIDTH];
  int columns = columns_cnt();
  vt_screen_style_t plain = marked ? VT_SCREEN_REVERSE : VT_SCREEN_PLAIN;
  vt_face_row(view, row, columns >= WIDE, numbers, sizeof numbers);
  if (marked) vt_screen_line(line, plain, "");
  int at = vt_screen_text(line, 0, columns, plain, numbers);
  at += vt_screen_text(line, at, columns - at, marked ? plain : VT_SCREEN_TITLE,
                       vt_top_row_name(row, view->choice.fold, name, sizeof name));
  vt_top_row_place(row, view->choice.fold, place, sizeof place);
  if (at + 2 < columns) vt_screen_text(line, at + 2, columns - at - 2, marked ? plain : VT_SCREEN_FAINT, place);
}

static void keep_in_sight(vt_top_view_t *view) {
  size_t room = (size_t)vt_top_room();
  if (view->selected < view->top_row) view->top_row = view->selected;
  if (room && view->selected >= view->top_row + room) view->top_row = view->selected - room + 1;
}

static void draw_table(vt_top_view_t *view) {
  char line[VT_FACE_WIDTH];
  vt_face_choice(view, line, sizeof line);
  vt_screen_text(CHOICE_AT, 1, columns_cnt() - 1, VT_SCREEN_PLAIN, line);
  vt_face_columns(view, columns_cnt() >= WIDE, line, sizeof line);
  vt_screen_line(COLUMNS_AT, VT_SCREEN_REVERSE, line);
  keep_in_sight(view);
  for (int i = 0; i < vt_top_room() && view->top_row + (size_t)i < view->table.rows_cnt; i++) {
    size_t row = view->top_row + (size_t)i;
    draw_row(view, ROWS_AT + i, &view->table.rows[row], row == view->selected);
  }
}

/* draw_stack shows the stack that has most of the marked row, innermost function first. */
static void draw_stack(vt_top_view_t const *view) {
  vt_expanded_t stack = {0};
  char name[VT_FACE_WIDTH], line[2 * VT_FACE_WIDTH], numbers[64];
  if (view->selected >= view->table.rows_cnt) return;
  vt_top_row_t const *row = &view->table.rows[view->selected];
  vt_screen_line(CHOICE_AT, VT_SCREEN_REVERSE, " The stack that holds most of this row, innermost first (enter: back)");
  vt_stacks_expand(view->follow.analysis.stacks, row->node, 1, 0, &stack);
  for (size_t i = 0; i < stack.frames_cnt && (int)i < lines_cnt() - COLUMNS_AT - 1; i++) {
    vt_stack_frame_t const *frame = &stack.frames[i];
    char const *function = frame->function[0] ? vt_name_short(frame->function, name, sizeof name)
                                              : vt_frame_name(frame, name, sizeof name);
    snprintf(numbers, sizeof numbers, ":%u", frame->line);
    snprintf(line, sizeof line, " %s  %.500s%s", function, frame->file, frame->file[0] ? numbers : "");
    vt_screen_text(COLUMNS_AT + (int)i, 0, columns_cnt(), VT_SCREEN_PLAIN, line);
  }
  if (!stack.frames_cnt) vt_screen_text(COLUMNS_AT, 1, columns_cnt(), VT_SCREEN_PLAIN, "It has none.");
  free(stack.frames);
}

static void draw_help(void) {
  vt_screen_line(CHOICE_AT, VT_SCREEN_REVERSE, " Keys");
  for (size_t i = 0; i < sizeof help_lines / sizeof *help_lines; i++)
    if (COLUMNS_AT + (int)i < lines_cnt() - 1)
      vt_screen_text(COLUMNS_AT + (int)i, 1, columns_cnt() - 1, VT_SCREEN_PLAIN, help_lines[i]);
}

static void draw_last_line(vt_top_view_t const *view) {
  static char const *const asks[] = {"", "filter: ", "marker: ", "file: "};
  char line[VT_FACE_WIDTH];
  int at = lines_cnt() - 1;
  snprintf(line, sizeof line, "%s%s_", asks[view->prompt], view->typed);
  if (view->prompt)
    vt_screen_text(at, 0, columns_cnt(), VT_SCREEN_TITLE, line);
  else if (view->message[0])
    vt_screen_text(at, 0, columns_cnt(), VT_SCREEN_WARNING, view->message);
  else
    vt_screen_text(at, 0, columns_cnt(), VT_SCREEN_FAINT, keys_line);
}

void vt_top_draw(vt_top_view_t *view) {
  vt_screen_clear();
  draw_head(view);
  draw_curves(view);
  if (view->page == VT_TOP_HELP)
    draw_help();
  else if (view->page == VT_TOP_STACK)
    draw_stack(view);
  else
    draw_table(view);
  draw_last_line(view);
  vt_screen_show();
}
