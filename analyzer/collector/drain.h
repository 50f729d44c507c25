/* Draining the ring: from segments to images. */
#ifndef VT_ANALYZER_COLLECTOR_DRAIN_H
#define VT_ANALYZER_COLLECTOR_DRAIN_H

#include <stdint.h>
#include "analyzer/collector/channel.h"
#include "analyzer/collector/image.h"

/* How far a segment in the ring has been drained. */
typedef struct {
  uint64_t image; /* 0: not begun */
  uint32_t writer, number;
  uint32_t at;
  uint32_t waited; /* passes it waited for the one before it */
} vt_drain_segment_t;

typedef struct {
  vt_channel_t *channel;
  vt_run_t *run;
  vt_image_t **images;
  size_t images_cnt, images_cap;
  vt_drain_segment_t segments[VT_RING_SEGMENTS];
  uint8_t copy[VT_SEGMENT_SZ];
  uint64_t bytes; /* of records drained so far */
} vt_drain_t;

/* vt_drain_pass drains full segments and gives them back; with `active` also the committed part of
   unfinished ones. Returns the number of segments given back. */
unsigned vt_drain_pass(vt_drain_t *d, int active);

/* vt_drain_end takes over everything that an image that is gone has left in the ring, finishes its
   trace and forgets it. kind, value: how it ended, if it did not say so itself. */
void vt_drain_end(vt_drain_t *d, size_t index, vt_process_kind_t kind, uint32_t value);

/* vt_drain_adjust moves the ring's limit so that threads find free segments and memory nobody needs
   goes back to the system. */
void vt_drain_adjust(vt_drain_t *d);

/* vt_drain_pressing tells whether half of the segments are taken. */
int vt_drain_pressing(vt_drain_t const *d);

#endif
