/* What the kernel still knows of a process that has ended, also when it is nobody's child here. */
#ifndef VT_ANALYZER_COLLECTOR_ENDING_H
#define VT_ANALYZER_COLLECTOR_ENDING_H

#include <stdint.h>
#include <sys/types.h>

/* vt_ending_status is the process's status as of waitpid, or -1 when it is not known: while its parent
   has not waited for it /proc tells (field 52 of its stat, to who may ptrace it), afterwards the
   pidfd does (PIDFD_GET_INFO, Linux 6.15). pidfd: opened while it lived, -1 without. start: when it
   began, in the kernel's ticks since boot, as its number may be another's by now; 0: unknown. */
int vt_ending_status(pid_t pid, int pidfd, uint64_t start);

/* vt_ending_reap waits for an ended child and returns waitpid's result. *peak is the most resident memory
   it had in bytes if the kernel tells it of this process alone, else 0. The kernel's figure is the
   highest of the process, of the children it waited for and of the copy of us that it was before
   exec: so the process must have waited for no child, and have had more than we. */
pid_t vt_ending_reap(pid_t pid, int options, int *status, uint64_t *peak);

#endif
