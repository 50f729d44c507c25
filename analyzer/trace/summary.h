/* What a trace that keeps only its last events knows of the earlier ones: the state of its blocks at one moment, from
   which the events after it go on (SUMMARY chunk, docs/trace-format.md). */
#ifndef VT_ANALYZER_TRACE_SUMMARY_H
#define VT_ANALYZER_TRACE_SUMMARY_H

#include "analyzer/trace/bytes.h"
#include "analyzer/trace/reader.h"

/* The counters of one heap and allocation stack, as in vt_cell_t; heap: number in the trace, or VT_SUMMARY_PYTHON. */
#define VT_SUMMARY_PYTHON UINT32_MAX
enum {
  VT_SUMMARY_ALLOCATIONS,
  VT_SUMMARY_ALLOCATED_BYTES,
  VT_SUMMARY_FREES,
  VT_SUMMARY_FREED_BYTES,
  VT_SUMMARY_TEMPORARY,
  VT_SUMMARY_TEMPORARY_BYTES,
  VT_SUMMARY_PEAK_BLOCKS,
  VT_SUMMARY_PEAK_BYTES,
  VT_SUMMARY_REALLOCS,
  VT_SUMMARY_REALLOC_MOVED,
  VT_SUMMARY_REALLOC_OLD_BYTES,
  VT_SUMMARY_CROSS_THREAD_FREES,
  VT_SUMMARY_COUNTERS
};
typedef struct {
  uint32_t heap, stack;
  uint64_t counters[VT_SUMMARY_COUNTERS];
} vt_summary_cell_t;

/* A live block; cell and thread are indexes in the summary. limbo: its realloc has begun, with that stack, and not ended;
   known 0: so has that of a block that is not known. */
typedef struct {
  uint32_t heap; /* whose table it is in: number in the trace */
  uint32_t cell, thread, limbo_thread, stack;
  int limbo, known;
  uint64_t address, size, time, tag;
} vt_summary_block_t;

/* A thread; index: in the reader's table. last_heap VT_SUMMARY_NONE: what it allocated last has ended, or is not known. */
#define VT_SUMMARY_NONE UINT32_MAX
typedef struct {
  uint32_t index, last_heap;
  uint64_t last_address;
} vt_summary_thread_t;

enum {
  VT_SUMMARY_EVENTS, /* that went into it */
  VT_SUMMARY_TOTAL_PEAK_BYTES,
  VT_SUMMARY_TOTAL_PEAK_BLOCKS,
  VT_SUMMARY_TOTAL_PEAK_NS,
  VT_SUMMARY_UNMATCHED_FREES,
  VT_SUMMARY_REORDERED,
  VT_SUMMARY_MISSED_FREES,
  VT_SUMMARY_ENDED_UNSEEN,
  VT_SUMMARY_UNKNOWN_FREES,
  VT_SUMMARY_TOTALS
};
typedef struct vt_summary {
  uint64_t tick, time; /* of the moment; time in ns: the reader's */
  uint64_t totals[VT_SUMMARY_TOTALS];
  vt_summary_thread_t *threads;
  size_t threads_cnt, threads_cap;
  vt_summary_cell_t *cells;
  size_t cells_cnt, cells_cap;
  vt_summary_block_t *blocks;
  size_t blocks_cnt, blocks_cap;
} vt_summary_t;

/* vt_summary_encode appends the payload. `reader` knows the threads. */
void vt_summary_encode(vt_summary_t const *summary, vt_reader_t const *reader, vt_bytes_t *out);

void vt_summary_free(vt_summary_t *summary);

/* vt_reader_summary is that of a trace, NULL: it has all its events. */
vt_summary_t const *vt_reader_summary(vt_reader_t const *reader);

#endif
