/* System calls that a stopped thread makes for us.

   The thread can be left at any moment: this process may be killed. So it is never without a way back: before
   its registers are changed, all that it had lies on its stack as the kernel puts it there for a signal handler,
   and what it is made to run returns to that (rt_sigreturn) by itself. */
#ifndef VT_ANALYZER_ATTACH_REMOTE_H
#define VT_ANALYZER_ATTACH_REMOTE_H

#include "analyzer/attach/stop.h"
#include "analyzer/patch/space.h"

typedef struct {
  vt_stop_t const *stop;
  vt_stop_thread_t const *thread; /* that makes the calls */
  int mem;                        /* /proc/PID/mem */
  uint64_t syscall, sigreturn;    /* instructions of the process: syscall; ret, and __restore_rt */
  uint64_t frame;                 /* where its way back is */
  uint64_t mask;                  /* of its signals */
} vt_remote_t;

/* vt_remote_begin chooses a thread and prepares it. space: as it is while all stand; room: stack that what it runs takes,
   beside its way back. Returns 0, or -1: none has so much unused memory below its stack pointer, or it has ended. */
#define VT_REMOTE_CALLS    ((uint64_t)4096) /* system calls take none */
#define VT_REMOTE_FUNCTION ((uint64_t)16384)
int vt_remote_begin(vt_remote_t *r, vt_space_t const *space, uint64_t room);

/* vt_remote_call makes one call and returns its result, negative errno values included; -ESRCH, too, when the
   thread has ended. */
long vt_remote_call(vt_remote_t *r, long nr, uint64_t const args[6]);
#define VT_REMOTE_CALL(r, nr, ...) vt_remote_call(r, nr, (uint64_t const[6]){__VA_ARGS__})

/* vt_remote_run makes the thread run a function of the process, with one argument, which takes no lock and at most
   VT_REMOTE_FUNCTION of stack. Returns 0, or -1: the thread has ended. */
int vt_remote_run(vt_remote_t *r, uint64_t function, uint64_t argument);

/* vt_remote_end gives the thread back what it had; it is stopped as it was. */
void vt_remote_end(vt_remote_t *r);

#endif
