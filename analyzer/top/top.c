/* See top.h. One loop: when a look is due it reads what is new, in slices between which keys are seen to. */
#include "analyzer/top/top.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "analyzer/collector/ask.h"
#include "analyzer/top/draw.h"
#include "analyzer/top/face.h"
#include "analyzer/top/keys.h"
#include "analyzer/top/screen.h"
#include "analyzer/top/target.h"
#include "analyzer/top/view.h"
#include "analyzer/util/progress.h"

#define SLICE_NS ((uint64_t)50000000)
#define LONG_NS  ((uint64_t)500000000)  /* a look that lasts so long says how far it is */
#define NEXT_NS  ((uint64_t)1000000000) /* between two looks for the trace of what a process has executed */

static void give_up(vt_top_view_t *view, vt_error_t const *error) {
  view->follow.over = 1;
  view->reading = 0;
  vt_top_view_say(view, "%.200s: %.90s", error->what, error->why);
}

static uint64_t whole_until(vt_top_view_t const *view) {
  return vt_reader_integrity(view->follow.analysis.readers[0])->whole_until;
}

/* begin_look: a collector that has not written since the last look, as of a sample, is told to. */
static void begin_look(vt_top_view_t *view, vt_error_t *error) {
  uint64_t before = whole_until(view);
  vt_pace_begin(&view->pace);
  view->reading = 1;
  if (vt_follow_look(&view->follow, error))
    give_up(view, error);
  else if (view->by_pid && whole_until(view) == before)
    vt_control_tell(view->pid, "status");
}

static void say_end(vt_top_view_t *view) {
  char state[80];
  vt_face_state(view, state, sizeof state);
  vt_completeness_t have = vt_completeness(view->follow.analysis.readers[0]);
  vt_top_view_say(view, "The process %s: these numbers are final%s%s.", state, have.reason_cnt ? ", but " : "",
                  vt_completeness_why(&have).text);
  view->awaits_next = view->by_pid && !strcmp(have.ended, "exec");
}

static void end_look(vt_top_view_t *view, vt_error_t *error) {
  view->reading = 0;
  if (vt_follow_settle(&view->follow, error)) return give_up(view, error);
  vt_top_view_update(view);
  vt_pace_end(&view->pace, view->follow.whole);
  if (view->follow.over) say_end(view);
}

static int is_same_file(char const *a, char const *b) {
  struct stat x, y;
  return !stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* find_next goes on with the trace of the program that the process has executed, once there is one. */
static int find_next(vt_top_view_t *view, vt_error_t *error) {
  char path[VT_TOP_PATH];
  char const *why, *advice;
  vt_pace_begin(&view->pace);
  view->awaits_next = !vt_top_find(view->pid, path, &why, &advice);
  if (!view->awaits_next || is_same_file(path, view->follow.path)) return 0;
  vt_top_view_close(view);
  if (vt_top_view_open(view, path, error)) return -1;
  vt_pace_begin(&view->pace);
  view->reading = 1;
  vt_top_view_say(view, "The process has executed another program: this is the new one.");
  return 0;
}

static uint64_t time_left(vt_top_view_t const *view) {
  if (view->reading) return 0;
  if (view->awaits_next) return vt_pace_lasts(&view->pace) < NEXT_NS ? NEXT_NS - vt_pace_lasts(&view->pace) : 0;
  return view->follow.over || view->paused ? UINT64_MAX : vt_pace_left(&view->pace);
}

/* work does what is due; returns whether there is something new to show, or -1 and *error. */
static int work(vt_top_view_t *view, vt_error_t *error) {
  int due = !time_left(view);
  if (due && view->awaits_next && find_next(view, error)) return -1;
  if (due && !view->reading && !view->awaits_next) begin_look(view, error);
  if (!view->reading) return due;
  int more = vt_follow_read(&view->follow, SLICE_NS);
  if (!more) end_look(view, error);
  return !more || vt_pace_lasts(&view->pace) > LONG_NS;
}

/* loop returns an exit status; *error is filled when it is not 0. */
static int loop(vt_top_view_t *view, vt_error_t *error) {
  for (int over = 0, draw = 1; !over;) {
    int news = work(view, error);
    if (news < 0) return VT_EXIT_INPUT;
    if (draw || news) vt_top_draw(view);
    int key = vt_screen_key(time_left(view));
    draw = key != VT_KEY_NONE;
    over = draw && vt_top_key(view, key);
  }
  return VT_EXIT_OK;
}

static void start(vt_top_view_t *view, char const *pid) {
  static char number[16];
  snprintf(number, sizeof number, "%u", vt_reader_info(view->follow.analysis.readers[0])->pid);
  view->pid = pid ? pid : number;
  view->by_pid = pid != NULL;
  view->choice.sort = VT_TOP_LIVE;
  view->choice.fold = VT_TOP_FUNCTION;
  vt_pace_begin(&view->pace);
  view->reading = 1;
}

int vt_top_possible(vt_error_t *error) { return vt_screen_possible(error); }

int vt_top_run(char const *path, char const *pid, vt_error_t *error) {
  static vt_top_view_t view;
  int status = VT_EXIT_OK;
  vt_progress_disable();
  if (vt_top_view_open(&view, path, error))
    status = VT_EXIT_INPUT;
  else if (vt_top_possible(error) || vt_screen_start(error))
    status = VT_EXIT_USAGE;
  if (!status) {
    start(&view, pid);
    status = loop(&view, error);
    vt_screen_stop();
  }
  vt_top_view_close(&view);
  return status;
}
