/* The collector's end of the ring (core/trace/ring.h): making it, and handing it to processes that
   have lost the inherited descriptor. */
#ifndef VT_ANALYZER_COLLECTOR_RING_H
#define VT_ANALYZER_COLLECTOR_RING_H

#include "core/trace/ring.h"

/* What the name of the socket for `valtrace ctl` has more than that of the ring. */
#define VT_CONTROL_SUFFIX "-ctl"

typedef struct {
  vt_ring_t *ring;
  uint32_t segments; /* that it has */
  uint32_t limit;    /* as in the ring, where others may write */
  int fd;           /* of the memfd; inheritable, with a high number */
  int socket;       /* listening, close-on-exec */
  int steering;     /* likewise, for `valtrace ctl` (control.h) */
  int patches;      /* likewise, for processes that ask how to patch themselves */
  uint64_t made_at; /* when the ring was made, in the kernel's ticks since boot */
  char spec[128];   /* value of VT_RING_ENV */
} vt_ring_end_t;

/* vt_ring_make creates the ring and the socket. Returns 0 or a negative errno value. */
int vt_ring_make(vt_ring_end_t *end);

/* vt_ring_leave closes and unmaps the ring in this process. */
void vt_ring_leave(vt_ring_end_t *end);

/* vt_ring_answer serves processes that wait on the socket; does not block. Returns -1 when one may
   still wait, because its connection could not be taken (no descriptor left): try later. */
int vt_ring_answer(vt_ring_end_t *end);

/* vt_ring_give_back makes segment i free again; pairs with the claim in core/trace/sink_ring.c. */
void vt_ring_give_back(vt_ring_t *ring, uint32_t i);

/* vt_ring_drained says that the records [from,to) of segment i, which its thread goes on to write
   to, will not be looked at again: thousands of threads that rarely write hold little memory. */
void vt_ring_drained(vt_ring_t *ring, uint32_t i, uint32_t from, uint32_t to);

/* vt_ring_raise_limit lets threads claim more segments when they hold `active`, nearly all. */
void vt_ring_raise_limit(vt_ring_end_t *end, uint32_t active);

/* vt_ring_empty gives back the memory of all segments: processes that are not recorded any more keep the ring mapped. */
void vt_ring_empty(vt_ring_end_t const *end);

#endif
