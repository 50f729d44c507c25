/* Stopping every thread of a process, by ptrace, and letting it go on.

   Nothing of a thread is changed by being stopped but that some system calls that wait return EINTR
   (signal(7), "Interruption of system calls … by stop signals"). If this process dies, the kernel
   lets all threads go. All functions are for the thread that called vt_stop_all. */
#ifndef VT_ANALYZER_ATTACH_STOP_H
#define VT_ANALYZER_ATTACH_STOP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>
#include "analyzer/cli/error.h"

#if defined(__x86_64__)
typedef struct user_regs_struct vt_registers_t;
#else /* what is not for this processor is refused (target.c) before anything is stopped */
typedef struct {
  uint64_t rip, rsp, fs_base;
} vt_registers_t;
#endif

typedef struct {
  pid_t tid;
  int stopped;
  int gone; /* it has ended */
  vt_registers_t regs;
} vt_stop_thread_t;

typedef struct {
  pid_t pid;
  vt_stop_thread_t *threads;
  size_t threads_cnt, threads_cap;
  uint64_t since; /* CLOCK_MONOTONIC, ns: when the first was stopped */
} vt_stop_t;

/* vt_stop_all stops all threads of `pid`, also those that are made meanwhile, and reads their registers.
   SIGCHLD must be blocked. Returns 0; or -1 and *error, and then all run. A thread that does not stop (it waits
   for a vfork child, or a disk) is waited for a while only, as the others stand. */
int vt_stop_all(vt_stop_t *stop, pid_t pid, vt_error_t *error);

/* vt_stop_release lets all go on, and forgets them. Returns how long they have stood, in ns. */
uint64_t vt_stop_release(vt_stop_t *stop);

/* vt_stop_set gives a stopped thread other registers. 0, or -1: it has ended. */
int vt_stop_set(pid_t tid, vt_registers_t const *regs);

/* vt_stop_wait waits until a stopped thread that was made to run on stops again: waitpid's status; -1: it
   has ended. */
int vt_stop_wait(vt_stop_t const *stop, pid_t tid);

/* vt_stop_is_trap: is that a stop that was asked for, and not the delivery of a signal? */
int vt_stop_is_trap(int status);

#endif
