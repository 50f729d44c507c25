/* Which pages of a process are there: /proc/PID/pagemap, asked by range. */
#ifndef VT_ANALYZER_MEMORY_PAGEMAP_H
#define VT_ANALYZER_MEMORY_PAGEMAP_H

#include <stdint.h>

#define VT_PAGEMAP_PAGE ((uint64_t)4096)

/* A run of pages that are in memory, or swapped out. */
typedef struct {
  uint64_t start, end;
  int swapped;
} vt_page_run_t;

/* vt_pagemap_runs hands out the runs of [start,end) in order; `pagemap` is the opened file. Pages that were
   only read and are all the kernel's one page of zeros are not there. Returns 0, or -1 when not all of the
   range could be looked at; what was found before has been handed out. Costs no time for memory that
   was never touched, but on kernels before 6.7: there the zeros count as there, and ranges of more
   than 64 GiB are not looked at. */
int vt_pagemap_runs(int pagemap, uint64_t start, uint64_t end,
                    void (*found)(void *context, vt_page_run_t const *run), void *context);

#endif
