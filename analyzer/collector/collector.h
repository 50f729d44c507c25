/* The collector: a process beside the traced ones that drains the ring into trace files.

   It runs in a process group of its own, so that nothing typed at the terminal reaches it, and
   talks to `valtrace run` over one socket pair: run tells how the program ended, the collector
   answers with what was written. When processes of the program live on, it answers at once and
   serves them. */
#ifndef VT_ANALYZER_COLLECTOR_COLLECTOR_H
#define VT_ANALYZER_COLLECTOR_COLLECTOR_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>
#include "analyzer/cli/error.h"
#include "analyzer/collector/outputs.h"
#include "analyzer/collector/pause.h"
#include "analyzer/collector/ring.h"
#include "analyzer/patch/plan.h"

typedef struct {
  vt_outputs_t *outputs;
  int high_tags;       /* pointers have tags in the top 16 bits */
  int symbols;         /* embed symbols at the end */
  int children;        /* processes other than the first are recorded too */
  vt_pauses_t pauses;  /* as the run begins */
  uint64_t duration_ns; /* pause when so much time has passed since recording began; 0: never */
  vt_patch_givens_t allocators; /* functions that allocate, besides those known by name */
} vt_collector_options_t;

/* run → collector: the first process started (with its pid), or ended (with waitpid's status). */
typedef struct {
  pid_t first_pid;
  int ended;
  int detached; /* and lives on, unrecorded, as do its children */
  int replaced; /* it has executed another program, which is not recorded */
  int wait_status; /* -1: not known */
  uint64_t peak_resident; /* of the process alone, in bytes; 0: not known */
} vt_collector_order_t;

/* collector → run, once, when the first process's traces are complete. Then the path of each trace, a message each, and
   the end of the connection. */
typedef struct {
  uint64_t events, bytes;
  uint32_t traces;      /* complete ones */
  uint32_t living;      /* processes that are still recorded */
  uint32_t unrecorded;  /* programs that are known not to be recorded */
  uint32_t skipped, dropped; /* processes without a trace, as in vt_outputs_t */
  uint32_t failed;      /* traces that could not be written, or not completely */
  vt_error_t error;     /* of the first of these */
  uint32_t stopped;     /* vt_stopped_t if the first process's recording stopped early */
  uint64_t lost;        /* events lost by it */
  int hidden;           /* its allocator is inside the executable (1) or a library before the shim (2) */
  char refused[200]; /* what of its allocator is not recorded, and why; "": nothing is known */
  char folder[PATH_MAX]; /* that was made for the traces of several processes; "": none */
  char first[PATH_MAX]; /* trace of the first process's last image; "": none */
} vt_collector_summary_t;

/* vt_collector_serve is the collector's whole life; `control` is its end of the socket pair.
   Returns when no traced process is left. Exits never. */
void vt_collector_serve(vt_ring_end_t *end, int control, vt_collector_options_t const *options);

#endif
