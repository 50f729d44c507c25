/* Is everything there? What every command says of a trace's own worth comes from here.

   A trace with a collector is whole when its END is there, one without when it holds as many
   segments as its process claimed (docs/trace-format.md). Whatever else is missing is counted by
   who lost it. */
#ifndef VT_ANALYZER_TRACE_COMPLETENESS_H
#define VT_ANALYZER_TRACE_COMPLETENESS_H

#include "analyzer/trace/reader.h"

#define VT_MISSING_UNKNOWN UINT64_MAX
#define VT_REASONS_MAX     12

/* Something of the program that recording does not reach. Strings are static. */
typedef struct {
  char const *what, *reason;
} vt_refused_t;
#define VT_REFUSED_MAX 2

typedef struct {
  int complete;            /* every event of the process is in the trace */
  int recording;           /* it is still being written: not complete, and nothing wrong */
  int paused;              /* stretches of the process's life are left out on purpose */
  int mid_life;            /* recording began in mid-life: what is older is in no number, and that is no lack */
  int damaged;             /* something in the file is not as it was written, or has gone */
  char ended[32];          /* "exit", "signal:N", "exec", "killed", "running", "detached" or "unknown" */
  uint64_t dropped_events; /* that the process could not record */
  uint64_t missing_events; /* these and what the file lacks; VT_MISSING_UNKNOWN */
  uint64_t missing_since;  /* ns: every event before is there; VT_TIME_NEVER: not known, or none is missing */
  size_t reason_cnt;       /* why it is not complete, as short clauses */
  char reasons[VT_REASONS_MAX][120];
  size_t refused_cnt;      /* what cannot be recorded, whether or not there was any of it; a reason, too */
  vt_refused_t refused[VT_REFUSED_MAX];
} vt_completeness_t;

/* vt_completeness judges a trace. Valid after a complete run: only then damaged events are known. */
vt_completeness_t vt_completeness(vt_reader_t const *reader);

/* vt_completeness_why is all the reasons why a record is not complete, in a line: "…; …"; where there is no room for one, how
   many more there are. */
typedef struct {
  char text[230];
} vt_reasons_t;
vt_reasons_t vt_completeness_why(vt_completeness_t const *have);

/* What is to be said of a record in which recording began in mid-life. */
#define VT_MID_LIFE_WHY "recording began in mid-life: what had been allocated before is in no number here"

/* vt_completeness_add makes *sum what can be said of its traces and one more together. How the process
   ended, and for how many traces it is the sum, is the caller's to know. */
void vt_completeness_add(vt_completeness_t *sum, vt_completeness_t const *one);

#endif
