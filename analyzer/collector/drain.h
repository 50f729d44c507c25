/* Taking segments out of the ring in the order of their streams. */
#ifndef VT_ANALYZER_COLLECTOR_DRAIN_H
#define VT_ANALYZER_COLLECTOR_DRAIN_H

#include "analyzer/collector/image.h"
#include "analyzer/collector/owner.h"
#include "analyzer/collector/ring.h"

typedef struct {
  vt_ring_t *ring;
  vt_ring_end_t *end; /* of that ring */
  char const *pattern;     /* of the traces' names; absolute */
  pid_t first_pid;         /* the first process, -1: it is not known; 0: not yet told */
  uint64_t first_over;     /* a tick at which it had ended; 0: it lives */
  vt_codec_t *codec;     /* shared by all images */
  vt_symbols_t *symbols; /* NULL: not wanted */
  vt_image_t **images;   /* all of the run, in order of appearance */
  size_t images_cnt, images_cap;
  vt_image_t *by_slot[VT_RING_IMAGES]; /* the living ones */
  vt_owner_t owner[VT_RING_IMAGES];    /* who.pid 0: not yet looked for */
  uint64_t replaced[VT_RING_IMAGES];   /* image of this slot that exec has replaced, 0: none */
  int replacements;                    /* some are to be ended */
  uint32_t
      consumed[VT_RING_SEGMENTS]; /* bytes of records already taken from an unfinished segment */
} vt_drain_t;

/* vt_drain_full takes all finished segments; returns how many. Images that appear are added, those
   that exec has replaced are ended. */
size_t vt_drain_full(vt_drain_t *d);

/* vt_drain_partial takes the committed prefix of unfinished segments, so that a collector that is
   killed has lost little. */
void vt_drain_partial(vt_drain_t *d);

/* vt_drain_gone: has the process that the living image lives in ended? */
int vt_drain_gone(vt_drain_t *d, vt_image_t const *image);

/* vt_drain_image ends an image: takes what it left, finished or not, and frees its segments and
   slot. Only when nobody can write as it any more: its process has ended (vt_drain_gone) or told of
   the image that exec put in its place. */
void vt_drain_image(vt_drain_t *d, vt_image_t *image, int wait_status);

/* vt_drain_nameless frees what was claimed by images that ended before they said who they are. Costs
   a look at each slot. */
void vt_drain_nameless(vt_drain_t *d);

#endif
