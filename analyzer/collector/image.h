/* A process image that is being recorded: its trace file, its streams, its life. */
#ifndef VT_ANALYZER_COLLECTOR_IMAGE_H
#define VT_ANALYZER_COLLECTOR_IMAGE_H

#include <stdint.h>
#include "analyzer/symbols/symbols.h"
#include "analyzer/trace/packer.h"
#include "analyzer/trace/raw.h"
#include "core/trace/ring.h"

typedef struct {
  uint32_t writer;
  uint32_t next; /* number of the segment that comes next */
  vt_raw_stream_t raw;
} vt_image_stream_t;

/* A trace file of this run. */
typedef struct {
  char *path;
  uint32_t pid;
  uint64_t events;
  uint64_t bytes;
  int finished; /* the file is closed */
  int settled;  /* its symbols are embedded, or another process does that */
} vt_output_t;

/* What all images of a run share. */
typedef struct {
  char const *pattern; /* absolute */
  char const *host;
  uint32_t first_pid;
  vt_clock_kind_t clock;
  vt_codec_t *codec;
  vt_symbols_t *symbols; /* NULL: not wanted */
  uint64_t *seen_modules; /* hashes of build-ids whose files are open */
  size_t seen_modules_cnt, seen_modules_cap;
  vt_output_t *outputs; /* every trace file of the run */
  size_t outputs_cnt, outputs_cap;
  int failed; /* errno of the first write that failed */
} vt_run_t;

typedef struct {
  uint64_t id;
  uint32_t slot;
  uint32_t pid;
  int pidfd;   /* -1: the process was gone already */
  int opened;  /* the trace file exists */
  int ended;   /* a message said how it ends */
  int gone;    /* the process has ended or runs another image */
  size_t output; /* index in run->outputs */
  vt_packer_t packer;
  vt_raw_sink_t sink;
  vt_image_stream_t *streams;
  size_t streams_cnt, streams_cap;
  vt_run_t *run;
} vt_image_t;

vt_image_t *vt_image_new(vt_run_t *run, uint64_t id, uint32_t slot, uint32_t pid);

/* vt_image_stream is the stream with this writer number, made when new; valid until the next call. */
vt_image_stream_t *vt_image_stream(vt_image_t *image, uint32_t writer);

/* vt_image_decode takes over records [*at,committed) of a segment copy. Events before the IMAGE
   message are lost. */
void vt_image_decode(vt_image_t *image, vt_image_stream_t *stream, uint8_t const *segment,
                     uint32_t *at, uint32_t committed);

/* vt_image_sample adds a memory sample. */
void vt_image_sample(vt_image_t *image);

/* vt_image_flush writes what is gathered. */
void vt_image_flush(vt_image_t *image);

/* vt_image_finish ends the trace: how the process ended (signal: 0 unknown), counters from the ring's
   slot, END; frees the image. */
void vt_image_finish(vt_image_t *image, vt_ring_image_t *slot, vt_process_kind_t kind,
                     uint32_t value);

#endif
