/* What the environment asks of the shim: the VALTRACE_… variables, read once at start. */
#ifndef VT_PRELOAD_OPTIONS_H
#define VT_PRELOAD_OPTIONS_H

#include "core/trace/hidden.h"
#include <stdint.h>

/* "SLOT:IMAGE", the latter in hexadecimal: an image that is over, because exec replaced it by the one
   that finds this variable in its environment. */
#define VT_EXEC_OF "VALTRACE_EXEC_OF="

typedef struct {
  char const *collector; /* VALTRACE_COLLECTOR: see core/trace/ring.h */
  char const *output;    /* VALTRACE_OUTPUT: file name pattern without collector */
  int text_fd;           /* VALTRACE_SINK=text:FD, else -1 */
  uint32_t max_depth;    /* VALTRACE_MAX_DEPTH, else UINT32_MAX */
  uint64_t follows;      /* VALTRACE_EXEC_OF: image that exec replaced by this one; 0: none told */
  uint32_t follows_slot; /* its slot in the ring */
  uint64_t sample_period; /* VALTRACE_SAMPLE: mean bytes between two recorded blocks; 0: all are */
  uint64_t sample_seed;  /* VALTRACE_SAMPLE_SEED, for tests; 0: none given */
  int no_free_stacks;    /* VALTRACE_NO_FREE_STACKS=1 */
  int no_children;       /* VALTRACE_NO_CHILDREN=1 */
  int no_mappings;       /* VALTRACE_NO_MAPPINGS=1 */
  int allocator;         /* VALTRACE_ALLOCATOR=1: the collector knows functions that allocate */
  int no_python;         /* VALTRACE_NO_PYTHON=1 */
  int libunwind;         /* VALTRACE_UNWINDER=libunwind */
  int unwind_check;      /* VALTRACE_UNWIND_CHECK=1 */
} vt_options_t;

extern VT_HIDDEN vt_options_t vt_options;

/* vt_options_read fills vt_options from an environment, which it copies. Returns a static message
 * for a bad value, else NULL. */
char const *vt_options_read(char *const *from);

/* The variables a new process image must inherit to be recorded, as "NAME=value" strings, ended by
   NULL; LD_PRELOAD is not among them, nor VALTRACE_EXEC_OF. Valid after vt_options_read. */
extern char const *vt_options_inherited[];
/* vt_options_inherit adds one, which stays the caller's. */
void vt_options_inherit(char const *variable);

#endif
