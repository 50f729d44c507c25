/* Taking segments out of the ring in the order of their streams. */
#ifndef VT_ANALYZER_COLLECTOR_DRAIN_H
#define VT_ANALYZER_COLLECTOR_DRAIN_H

#include "analyzer/collector/image.h"
#include "analyzer/collector/ring.h"

typedef struct {
  vt_ring_t *ring;
  vt_ring_end_t const *end; /* of that ring */
  vt_naming_t naming;
  vt_codec_t *codec;     /* shared by all images */
  vt_symbols_t *symbols; /* NULL: not wanted */
  vt_image_t **images;   /* all of the run, in order of appearance */
  size_t images_cnt, images_cap;
  vt_image_t *by_slot[VT_RING_IMAGES]; /* the living ones */
  uint32_t
      consumed[VT_RING_SEGMENTS]; /* bytes of records already taken from an unfinished segment */
} vt_drain_t;

/* vt_drain_full takes all finished segments; returns how many. Images that appear are added. */
size_t vt_drain_full(vt_drain_t *d);

/* vt_drain_partial takes the committed prefix of unfinished segments, so that a collector that is
   killed has lost little. */
void vt_drain_partial(vt_drain_t *d);

/* vt_drain_image takes what an ended image left, finished or not, and frees its segments and slot.
 */
void vt_drain_image(vt_drain_t *d, vt_image_t *image, int wait_status);

#endif
