/* A snapshot of a process that was attached to: of a moment in which all its threads stand. */
#ifndef VT_ANALYZER_ATTACH_STILL_H
#define VT_ANALYZER_ATTACH_STILL_H

#include "analyzer/attach/stop.h"
#include "analyzer/attach/target.h"
#include "analyzer/collector/ask.h"

/* vt_still_ask tells the collector that a copy of the memory will be made (command "take", with that text). Returns a
   connection, and the copy's number; on it the result comes when the copy has been looked at (vt_control_hear); or -1 and *why, which stays
   valid until the next call. If it is closed before the copy is made, the collector expects none any more. */
int vt_still_ask(vt_target_t const *t, char const *text, uint32_t *number, char const **why);

/* vt_still_copy has the copy made, while all threads stand in `stop`. Returns NULL, or why there is none. */
char const *vt_still_copy(vt_target_t const *t, vt_attach_t const *d, vt_stop_t const *stop, uint32_t number);

/* vt_still_snapshot stops a process that was attached to, takes its snapshot and waits for the result. *pause_ns: how
   long it stood. Returns 0; 1: it was not attached to, or is not
   recorded now; or -1 and *why. SIGCHLD is blocked then. */
int vt_still_snapshot(pid_t pid, vt_answer_t *answer, uint64_t *pause_ns, char const **why);

#endif
