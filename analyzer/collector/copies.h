/* Looking at copies of the memory of processes that run: when somebody asks, and near the highest resident size.

   The moment for the latter is chosen while it passes: at a sample (sampling.h) where an eighth more is resident than
   at the look before and no more comes, or twice as much, for what grows may fall at once. So a look has eight
   ninths of the highest moment's memory, half if that fell at once; unless it passed in less than the distance of two samples
   or the looks before have taken their share. What they cost goes with the size, so that all of them together cost a few times the last; their CPU time
   is at most an eighth of the process's life, but for the latest, and one of less than 0.2 s has none. Later ones replace those before: the
   last marker of that name holds. */
#ifndef VT_ANALYZER_COLLECTOR_COPIES_H
#define VT_ANALYZER_COLLECTOR_COPIES_H

#include "analyzer/collector/drain.h"

/* vt_copies_ask has the memory of the image's process looked at now; `asker` is a connection that is told of the
   result, and before that of the copy's number, when it may be made, as `what_for` says, and closed. Returns NULL, or why not. While
   a look for a peak is under way, one for a moment comes behind it. */
char const *vt_copies_ask(vt_drain_t *drain, vt_image_t *image, vt_snapshot_for_t what_for, int asker);

/* vt_copies_mind begins a look if the moment has come. To be called with each new sample. now: CLOCK_MONOTONIC. */
void vt_copies_mind(vt_drain_t *drain, vt_image_t *image, uint64_t now);

/* vt_copies_settle puts what was found into the trace and tells who asked, when a look is over. Does not block. */
void vt_copies_settle(vt_drain_t *drain, vt_image_t *image);

/* vt_copies_adopt: the copy that was made when recording ended is looked at in the place of what an ended process leaves.
   Returns whether there is one. */
int vt_copies_adopt(vt_drain_t *drain, vt_image_t *image);

/* vt_copies_end: the process has ended. A look whose copy is made goes on, but if all are to be given up. */
void vt_copies_end(vt_drain_t *drain, vt_image_t *image, int all);

#endif
