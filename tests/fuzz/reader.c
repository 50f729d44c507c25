/* Fuzz target: any bytes as a trace file. The reader must neither crash nor take memory out of
   proportion; what it delivers must be in order of time and name only stacks and threads that exist. */
#include "analyzer/trace/reader.h"
#include "analyzer/util/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct {
  vt_reader_t *reader;
  uint64_t last;
} seen_t;

static int on_events(void *context, vt_event_t const *events, size_t cnt) {
  seen_t *s = context;
  size_t threads;
  vt_reader_threads(s->reader, &threads);
  uint32_t stacks = vt_reader_stacks(s->reader).cnt;
  for (size_t i = 0; i < cnt; i++) {
    if (events[i].time < s->last || events[i].stack >= stacks || events[i].thread >= threads) abort();
    s->last = events[i].time;
  }
  return 0;
}

static void on_heap_op(void *context, vt_trace_heap_op_t const *op) {
  (void)context;
  (void)op;
}

static void on_symbol(void *context, uint32_t module, uint64_t offset, vt_trace_symbol_t const *frames,
                      size_t cnt) {
  size_t modules;
  vt_reader_modules(((seen_t *)context)->reader, &modules);
  if (module >= modules) abort();
  for (size_t i = 0; i < cnt; i++)
    if (!frames[i].function || !frames[i].file) abort();
  (void)offset;
}

static void read_all(char const *path) {
  vt_error_t error;
  vt_trace_frame_t frames[64];
  seen_t seen = {.reader = vt_reader_open(path, &error)};
  if (!seen.reader) return;
  vt_reader_run(seen.reader, &(vt_reader_sink_t){on_events, on_heap_op, &seen});
  uint32_t stacks = vt_reader_stacks(seen.reader).cnt;
  for (uint32_t i = 0; i < stacks && i < 1000; i++) vt_reader_expand(seen.reader, i, frames, 64);
  vt_reader_symbols(seen.reader, on_symbol, &seen);
  vt_reader_close(seen.reader);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t sz);
int LLVMFuzzerTestOneInput(uint8_t const *data, size_t sz) {
  static int fd = -1;
  char path[64];
  if (fd < 0) fd = memfd_create("fuzz", MFD_CLOEXEC);
  if (ftruncate(fd, 0) || pwrite(fd, data, sz, 0) != (ssize_t)sz) return 0;
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  read_all(path);
  return 0;
}
