/* Putting the recorder into a process, and taking it out again. */
#ifndef VT_ANALYZER_ATTACH_PLACE_H
#define VT_ANALYZER_ATTACH_PLACE_H

#include "analyzer/attach/target.h"
#include "analyzer/patch/plan.h"
#include "analyzer/trace/bytes.h"

typedef struct {
  char const *shim;        /* path of libvaltrace.so */
  int ring;                /* the ring's descriptor */
  char const *spec;        /* value of VT_RING_ENV for whoever has it by another number */
  char const *const *options; /* "VALTRACE_…=…", ended by NULL */
  vt_patch_givens_t const *givens;
} vt_place_options_t;

typedef struct {
  uint64_t pause_ns;  /* how long the process stood at most, at a time */
  uint32_t threads;   /* that it has */
  uint32_t stops;     /* how often it was stopped, until nobody was inside of what changes */
} vt_place_result_t;

/* vt_place puts the recorder into the process: it will be loaded at the process's next allocation. Returns 0; or
   -1 and *error, and the process is as it was. This process may be killed at any moment: the other runs on. */
int vt_place(vt_target_t *t, vt_place_options_t const *options, vt_place_result_t *result, vt_error_t *error);

/* vt_place_state is what the recorder in a process says: VT_ATTACH_…, 0: there is none (any more). text, of
   VT_ATTACH_TEXT_SZ bytes: why it failed. */
int vt_place_state(vt_target_t const *t, uint64_t area, char *text);

/* vt_place_read reads what is in a process's area: its data and answer (vt_bytes_free), which a process can write to.
   0, or -1: it makes no sense. */
int vt_place_read(vt_target_t const *t, vt_attach_t *data, vt_bytes_t *answer);

/* vt_place_leave ends recording in the process, makes its entries what they were, and has the collector keep its memory
   as it is then (still.h). Returns 0 and how long it stood still; or -1 and *error. What is mapped stays, as threads may be
   in it. */
int vt_place_leave(vt_target_t *t, uint64_t *pause_ns, vt_error_t *error);

/* vt_place_leave_all does so in the children, too, that it has forked and that are recorded with it. */
int vt_place_leave_all(vt_target_t *t, uint64_t *pause_ns, vt_error_t *error);

#endif
