/* Which C library this process has. The shim is one file for glibc and musl: what only one of them has is
   referred to weakly, what either may lack is looked up (symbol.h). musl's loader takes libc.so.6, by which the
   file asks for a C library, for itself, and does not look at the versions of symbols. */
#ifndef VT_CORE_TRACE_LIBC_H
#define VT_CORE_TRACE_LIBC_H

#include <link.h>
#include <stddef.h>

extern char const *gnu_get_libc_version(void) __attribute__((weak));
extern struct r_debug _r_debug __attribute__((weak));        /* glibc's */
extern struct r_debug *_dl_debug_addr __attribute__((weak)); /* musl's */

/* vt_libc_at_exit calls a function when the process ends by exit() or by the return of main; `known`: with the
   status, which only glibc tells. vt_libc_at_fork calls one in a forked child. */
void vt_libc_at_exit(void (*function)(int known, int status));
void vt_libc_at_fork(void (*function)(void));

/* vt_libc_is_glibc: else it is musl. */
static inline int vt_libc_is_glibc(void) { return gnu_get_libc_version != NULL; }

/* vt_libc_objects is what the loader tells debuggers; NULL: nothing. */
static inline struct r_debug const *vt_libc_objects(void) {
  if (vt_libc_is_glibc()) return &_r_debug;
  return &_dl_debug_addr ? _dl_debug_addr : NULL;
}

#endif
