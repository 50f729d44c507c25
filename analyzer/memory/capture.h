/* What the kernel tells of a process's memory at one moment: its mappings, how much of each is
   resident, and which pages. The payload of a PAGES chunk. */
#ifndef VT_ANALYZER_MEMORY_CAPTURE_H
#define VT_ANALYZER_MEMORY_CAPTURE_H

#include <sys/types.h>
#include "analyzer/trace/bytes.h"
#include "core/trace/clock.h"

/* vt_capture_take appends the payload to *out. kind: 0 while the process runs, so that the mappings
   are looked at one after the other while it goes on; else that of the snapshot whose frozen memory it
   is. Returns 0, or -1 and *out as it was when the process may not be looked at or is gone. Costs
   microseconds a mapping and about 40 ms for each GiB that is resident, none of it the process's own time. */
int vt_capture_take(pid_t pid, uint32_t kind, vt_clock_kind_t clock, vt_bytes_t *out);

#endif
