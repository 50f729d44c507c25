/* Looking at the memory that an ended process image left behind (core/trace/snapshot.h).

   A helper process scans it, so that the collector goes on serving; both are given up at the time
   limit, and when memory gets scarce, for what is kept of the dead must not be missed by the
   living. */
#ifndef VT_ANALYZER_COLLECTOR_HEIR_H
#define VT_ANALYZER_COLLECTOR_HEIR_H

#include <stdint.h>
#include <sys/types.h>
#include "analyzer/collector/helper.h"
#include "analyzer/collector/owner.h"

typedef struct {
  vt_ring_end_t *end;
  vt_ring_image_t *row; /* of the image, which is not given to another one meanwhile */
  vt_owner_t heir;      /* pid 0: none */
  vt_helper_t helper;   /* that follows the trace, or looks */
  int looking;          /* it has its order */
  char const *path;     /* of the trace */
  pid_t living;         /* the sentinel of a copy */
  int of_copy;          /* what is looked at is the sentinel's copy, and the process lives */
  int asked;            /* a sentinel is to say how the memory is laid out */
  uint32_t kind;        /* vt_snapshot_kind_t of what is looked at */
  int high_tags;        /* pointers have tags in the top 16 bits */
  uint64_t deadline;    /* CLOCK_MONOTONIC */
  uint64_t bytes;       /* resident memory that is kept */
  char const *given_up; /* why; NULL: not */
} vt_heir_look_t;

/* vt_heir_look_for finds the heir, if there is one and it is not known yet. */
void vt_heir_look_for(vt_heir_look_t *look, vt_ring_end_t *end, vt_ring_image_t *row);

/* vt_heir_look_begin: did the image leave its memory? Then it is 1, and the look is to be settled;
   0: there is nothing to look at. The image's trace is at `path`, whole but for its end; NULL: it has
   none, and its memory is let go. `kept` are
   bytes kept for others already. */
int vt_heir_look_begin(vt_heir_look_t *look, vt_ring_end_t *end, vt_ring_image_t *row,
                       char const *path, uint64_t kept, int high_tags);

/* vt_heir_copy_begin asks the image's sentinel for a copy of its memory, to be looked at: `look` is another one than that
   of the end. Returns NULL, or why there can be none. When vt_heir_copy_made, everything that was recorded until then is
   to be put into the trace; then vt_heir_copy_go, and vt_heir_look_settle as at the end. */
char const *vt_heir_copy_begin(vt_heir_look_t *look, vt_ring_end_t *end, vt_ring_image_t *row, char const *path,
                               uint64_t kept, int high_tags);

/* vt_heir_copy_expect begins likewise, of process `living`, of which somebody else has the copy made; vt_heir_copy_forget: he
   will not, if he has not, and why. */
char const *vt_heir_copy_expect(vt_heir_look_t *look, vt_ring_end_t *end, vt_ring_image_t *row, char const *path,
                                pid_t living, uint64_t kept, int high_tags);
void vt_heir_copy_forget(vt_heir_look_t *look, char const *why);
int vt_heir_copy_made(vt_heir_look_t *look);
void vt_heir_copy_go(vt_heir_look_t *look);

/* vt_heir_look_settle: 1 when there is a result, which is appended to *seen; the heir is gone then and the
   look is over. The verdict is there in any case, the pages if the look got so far. Does not block. */
int vt_heir_look_settle(vt_heir_look_t *look, vt_heir_seen_t *seen);

#endif
