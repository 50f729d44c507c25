/* See keys.h. */
#include "analyzer/top/keys.h"
#include <stdio.h>
#include <string.h>
#include "analyzer/collector/ask.h"
#include "analyzer/top/draw.h"
#include "analyzer/top/save.h"
#include "analyzer/top/screen.h"

/* mark sets a marker through the collector, and makes this the moment of reference. */
static void mark(vt_top_view_t *view, char const *text) {
  vt_answer_t answer;
  char const *why;
  if (view->follow.over)
    vt_top_view_say(view, "no marker: nothing is recorded any more");
  else if (vt_control_ask(view->pid, "mark", text, &answer, &why))
    vt_top_view_say(view, "no marker: %s", why);
  else if (answer.status)
    vt_top_view_say(view, "no marker: %.200s", answer.text);
  else {
    vt_top_view_refer(view, text, 0);
    vt_top_view_say(view, "marker \"%s\" is set; growth is counted from it", text);
  }
}

static void save(vt_top_view_t *view, char const *path) {
  vt_error_t error;
  if (vt_top_save(view, path, &error))
    vt_top_view_say(view, "%.120s: %.100s", error.what, error.why);
  else
    vt_top_view_say(view, "written to %s", path);
}

static void begin_prompt(vt_top_view_t *view, vt_top_prompt_t prompt, char const *typed) {
  view->prompt = prompt;
  snprintf(view->typed, sizeof view->typed, "%s", typed);
}

static void set_filter(vt_top_view_t *view, char const *text) {
  snprintf(view->filter, sizeof view->filter, "%s", text);
  vt_top_view_table(view);
}

static void end_prompt(vt_top_view_t *view) {
  vt_top_prompt_t prompt = view->prompt;
  view->prompt = VT_TOP_NOTHING;
  if (prompt == VT_TOP_MARK && view->typed[0]) mark(view, view->typed);
  if (prompt == VT_TOP_FILE && view->typed[0]) save(view, view->typed);
}

/* erase_char takes the last character away, which may have several bytes. */
static void erase_char(char *text) {
  size_t sz = strlen(text);
  while (sz && ((unsigned char)text[--sz] & 0xc0) == 0x80) continue;
  text[sz] = '\0';
}

/* type takes a key for the last line. A filter works while it is typed. */
static void type(vt_top_view_t *view, int key) {
  size_t sz = strlen(view->typed), cap = view->prompt == VT_TOP_FILTER ? sizeof view->filter : sizeof view->typed;
  if (key == VT_KEY_ENTER) return end_prompt(view);
  if (key == VT_KEY_ESCAPE) {
    if (view->prompt == VT_TOP_FILTER) set_filter(view, "");
    view->prompt = VT_TOP_NOTHING;
    return;
  }
  if (key == VT_KEY_ERASE) erase_char(view->typed);
  if (key >= ' ' && key < 256 && sz + 1 < cap) {
    view->typed[sz] = (char)key;
    view->typed[sz + 1] = '\0';
  }
  if (view->prompt == VT_TOP_FILTER) set_filter(view, view->typed);
}

static void move(vt_top_view_t *view, int64_t by) {
  int64_t last = (int64_t)view->table.rows_cnt - 1, to = (int64_t)view->selected + by;
  if (to > last) to = last;
  view->selected = to > 0 ? (size_t)to : 0;
}

/* move_key: is it a key that marks another row? */
static int move_key(vt_top_view_t *view, int key) {
  int room = vt_top_room();
  switch (key) {
  case VT_KEY_UP: move(view, -1); return 1;
  case VT_KEY_DOWN: move(view, 1); return 1;
  case VT_KEY_PAGE_UP: move(view, -room); return 1;
  case VT_KEY_PAGE_DOWN: move(view, room); return 1;
  case VT_KEY_HOME: move(view, INT32_MIN); return 1;
  case VT_KEY_END: move(view, INT32_MAX); return 1;
  default: return 0;
  }
}

static void turn_page(vt_top_view_t *view, vt_top_page_t page) {
  view->page = view->page == page ? VT_TOP_TABLE : page;
}

/* choose_sort: what is temporary is not known of an older sample. */
static void choose_sort(vt_top_view_t *view) {
  view->choice.sort = (view->choice.sort + 1) % VT_TOP_SORTS;
  if (view->choice.sort == VT_TOP_TEMPORARY && view->follow.analysis.sampled.untold) view->choice.sort = VT_TOP_LIVE;
  vt_top_view_table(view);
}

static void choose_fold(vt_top_view_t *view) {
  view->choice.fold = (view->choice.fold + 1) % VT_TOP_FOLDS;
  view->selected = 0;
  vt_top_view_table(view);
}

static void ask_file(vt_top_view_t *view) {
  char name[64];
  snprintf(name, sizeof name, "valtrace-top-%.20s.txt", view->pid);
  begin_prompt(view, VT_TOP_FILE, name);
}

static void command(vt_top_view_t *view, int key) {
  switch (key) {
  case 's': choose_sort(view); return;
  case 'b': choose_fold(view); return;
  case 'f':
  case '/': begin_prompt(view, VT_TOP_FILTER, view->filter); return;
  case 'p':
  case ' ': view->paused = !view->paused; return;
  case 'g': vt_top_view_refer(view, "now", 0); return;
  case 'G': vt_top_view_refer(view, "the start", 1); return;
  case 'm': begin_prompt(view, VT_TOP_MARK, ""); return;
  case 'w': ask_file(view); return;
  case VT_KEY_ENTER: turn_page(view, VT_TOP_STACK); return;
  case 'h':
  case '?': turn_page(view, VT_TOP_HELP); return;
  case VT_KEY_ESCAPE: view->page = VT_TOP_TABLE; return;
  default: return;
  }
}

int vt_top_key(vt_top_view_t *view, int key) {
  if (key == VT_KEY_QUIT) return 1;
  if (key == VT_KEY_RESIZED) return 0;
  if (view->prompt) {
    type(view, key);
    return 0;
  }
  view->message[0] = '\0';
  if (key == 'q') return 1;
  if (!move_key(view, key)) command(view, key);
  return 0;
}
