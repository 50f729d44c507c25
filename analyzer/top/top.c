/* See top.h. One loop: when a look is due it reads what is new, in slices between which keys are seen to. */
#include "analyzer/top/top.h"
#include <stdio.h>
#include "analyzer/top/draw.h"
#include "analyzer/top/face.h"
#include "analyzer/top/keys.h"
#include "analyzer/top/screen.h"
#include "analyzer/top/view.h"
#include "analyzer/util/progress.h"

#define SLICE_NS ((uint64_t)50000000)

static void begin_look(vt_top_view_t *view, vt_error_t *error) {
  vt_pace_begin(&view->pace);
  if (vt_follow_look(&view->follow, error)) {
    view->follow.over = 1;
    vt_top_view_say(view, "%.200s: %.90s", error->what, error->why);
    return;
  }
  view->reading = 1;
}

static void say_end(vt_top_view_t *view) {
  char state[80];
  vt_face_state(view, state, sizeof state);
  vt_top_view_say(view, "The process %s: these numbers are final.", state);
}

static void end_look(vt_top_view_t *view, vt_error_t *error) {
  view->reading = 0;
  if (vt_follow_settle(&view->follow, error)) {
    view->follow.over = 1;
    vt_top_view_say(view, "%.200s: %.90s", error->what, error->why);
    return;
  }
  vt_top_view_update(view);
  vt_pace_end(&view->pace, view->follow.whole);
  if (view->follow.over) say_end(view);
}

static uint64_t time_left(vt_top_view_t const *view) {
  if (view->reading) return 0;
  return view->follow.over || view->paused ? UINT64_MAX : vt_pace_left(&view->pace);
}

/* work does what is due; returns whether there is something new to show. */
static int work(vt_top_view_t *view, vt_error_t *error) {
  if (!view->reading && !time_left(view)) begin_look(view, error);
  if (!view->reading) return 0;
  if (!vt_follow_read(&view->follow, SLICE_NS)) end_look(view, error);
  return 1;
}

static void loop(vt_top_view_t *view, vt_error_t *error) {
  for (int over = 0, draw = 1; !over;) {
    draw |= work(view, error);
    if (draw) vt_top_draw(view);
    int key = vt_screen_key(time_left(view));
    draw = key != VT_KEY_NONE;
    over = draw && vt_top_key(view, key);
  }
}

/* start reads what the file has before the first picture of it, if that takes no longer than a slice. */
static void start(vt_top_view_t *view, char const *pid) {
  static char number[16];
  snprintf(number, sizeof number, "%u", vt_reader_info(view->follow.analysis.readers[0])->pid);
  view->pid = pid ? pid : number;
  view->choice = (vt_top_choice_t){.sort = VT_TOP_LIVE, .fold = VT_TOP_FUNCTION, .filter = view->filter};
  snprintf(view->reference_name, sizeof view->reference_name, "the start");
  vt_pace_begin(&view->pace);
  view->reading = 1;
}

int vt_top_run(char const *path, char const *pid, vt_error_t *error) {
  static vt_top_view_t view;
  int status = VT_EXIT_OK;
  vt_progress_disable();
  if (vt_follow_open(&view.follow, path, error))
    status = VT_EXIT_INPUT;
  else if (vt_screen_start(error))
    status = VT_EXIT_USAGE;
  if (!status) {
    start(&view, pid);
    loop(&view, error);
    vt_screen_stop();
  }
  vt_top_view_free(&view);
  return status;
}
