/* A snapshot of a process that was attached to: of a moment in which all its threads stand. */
#ifndef VT_ANALYZER_ATTACH_STILL_H
#define VT_ANALYZER_ATTACH_STILL_H

#include "analyzer/attach/stop.h"
#include "analyzer/attach/target.h"
#include "analyzer/collector/ask.h"

/* vt_still_take has the collector take a copy of the memory (command "take", with that text) while all threads stand in
   `stop`. Returns a connection on which the result comes when the copy has been looked at (vt_control_hear); or -1
   and *why, a text that stays valid until the next call: nothing will come. */
int vt_still_take(vt_target_t const *t, vt_attach_t const *d, vt_stop_t const *stop, char const *text, char const **why);

/* vt_still_snapshot stops a process that was attached to, takes its snapshot and waits for the result. *pause_ns: how
   long it stood. Returns 0; 1: it was not attached to, or is not
   recorded now; or -1 and *why. SIGCHLD is blocked then. */
int vt_still_snapshot(pid_t pid, vt_answer_t *answer, uint64_t *pause_ns, char const **why);

#endif
