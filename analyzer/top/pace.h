/* When to look again: a live view must not cost what it watches. Looks have an account, in processor time: one percent
   of the time that passes comes in, what a look took goes out, and when nothing is left the next look waits, though no
   longer than ten seconds; nor comes it sooner than after one. Half a second is there to begin with, and at most. The
   first look, which reads all that there was, is not counted. */
#ifndef VT_ANALYZER_TOP_PACE_H
#define VT_ANALYZER_TOP_PACE_H

#include <stdint.h>

typedef struct {
  uint64_t cpu_ns, wall_ns; /* when the look began: own processor time, clock */
  int64_t account_ns;
  uint64_t wait_ns;               /* from its beginning to the next one's; 0: there was none yet */
  uint64_t recent_cpu, recent_ns; /* what looks took in about the last minute */
} vt_pace_t;

/* vt_pace_begin notes that a look begins, vt_pace_end that it is over. `whole`: it read the file from its start; then
   the wait is as long as it takes. */
void vt_pace_begin(vt_pace_t *pace);
void vt_pace_end(vt_pace_t *pace, int whole);

/* vt_pace_left is how long until the next look is due, ns; 0: now. */
uint64_t vt_pace_left(vt_pace_t const *pace);

/* vt_pace_lasts is how long the look has lasted that goes on, ns. */
uint64_t vt_pace_lasts(vt_pace_t const *pace);

/* vt_pace_share is what looking has taken of a core lately, in percent. */
double vt_pace_share(vt_pace_t const *pace);

#endif
