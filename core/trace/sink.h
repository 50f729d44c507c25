/* Where the segments of a process image come from and go to: the collector's ring, or a file of the
   process's own when there is no collector. One sink per process image, shared by all its threads.

   Neither takes a lock. The ring sink makes no system call while the collector keeps up and the
   segment is mapped; the file sink makes two a segment (reserve the next 64 KiB, drop the finished
   ones from memory). Both map their memory in pieces (pieces.h). */
#ifndef VT_CORE_TRACE_SINK_H
#define VT_CORE_TRACE_SINK_H

#include <limits.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "core/trace/clock.h"
#include "core/trace/pieces.h"
#include "core/trace/ring.h"
#include "valtrace/trace_format.h"

/* Size of the file header and of the COUNTERS chunk of a file without collector. */
#define VT_SINK_FILE_HEADER_SZ   61440
#define VT_SINK_FILE_COUNTERS_SZ 4096

typedef struct {
  /* Identity of this image; set by the owner before opening, constant afterwards. */
  uint64_t image;
  uint32_t pid;
  uint64_t space;        /* see vt_sink_space */
  uint64_t follows;      /* image that exec replaced by this one, 0: none that is known */
  uint32_t follows_slot; /* the slot it had */
  vt_clock_kind_t clock;

  vt_pieces_t pieces; /* what is mapped of the ring or the file */

  /* Ring sink; ring is NULL for a file sink. */
  vt_ring_t *ring; /* its tables: pieces.base */
  uint32_t slot;   /* index in ring->images */
  void *seat;      /* see vt_sink_sit; NULL: none */
  /* How long threads of this process have waited without progress of the collector, in total. */
  _Atomic uint64_t stalled_ns;
  _Atomic uint64_t stalled_to; /* CLOCK_MONOTONIC in ns up to which that is counted */

  /* File sink. */
  uint64_t file_max;        /* the longest file we may make */
  _Atomic uint64_t file_sz; /* the file's length */
  _Atomic uint64_t used;    /* bytes of the file handed out as segments */
  int fd;                   /* high and close-on-exec; the host may close or reuse it */
  dev_t dev;
  ino_t ino;
  char path[PATH_MAX];

  /* Where counters live so that they survive a kill: value of counter c at counters[c * stride]. */
  _Atomic uint64_t *counters;
  uint32_t counter_stride;
  int confined;             /* 1: no more memory may be mapped; set by vt_sink_confine */
  int silent;               /* vt_silent_t; set by vt_sink_silence */
  uint64_t reserved;        /* silent: end of what was reserved beforehand in the file */
  _Atomic uint32_t stopped; /* vt_stopped_t once recording has stopped, else 0 */
  _Atomic uint32_t const *paused; /* not 0 there: blocks are not to be recorded now; never NULL */
} vt_sink_t;

/* Where `paused` points when nobody can pause this sink. */
extern _Atomic uint32_t const vt_sink_never_paused;

/* vt_sink_open_ring attaches to the collector named by `spec` (value of VT_RING_ENV). Returns 0, or
   -1 when there is no such collector or its memory cannot be mapped (nothing is changed then).
   Not thread-safe; called at start and in a fork's child. */
int vt_sink_open_ring(vt_sink_t *sink, char const *spec);

/* vt_sink_connect connects to the abstract stream socket of that collector whose name ends in
   `suffix` ("": the one that hands out the ring). Returns a descriptor, with limits of two seconds on
   sending and receiving, or a negative errno value. */
int vt_sink_connect(char const *spec, char const *suffix);

/* vt_sink_join_ring gives a forked child its own image slot in the ring its parent mapped
   (sink->ring). Returns 0 or -1 (no slot free). */
int vt_sink_join_ring(vt_sink_t *sink);

/* vt_sink_space is what tells this process's namespace of process numbers from others: the identity
   of /proc/self/ns/pid. 0: it cannot be seen. One system call; signal-safe. */
uint64_t vt_sink_space(void);

/* vt_sink_sit maps the ring's first page once more, not to be inherited by a fork, and tells the
   collector where: what has that mapping shares this image's memory (vfork, clone with CLONE_VM)
   and may write as it, also when its process has ended. Two system calls; best effort. */
void vt_sink_sit(vt_sink_t *sink);

/* vt_sink_leave_ring unmaps the ring: recording has ended, nobody writes, and it may begin anew with another one. */
void vt_sink_leave_ring(vt_sink_t *sink);

/* vt_sink_forget_ring is for a child that was forked while another thread left or joined one: what of it is mapped, if
   anything, stays, as its place may be somebody else's. */
void vt_sink_forget_ring(vt_sink_t *sink);

/* vt_sink_threaded tells the collector whether other threads live when this image says how it ends: a vfork child
   of one that has written nothing may write after the end. Signal-safe. */
static inline void vt_sink_threaded(vt_sink_t *sink, int threaded) {
  if (sink->ring)
    atomic_store_explicit(&sink->ring->images[sink->slot].threaded, threaded != 0, memory_order_relaxed);
}

/* vt_sink_unrecorded tells the collector, if there is one, of `programs` that are not recorded, or with
   -1 that one is after all. Async-signal-safe. */
static inline void vt_sink_unrecorded(vt_sink_t *sink, int programs) {
  if (sink->ring)
    atomic_fetch_add_explicit(&sink->ring->unrecorded, (uint32_t)programs, memory_order_relaxed);
}

/* vt_sink_open_file creates sink->path (an absolute path; an existing file is unlinked, missing
   parent folders are made) with mode 0600, writes `header` (header_sz bytes, at most
   VT_SINK_FILE_HEADER_SZ) and the counters, and maps it. Returns 0 or a negative errno value. */
int vt_sink_open_file(vt_sink_t *sink, uint8_t const *header, size_t header_sz);

/* vt_sink_close_file cuts the file to what is used and marks it complete; the mapping stays, so
   that threads that still run do no harm; a later segment makes it longer again. Best effort,
   silent: a reader accepts the file without. */
void vt_sink_close_file(vt_sink_t *sink);

/* vt_sink_forked makes the sink of a forked child a closed one that can be opened again; the ring's
   mapping stays (sink->ring). The parent's trace is not touched. */
void vt_sink_forked(vt_sink_t *sink);

/* vt_sink_claim returns an unused segment and its index, or NULL when recording has stopped (then
   sink->stopped says why). May wait up to a second for the collector. Thread- and signal-safe. */
uint8_t *vt_sink_claim(vt_sink_t *sink, uint32_t *index);

/* vt_sink_finish hands a segment back: to the collector, or as finished part of the file. */
void vt_sink_finish(vt_sink_t *sink, uint8_t *segment, uint32_t index);

/* vt_sink_confine maps so much ahead that the sink can do without mapping more from here on, which
   a filter may punish; when that is used up, recording stops. Undo with 0. */
void vt_sink_confine(vt_sink_t *sink, int confined);

/* vt_sink_unlock undoes for the sink's memory what mlockall did. */
void vt_sink_unlock(vt_sink_t *sink);

/* vt_sink_silence makes the sink work without system calls from here on, as long as it can: a file
   has room for some ten thousand events reserved, a ring goes on while segments are free. Undo with
   VT_SILENT_NOT. ALL: any call would end the process (strict seccomp). FILE: calls about the file
   would. */
typedef enum { VT_SILENT_NOT = 0, VT_SILENT_FILE, VT_SILENT_ALL } vt_silent_t;
void vt_sink_silence(vt_sink_t *sink, int silent);

/* vt_sink_stop ends recording for `reason` and notes when; the first reason stays. */
void vt_sink_stop(vt_sink_t *sink, vt_stopped_t reason);

/* vt_sink_count adds n to a counter. Thread- and signal-safe. */
static inline void vt_sink_count(vt_sink_t *sink, vt_counter_t counter, uint64_t n) {
  if (sink->counters)
    atomic_fetch_add_explicit(&sink->counters[(size_t)counter * sink->counter_stride], n,
                              memory_order_relaxed);
}

/* vt_sink_note makes `value` the value of a counter. Thread- and signal-safe. */
static inline void vt_sink_note(vt_sink_t *sink, vt_counter_t counter, uint64_t value) {
  if (sink->counters)
    atomic_store_explicit(&sink->counters[(size_t)counter * sink->counter_stride], value,
                          memory_order_relaxed);
}

#endif
