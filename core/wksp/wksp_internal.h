#ifndef HEADER_core_wksp_wksp_internal_h
#define HEADER_core_wksp_wksp_internal_h

/* Operations on partitions that several parts of the wksp share.  The caller holds the lock. */

#include "core/util/deepasan.h"
#include "wksp_treap.h"

/* Marks all records void (see fd_wksp_private.discard); the wksp is to have part_max partitions. */
static inline void wksp_discard_begin(fd_wksp_t *wksp, ulong part_max) {
  __atomic_store_n(&wksp->discard, (uint)part_max, __ATOMIC_SEQ_CST);
}

/* Empties all records and gives the wksp the layout that the discard mark asks for; the mark stays.
 */
void wksp_discard_apply(fd_wksp_t *wksp);

/* Makes the records valid again: the commit point of reset and restore.  The compiler may not move
   the stores of the records past it; the next owner acquires the lock. */
static inline void wksp_discard_end(fd_wksp_t *wksp) {
  __atomic_store_n(&wksp->discard, 0U, __ATOMIC_RELEASE);
}

/* Tells AddressSanitizer that nobody owns bytes / that they are a user's. */
static inline void wksp_poison(fd_wksp_t *wksp, ulong gaddr_lo, ulong gaddr_hi) {
  deepasan_poison(fd_wksp_laddr_fast(wksp, gaddr_lo), gaddr_hi - gaddr_lo);
}
static inline void wksp_unpoison(fd_wksp_t *wksp, ulong gaddr_lo, ulong gaddr_hi) {
  deepasan_unpoison(fd_wksp_laddr_fast(wksp, gaddr_lo), gaddr_hi - gaddr_lo);
}

/* fd_wksp_rebuild behind its checks of the header. */
int wksp_rebuild_index(fd_wksp_t *wksp, uint seed);

/* Frees used partition i and coalesces.  Returns the free partition that now holds its bytes,
   IDX_NULL if damaged links were met. */
ulong wksp_part_free(fd_wksp_t *wksp, fd_wksp_private_pinfo_t *pinfo, ulong i);

/* Tells a recorder, if there is one, that this process has made the wksp or has joined it. */
void wksp_heap_announce(fd_wksp_t const *wksp, int is_new);

/* A random heap_id for a wksp that is about to be made at shmem. */
uint wksp_heap_id_new(void const *shmem);

/* Partitions in address order: index of the first, and of the one behind i; IDX_NULL at the end or
   when the list is damaged. */
static inline ulong wksp_part_first(fd_wksp_t const *wksp) {
  ulong i = fd_wksp_private_pinfo_idx(wksp->part_head_cidx);
  return i < wksp->part_max ? i : FD_WKSP_PRIVATE_PINFO_IDX_NULL;
}
static inline ulong wksp_part_next(fd_wksp_t const *wksp, fd_wksp_private_pinfo_t const *pinfo,
                                   ulong i) {
  ulong next = fd_wksp_private_pinfo_idx(pinfo[i].next_cidx);
  if (FD_UNLIKELY(next >= wksp->part_max)) return FD_WKSP_PRIVATE_PINFO_IDX_NULL;
  return pinfo[next].gaddr_lo > pinfo[i].gaddr_lo ? next : FD_WKSP_PRIVATE_PINFO_IDX_NULL;
}

#endif
