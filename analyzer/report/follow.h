/* The analysis of a trace that may still be written, brought up to date by reading only what is new.

   A trace with a collector is followed by one pass that goes on (vt_pass_follow), whose events go into one model.
   Whatever that cannot do exactly is done by reading the whole file once more: a trace without a collector, one whose
   events came later than the pass waits, one whose end is damaged or missing. So what a report says of the finished
   trace is what is said here. Not thread safe. */
#ifndef VT_ANALYZER_REPORT_FOLLOW_H
#define VT_ANALYZER_REPORT_FOLLOW_H

#include "analyzer/report/analysis.h"

typedef struct {
  vt_analysis_t analysis; /* of one trace; as of the last vt_follow_settle */
  uint64_t now_ns;        /* it has everything up to this time of the trace */
  int over;               /* nobody writes the trace any more, and all of it has been read */
  int whole;              /* each look reads the file from its start */
  unsigned anew;          /* how often another file took the place of the trace: cells have other numbers then */
  /* internal */
  char *name;    /* as it was opened by */
  int fd;        /* the file, whatever it is called by now */
  char path[32]; /* which leads to it */
  vt_pass_t *pass; /* NULL: none goes on */
  size_t announced; /* messages of heaps, of the process and of patched functions that the model has been told of */
  int strange; /* the name leads to another trace */
  int more; /* there are events in the file that have not been read */
} vt_follow_t;

/* vt_follow_open opens a trace; nothing is read of its events yet. Returns 0, or -1 and *error. Release with
   vt_follow_close in both cases. */
int vt_follow_open(vt_follow_t *follow, char const *path, vt_error_t *error);
void vt_follow_close(vt_follow_t *follow);

/* vt_follow_look finds out what has been written since; -1 and *error when the file is none of ours any more. A file
   that has to be read as a whole is read here; one of the same process image that has taken its name is followed
   instead, from its beginning. */
int vt_follow_look(vt_follow_t *follow, vt_error_t *error);

/* vt_follow_read reads events for about so long; returns whether there is more to read now. */
int vt_follow_read(vt_follow_t *follow, uint64_t for_ns);

/* vt_follow_settle computes sums and sites of what has been read; when that is the end of the trace, once and for
   all. Returns 0, or -1 and *error. */
int vt_follow_settle(vt_follow_t *follow, vt_error_t *error);

/* vt_follow_progress is how much of what is in the file has been read, in percent. */
unsigned vt_follow_progress(vt_follow_t const *follow);

#endif
