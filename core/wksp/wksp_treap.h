#ifndef HEADER_core_wksp_wksp_treap_h
#define HEADER_core_wksp_wksp_treap_h

/* The moves inside a treap that both indices make: linking a record in at the place its priority
   asks for (splitting the subtree below) and unlinking one (merging its two subtrees).
   Insertion and removal touch O(1) records expected besides the search path, since nothing is
   rotated up from a leaf (Seidel and Aragon, "Randomized search trees", 1996).  Each loop checks
   the indices it follows and is bounded by part_max steps, so that damaged links end in CORRUPT. */

#include "fd/util/wksp/fd_wksp_private.h"

#define WKSP_CIDX_NULL ((uint)FD_WKSP_PRIVATE_PINFO_IDX_NULL)

#define WKSP_BY_ADDR 0
#define WKSP_BY_SIZE 1

/* A place in a treap: the link to write and the record it belongs to (IDX_NULL for the root). */
typedef struct {
  uint *link;
  ulong parent;
} wksp_treap_pos_t;

static inline ulong wksp_treap_key(fd_wksp_private_pinfo_t const *rec, int by) {
  return by == WKSP_BY_SIZE ? rec->gaddr_hi - rec->gaddr_lo : rec->gaddr_lo;
}

/* Starts to load both children of rec: which way a descent turns is as good as random, and half of
   the levels of a large tree are not in the nearest cache.  Null links make a harmless address. */
static inline void wksp_treap_prefetch(fd_wksp_private_pinfo_t const *pinfo,
                                       fd_wksp_private_pinfo_t const *rec) {
  __builtin_prefetch((void const *)((ulong)pinfo + (ulong)rec->left_cidx * sizeof(*pinfo)));
  __builtin_prefetch((void const *)((ulong)pinfo + (ulong)rec->right_cidx * sizeof(*pinfo)));
}

/* The place of present record d, found from its parent; link NULL if parent and child disagree. */
static inline wksp_treap_pos_t wksp_treap_pos(ulong d, uint *root, ulong part_max,
                                              fd_wksp_private_pinfo_t *pinfo) {
  ulong parent = fd_wksp_private_pinfo_idx(pinfo[d].parent_cidx);
  wksp_treap_pos_t pos = {NULL, parent};
  uint c = fd_wksp_private_pinfo_cidx(d);
  if (fd_wksp_private_pinfo_idx_is_null(parent)) {
    pos.link = *root == c ? root : NULL;
  } else if (FD_LIKELY(parent < part_max)) {
    fd_wksp_private_pinfo_t *rec = pinfo + parent;
    pos.link = rec->left_cidx == c    ? &rec->left_cidx
               : rec->right_cidx == c ? &rec->right_cidx
                                      : NULL;
  }
  return pos;
}

/* Puts n at pos; what was there is split by n's key into n's two subtrees. */
static inline int wksp_treap_link(ulong n, wksp_treap_pos_t pos, ulong part_max,
                                  fd_wksp_private_pinfo_t *pinfo, int by) {
  ulong key = wksp_treap_key(pinfo + n, by);
  uint cur = *pos.link;
  uint *left_link = &pinfo[n].left_cidx;
  uint *right_link = &pinfo[n].right_cidx;
  uint left_parent = fd_wksp_private_pinfo_cidx(n);
  uint right_parent = left_parent;
  *pos.link = left_parent;
  pinfo[n].in_same = 0U;
  pinfo[n].same_cidx = WKSP_CIDX_NULL;
  pinfo[n].parent_cidx = fd_wksp_private_pinfo_cidx(pos.parent);
  for (ulong rem = part_max; cur != WKSP_CIDX_NULL; rem--) {
    if (FD_UNLIKELY((cur >= part_max) | !rem)) return FD_WKSP_ERR_CORRUPT;
    fd_wksp_private_pinfo_t *rec = pinfo + cur;
    if (wksp_treap_key(rec, by) < key) {
      *left_link = cur;
      rec->parent_cidx = left_parent;
      left_parent = cur;
      left_link = &rec->right_cidx;
      cur = *left_link;
    } else {
      *right_link = cur;
      rec->parent_cidx = right_parent;
      right_parent = cur;
      right_link = &rec->left_cidx;
      cur = *right_link;
    }
  }
  *left_link = WKSP_CIDX_NULL;
  *right_link = WKSP_CIDX_NULL;
  return FD_WKSP_SUCCESS;
}

/* Fills pos with the merge of subtrees left and right. */
static inline int wksp_treap_merge(uint left, uint right, wksp_treap_pos_t pos, ulong part_max,
                                   fd_wksp_private_pinfo_t *pinfo) {
  uint *link = pos.link;
  uint parent = fd_wksp_private_pinfo_cidx(pos.parent);
  ulong rem = part_max;
  while ((left != WKSP_CIDX_NULL) & (right != WKSP_CIDX_NULL)) {
    if (FD_UNLIKELY((left >= part_max) | (right >= part_max) | !rem--)) return FD_WKSP_ERR_CORRUPT;
    int take_left = pinfo[left].heap_prio >= pinfo[right].heap_prio;
    uint top = take_left ? left : right;
    *link = top;
    pinfo[top].parent_cidx = parent;
    parent = top;
    if (take_left) {
      link = &pinfo[top].right_cidx;
      left = *link;
    } else {
      link = &pinfo[top].left_cidx;
      right = *link;
    }
  }
  uint last = left != WKSP_CIDX_NULL ? left : right;
  *link = last;
  if (last == WKSP_CIDX_NULL) return FD_WKSP_SUCCESS;
  if (FD_UNLIKELY(last >= part_max)) return FD_WKSP_ERR_CORRUPT;
  pinfo[last].parent_cidx = parent;
  return FD_WKSP_SUCCESS;
}

/* Takes all treap links off a record, so that it reads as not present. */
static inline void wksp_treap_clear(fd_wksp_private_pinfo_t *rec) {
  rec->in_same = 0U;
  rec->left_cidx = WKSP_CIDX_NULL;
  rec->right_cidx = WKSP_CIDX_NULL;
  rec->same_cidx = WKSP_CIDX_NULL;
  rec->parent_cidx = WKSP_CIDX_NULL;
}

/* Removes a record of which the caller knows that it is present, without the search that the public
   forms use to find that out.  CORRUPT if its links disagree with its parent's. */
int wksp_treap_unlink(ulong d, int by, fd_wksp_t *wksp, fd_wksp_private_pinfo_t *pinfo);

/* Inserts n into the index by address between its neighbours there (IDX_NULL: none), of which the
   caller knows the ranges.  One of the two has room for a leaf, and the place n's priority asks for
   is expected to be less than two steps above that: no descent.  CORRUPT if the links met do not
   fit that. */
int wksp_used_treap_insert_between(ulong n, ulong prev, ulong next, fd_wksp_t *wksp,
                                   fd_wksp_private_pinfo_t *pinfo);

#endif
