/* How much memory may be kept of processes that have ended. */
#ifndef VT_ANALYZER_COLLECTOR_MEMORY_LIMITS_H
#define VT_ANALYZER_COLLECTOR_MEMORY_LIMITS_H

#include <stdint.h>
#include <sys/types.h>

/* Resident bytes of a process, 0: unknown. */
uint64_t vt_memory_resident(pid_t pid);

/* A quarter of what the system says is available (MemAvailable), UINT64_MAX: unknown. */
uint64_t vt_memory_spare(void);

/* vt_memory_tight: is the control group that the process is charged to near its limit? Both
   versions of control groups; 0 where there is no limit or it cannot be read. Costs three small
   files. */
int vt_memory_tight(pid_t pid);

#endif
