/* The index of used partitions by address and that of free ones by size, one treap for both: a
   record has a range of keys, its addresses in the one and its size alone in the other, and ranges
   in an index never overlap.  Records of equal size hang off the one that is in the treap in a same
   list, where parent_cidx is the predecessor, so that thousands of equal fragments make the treap
   no deeper. */

#include "wksp_treap.h"

/* How far up a same list a remove looks for the head to tell a member from a leftover of an index
   that was emptied.  Longer lists are trusted beyond it, which keeps removal O(1). */
#define SAME_WALK_MAX 64UL

/* Keys [lo,hi). */
typedef struct {
  ulong lo;
  ulong hi;
} range_t;

static inline range_t range_of(fd_wksp_private_pinfo_t const *rec, int by) {
  ulong sz = fd_wksp_private_pinfo_sz(rec);
  return by == WKSP_BY_SIZE ? (range_t){sz, sz + 1UL} : (range_t){rec->gaddr_lo, rec->gaddr_hi};
}

/* 1 iff two ranges share a key: one comparison, since each of the two obvious ones is a branch that
   goes either way at random. */
static inline int overlap(range_t a, range_t b) {
  return a.hi - 1UL - b.lo < b.hi - b.lo + (a.hi - a.lo) - 1UL;
}

static inline uint *root_of(fd_wksp_t *wksp, int by) {
  return by == WKSP_BY_SIZE ? &wksp->part_free_cidx : &wksp->part_used_cidx;
}

/* Queries ****************************************************************************************/

ulong fd_wksp_private_used_treap_query(ulong gaddr, fd_wksp_t *wksp,
                                       fd_wksp_private_pinfo_t *pinfo) {
  ulong part_max = wksp->part_max;
  ulong cur = fd_wksp_private_pinfo_idx(wksp->part_used_cidx);
  for (ulong rem = part_max; (cur < part_max) & (rem != 0UL); rem--) {
    fd_wksp_private_pinfo_t *rec = pinfo + cur;
    ulong lo = rec->gaddr_lo;
    uint left_cidx = rec->left_cidx;
    uint right_cidx = rec->right_cidx;
    wksp_treap_prefetch(pinfo, rec);
    if (FD_UNLIKELY(gaddr - lo < rec->gaddr_hi - lo)) return cur;
    cur = fd_wksp_private_pinfo_idx(fd_uint_if(gaddr >= lo, right_cidx, left_cidx));
  }
  return FD_WKSP_PRIVATE_PINFO_IDX_NULL;
}

ulong fd_wksp_private_free_treap_query(ulong sz, fd_wksp_t *wksp, fd_wksp_private_pinfo_t *pinfo) {
  ulong part_max = wksp->part_max;
  ulong best = FD_WKSP_PRIVATE_PINFO_IDX_NULL;
  ulong cur = fd_wksp_private_pinfo_idx(wksp->part_free_cidx);
  if (FD_UNLIKELY(!sz)) return best;
  for (ulong rem = part_max; (cur < part_max) & (rem != 0UL); rem--) {
    fd_wksp_private_pinfo_t *rec = pinfo + cur;
    wksp_treap_prefetch(pinfo, rec);
    ulong rec_sz = fd_wksp_private_pinfo_sz(rec);
    if (FD_UNLIKELY(rec_sz == sz)) return cur;
    ulong fits = -(ulong)(rec_sz > sz); /* a mask: of two ifs a compiler makes one branch */
    best = (cur & fits) | (best & ~fits);
    cur = (rec->left_cidx & fits) | (rec->right_cidx & ~fits);
  }
  return best;
}

/* Insertion **************************************************************************************/

/* The link to child of present record parent, or to the root. */
static inline wksp_treap_pos_t below(ulong parent, int right, uint *root,
                                     fd_wksp_private_pinfo_t *pinfo) {
  if (FD_UNLIKELY(fd_wksp_private_pinfo_idx_is_null(parent)))
    return (wksp_treap_pos_t){root, parent};
  return (wksp_treap_pos_t){right ? &pinfo[parent].right_cidx : &pinfo[parent].left_cidx, parent};
}

/* Finds where a record with keys n and priority prio belongs.  The descent goes on below that place
   to find the present record that shares a key with it (*hit, else IDX_NULL).  Each step selects
   between two loaded children, so that the next load waits for no branch and for no link. */
static inline int treap_find(range_t n, uint prio, int by, fd_wksp_t *wksp,
                             fd_wksp_private_pinfo_t *pinfo, wksp_treap_pos_t *pos, ulong *hit) {
  ulong part_max = wksp->part_max;
  ulong parent = FD_WKSP_PRIVATE_PINFO_IDX_NULL;
  uint cidx = *root_of(wksp, by);
  int right = 0;
  pos->link = NULL;
  *hit = FD_WKSP_PRIVATE_PINFO_IDX_NULL;
  for (ulong rem = part_max; cidx != WKSP_CIDX_NULL; rem--) {
    ulong cur = fd_wksp_private_pinfo_idx(cidx);
    if (FD_UNLIKELY((cur >= part_max) | !rem)) return FD_WKSP_ERR_CORRUPT;
    fd_wksp_private_pinfo_t *rec = pinfo + cur;
    uint left_cidx = rec->left_cidx;
    uint right_cidx = rec->right_cidx;
    wksp_treap_prefetch(pinfo, rec);
    if (FD_UNLIKELY(rec->parent_cidx != fd_wksp_private_pinfo_cidx(parent)))
      return FD_WKSP_ERR_CORRUPT;
    if (FD_UNLIKELY(rec->heap_prio < prio)) {
      *pos = below(parent, right, root_of(wksp, by), pinfo);
      prio = 0U; /* found: no priority is below that */
    }
    range_t at = range_of(rec, by);
    if (FD_UNLIKELY(overlap(n, at))) {
      *hit = cur;
      return FD_WKSP_SUCCESS;
    }
    right = n.lo >= at.hi;
    cidx = fd_uint_if(right, right_cidx, left_cidx);
    parent = cur;
  }
  if (!pos->link) *pos = below(parent, right, root_of(wksp, by), pinfo);
  return FD_WKSP_SUCCESS;
}

/* Puts n behind head. */
static int same_insert(ulong n, ulong head, ulong part_max, fd_wksp_private_pinfo_t *pinfo) {
  if (FD_UNLIKELY(n == head)) return FD_WKSP_ERR_CORRUPT;
  ulong next = fd_wksp_private_pinfo_idx(pinfo[head].same_cidx);
  if (!fd_wksp_private_pinfo_idx_is_null(next)) {
    if (FD_UNLIKELY((next >= part_max) | (next == n))) return FD_WKSP_ERR_CORRUPT;
    pinfo[next].parent_cidx = fd_wksp_private_pinfo_cidx(n);
  }
  wksp_treap_clear(pinfo + n);
  pinfo[n].in_same = 1U;
  pinfo[n].parent_cidx = fd_wksp_private_pinfo_cidx(head);
  pinfo[n].same_cidx = fd_wksp_private_pinfo_cidx(next);
  pinfo[head].same_cidx = fd_wksp_private_pinfo_cidx(n);
  return FD_WKSP_SUCCESS;
}

__attribute__((always_inline)) static inline int treap_insert(ulong n, int by, fd_wksp_t *wksp, fd_wksp_private_pinfo_t *pinfo) {
  if (FD_UNLIKELY(n >= wksp->part_max)) return FD_WKSP_ERR_CORRUPT;
  fd_wksp_private_pinfo_t *rec = pinfo + n;
  ulong lo = rec->gaddr_lo;
  ulong hi = rec->gaddr_hi;
  if (FD_UNLIKELY((lo < wksp->gaddr_lo) | (lo >= hi) | (hi > wksp->gaddr_hi)))
    return FD_WKSP_ERR_CORRUPT;
  wksp_treap_pos_t pos;
  ulong hit;
  if (FD_UNLIKELY(treap_find(range_of(rec, by), rec->heap_prio, by, wksp, pinfo, &pos, &hit)))
    return FD_WKSP_ERR_CORRUPT;
  if (!fd_wksp_private_pinfo_idx_is_null(hit))
    return by == WKSP_BY_SIZE ? same_insert(n, hit, wksp->part_max, pinfo) : FD_WKSP_ERR_CORRUPT;
  return wksp_treap_link(n, pos, wksp->part_max, pinfo, by);
}

int fd_wksp_private_used_treap_insert(ulong n, fd_wksp_t *wksp, fd_wksp_private_pinfo_t *pinfo) {
  return treap_insert(n, WKSP_BY_ADDR, wksp, pinfo);
}

int fd_wksp_private_free_treap_insert(ulong n, fd_wksp_t *wksp, fd_wksp_private_pinfo_t *pinfo) {
  return treap_insert(n, WKSP_BY_SIZE, wksp, pinfo);
}

int wksp_used_treap_insert_between(ulong n, ulong prev, ulong next, fd_wksp_t *wksp,
                                   fd_wksp_private_pinfo_t *pinfo) {
  ulong part_max = wksp->part_max;
  wksp_treap_pos_t pos = {NULL, FD_WKSP_PRIVATE_PINFO_IDX_NULL};
  if (prev < part_max && pinfo[prev].right_cidx == WKSP_CIDX_NULL)
    pos = (wksp_treap_pos_t){&pinfo[prev].right_cidx, prev};
  else if (next < part_max && pinfo[next].left_cidx == WKSP_CIDX_NULL)
    pos = (wksp_treap_pos_t){&pinfo[next].left_cidx, next};
  else if (wksp->part_used_cidx == WKSP_CIDX_NULL)
    pos.link = &wksp->part_used_cidx;
  for (ulong rem = part_max; rem && pos.link && pos.parent < part_max; rem--) {
    if (pinfo[pos.parent].heap_prio >= pinfo[n].heap_prio) break;
    pos = wksp_treap_pos(pos.parent, &wksp->part_used_cidx, part_max, pinfo);
  }
  if (FD_UNLIKELY(!pos.link)) return FD_WKSP_ERR_CORRUPT;
  return wksp_treap_link(n, pos, part_max, pinfo, WKSP_BY_ADDR);
}

/* Removal ****************************************************************************************/

/* Takes member d out of its same list. */
static int same_unlink(ulong d, ulong part_max, fd_wksp_private_pinfo_t *pinfo) {
  ulong prev = fd_wksp_private_pinfo_idx(pinfo[d].parent_cidx);
  ulong next = fd_wksp_private_pinfo_idx(pinfo[d].same_cidx);
  if (FD_UNLIKELY(prev >= part_max || pinfo[prev].same_cidx != fd_wksp_private_pinfo_cidx(d)))
    return FD_WKSP_ERR_CORRUPT;
  if (!fd_wksp_private_pinfo_idx_is_null(next)) {
    if (FD_UNLIKELY(next >= part_max)) return FD_WKSP_ERR_CORRUPT;
    pinfo[next].parent_cidx = fd_wksp_private_pinfo_cidx(prev);
  }
  pinfo[prev].same_cidx = fd_wksp_private_pinfo_cidx(next);
  wksp_treap_clear(pinfo + d);
  return FD_WKSP_SUCCESS;
}

/* Gives head d's place and priority to the next of its same list. */
static int same_promote(ulong d, wksp_treap_pos_t pos, ulong part_max,
                        fd_wksp_private_pinfo_t *pinfo) {
  fd_wksp_private_pinfo_t *rec = pinfo + d;
  uint next = rec->same_cidx;
  uint left = rec->left_cidx;
  uint right = rec->right_cidx;
  if (FD_UNLIKELY(next >= part_max || (left != WKSP_CIDX_NULL && left >= part_max) ||
                  (right != WKSP_CIDX_NULL && right >= part_max)))
    return FD_WKSP_ERR_CORRUPT;
  fd_wksp_private_pinfo_t *heir = pinfo + next;
  uint prio = heir->heap_prio & 0x7fffffffU;
  heir->heap_prio = rec->heap_prio & 0x7fffffffU;
  rec->heap_prio = prio & 0x7fffffffU;
  heir->in_same = 0U;
  heir->left_cidx = left;
  heir->right_cidx = right;
  heir->parent_cidx = rec->parent_cidx;
  *pos.link = next;
  if (left != WKSP_CIDX_NULL) pinfo[left].parent_cidx = next;
  if (right != WKSP_CIDX_NULL) pinfo[right].parent_cidx = next;
  wksp_treap_clear(rec);
  return FD_WKSP_SUCCESS;
}

int wksp_treap_unlink(ulong d, int by, fd_wksp_t *wksp, fd_wksp_private_pinfo_t *pinfo) {
  ulong part_max = wksp->part_max;
  fd_wksp_private_pinfo_t *rec = pinfo + d;
  if (by == WKSP_BY_SIZE && rec->in_same) return same_unlink(d, part_max, pinfo);
  wksp_treap_pos_t pos = wksp_treap_pos(d, root_of(wksp, by), part_max, pinfo);
  if (FD_UNLIKELY(!pos.link)) return FD_WKSP_ERR_CORRUPT;
  if (rec->same_cidx != WKSP_CIDX_NULL) return same_promote(d, pos, part_max, pinfo);
  int err = wksp_treap_merge(rec->left_cidx, rec->right_cidx, pos, part_max, pinfo);
  wksp_treap_clear(rec);
  return err;
}

/* 1 iff the links from record d upwards, each of which its parent agrees to, end at root.  A climb
   is shorter in time than the search from the root: no step depends on a comparison. */
static inline int treap_has(ulong d, uint root, ulong part_max,
                            fd_wksp_private_pinfo_t const *pinfo) {
  uint cur = fd_wksp_private_pinfo_cidx(d);
  for (ulong rem = part_max; rem; rem--) {
    uint up = pinfo[cur].parent_cidx;
    if (up >= part_max) return (up == WKSP_CIDX_NULL) & (root == cur);
    /* a product, since two comparisons would be two branches, and which child it is is random */
    ulong agrees_not = (ulong)(pinfo[up].left_cidx ^ cur) * (ulong)(pinfo[up].right_cidx ^ cur);
    if (FD_UNLIKELY(agrees_not)) return 0;
    cur = up;
  }
  return 0;
}

int fd_wksp_private_used_treap_remove(ulong d, fd_wksp_t *wksp, fd_wksp_private_pinfo_t *pinfo) {
  if (FD_UNLIKELY(d >= wksp->part_max)) return FD_WKSP_ERR_CORRUPT;
  if (FD_UNLIKELY(!treap_has(d, wksp->part_used_cidx, wksp->part_max, pinfo)))
    return FD_WKSP_ERR_CORRUPT;
  return wksp_treap_unlink(d, WKSP_BY_ADDR, wksp, pinfo);
}

/* 1 iff in_same record d hangs off head. */
static int same_is_member(ulong d, ulong head, ulong part_max,
                          fd_wksp_private_pinfo_t const *pinfo) {
  ulong cur = d;
  for (ulong rem = SAME_WALK_MAX; rem && cur != head; rem--) {
    ulong prev = fd_wksp_private_pinfo_idx(pinfo[cur].parent_cidx);
    if (!pinfo[cur].in_same || prev >= part_max) return 0;
    if (pinfo[prev].same_cidx != fd_wksp_private_pinfo_cidx(cur)) return 0;
    cur = prev;
  }
  return 1;
}

/* 1 iff in_same record d is in the index. */
static int same_is_present(ulong d, fd_wksp_t *wksp, fd_wksp_private_pinfo_t *pinfo) {
  ulong sz = fd_wksp_private_pinfo_sz(pinfo + d);
  ulong head = fd_wksp_private_free_treap_query(sz, wksp, pinfo);
  if (FD_UNLIKELY(head >= wksp->part_max || fd_wksp_private_pinfo_sz(pinfo + head) != sz)) return 0;
  return head != d && same_is_member(d, head, wksp->part_max, pinfo);
}

int fd_wksp_private_free_treap_remove(ulong d, fd_wksp_t *wksp, fd_wksp_private_pinfo_t *pinfo) {
  if (FD_UNLIKELY(d >= wksp->part_max)) return FD_WKSP_ERR_CORRUPT;
  int present = pinfo[d].in_same ? same_is_present(d, wksp, pinfo)
                                 : treap_has(d, wksp->part_free_cidx, wksp->part_max, pinfo);
  return FD_LIKELY(present) ? wksp_treap_unlink(d, WKSP_BY_SIZE, wksp, pinfo) : FD_WKSP_ERR_CORRUPT;
}

/* Same lists ************************************************************************************/

int fd_wksp_private_free_treap_same_is_empty(ulong d, fd_wksp_t *wksp,
                                             fd_wksp_private_pinfo_t *pinfo) {
  (void)wksp;
  return fd_wksp_private_pinfo_idx_is_null(fd_wksp_private_pinfo_idx(pinfo[d].same_cidx));
}

ulong fd_wksp_private_free_treap_same_remove(ulong d, fd_wksp_t *wksp,
                                             fd_wksp_private_pinfo_t *pinfo) {
  ulong next = fd_wksp_private_pinfo_idx(pinfo[d].same_cidx);
  if (next >= wksp->part_max || !pinfo[next].in_same) return FD_WKSP_PRIVATE_PINFO_IDX_NULL;
  if (fd_wksp_private_pinfo_idx(pinfo[next].parent_cidx) != d)
    return FD_WKSP_PRIVATE_PINFO_IDX_NULL;
  return same_unlink(next, wksp->part_max, pinfo) ? FD_WKSP_PRIVATE_PINFO_IDX_NULL : next;
}
