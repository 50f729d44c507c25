/* A progress bar on standard error, when that is a terminal and work takes over a second. */
#ifndef VT_ANALYZER_UTIL_PROGRESS_H
#define VT_ANALYZER_UTIL_PROGRESS_H

#include <stdint.h>

typedef struct {
  char const *what;
  int enabled, shown;
  uint64_t start_ns, next_ns;
} vt_progress_t;

vt_progress_t vt_progress_start(char const *what);
/* No bar from here on: for a process whose terminal is another one's. */
void vt_progress_disable(void);
/* Cheap enough for every batch of events. total 0: unknown. */
void vt_progress_show(vt_progress_t *progress, uint64_t done, uint64_t total);
/* Removes the bar. */
void vt_progress_end(vt_progress_t *progress);

#endif
