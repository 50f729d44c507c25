/* Looking up many addresses in worker processes, which may crash or hang without harm. */
#ifndef VT_ANALYZER_SYMBOLS_WORKERS_H
#define VT_ANALYZER_SYMBOLS_WORKERS_H

#include <stddef.h>
#include <stdint.h>
#include "analyzer/symbols/symbols.h"

typedef enum {
  VT_WORKER_BROKE,  /* not looked up: the file broke the worker */
  VT_WORKER_FAILED, /* there is no such file, see `problem` */
  VT_WORKER_DONE,   /* every offset was looked up */
} vt_worker_result_t;

/* One piece of work: addresses of one module, ascending. */
typedef struct {
  vt_symbols_file_t file; /* its descriptor stays the caller's */
  uint64_t const *offsets;
  size_t offsets_cnt;
  vt_worker_result_t result; /* out */
  vt_symbols_problem_t problem;
  uint32_t missing; /* out: a file with debug information of some code, a string; 0: none is missing */
  int has_dwarf;    /* out: functions and lines, not only a symbol table */
} vt_worker_item_t;

/* Receives the frames of one offset; string indexes are those of `strings`. */
typedef void (*vt_worker_sink_t)(void *context, size_t item, uint64_t offset,
                                 vt_frame_t const *frames, size_t cnt);

/* How to look: with or without DWARF, in at most so many processes, in a folder of debug files besides
   /usr/lib/debug (NULL: none). */
typedef struct {
  int want_dwarf;
  int processes;
  char const *debug_folder;
} vt_workers_how_t;

/* Looks up all items whose result is still VT_WORKER_BROKE (0) in forked processes, and calls the sink in the calling thread, in no particular order.
   Items that break their worker keep that result; the others are finished all the same. */
void vt_workers_run(vt_worker_item_t *items, size_t cnt, vt_workers_how_t const *how,
                    vt_strings_t *strings, vt_worker_sink_t sink, void *context);

#endif
