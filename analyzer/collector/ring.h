/* The collector's end of the ring (core/trace/ring.h): making it, and handing it to processes that
   have lost the inherited descriptor. */
#ifndef VT_ANALYZER_COLLECTOR_RING_H
#define VT_ANALYZER_COLLECTOR_RING_H

#include "core/trace/ring.h"

typedef struct {
  vt_ring_t *ring;
  int fd;           /* of the memfd; inheritable, with a high number */
  int socket;       /* listening, close-on-exec */
  uint64_t made_at; /* when the ring was made, in the kernel's ticks since boot */
  char spec[128];   /* value of VT_RING_ENV */
} vt_ring_end_t;

/* vt_ring_make creates the ring and the socket. Returns 0 or a negative errno value. */
int vt_ring_make(vt_ring_end_t *end);

/* vt_ring_answer serves processes that wait on the socket; does not block. Returns -1 when one may
   still wait, because its connection could not be taken (no descriptor left): try later. */
int vt_ring_answer(vt_ring_end_t *end);

/* vt_ring_users counts processes that hold the ring's descriptor, but for this one: also those that
   have just been forked and have not had the time to say anything. Costs a look at each process. */
unsigned vt_ring_users(vt_ring_end_t const *end);

/* vt_ring_process is the number under which this process knows one that calls itself `pid`, which
   in a namespace of process numbers may be that of a stranger: the one that has the ring mapped. 0:
   it is gone. Without /proc, or without the right to look, `pid` itself. */
pid_t vt_ring_process(vt_ring_end_t const *end, pid_t pid);

/* vt_ring_give_back makes segment i free again; pairs with the claim in core/trace/sink_ring.c. */
void vt_ring_give_back(vt_ring_t *ring, uint32_t i);

#endif
