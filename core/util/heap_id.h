#ifndef HEADER_core_util_heap_id_h
#define HEADER_core_util_heap_id_h

/* What the allocators of this library tell a recorder (valtrace/annotate.h) about themselves: an
   identity drawn when a heap is created and kept in its shared header, so that every process that
   joins the heap announces the same UUID. */

#include "fd/util/log/fd_log.h"
#include "valtrace/annotate.h"

/* A number that is not 0 and that no other heap has, for all that time, thread and address tell. */
static inline ulong heap_id_new(void const *shmem) {
  ulong who = fd_ulong_hash(fd_log_group_id() << 32 ^ fd_log_thread_id());
  return fd_ulong_hash((ulong)fd_log_wallclock() ^ fd_ulong_hash((ulong)shmem) ^ who) | 1UL;
}

/* 1 iff a recorder is present: announcing a heap takes more than the one branch of an annotation.
 */
static inline int heap_is_recorded(void) { return FD_UNLIKELY(!!vt_annotate_hooks()); }

#endif
