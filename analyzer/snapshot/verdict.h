/* From a recorded process and its frozen memory to the payload of a LEAKS chunk. */
#ifndef VT_ANALYZER_SNAPSHOT_VERDICT_H
#define VT_ANALYZER_SNAPSHOT_VERDICT_H

#include <sys/types.h>
#include "analyzer/snapshot/replay.h"
#include "analyzer/trace/bytes.h"

/* What the collector knows of an image whose process has ended. */
typedef struct {
  pid_t frozen; /* the process that holds its memory */
  pid_t living; /* if that is a copy: one with the memory it was made from; else 0 */
  uint64_t counters[VT_COUNTER_MAX + 1];
  uint32_t registers_unknown; /* threads that lived then, of which only the stack is known */
  uint64_t pointer_guard;     /* as in vt_scan_t */
  int high_tags;
  uint64_t layout; /* where in the memory the payload of a SNAPSHOT message lies that is not in the trace */
  uint32_t layout_sz; /* 0: there is none */
  uint64_t begun, made; /* of a copy, while the process ran: between these ticks; made 0: the process has ended */
} vt_verdict_case_t;

/* vt_verdict_write appends the payload: the class of every live block, or why there is none. `trace` is a replay of the
   image's trace, which has all its events in it by now; it is used up. NULL: the trace cannot be read. Takes memory in
   proportion to the live blocks and the pointers between them. */
void vt_verdict_write(vt_verdict_case_t const *of, vt_replay_t *trace, vt_bytes_t *out);

/* vt_verdict_none appends a payload that says why there is no verdict. */
void vt_verdict_none(char const *why, vt_bytes_t *out);

#endif
