/* Names of trace files: expanding the PATTERN of `-o` and VALTRACE_OUTPUT. */
#ifndef VT_CORE_TRACE_NAME_H
#define VT_CORE_TRACE_NAME_H

#include <stddef.h>
#include <stdint.h>

#define VT_NAME_DEFAULT   "valtrace.%n.%p.vtr"
#define VT_NAME_IN_FOLDER "%n.%p.vtr" /* of `run -d` */

#define VT_NAME_PROGRAM_MAX 64

/* vt_name_expand writes pattern with %p (pid), %n (program: the last component of its path, leading dots
   and control characters as _, cut at VT_NAME_PROGRAM_MAX bytes), %h (host) and %% replaced; other %
   sequences stay as they are. Returns the length, or -1 if it does
   not fit in cap bytes with its terminating zero. No allocation; async-signal-safe. */
int vt_name_expand(char *out, size_t cap, char const *pattern, uint32_t pid, char const *program,
                   char const *host);

/* vt_name_has_pid tells whether the pattern contains %p, so that each process has its own name. */
int vt_name_has_pid(char const *pattern);

/* vt_name_numbered writes `name` with ".PID.N" before its extension (".vtr" or whatever follows the
   last dot of the last component). Returns as vt_name_expand. */
int vt_name_numbered(char *out, size_t cap, char const *name, uint32_t pid, uint32_t n);

#endif
