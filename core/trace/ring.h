/* The shared memory through which traced processes hand their records to the collector.

   The collector makes one memfd of this layout; each traced process maps its tables at start, and
   pieces of the rest as its threads claim segments there (pieces.h). Threads claim
   free segments with a compare-and-swap on the segment's state word, fill them (layout of SEGMENT
   in docs/trace-format.md) and mark them full; the collector drains full segments, the committed
   prefix of unfinished ones, and gives them back with committed set to 0. It polls: no side needs a
   system call while segments are to be had. Both sides treat the other's stores as untrusted. */
#ifndef VT_CORE_TRACE_RING_H
#define VT_CORE_TRACE_RING_H

#include <stdatomic.h>
#include <stdint.h>
#include "valtrace/trace_format.h"
#include "core/trace/clock.h"

#define VT_RING_MAGIC    ((uint64_t)0x32474E4952545601) /* \1VTRING2 */
#define VT_RING_SEGMENTS 65536
#ifndef VT_RING_IMAGES /* models of the protocol make do with fewer */
#define VT_RING_IMAGES   4096
#endif
#define VT_RING_FILE "valtrace" /* what it is called in /proc/PID/maps: memfd:valtrace */
#define VT_RING_SEAT_SZ  4096 /* see vt_sink_sit */
/* Segments a run starts with; the collector raises the limit when threads hold that many. */
#define VT_RING_SPARE    48
/* Segments that keep their memory when they are drained. Those with higher numbers, which only
   serve when that many are in use, give it back. */
#define VT_RING_WARM     1024

/* State word of a segment: the low two bits are the state, the rest is the owner's image slot. */
#define VT_SEGMENT_FREE              ((uint64_t)0)
#define VT_SEGMENT_ACTIVE            ((uint64_t)1) /* a thread writes; committed may grow */
#define VT_SEGMENT_FULL              ((uint64_t)2) /* its writer is done; the collector's to drain */
#define VT_SEGMENT_STATE_MASK        ((uint64_t)3)
#define VT_SEGMENT_OWNER(word)       ((uint32_t)((word) >> 2))
#define VT_SEGMENT_WORD(slot, state) (((uint64_t)(slot) << 2) | (state))

/* What becomes of an image's memory when it ends; see core/trace/snapshot.h. */
enum {
  VT_HEIR_NONE = 0,
  VT_HEIR_STARTING = 1, /* the process is about to end, or to execute */
  VT_HEIR_READY = 2,    /* the memory is kept */
  VT_HEIR_WATCHING = 3, /* a sentinel sleeps */
  VT_HEIR_DESCRIBE = 4, /* it is to say how the memory is laid out, as the process has been killed */
  VT_HEIR_COPY = 5,     /* it is to fork: the copy has a state of its own */
  VT_HEIR_OVER = 6,     /* READY for as long as the limit allows: it ends without having been released */
};

/* A process image while it lives. Claimed by storing the image identity into `image` (0: free) with
   a compare-and-swap; freed by the collector once nobody can write as this image any more and it is
   drained. Which process it lives in, `space`, `pid` and `born` tell: at one moment a number names
   one process of a namespace. An image that exec replaced is known by the one that names it in
   `follows`; a number that was seen before proves nothing. Each has cache lines of its own: `paused` is read
   at every event. */
typedef struct {
  _Alignas(64) _Atomic uint64_t image;
  _Atomic uint32_t pid;     /* as the process knows itself; 0: the rest is not yet set */
  _Atomic uint32_t stopped; /* vt_stopped_t once recording has stopped, else 0 */
  _Atomic uint64_t space;   /* namespace of process numbers, see vt_sink_space; 0: unknown */
  _Atomic uint64_t born;    /* a tick at which the process lived */
  _Atomic uint64_t follows; /* image that exec replaced by this one; 0: none, or unknown */
  _Atomic uint32_t follows_slot; /* the slot it had */
  _Atomic uint32_t paused; /* not 0: its blocks are not recorded now. Only the collector writes it, also while nobody has
                              the slot */
  _Atomic uint64_t seat;         /* see vt_sink_sit; 0: none */
  _Atomic uint32_t threaded; /* 1: when it said how it ends, there were threads, which may have written nothing */
  _Atomic uint64_t counters[VT_COUNTER_MAX + 1]; /* indexed by vt_counter_t */
  _Atomic uint32_t heir;       /* its number as the image calls it; 0: none */
  _Atomic uint32_t heir_state; /* VT_HEIR_…; a futex, on which the heir sleeps while READY */
  _Atomic uint32_t registers_unknown; /* other threads whose registers are not in the heir's memory */
  _Atomic uint64_t pointer_guard;     /* of the C library, for jmp_buf; 0: not known */
  _Atomic uint64_t layout;            /* where in the memory the payload of a SNAPSHOT lies; 0: nowhere */
  _Atomic uint32_t layout_sz;
  /* The same of the sentinel's copy of the memory, which was made between two ticks. */
  _Atomic uint32_t copy, copy_state, copy_registers_unknown, copy_layout_sz;
  _Atomic uint32_t copy_number; /* of the one that is expected; see vt_copy_make */
  _Atomic uint64_t copy_layout, copy_begun, copy_made;
} vt_ring_image_t;
/* Every process maps the table of all images, and a program may have little address space to spare. */
_Static_assert(sizeof(vt_ring_image_t) <= 384, "the table of images is part of what each process maps");

typedef struct {
  uint64_t magic;
  uint32_t collector_pid;
  uint32_t clock;   /* vt_clock_kind_t that all processes of this run use */
  uint64_t nonce;   /* the same number as in VALTRACE_COLLECTOR: this ring and no other */
  uint64_t tick_hz; /* ticks per second of that clock as the collector measured them */
  uint32_t segments; /* that this ring has; at most VT_RING_SEGMENTS */
  uint64_t heir_limit_ns; /* how long an image's memory may be kept after its end; 0: not at all */
  uint32_t sentinels; /* each image is to have one, not only those of Go (core/trace/snapshot.h) */
  /* Segments [0,limit) may be claimed: bounds the memory of the ring. */
  _Atomic uint32_t limit;
  /* A free segment is likely from here on; who looks for one looks everywhere in the end. */
  _Atomic uint32_t hint;
  /* 0: recording; else traced processes stop recording at their next segment (vt_stopped_t). */
  _Atomic uint32_t stop;
  /* Grows by one each time the collector gives back a segment or raises the limit; waiting threads
     sleep on it (futex), and as many are woken as there are segments to be had. */
  _Atomic uint32_t progress;
  _Atomic uint32_t waiting; /* threads that sleep on progress */
  /* Processes and programs of the run that are known not to be recorded: executed where the shim
     cannot be seen, or not let in. */
  _Atomic uint32_t unrecorded;
  /* Grows several times a second while the collector lives and is not stopped, also while it waits
     for its disk. */
  _Atomic uint32_t alive;
  vt_ring_image_t images[VT_RING_IMAGES]; /* slot 0 is never used */
  _Atomic uint64_t state[VT_RING_SEGMENTS];
} vt_ring_t;

#define VT_RING_SEGMENTS_OFF                                                                       \
  ((sizeof(vt_ring_t) + VT_SEGMENT_SZ - 1) / VT_SEGMENT_SZ * VT_SEGMENT_SZ)
/* Size of a ring of n segments. */
#define VT_RING_SZ(n) (VT_RING_SEGMENTS_OFF + (uint64_t)(n)*VT_SEGMENT_SZ)

/* The environment variable that tells a traced process of its collector: "FD:SOCKET:NONCE". FD is
   the inherited descriptor of the ring (the number may be stale: check the nonce); SOCKET is the
   name of an abstract stream socket that answers each connection with one byte and the descriptor
   (SCM_RIGHTS); NONCE is 16 hexadecimal digits. */
#define VT_RING_ENV "VALTRACE_COLLECTOR"

/* Address of segment i in a ring that is mapped as a whole. */
static inline uint8_t *vt_ring_segment(vt_ring_t *ring, uint32_t i) {
  return (uint8_t *)ring + VT_RING_SEGMENTS_OFF + (uint64_t)i * VT_SEGMENT_SZ;
}

#endif
