/* Whose traces are followed while they are written, so that little is left to read at the end (helper.h): those of the
   first few processes that write much. Others do not live long enough, or would be too many. */
#ifndef VT_ANALYZER_COLLECTOR_FOLLOWING_H
#define VT_ANALYZER_COLLECTOR_FOLLOWING_H

#include "analyzer/collector/drain.h"

/* vt_following_mind starts a helper for an image that has come to write much. */
void vt_following_mind(vt_drain_t const *drain, vt_image_t *image);

/* vt_following_due: has a followed image written so much since it was flushed that it is to be flushed again? A helper
   cannot read what is not in the file. */
int vt_following_due(vt_image_t *image);

#endif
