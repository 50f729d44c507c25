/* Looking up many addresses in worker processes, which may crash or hang without harm. */
#ifndef VT_ANALYZER_SYMBOLS_WORKERS_H
#define VT_ANALYZER_SYMBOLS_WORKERS_H

#include <stddef.h>
#include <stdint.h>
#include "analyzer/symbols/symbols.h"

typedef struct {
  char const *path;
  int fd; /* -1: open path */
  uint8_t const *build_id;
  size_t build_id_sz;
} vt_worker_module_t;

/* One piece of work: addresses of one module, ascending. */
typedef struct {
  vt_worker_module_t module;
  uint64_t const *offsets;
  size_t offsets_cnt;
  int done; /* out: 1 every offset was looked up; 0 the file cannot be read or broke the worker */
} vt_worker_item_t;

/* Receives the frames of one offset; string indexes are those of `strings`. */
typedef void (*vt_worker_sink_t)(void *context, size_t item, uint64_t offset,
                                 vt_frame_t const *frames, size_t cnt);

/* Looks up all items, with or without DWARF, in at most `processes` forked processes, and calls the
   sink in the calling thread, in no particular order. Items that break their worker are left with
   done == 0; the others are finished all the same. */
void vt_workers_run(vt_worker_item_t *items, size_t cnt, int want_dwarf, int processes,
                    vt_strings_t *strings, vt_worker_sink_t sink, void *context);

#endif
