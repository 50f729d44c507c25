/* The process that looks at the memory of an ended one, so that the collector goes on serving.

   It needs the live blocks, and those take a reading of the whole trace. So for a process that writes much it is started
   early and follows the trace while that is written, with a lower priority than what is recorded; when the process has
   ended, little is left to read. Nobody waits for it while the process runs. One that comes to need too much memory ends,
   as does one that cannot go on: then the look begins with the process's end, as of a small process. */
#ifndef VT_ANALYZER_COLLECTOR_HELPER_H
#define VT_ANALYZER_COLLECTOR_HELPER_H

#include <sys/types.h>
#include "analyzer/collector/ring.h"
#include "analyzer/snapshot/verdict.h"

typedef struct {
  pid_t pid;  /* 0: none */
  int done;   /* readable when it has ended; -1: the kernel has no such thing */
  int orders; /* it takes them from there; -1: it needs none */
  int result; /* where it writes to */
} vt_helper_t;

/* What is to be looked at. */
typedef struct {
  vt_verdict_case_t of;
  pid_t pages_of;       /* whose pages are told */
  uint32_t kind;        /* vt_snapshot_kind_t */
  vt_clock_kind_t clock;
} vt_helper_order_t;

/* What it found: payloads of chunks. */
typedef struct {
  vt_bytes_t pages, leaks;
  uint64_t cpu_ns; /* that it took; 0: it did not get to its end */
} vt_heir_seen_t;

/* vt_helper_start begins a look at the process that `order` tells of, recorded in the trace at `path`, which is whole but
   for its end. Returns 0, or -1: there can be no process for it. */
int vt_helper_start(vt_helper_t *helper, vt_ring_end_t *end, char const *path, vt_helper_order_t const *order);

/* vt_helper_follow starts one that follows the trace. vt_helper_tell lets it know that much has been written up to
   a moment which the trace tells; does not block. vt_helper_order gives it the order: the trace is whole but for its
   end. Returns 0, or -1: it has ended before, and its rest is gone. */
int vt_helper_follow(vt_helper_t *helper, vt_ring_end_t *end, char const *path);
void vt_helper_tell(vt_helper_t *helper);
int vt_helper_order(vt_helper_t *helper, vt_helper_order_t const *order);

/* vt_helper_over: has it ended? */
int vt_helper_over(vt_helper_t *helper);

/* vt_helper_end ends it and appends to *seen what it found (NULL: not wanted). Returns 0, or -1: it did not get to its end.
   Without one it does nothing, and returns -1. */
int vt_helper_end(vt_helper_t *helper, vt_heir_seen_t *seen);

#endif
