/* The collector's end of the ring: making it, handing it out, sleeping on it. */
#ifndef VT_ANALYZER_COLLECTOR_CHANNEL_H
#define VT_ANALYZER_COLLECTOR_CHANNEL_H

#include <stdint.h>
#include "analyzer/cli/error.h"
#include "core/trace/ring.h"

typedef struct {
  vt_ring_t *ring;
  int fd;       /* high and inherited by the program */
  int socket;   /* listening; hands out fd */
  char env[96]; /* value of VT_RING_ENV */
  char link[64]; /* what /proc/PID/fd/N reads for the ring in a process that has it */
} vt_channel_t;

/* vt_channel_open makes the ring, maps it and listens. Returns 0, or -1 and *error. */
int vt_channel_open(vt_channel_t *c, vt_error_t *error);

/* vt_channel_serve answers processes that ask for the ring's descriptor; never blocks. */
void vt_channel_serve(vt_channel_t *c);

/* vt_channel_sleep sleeps at most `ns`, less when a thread takes a segment of the upper half of the
   limit or vt_channel_wake is called. */
void vt_channel_sleep(vt_channel_t *c, uint64_t ns);

/* vt_channel_wake ends a sleep, also one about to begin. Async-signal-safe. */
void vt_channel_wake(vt_channel_t *c);

/* vt_channel_progress tells waiting threads that segments were freed. */
void vt_channel_progress(vt_channel_t *c);

/* vt_channel_users counts processes other than this one that hold the ring's descriptor. */
unsigned vt_channel_users(vt_channel_t const *c);

#endif
