/* The process that an image lives in: finding it among all others, and noticing its end.

   An image says by which number it knows itself, in which namespace of such numbers, and a moment
   at which it lived. That is an identity: at one moment a number names one process of a namespace,
   so a process that has this number now and was there at that moment is the one. A number alone
   is none, as it is given again and means another process in another namespace. */
#ifndef VT_ANALYZER_COLLECTOR_OWNER_H
#define VT_ANALYZER_COLLECTOR_OWNER_H

#include <stdint.h>
#include <sys/types.h>
#include "analyzer/collector/ring.h"

typedef struct {
  uint64_t space; /* vt_sink_space of the process; 0: unknown */
  uint32_t pid;   /* as the process knows itself */
  uint64_t tick;  /* of the ring's clock: it lived then */
  uint64_t seat;  /* see vt_sink_sit; 0: unknown. Tells processes apart where the namespace cannot */
} vt_identity_t;

typedef struct {
  vt_identity_t who;
  pid_t pid;       /* by which we know it; 0: it is gone, or several may be the one */
  int fd;          /* pidfd, readable when it has ended; -1: none */
  uint64_t start;  /* when it began, in the kernel's ticks since boot; 0: unknown */
  int several;     /* one of these processes may be the one, but neither namespace nor seat tell */
  int shared;      /* it has ended, but another process lives in the same memory */
  uint64_t looked; /* CLOCK_MONOTONIC: when one of these was found */
} vt_owner_t;

/* vt_owner_find looks for the process; the caller owns the result, to be ended by vt_owner_leave.
   Costs a look at one file of /proc for processes of our own namespace, at several per process of
   the machine for others. Without /proc the number alone must do. */
vt_owner_t vt_owner_find(vt_ring_end_t const *end, vt_identity_t const *who);

/* vt_owner_gone: has the process ended? Never true while one lives that may be it. */
int vt_owner_gone(vt_ring_end_t const *end, vt_owner_t *owner);

/* vt_owner_shared: does a process live on in the memory of one that has ended or executed another
   program, having been made with vfork or CLONE_VM? `row` is of the image in that memory. known tells
   (with context) which processes have images of their own. Costs a look at each process. */
int vt_owner_shared(vt_ring_end_t const *end, vt_owner_t *owner, vt_ring_image_t const *row,
                    int (*known)(void *context, pid_t pid), void *context);

/* vt_owner_without_ring: is it known of the process, which lives, that its memory has not the ring? Then it has executed another
   program. Costs a look at its mappings. */
int vt_owner_without_ring(vt_ring_end_t const *end, vt_owner_t *owner);

/* vt_owner_has_memory: one that is just ending has none, and what is not there any more would look as if another program
   had been executed. */
int vt_owner_has_memory(pid_t pid);

/* vt_owner_leave closes the descriptor; nothing else of the owner is changed. */
void vt_owner_leave(vt_owner_t *owner);

/* vt_owner_space is the namespace of this process. */
uint64_t vt_owner_space(void);

/* vt_owner_started is when process `pid` began, in the kernel's clock ticks since boot; 0: there is
   none, or no /proc. */
uint64_t vt_owner_started(pid_t pid);

/* vt_owner_holders counts processes that hold the ring, as a descriptor or mapped, but for this one:
   also those that have just been forked and have not had the time to say anything. Costs a look at
   each process. */
unsigned vt_owner_holders(vt_ring_end_t const *end);

#endif
