/* A live view of a trace in the terminal: follows the file (analyzer/report/follow.h), draws, and does what keys say. */
#ifndef VT_ANALYZER_TOP_TOP_H
#define VT_ANALYZER_TOP_TOP_H

#include "analyzer/cli/error.h"

/* vt_top_possible: are standard input and output a terminal? Returns 0, or -1 and *error. */
int vt_top_possible(vt_error_t *error);

/* vt_top_run shows the trace at `path` until the user quits. pid: of the process, for its collector; NULL: the one that
   the trace tells. Returns an exit status; *error is filled when it is not 0. */
int vt_top_run(char const *path, char const *pid, vt_error_t *error);

#endif
