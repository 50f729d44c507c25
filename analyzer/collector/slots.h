/* What the slots of the ring say of the images that claimed them: who each is, which process it lives in
   and whose place it took. What they say is read as often as needed, as others write it; a process is
   looked for once. */
#ifndef VT_ANALYZER_COLLECTOR_SLOTS_H
#define VT_ANALYZER_COLLECTOR_SLOTS_H

#include "analyzer/collector/owner.h"

typedef struct {
  vt_ring_t *ring;
  vt_ring_end_t const *end;         /* of that ring */
  pid_t first_pid;                  /* the first process, -1: it is not known; 0: not yet told */
  uint64_t first_over;              /* a tick at which it had ended; 0: not told */
  vt_owner_t owner[VT_RING_IMAGES]; /* who.pid 0: not yet looked for */
} vt_slots_t;

/* vt_slots_image is the identity of the image that claimed a slot; 0: nobody did, or its description
   is not complete. */
uint64_t vt_slots_image(vt_slots_t const *s, uint32_t slot);

/* vt_slots_owner is the process that the image of a claimed slot lives in. */
vt_owner_t *vt_slots_owner(vt_slots_t *s, uint32_t slot);

/* vt_slots_first: does the image of a claimed slot live in the first process? */
int vt_slots_first(vt_slots_t *s, uint32_t slot);

/* vt_slots_predecessor is the slot of the image that exec replaced by the one in `slot`, 0: none that
   is still in the ring. */
uint32_t vt_slots_predecessor(vt_slots_t const *s, uint32_t slot);

/* vt_slots_free gives a slot to the next image; nobody may be able to write as the old one. */
void vt_slots_free(vt_slots_t *s, uint32_t slot);

#endif
