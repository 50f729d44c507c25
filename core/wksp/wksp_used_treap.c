/* The index of used partitions by address.  Its records never overlap, so that a search for an
   address and a search for a record are the same descent. */

#include "wksp_treap.h"

ulong fd_wksp_private_used_treap_query(ulong gaddr, fd_wksp_t *wksp,
                                       fd_wksp_private_pinfo_t *pinfo) {
  ulong part_max = wksp->part_max;
  ulong cur = fd_wksp_private_pinfo_idx(wksp->part_used_cidx);
  for (ulong rem = part_max; (cur < part_max) & (rem != 0UL); rem--) {
    fd_wksp_private_pinfo_t *rec = pinfo + cur;
    wksp_treap_prefetch(pinfo, rec);
    if (gaddr - rec->gaddr_lo < fd_wksp_private_pinfo_sz(rec)) return cur;
    cur = fd_wksp_private_pinfo_idx(*wksp_treap_turn(rec, gaddr >= rec->gaddr_lo));
  }
  return FD_WKSP_PRIVATE_PINFO_IDX_NULL;
}

/* Finds where a record for [lo,hi) with priority prio belongs.  The descent goes on below that
   place to find what it would overlap. */
static int used_treap_find(ulong lo, ulong hi, uint prio, fd_wksp_t *wksp,
                           fd_wksp_private_pinfo_t *pinfo, wksp_treap_pos_t *pos) {
  ulong part_max = wksp->part_max;
  ulong parent = FD_WKSP_PRIVATE_PINFO_IDX_NULL;
  uint *link = &wksp->part_used_cidx;
  pos->link = NULL;
  for (ulong rem = part_max; *link != WKSP_CIDX_NULL; rem--) {
    ulong cur = fd_wksp_private_pinfo_idx(*link);
    if (FD_UNLIKELY((cur >= part_max) | !rem)) return FD_WKSP_ERR_CORRUPT;
    fd_wksp_private_pinfo_t *rec = pinfo + cur;
    wksp_treap_prefetch(pinfo, rec);
    if (FD_UNLIKELY(rec->parent_cidx != fd_wksp_private_pinfo_cidx(parent)))
      return FD_WKSP_ERR_CORRUPT;
    if (!pos->link && rec->heap_prio < prio) *pos = (wksp_treap_pos_t){link, parent};
    if (FD_UNLIKELY((hi > rec->gaddr_lo) & (lo < rec->gaddr_hi)))
      return FD_WKSP_ERR_CORRUPT; /* overlaps, maybe itself */
    link = wksp_treap_turn(rec, lo >= rec->gaddr_hi);
    parent = cur;
  }
  if (!pos->link) *pos = (wksp_treap_pos_t){link, parent};
  return FD_WKSP_SUCCESS;
}

int fd_wksp_private_used_treap_insert(ulong n, fd_wksp_t *wksp, fd_wksp_private_pinfo_t *pinfo) {
  if (FD_UNLIKELY(n >= wksp->part_max)) return FD_WKSP_ERR_CORRUPT;
  fd_wksp_private_pinfo_t *rec = pinfo + n;
  ulong lo = rec->gaddr_lo;
  ulong hi = rec->gaddr_hi;
  if (FD_UNLIKELY((lo < wksp->gaddr_lo) | (lo >= hi) | (hi > wksp->gaddr_hi)))
    return FD_WKSP_ERR_CORRUPT;
  wksp_treap_pos_t pos;
  if (FD_UNLIKELY(used_treap_find(lo, hi, rec->heap_prio, wksp, pinfo, &pos)))
    return FD_WKSP_ERR_CORRUPT;
  rec->in_same = 0U;
  rec->same_cidx = WKSP_CIDX_NULL;
  return wksp_treap_link(n, pos, wksp->part_max, pinfo, WKSP_BY_ADDR);
}

int wksp_used_treap_unlink(ulong d, fd_wksp_t *wksp, fd_wksp_private_pinfo_t *pinfo) {
  wksp_treap_pos_t pos = wksp_treap_pos(d, &wksp->part_used_cidx, wksp->part_max, pinfo);
  if (FD_UNLIKELY(!pos.link)) return FD_WKSP_ERR_CORRUPT;
  fd_wksp_private_pinfo_t *rec = pinfo + d;
  int err = wksp_treap_merge(rec->left_cidx, rec->right_cidx, pos, wksp->part_max, pinfo);
  wksp_treap_clear(rec);
  return err;
}

int fd_wksp_private_used_treap_remove(ulong d, fd_wksp_t *wksp, fd_wksp_private_pinfo_t *pinfo) {
  if (FD_UNLIKELY(d >= wksp->part_max)) return FD_WKSP_ERR_CORRUPT;
  if (FD_UNLIKELY(fd_wksp_private_used_treap_query(pinfo[d].gaddr_lo, wksp, pinfo) != d))
    return FD_WKSP_ERR_CORRUPT;
  return wksp_used_treap_unlink(d, wksp, pinfo);
}
