/* What the collector asks the kernel about the memory of living processes.

   A *sample* is how much is resident, by the few kinds the kernel counts anyway; a *capture* is which pages
   of which mappings (analyzer/memory/capture.h). A capture is taken when more is resident than at any before
   by a twentieth, so that the latest one before the highest sample shows the highest moment. Both are
   put into the file when the next is taken or the image ends: only then it is known that the
   process had not executed another program by then.

   Cost: a sample reads one small file of /proc, every 100 ms; in the first 1.6 s of a process more
   often, at a sixteenth of its age. Captures of a process take at most 10 ms and a twentieth of its
   life, so that one that grows fast has fewer. */
#ifndef VT_ANALYZER_COLLECTOR_SAMPLING_H
#define VT_ANALYZER_COLLECTOR_SAMPLING_H

#include "analyzer/collector/image.h"

/* vt_sampling_look does what is due at `now` (CLOCK_MONOTONIC): nothing as a rule. Returns whether a sample was taken. */
int vt_sampling_look(vt_image_t *image, vt_clock_kind_t clock, uint64_t now);

/* vt_sampling_put puts what was seen last into the file. */
void vt_sampling_put(vt_image_t *image);

#endif
