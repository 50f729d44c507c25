/* Starting the program under the shim. */
#ifndef VT_ANALYZER_COLLECTOR_LAUNCH_H
#define VT_ANALYZER_COLLECTOR_LAUNCH_H

#include <stdint.h>
#include <sys/types.h>
#include "analyzer/cli/error.h"

typedef struct {
  char **argv;          /* program and arguments, NULL-terminated */
  char const *shim;     /* path of libvaltrace.so */
  char const *ring;     /* value of VT_RING_ENV */
  char const *pattern;  /* absolute, for a process that cannot reach the collector */
  int no_free_stacks;
  int no_children;
  uint32_t max_depth; /* 0: no limit */
} vt_launch_t;

/* vt_launch_shim finds libvaltrace.so relative to this executable. Returns 0, or -1 and *error. */
int vt_launch_shim(char *out, size_t cap, vt_error_t *error);

/* vt_launch starts the program. Returns its pid, or -1 with *status the exit status for `run` (125,
   126, 127) and *error. */
pid_t vt_launch(vt_launch_t const *launch, int *status, vt_error_t *error);

#endif
