/* Where the trace of a process is: its collector says so. */
#ifndef VT_ANALYZER_TOP_TARGET_H
#define VT_ANALYZER_TOP_TARGET_H

#include <limits.h>

#define VT_TOP_PATH (PATH_MAX + 64)

/* vt_top_find finds the trace of what process `pid` is now, as this process can open it: the collector may have another
   root. Returns 0; or what vt_control_ask does, or -1, and *why and *advice, valid until the next call. */
int vt_top_find(char const *pid, char path[VT_TOP_PATH], char const **why, char const **advice);

#endif
