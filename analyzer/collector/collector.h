/* Recording one run: the loop that drains the ring while the program lives. */
#ifndef VT_ANALYZER_COLLECTOR_COLLECTOR_H
#define VT_ANALYZER_COLLECTOR_COLLECTOR_H

#include <stdint.h>

typedef struct {
  char const *pattern; /* of -o, absolute */
  char **argv;
  int quiet;
  int no_children;
  int no_free_stacks;
  int no_symbols;
  int report;
  uint32_t max_depth; /* 0: no limit */
} vt_collect_t;

/* vt_collect runs the program and records it. Returns the exit status of `valtrace run`. In the
   process that goes on serving descendants it does not return. */
int vt_collect(vt_collect_t const *options);

#endif
