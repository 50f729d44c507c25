/* System calls that older kernels lack, each with what serves instead. */
#ifndef VT_ANALYZER_UTIL_KERNEL_H
#define VT_ANALYZER_UTIL_KERNEL_H

#include <stdint.h>
#include <sys/types.h>

/* vt_kernel_file makes an empty file that has no name in any folder and is gone with its last descriptor and
   mapping: a memfd (Linux 3.17), else one of a file system in memory. `name` is to be seen in /proc/PID/maps.
   Returns a descriptor, the caller's to close; -1 with errno. */
int vt_kernel_file(char const *name, int cloexec);

/* vt_kernel_is_file: is this, by its path in /proc/PID/maps, a file that was made with `name`? */
int vt_kernel_is_file(char const *path, char const *name);

/* vt_kernel_random is a number nobody can guess: getrandom (Linux 3.17), else /dev/urandom. -1 with errno. */
int vt_kernel_random(uint64_t *out);

/* vt_kernel_process is a descriptor of process `pid` that can be read from when it has ended (Linux 5.3); -1:
   the process is not there, or the kernel has no such thing. */
int vt_kernel_process(pid_t pid);

/* vt_kernel_kill kills the child `pid`, which nobody has waited for, by its descriptor where there is one. */
void vt_kernel_kill(int process, pid_t pid);

#endif
