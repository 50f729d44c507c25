/* A process's memory kept for the collector after the process has ended or called exec.

   The *heir* is a process made by a raw clone that shares the memory and nothing else: the program
   goes its way, the memory stays as it was last, and nothing of it is copied. The heir closes its
   descriptors, leaves the session, blocks all signals and sleeps until the collector is done with
   it; it never outlives the time limit, nor the collector, nor a collector that shows no life. It
   is no child that the program's waiting could see: its exit signal is 0. Raw system calls only. */
#ifndef VT_CORE_TRACE_SNAPSHOT_H
#define VT_CORE_TRACE_SNAPSHOT_H

#include "core/trace/ring.h"

/* What becomes of other threads of the process. Stopped ones do not run again, unless the process has not ended after
   a fifth of a second; their registers are known. */
typedef enum { VT_HEIR_NO_THREADS, VT_HEIR_STOPS_THREADS, VT_HEIR_LEAVES_THREADS } vt_heir_threads_t;

/* vt_heir_make makes the heir of this process and returns when its descriptors are closed;
   image->heir is then its number, and pointers that only the kernel has lie in the memory (held.h). Returns 0, or -1 when there can be none (a limit on processes or
   memory, an old kernel) or the ring says that nobody wants it. errno stays. One at a time for each
   process. */
int vt_heir_make(vt_ring_t *ring, vt_ring_image_t *image, vt_heir_threads_t threads);

/* vt_heir_unmake ends the heir and waits for its end: exec has failed. A sentinel watches again. */
void vt_heir_unmake(vt_ring_image_t *image);

/* vt_heir_end ends heir or sentinel and waits for its end: what comes would make it a stranger to the process (another
   user, other capabilities), for which it must not be a way back. */
void vt_heir_end(vt_ring_image_t *image);

/* Writes to a buffer the payload of a SNAPSHOT message about a process that cannot say it itself; returns its size, and
   *threads that may have lived. Called by the sentinel: no more than reading memory. */
typedef uint64_t vt_heir_layout_fn(uint8_t *buffer, uint64_t cap, vt_snapshot_kind_t kind, uint32_t *threads);

/* vt_sentinel_make makes an heir early: it sleeps while the process lives, is its heir at the end, and keeps the
   memory also of a process that is killed. Returns 0, or -1 when there is none. Once for each image. errno stays. */
int vt_sentinel_make(vt_ring_t *ring, vt_ring_image_t *image, vt_heir_layout_fn *describes);

/* vt_copy_make makes the copy that a sentinel makes, without one: while all threads stand, stopped by who traces the calling
   one; should he be gone before it is made, there is none. number: of the copy, as the collector that waits for it has told
   him. unknown: threads of which not even then the registers are known. Returns when it is there, 0; or -1, or -EBUSY: an earlier
   call is not over. errno stays. */
int vt_copy_make(vt_ring_t *ring, vt_ring_image_t *image, vt_heir_layout_fn *describes, uint32_t number, uint32_t unknown);

#endif
