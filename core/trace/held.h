/* Pointers of a process that only the kernel has: registers of its other threads, data of its epoll descriptors,
   values of its timers. The heir (snapshot.h) gathers them before the process goes on, into memory of the process
   that is mapped for them: whoever looks at that finds them there, like any other pointers.

   Registers can be read of stopped threads only, and a stop is visible: a call that waits returns EINTR. So threads
   are stopped when the process is about to end and none of them will run again; should it not end in time, they are
   let go. Raw system calls only. */
#ifndef VT_CORE_TRACE_HELD_H
#define VT_CORE_TRACE_HELD_H

#include <stdint.h>

typedef struct {
  uint64_t *words; /* of the latest piece of memory */
  uint32_t cnt;
  uint32_t stopped; /* threads that are stopped by us and not yet seen to end */
  uint32_t unknown; /* threads whose registers could not be read */
} vt_held_t;

/* vt_held_threads stops all threads of process `pid` but `maker` and gathers their registers. */
void vt_held_threads(vt_held_t *held, int pid, int maker);

/* vt_held_path writes "/proc/PID/name" and a number if it is not negative, of less than 48 bytes beside the name. */
void vt_held_path(char *out, int pid, char const *name, int number);

/* vt_held_count is how many threads process `pid` has; at least 1. */
uint32_t vt_held_count(int pid);

/* vt_held_reap sees stopped threads end, so that others see the process end. Does not block. */
void vt_held_reap(vt_held_t *held);

/* vt_held_let_go lets stopped threads run on. */
void vt_held_let_go(vt_held_t *held, int pid);

/* vt_held_kernel gathers what epoll descriptors and timers of process `pid` hold. */
void vt_held_kernel(vt_held_t *held, int pid);

#endif
