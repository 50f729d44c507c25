/* The program to be recorded: can it be, and how to start it. */
#ifndef VT_ANALYZER_COLLECTOR_PROGRAM_H
#define VT_ANALYZER_COLLECTOR_PROGRAM_H

#include <stddef.h>
#include <sys/types.h>

/* vt_program_find looks `file` up in PATH as execvp does. Returns 0 and the path, or -1. */
int vt_program_find(char *out, size_t cap, char const *file);

/* vt_program_obstacle tells why a shim cannot be preloaded into `file` (looked up in PATH as execvp
   does), as a text that ends in what that means; NULL if nothing is known to hinder it. */
char const *vt_program_obstacle(char const *file);

/* vt_program_is_foreign: does `file` (looked up likewise) use another C library than glibc, so that
   it does not start with a shim in LD_PRELOAD? */
int vt_program_is_foreign(char const *file);

/* vt_program_environment puts what recording needs into this process's environment: LD_PRELOAD with
   `shim` (NULL: none) first, and `more`: names and values alternating, ended by NULL. */
void vt_program_environment(char const *shim, char const *const *more);

/* vt_program_endure_limits makes a limit on file size an error of the call that meets it, in this
   process and the collector, not the end of them. Once, before vt_program_start, which gives the
   program back what it would have had. */
void vt_program_endure_limits(void);

/* vt_program_start forks and executes argv with the signal mask `mask`. Returns the pid, or 0 with
 *error set to errno of the exec; -1 when fork fails (errno). */
pid_t vt_program_start(char **argv, void const *mask, int *error);

#endif
