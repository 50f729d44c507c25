/* One recorded process image: its trace file and what the collector knows of the process. */
#ifndef VT_ANALYZER_COLLECTOR_IMAGE_H
#define VT_ANALYZER_COLLECTOR_IMAGE_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>
#include "analyzer/symbols/symbols.h"
#include "analyzer/trace/writer.h"
#include "core/trace/ring.h"

/* How trace files are named: see `-o` in the command line contract. */
typedef struct {
  char const *pattern; /* absolute */
  pid_t first_pid;
} vt_naming_t;

typedef struct vt_image {
  uint64_t id;   /* as in the header */
  uint32_t slot; /* in the ring while the image lives */
  pid_t pid;
  int pidfd; /* -1: the process is gone */
  int first; /* of the recording's first process */
  int ended;      /* file complete but for symbols */
  int symbolized; /* its code has been named, or another process does it */
  uint32_t stopped;  /* vt_stopped_t if its recording stopped early; valid when ended */
  uint64_t lost;     /* events lost; valid when ended */
  int said_end;  /* vt_process_kind_t of the latest end message, 0: none */
  uint32_t *next_number; /* per stream: number of the segment that comes next */
  size_t next_number_cnt, next_number_cap;
  vt_trace_writer_t *writer; /* NULL: the file could not be created */
  int error;                 /* 0 or -errno */
  char path[PATH_MAX];
} vt_image_t;

/* vt_image_new creates the trace of a new image. `earlier` are the images of the run so far: one of
   the same process that holds the wanted name is renamed. header: the IMAGE message. */
vt_image_t *vt_image_new(vt_naming_t const *naming, vt_image_t **earlier, size_t earlier_cnt,
                         uint64_t id, uint32_t slot, uint8_t const *header, size_t header_sz);

/* vt_image_expected is where the number of the next segment of a stream is kept. */
uint32_t *vt_image_expected(vt_image_t *image, uint32_t stream);

/* vt_image_sample adds a memory sample of the living process. */
void vt_image_sample(vt_image_t *image, vt_clock_kind_t clock);

/* vt_image_end completes the file: counters of the ring's slot, how it ended. wait_status: of waitpid
   if the collector has it, else -1. */
void vt_image_end(vt_image_t *image, vt_ring_image_t *slot, vt_clock_kind_t clock, int wait_status);

/* vt_image_symbols appends the names of all code in the trace. */
void vt_image_symbols(vt_image_t *image, vt_symbols_t *symbols);

void vt_image_delete(vt_image_t *image);

#endif
