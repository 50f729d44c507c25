/* One recorded process image: its trace file and what the collector knows of the process. */
#ifndef VT_ANALYZER_COLLECTOR_IMAGE_H
#define VT_ANALYZER_COLLECTOR_IMAGE_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>
#include "analyzer/collector/fold.h"
#include "analyzer/collector/heir.h"
#include "analyzer/jit/watch.h"
#include "analyzer/symbols/symbols.h"
#include "analyzer/trace/packer.h"
#include "analyzer/trace/raw.h"
#include "core/trace/ring.h"

/* A stream of the image as far as it has been taken from the ring. */
typedef struct {
  vt_raw_stream_t raw;
  uint32_t next_number; /* of the segment that comes next */
} vt_image_stream_t;

/* Who an image is. */
typedef struct {
  uint64_t id;   /* as in the header */
  uint32_t slot; /* in the ring while the image lives */
  pid_t process; /* as the collector knows it; 0: it was gone when first seen, or is not known */
  int first;     /* of the recording's first process */
} vt_image_place_t;

/* How far a trace is from its largest size. Its gate is closed some time before, so that all that happened until then
   finds room. */
typedef enum { VT_ROOM_PLENTY = 0, VT_ROOM_LITTLE, VT_ROOM_CLOSED } vt_room_t;

/* How a trace is kept small; see keep.h. Offsets are in its file. */
typedef struct {
  uint64_t off, tick;
} vt_cut_t;
typedef struct {
  uint64_t max;   /* bytes of events that are kept; 0: all */
  vt_cut_t *cuts; /* by place; at least half of max apart */
  size_t cuts_cnt, cuts_cap;
  vt_cut_t end;            /* up to where the helper copies */
  pid_t helper;            /* 0: none */
  int done;                /* a descriptor of it, or -1 */
  vt_folded_t *result;     /* shared with it */
} vt_keep_t;

/* What has been seen of the process's memory; see sampling.h. */
typedef struct {
  uint64_t tick, resident, private, file, shared, swapped, peak; /* a sample, bytes; resident 0: none */
  vt_bytes_t capture;  /* payload of a PAGES chunk; empty: none */
  uint64_t captured;   /* resident bytes at the latest capture */
  uint64_t begun, due; /* CLOCK_MONOTONIC: when the process was first seen; of the next sample */
  uint64_t spent_ns;   /* on captures */
} vt_sampling_t;

/* What a snapshot of a living process is for. */
typedef enum {
  VT_SNAPSHOT_FOR_MOMENT, /* a marker; who asks waits for the result */
  VT_SNAPSHOT_FOR_STILL,  /* the same, but who asks has the process stand, and the copy made */
  VT_SNAPSHOT_FOR_END,    /* he does, and recording ends there: nobody waits for the result */
  VT_SNAPSHOT_FOR_PEAK,   /* nobody has asked */
} vt_snapshot_for_t;

/* Looks at copies of its memory while it runs; see copies.h. */
typedef struct {
  vt_heir_look_t look;
  int on;          /* that is under way */
  vt_snapshot_for_t what_for;
  int asker, next; /* connections that wait for it, and for the one behind it; 0: none */
  uint32_t cnt;    /* that were asked for */
  uint64_t highest; /* resident bytes at the latest one for a peak */
  uint64_t before;  /* at the sample before */
  uint64_t begun, spent_ns; /* CLOCK_MONOTONIC; CPU time of those for peaks */
} vt_copying_t;

/* What threads counted in the headers of their segments. */
typedef struct {
  uint64_t allocations, allocated_bytes, frees, reallocs;
} vt_totals_t;

/* One moment by all clocks. */
typedef struct {
  uint64_t tick, monotonic_ns, real_ns;
} vt_moment_of_clocks_t;

/* vt_image_now reads the clocks. */
static inline vt_moment_of_clocks_t vt_image_now(vt_clock_kind_t clock) {
  return (vt_moment_of_clocks_t){vt_clock_tick(clock), vt_clock_ns(CLOCK_MONOTONIC),
                                 vt_clock_ns(CLOCK_REALTIME)};
}

/* How often a sampled recording is flushed, and its process's memory is looked at, at most. */
#define VT_IMAGE_SPARSE_NS ((uint64_t)10000000000)

typedef struct vt_image {
  vt_image_place_t place;
  pid_t pid;           /* as it calls itself: in the namespace it lives in */
  uint64_t start_tick; /* as in the header: orders the images of one process */
  vt_process_kind_t left; /* recording ends, and the process goes on: DETACHED, or EXEC; 0: it does not */
  int leaving;      /* it has ended, and its memory is looked at */
  int wait_status;  /* its, valid when leaving */
  uint64_t end_tick; /* when its end was noticed */
  vt_heir_look_t look;
  int follower_tried;      /* see following.h */
  uint64_t flushed_events; /* those in the file as of the last flush */
  vt_copying_t copying;
  size_t pauses_said; /* of the run's pauses: ends of spans that its trace says, see pause.h */
  int ended;        /* the file is complete but for symbols */
  int skipped;      /* it has no trace, as the user wants it */
  int symbolized;   /* its code has been named, or another process does it */
  uint32_t stopped; /* vt_stopped_t if its recording stopped early; valid when ended */
  uint64_t lost;    /* events lost; valid when ended */
  int hidden;       /* VT_COUNTER_ALLOCATOR_IN_EXECUTABLE; valid when ended */
  char refused[200]; /* what of its allocator is not recorded, and why; "": nothing is known */
  int said_end;     /* vt_process_kind_t of the latest end message, 0: none */
  uint32_t said_value; /* its value */
  vt_image_stream_t *streams;
  size_t streams_cnt, streams_cap;
  int open; /* packer is in use: the file could be created and is not yet complete */
  vt_packer_t packer;
  vt_keep_t keep;
  uint64_t max_size;   /* of the file; 0: no limit */
  vt_room_t room;
  uint64_t closed_tick; /* when its gate was closed */
  uint64_t whole_tick;  /* all that was recorded before this is in the file */
  int size_said;        /* the file says that it is as large as it may be */
  int no_leaks;         /* there was no room for what became of the live blocks */
  vt_symbols_t *symbols;  /* borrowed; told of each module; NULL: symbols are not wanted */
  uint64_t next_flush;    /* CLOCK_MONOTONIC; of a sampled recording */
  uint64_t events, bytes; /* of the file; valid when ended and it could be written */
  vt_sampling_t sampling;
  vt_jit_watch_t jit;
  vt_totals_t totals;     /* of a sampled recording, of the segments taken so far */
  uint64_t peak_resident; /* highest resident bytes that the kernel has told of; 0: none */
  int peak_certain;       /* it told of them when the process had ended */
  vt_error_t error;       /* error.what[0] != 0: the file could not be written, or not all of it */
  char path[PATH_MAX];
} vt_image_t;

/* vt_image_new creates the trace of a new image, unless it is to have none. `others` are the images of
   the run so far: of those that want one name the one that started last has it, in whatever order
   they are seen. header: the IMAGE message. */
struct vt_outputs;
vt_image_t *vt_image_new(struct vt_outputs *outputs, vt_image_t **others, size_t others_cnt,
                         vt_image_place_t const *place, uint8_t const *header, size_t header_sz,
                         vt_codec_t *codec, vt_symbols_t *symbols);

/* vt_image_stream is the state of a stream, made at first sight. */
vt_image_stream_t *vt_image_stream(vt_image_t *image, uint32_t stream);

/* vt_image_records takes the records [from,to) of a segment (a private copy) of a stream. */
void vt_image_records(vt_image_t *image, uint32_t stream, uint8_t const *segment, uint32_t from,
                      uint32_t to);

/* vt_image_totals takes what a thread counted while it wrote a segment that is over. */
void vt_image_totals(vt_image_t *image, uint8_t const *segment);

/* vt_image_flush writes what is gathered, and what its run-time said of generated code since, and notices failures. whole_until: all that the process had
   committed then has been taken from the ring; the file says so, for readers of a file that nobody
   completes. */
void vt_image_flush(vt_image_t *image, vt_moment_of_clocks_t const *whole_until);

/* vt_image_chunk adds what the collector found out itself; an empty payload adds nothing. */
void vt_image_chunk(vt_image_t *image, vt_chunk_type_t type, vt_bytes_t const *payload);

/* vt_image_mark puts a marker at a tick. */
void vt_image_mark(vt_image_t *image, uint64_t tick, char const *text);

/* vt_image_close: recording of an image with VT_ROOM_LITTLE ends at a tick, as its gate has been closed. */
void vt_image_close(vt_image_t *image, uint64_t tick);

/* vt_image_leaks adds what was found in the memory of an ended process, vt_image_seen also which pages there were. */
void vt_image_leaks(vt_image_t *image, vt_bytes_t const *payload);
void vt_image_seen(vt_image_t *image, vt_heir_seen_t const *seen);

/* vt_image_process says something of the process at a tick. */
void vt_image_process(vt_image_t *image, uint64_t tick, vt_process_kind_t kind, uint32_t value);

/* vt_image_end completes the file: counters of the ring's slot, how it ended. wait_status: of
   waitpid if the collector has it, else -1. */
void vt_image_end(vt_image_t *image, vt_ring_image_t *slot, vt_clock_kind_t clock, int wait_status);

void vt_image_delete(vt_image_t *image);

#endif
