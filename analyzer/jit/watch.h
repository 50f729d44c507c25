/* Where a recorded process's run-time says what code it makes, and reading that as it grows: its perf map
   (perf-PID.map in the process's own /tmp, PID as the process knows itself) and its jitdump file, whose name
   the process's mapping of it tells. Files are hostile: they are looked at only if they are regular, belong
   to the process's user or to root, and have been written since the image began. */
#ifndef VT_ANALYZER_JIT_WATCH_H
#define VT_ANALYZER_JIT_WATCH_H

#include <stdint.h>
#include <sys/types.h>
#include "analyzer/jit/jitdump.h"

/* Its /tmp is ours, or it was not seen alive: nothing is read then, as the file may be another process's. */
enum { VT_JIT_TMP_OURS = -1, VT_JIT_TMP_UNKNOWN = -2 };

typedef struct {
  uint32_t pid;      /* as the process knows itself */
  uint64_t since_ns; /* when the image began, since 1970 */
  uid_t user;
  int tmp;           /* its /tmp: a descriptor, or one of these: */
  int map, dump;     /* the files; -1: not there (yet) */
  uint64_t map_off, dump_off;
  vt_jitdump_t reader;
} vt_jit_watch_t;

/* vt_jit_watch_begin looks at who the process is; `process` is its number here, 0: it is gone. Costs four
   system calls. To be ended by vt_jit_watch_end. */
void vt_jit_watch_begin(vt_jit_watch_t *watch, pid_t process, uint32_t pid, uint64_t since_ns);

/* vt_jit_watch_mapped is told of each file that the process maps (its own path, not terminated). */
void vt_jit_watch_mapped(vt_jit_watch_t *watch, pid_t process, char const *path, size_t sz);

/* vt_jit_watch_look reads on, at most some MiB, and adds what is new to *names. Returns whether there may be
   more now. Without either file it costs one system call. */
int vt_jit_watch_look(vt_jit_watch_t *watch, vt_jit_clock_t const *clock, vt_jit_names_t *names);

void vt_jit_watch_end(vt_jit_watch_t *watch);

#endif
