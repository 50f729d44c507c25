/* The progress bar; see progress.h. */
#include "analyzer/util/progress.h"
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FIRST_NS  1000000000u
#define STEP_NS   200000000u
#define BAR_WIDTH 30

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int disabled;
void vt_progress_disable(void) { disabled = 1; }

vt_progress_t vt_progress_start(char const *what) {
  vt_progress_t progress = {.what = what, .enabled = !disabled && isatty(STDERR_FILENO)};
  if (progress.enabled) progress.start_ns = now_ns();
  progress.next_ns = progress.start_ns + FIRST_NS;
  return progress;
}

void vt_progress_show(vt_progress_t *progress, uint64_t done, uint64_t total) {
  if (!progress->enabled) return;
  uint64_t now = now_ns();
  if (now < progress->next_ns) return;
  progress->next_ns = now + STEP_NS;
  progress->shown = 1;
  if (!total) {
    fprintf(stderr, "\r%s … %.0f s ", progress->what, (double)(now - progress->start_ns) / 1e9);
    return;
  }
  int filled = (int)((double)done / (double)total * BAR_WIDTH + 0.5);
  if (filled > BAR_WIDTH) filled = BAR_WIDTH;
  fprintf(stderr, "\r%s [%.*s%*s] %3.0f %%", progress->what, filled,
          "##############################", BAR_WIDTH - filled, "",
          100 * (double)done / (double)total);
}

void vt_progress_end(vt_progress_t *progress) {
  if (progress->shown) fprintf(stderr, "\r%*s\r", (int)strlen(progress->what) + BAR_WIDTH + 12, "");
  progress->shown = 0;
}
