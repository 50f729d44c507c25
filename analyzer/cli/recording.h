/* What `run` and `attach` have in common: where traces go, the collector beside this process, and what is said at the
   end. */
#ifndef VT_ANALYZER_CLI_RECORDING_H
#define VT_ANALYZER_CLI_RECORDING_H

#include <limits.h>
#include "analyzer/collector/collector.h"

/* vt_recording_shim is the path of libvaltrace.so: ../lib from this executable, also when installed. 0, or -1. */
int vt_recording_shim(char *out, size_t cap);

/* vt_recording_pattern makes the pattern of the traces out of -o or -d (the other is NULL), independent of the folders
   programs change to. Returns 0 or an errno value; *what is then what it is about. */
int vt_recording_pattern(char out[PATH_MAX], char const *output, char const *folder, char const **what);

/* vt_recording_possible: can traces be made there? Makes the pattern's folder, follows a link, or says why not. `given`
   is how the user calls it. */
int vt_recording_possible(char pattern[PATH_MAX], char const *given);

/* What bounds a recording, as the user gives it (NULL: it is not given), and as it is. */
typedef struct {
  char const *max_size, *keep, *sample;
  uint64_t max_size_bytes; /* 0: no limit */
  uint64_t keep_bytes;     /* 0: all */
  char period[24];         /* of a sample, as the shim takes it: bytes */
} vt_recording_bounds_t;

/* vt_recording_bounds reads them. Returns NULL, or what is wrong with the option *what. */
char const *vt_recording_bounds(vt_recording_bounds_t *bounds, char const **what);

/* vt_recording_collector forks the collector; returns our end of the socket pair or -1. */
int vt_recording_collector(vt_ring_end_t *ring, vt_collector_options_t const *options);

/* vt_recording_tell gives an order to the collector, which records nothing before the first one: a want of
   memory passes. Returns 0 or -1. */
int vt_recording_tell(int control, vt_collector_order_t const *order);

typedef struct {
  char const *program; /* as the user calls it */
  int quiet;           /* say only what went wrong */
  int explained;       /* why it is not recorded has been said */
} vt_recording_words_t;

/* vt_recording_finish tells the collector of the end, waits for its answer and prints it. */
void vt_recording_finish(int control, vt_collector_order_t const *order, vt_recording_words_t const *words,
                         vt_collector_summary_t *summary);

/* vt_recording_trace receives the path of the next complete trace after vt_recording_finish; -1: there are no more. */
int vt_recording_trace(int control, char path[PATH_MAX]);

#endif
