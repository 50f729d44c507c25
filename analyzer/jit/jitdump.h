/* Reading jitdump files, in which run-times log what code they make, with times
   (the kernel's tools/perf/Documentation/jitdump-specification.txt). Of its records code that is loaded and
   moved counts. */
#ifndef VT_ANALYZER_JIT_JITDUMP_H
#define VT_ANALYZER_JIT_JITDUMP_H

#include "analyzer/jit/names.h"

/* How to turn a file's times into clock ticks: a moment by both clocks, and the rate. */
typedef struct {
  uint64_t tick, monotonic_ns, tick_hz;
} vt_jit_clock_t;

/* Code that may still be moved. */
typedef struct {
  uint64_t index;
  char *name;
} vt_jitdump_code_t;

typedef struct {
  int begun;      /* the header was read */
  int refused;    /* it is none of this version and architecture */
  int in_ticks;   /* times are the processor's, else CLOCK_MONOTONIC */
  uint64_t skip;  /* bytes of a long record that are not yet here */
  vt_jitdump_code_t *codes;
  size_t codes_cnt, codes_cap;
} vt_jitdump_t;

/* vt_jitdump_read takes the whole records of the next piece of the file and returns how many bytes of it are
   done with. Hostile input. */
size_t vt_jitdump_read(vt_jitdump_t *dump, vt_jit_names_t *names, uint8_t const *data, size_t sz,
                       vt_jit_clock_t const *clock);
void vt_jitdump_free(vt_jitdump_t *dump);

#endif
