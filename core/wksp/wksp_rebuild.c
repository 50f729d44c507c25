/* Reconstruction from the allocation records.  Records with a tag are only ever relinked; ranges
   are written to records without tag alone, so that it may be interrupted anywhere and run again.
 */

#include "fd/util/log/fd_log.h"
#include "wksp_internal.h"

static int rebuild_failed(char const *why) {
  FD_LOG_WARNING(("wksp rebuild: %s", why));
  return FD_WKSP_ERR_CORRUPT;
}

void wksp_discard_apply(fd_wksp_t *wksp) {
  /* each line can be repeated after an interruption, as gaddr_hi and the mark stay */
  fd_wksp_private_pinfo_t *pinfo = fd_wksp_private_pinfo(wksp);
  for (ulong i = 0UL; i < wksp->discard; i++) pinfo[i].tag = 0UL;
  wksp->part_max = wksp->discard;
  wksp->gaddr_lo = fd_wksp_private_data_off(wksp->part_max);
  wksp->data_max = wksp->gaddr_hi - wksp->gaddr_lo;
}

static uint rebuild_prio(uint seed, ulong i) {
  return (uint)fd_ulong_hash(((ulong)seed << 32) ^ i) & 0x7fffffffU;
}

/* Indexes the allocations by address and makes all other records idle. */
static int rebuild_records(fd_wksp_t *wksp, fd_wksp_private_pinfo_t *pinfo) {
  wksp->part_used_cidx = WKSP_CIDX_NULL;
  wksp->part_free_cidx = WKSP_CIDX_NULL;
  wksp->idle_top_cidx = WKSP_CIDX_NULL;
  wksp->part_head_cidx = WKSP_CIDX_NULL;
  wksp->part_tail_cidx = WKSP_CIDX_NULL;
  for (ulong i = wksp->part_max; i--;) {
    fd_wksp_private_pinfo_t *rec = pinfo + i;
    wksp_treap_clear(rec);
    rec->heap_prio = rebuild_prio(wksp->seed, i) & 0x7fffffffU;
    rec->prev_cidx = WKSP_CIDX_NULL;
    rec->next_cidx = WKSP_CIDX_NULL;
    rec->stack_cidx = WKSP_CIDX_NULL;
    rec->cycle_tag = 0UL;
    if (!rec->tag)
      fd_wksp_private_idle_stack_push(i, wksp, pinfo);
    else if (FD_UNLIKELY(fd_wksp_private_used_treap_insert(i, wksp, pinfo)))
      return rebuild_failed("allocations overlap or are outside the data region");
  }
  wksp->cycle_tag = 0UL;
  return FD_WKSP_SUCCESS;
}

static void rebuild_append(fd_wksp_t *wksp, fd_wksp_private_pinfo_t *pinfo, ulong i) {
  ulong tail = fd_wksp_private_pinfo_idx(wksp->part_tail_cidx);
  uint c = fd_wksp_private_pinfo_cidx(i);
  pinfo[i].prev_cidx = wksp->part_tail_cidx;
  if (fd_wksp_private_pinfo_idx_is_null(tail))
    wksp->part_head_cidx = c;
  else
    pinfo[tail].next_cidx = c;
  wksp->part_tail_cidx = c;
}

/* Covers [lo,hi) with a free partition. */
static int rebuild_gap(fd_wksp_t *wksp, fd_wksp_private_pinfo_t *pinfo, ulong lo, ulong hi) {
  if (lo == hi) return FD_WKSP_SUCCESS;
  ulong i = fd_wksp_private_idle_stack_pop(wksp, pinfo);
  if (FD_UNLIKELY(fd_wksp_private_pinfo_idx_is_null(i)))
    return rebuild_failed("too few partitions");
  pinfo[i].gaddr_lo = lo;
  pinfo[i].gaddr_hi = hi;
  rebuild_append(wksp, pinfo, i);
  wksp_poison(wksp, lo, hi);
  return fd_wksp_private_free_treap_insert(i, wksp, pinfo);
}

static ulong used_leftmost(fd_wksp_private_pinfo_t const *pinfo, ulong i) {
  while (!fd_wksp_private_pinfo_idx_is_null(i) && pinfo[i].left_cidx != WKSP_CIDX_NULL)
    i = fd_wksp_private_pinfo_idx(pinfo[i].left_cidx);
  return i;
}

static ulong used_successor(fd_wksp_private_pinfo_t const *pinfo, ulong i) {
  if (pinfo[i].right_cidx != WKSP_CIDX_NULL)
    return used_leftmost(pinfo, fd_wksp_private_pinfo_idx(pinfo[i].right_cidx));
  uint child;
  do {
    child = fd_wksp_private_pinfo_cidx(i);
    i = fd_wksp_private_pinfo_idx(pinfo[i].parent_cidx);
  } while (!fd_wksp_private_pinfo_idx_is_null(i) && pinfo[i].right_cidx == child);
  return i;
}

int wksp_rebuild_index(fd_wksp_t *wksp, uint seed) {
  fd_wksp_private_pinfo_t *pinfo = fd_wksp_private_pinfo(wksp);
  wksp->seed = seed;
  int err = rebuild_records(wksp, pinfo);
  if (FD_UNLIKELY(err)) return err;
  ulong lo = wksp->gaddr_lo;
  ulong i = used_leftmost(pinfo, fd_wksp_private_pinfo_idx(wksp->part_used_cidx));
  for (; !fd_wksp_private_pinfo_idx_is_null(i); i = used_successor(pinfo, i)) {
    err = rebuild_gap(wksp, pinfo, lo, pinfo[i].gaddr_lo);
    if (FD_UNLIKELY(err)) return err;
    rebuild_append(wksp, pinfo, i);
    wksp_unpoison(wksp, pinfo[i].gaddr_lo, pinfo[i].gaddr_hi);
    lo = pinfo[i].gaddr_hi;
  }
  return rebuild_gap(wksp, pinfo, lo, wksp->gaddr_hi);
}

int fd_wksp_rebuild(fd_wksp_t *wksp, uint seed) {
  if (FD_UNLIKELY(!wksp)) return rebuild_failed("NULL wksp");
  if (FD_UNLIKELY(wksp->discard)) {
    if (FD_UNLIKELY(wksp->magic != FD_WKSP_MAGIC ||
                    wksp->gaddr_hi <= fd_wksp_private_data_off(wksp->discard)))
      return rebuild_failed("bad header");
    wksp_discard_apply(wksp);
    wksp_discard_end(wksp);
  }
  if (FD_UNLIKELY(!fd_wksp_private_header_is_sane(wksp))) return rebuild_failed("bad header");
  return wksp_rebuild_index(wksp, seed);
}
