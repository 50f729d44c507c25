/* What a seccomp filter that the program installs lets the shim do: found out by running the
   filter, before it is installed, on the calls the shim would make.

   A call that a filter does not plainly allow is never made again: the filter may end the process
   for it. Filters add up. */
#ifndef VT_PRELOAD_FILTER_H
#define VT_PRELOAD_FILTER_H

#include <linux/filter.h>

enum {
  VT_FILTER_MEMORY = 1, /* give pages of a file back, and obtain them */
  VT_FILTER_ASK = 2,    /* ask about memory and the signal stack */
  VT_FILTER_OPEN = 4    /* begin a trace: open files, ask who one is */
};
#define VT_FILTER_ALL 7

/* vt_filter_allows returns what the filter leaves of VT_FILTER_ALL; a filter that is none allows
   all, as the kernel will refuse it. */
int vt_filter_allows(struct sock_fprog const *filter);

#endif
