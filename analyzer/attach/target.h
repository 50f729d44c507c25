/* A process that is to be recorded although it runs: may it be, and what in it is used for that. */
#ifndef VT_ANALYZER_ATTACH_TARGET_H
#define VT_ANALYZER_ATTACH_TARGET_H

#include <sys/types.h>
#include "analyzer/cli/error.h"
#include "analyzer/patch/space.h"
#include "core/trace/attach.h"

typedef struct {
  pid_t pid;
  uint32_t own_pid; /* as it calls itself: it may be in a namespace of its own */
  char name[16];    /* of its error lines: the number */
  int mem;          /* /proc/PID/mem, for reading and writing */
  vt_space_t space; /* as of vt_target_open */
  uint64_t libc_start, libc_end, loader_start, loader_end; /* the C library that the program uses, and ld.so */
  uint64_t dlopen, dlerror, pthread_create, pthread_detach, errno_location;
  uint64_t iterate, iterate_end; /* dl_iterate_phdr */
  uint64_t syscall, sigreturn; /* see remote.h */
  uint64_t area;               /* of an earlier recorder, see core/trace/attach.h; 0: there was none */
} vt_target_t;

/* vt_target_open looks at process `pid`. Returns 0; or -1 and *error: it cannot be recorded, or this user may not.
   To be ended by vt_target_close in both cases. */
int vt_target_open(vt_target_t *t, pid_t pid, vt_error_t *error);
void vt_target_close(vt_target_t *t);

/* vt_target_read and vt_target_write return 0, or -1. */
int vt_target_read(vt_target_t const *t, uint64_t address, void *out, size_t sz);
int vt_target_write(vt_target_t const *t, uint64_t address, void const *bytes, size_t sz);

/* vt_target_area finds the area of a recorder in a process; 0: there is none. */
uint64_t vt_target_area(vt_target_t const *t);

/* vt_target_told is the value of an option ("NAME=") that the recorder in process `pid` was given. Returns 0, or -1: it was
   not attached to, or may not be looked at. */
int vt_target_told(pid_t pid, char const *name, char *out, size_t cap);

/* vt_target_has_file: is a file that was made with this name (vt_kernel_is_file) mapped in it? */
int vt_target_has_file(vt_target_t const *t, char const *name);

/* vt_target_has_module: is a file mapped in it whose name, without folders, begins so? */
int vt_target_has_module(vt_target_t const *t, char const *name);

#endif
