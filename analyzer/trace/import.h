/* Making a trace from the text log of a backtracing valloc. */
#ifndef VT_ANALYZER_TRACE_IMPORT_H
#define VT_ANALYZER_TRACE_IMPORT_H

#include <stdint.h>
#include "analyzer/cli/error.h"

typedef struct {
  uint64_t allocations, frees;
  uint64_t incomplete; /* records cut or malformed, left out */
} vt_import_counts_t;

/* vt_import reads the log `from` ("-": standard input) and writes the trace `to`. The log has neither
   times nor threads: event n is at n microseconds, all by one thread. Failed allocations are no events. A stack of as many
   frames as the writers of such logs keep counts as truncated, an incomplete record as a lost event.
   Returns VT_EXIT_OK, _INPUT or _OUTPUT, then with *error filled. */
int vt_import(char const *from, char const *to, vt_import_counts_t *counts, vt_error_t *error);

#endif
