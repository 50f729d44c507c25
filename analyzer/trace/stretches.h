/* Stretches of a process's life whose blocks are not in its trace on purpose: before recording began in mid-life, and
   while it was paused (docs/trace-format.md, "Stretches that are not recorded"). Within them a few events may be
   recorded, and after them a few of those that began within may not. */
#ifndef VT_ANALYZER_TRACE_STRETCHES_H
#define VT_ANALYZER_TRACE_STRETCHES_H

#include "analyzer/trace/reader.h"

typedef struct {
  uint64_t from, to; /* ns since recording began; to: VT_TIME_NEVER, it lasted to the end */
  vt_pause_t why;    /* 0: recording began in mid-life (then from and to are 0) */
} vt_stretch_t;

/* vt_stretches is the stretches of a trace, in order and apart; the caller frees them. NULL: there are none. */
vt_stretch_t *vt_stretches(vt_reader_t const *reader, size_t *cnt);

#endif
