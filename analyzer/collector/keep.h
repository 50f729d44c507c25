/* Keeping only the last events of a trace (run --keep): a flight recorder.

   The file grows until its events take half of what is to be kept, then a *cut* is made: all that was recorded before a
   moment is in the file before that place, and nothing later. When the events behind the last cut take the other half, the
   next one is made, and a helper folds what is before the last one into a summary: it writes a new file beside the old one, which
   takes its name when it has caught up. Whatever is killed at whatever time, the file of that name is whole up to its last
   flush. While the helper works the old file grows on. */
#ifndef VT_ANALYZER_COLLECTOR_KEEP_H
#define VT_ANALYZER_COLLECTOR_KEEP_H

#include "analyzer/collector/drain.h"

/* vt_keep_mind does what is due for an image that is open: cuts, starts a helper, puts its file in place. */
void vt_keep_mind(vt_drain_t *drain, vt_image_t *image);

/* vt_keep_end folds what is to be folded of an image that ends, and waits for it. */
void vt_keep_end(vt_drain_t *drain, vt_image_t *image);

#endif
