/* See survived.h. */
#include "analyzer/collector/survived.h"

#include <time.h>
#include <unistd.h>

#define IN_FLIGHT_NS 20000000

/* has_executed: does the process live, and with another program? */
static int has_executed(vt_drain_t *d, vt_image_t const *image) {
  return image->packer.header.flags & VT_HEADER_FLAG_MID_LIFE && !image->place.first &&
         vt_owner_without_ring(d->end, vt_slots_owner(&d->slots, image->place.slot));
}

static vt_image_t *living(vt_drain_t const *d, uint32_t slot) {
  vt_image_t *image = d->by_slot[slot];
  return image && !image->leaving ? image : NULL;
}

/* An event that had begun before the gate was closed is written by a thread that was stopped in it: it gets the time. */
void vt_survived_detached(vt_drain_t *d, int asker) {
  if (d->detacher) close(d->detacher);
  d->detached = 1;
  d->detacher = asker;
  vt_drain_all(d);
  nanosleep(&(struct timespec){.tv_nsec = IN_FLIGHT_NS}, NULL);
  vt_drain_all(d);
  for (uint32_t slot = 1; slot < VT_RING_IMAGES; slot++) {
    vt_image_t *image = living(d, slot);
    if (!image) continue;
    if (!vt_owner_gone(d->end, vt_slots_owner(&d->slots, slot)))
      image->left = has_executed(d, image) ? VT_PROCESS_EXEC : VT_PROCESS_DETACHED;
    vt_drain_end(d, image, image->left ? -1 : vt_drain_status(d, image, vt_drain_last(d)));
  }
}

static void executed(vt_drain_t *d, vt_image_t *image) {
  image->left = VT_PROCESS_EXEC;
  vt_drain_end(d, image, -1);
}

void vt_survived_first(vt_drain_t *d) {
  vt_drain_all(d);
  for (uint32_t slot = 1; slot < VT_RING_IMAGES; slot++) {
    vt_image_t *image = living(d, slot);
    if (image && image->place.first) executed(d, image);
  }
}

void vt_survived_look(vt_drain_t *d) {
  for (uint32_t slot = 1; slot < VT_RING_IMAGES; slot++) {
    vt_image_t *image = living(d, slot);
    if (image && has_executed(d, image)) executed(d, image);
  }
}
