/* Pausing and resuming what a run records, in all its processes together: one word in the ring for each of them, which
   the hooks read (core/trace/ring.h), and marks in the traces that say from when to when. Of a paused process all is
   recorded that gives the rest its meaning (modules, mappings, heaps, names, its end), only no blocks.

   The words of slots that nobody has are set, too: who claims one, a forked child or what exec made, finds it as
   the run is. So marks are written by who makes a trace, whenever that is seen: those of all pauses that it has part in. */
#ifndef VT_ANALYZER_COLLECTOR_PAUSE_H
#define VT_ANALYZER_COLLECTOR_PAUSE_H

#include "analyzer/collector/image.h"

typedef struct {
  uint64_t from, to; /* ticks; to: UINT64_MAX while it lasts */
  vt_pause_t why;
} vt_pause_span_t;

typedef struct {
  vt_ring_t *ring;
  vt_pause_span_t *spans; /* in order; only the last may last */
  size_t spans_cnt, spans_cap;
} vt_pauses_t;

/* vt_pauses_on: is the run paused now? */
int vt_pauses_on(vt_pauses_t const *pauses);

/* vt_pauses_begin pauses the run, from tick `from` on or, if that is VT_PAUSE_NOW, from now on: nothing that happened
   before is left out. What threads are recording at the moment is still recorded. Does nothing when it is paused. */
#define VT_PAUSE_NOW UINT64_MAX
void vt_pauses_begin(vt_pauses_t *pauses, vt_pause_t why, uint64_t from);

/* vt_pauses_end resumes it; what happens after the call is recorded. Does nothing when it is not paused. */
void vt_pauses_end(vt_pauses_t *pauses);

/* vt_pauses_mark writes into an image's trace what it does not yet say of pauses. */
void vt_pauses_mark(vt_pauses_t const *pauses, vt_image_t *image);

/* vt_pauses_close pauses the image in a slot alone, to its end, and returns the tick before it did. */
uint64_t vt_pauses_close(vt_pauses_t const *pauses, uint32_t slot);

/* vt_pauses_reset makes the word of a slot that is given to the next image what it is for the run. */
void vt_pauses_reset(vt_pauses_t const *pauses, uint32_t slot);

#endif
