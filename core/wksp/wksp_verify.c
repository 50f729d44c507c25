/* The consistency check.  Each record met gets a mark that tells where it was met last; the walks
   go in the order list, used index, free index, idle stack, and every record must pass exactly
   through the marks of what it is.  No link is followed before it was checked, no walk can go on
   for ever. */

#include "fd/util/log/fd_log.h"
#include "wksp_internal.h"

/* Marks relative to the base of this run. */
enum { MARK_LIST_USED = 1, MARK_LIST_FREE, MARK_USED, MARK_FREE, MARK_IDLE, MARK_CNT };

typedef struct {
  fd_wksp_t *wksp;
  fd_wksp_private_pinfo_t *pinfo;
  ulong part_max;
  ulong base;
  ulong used_cnt;
  ulong free_cnt;
} verify_t;

static int verify_failed(char const *what, ulong i) {
  FD_LOG_WARNING(("wksp verify: %s at record %lu", what, i));
  return FD_WKSP_ERR_CORRUPT;
}

#define CHECK(c, what, i)                                                                          \
  do {                                                                                             \
    if (FD_UNLIKELY(!(c))) return verify_failed(what, i);                                          \
  } while (0)

static inline int is_null(ulong i) { return fd_wksp_private_pinfo_idx_is_null(i); }

/* The list tiles the data region.  Addresses grow with each step, so it ends. */
static int verify_list(verify_t *v) {
  fd_wksp_t *wksp = v->wksp;
  ulong lo = wksp->gaddr_lo;
  ulong prev = FD_WKSP_PRIVATE_PINFO_IDX_NULL;
  int prev_free = 0;
  for (ulong i = fd_wksp_private_pinfo_idx(wksp->part_head_cidx); !is_null(i);) {
    CHECK(i < v->part_max, "list leaves the table", i);
    fd_wksp_private_pinfo_t *rec = v->pinfo + i;
    CHECK(rec->prev_cidx == fd_wksp_private_pinfo_cidx(prev), "bad previous link", i);
    CHECK(rec->gaddr_lo == lo && rec->gaddr_hi > lo && rec->gaddr_hi <= wksp->gaddr_hi, "bad range",
          i);
    CHECK(!prev_free || rec->tag, "adjacent free partitions", i);
    prev_free = !rec->tag;
    rec->cycle_tag = v->base + (prev_free ? MARK_LIST_FREE : MARK_LIST_USED);
    if (prev_free)
      v->free_cnt++;
    else
      v->used_cnt++;
    lo = rec->gaddr_hi;
    prev = i;
    i = fd_wksp_private_pinfo_idx(rec->next_cidx);
  }
  CHECK(lo == wksp->gaddr_hi, "list ends early", prev);
  CHECK(wksp->part_tail_cidx == fd_wksp_private_pinfo_cidx(prev), "bad tail", prev);
  return FD_WKSP_SUCCESS;
}

/* Same list of head: members are free, of its size, and seen once. */
static int verify_same(verify_t *v, ulong head, ulong *cnt) {
  ulong prev = head;
  for (ulong i = fd_wksp_private_pinfo_idx(v->pinfo[head].same_cidx); !is_null(i);) {
    CHECK(i < v->part_max, "same list leaves the table", i);
    fd_wksp_private_pinfo_t *rec = v->pinfo + i;
    CHECK(rec->cycle_tag == v->base + MARK_LIST_FREE, "same list has a wrong member", i);
    CHECK(rec->in_same, "same list member not marked as such", i);
    CHECK(rec->parent_cidx == fd_wksp_private_pinfo_cidx(prev), "bad back link in same list", i);
    CHECK(fd_wksp_private_pinfo_sz(rec) == fd_wksp_private_pinfo_sz(v->pinfo + head),
          "same list has another size", i);
    rec->cycle_tag = v->base + MARK_FREE;
    (*cnt)++;
    prev = i;
    i = fd_wksp_private_pinfo_idx(rec->same_cidx);
  }
  return FD_WKSP_SUCCESS;
}

/* A treap record, met from above for the first time. */
static int verify_enter(verify_t *v, ulong i, ulong parent, int by) {
  CHECK(i < v->part_max, "tree leaves the table", i);
  fd_wksp_private_pinfo_t *rec = v->pinfo + i;
  CHECK(rec->cycle_tag == v->base + (by == WKSP_BY_SIZE ? MARK_LIST_FREE : MARK_LIST_USED),
        "tree has a wrong or repeated record", i);
  CHECK(!rec->in_same, "tree record marked as same list member", i);
  CHECK(rec->parent_cidx == fd_wksp_private_pinfo_cidx(parent), "bad parent link", i);
  CHECK(is_null(parent) || rec->heap_prio <= v->pinfo[parent].heap_prio, "bad priority", i);
  rec->cycle_tag = v->base + (by == WKSP_BY_SIZE ? MARK_FREE : MARK_USED);
  return FD_WKSP_SUCCESS;
}

/* Walks down the left spine from i, which hangs off parent; *last is its end. */
static int verify_spine(verify_t *v, ulong i, ulong parent, int by, ulong *last) {
  *last = parent;
  while (!is_null(i)) {
    int err = verify_enter(v, i, parent, by);
    if (FD_UNLIKELY(err)) return err;
    *last = parent = i;
    i = fd_wksp_private_pinfo_idx(v->pinfo[i].left_cidx);
  }
  return FD_WKSP_SUCCESS;
}

/* Next in order after i: the left end of the right subtree (entered now) or the first ancestor that
   i is left of; parents were checked on the way down. */
static int verify_step(verify_t *v, ulong i, int by, ulong *next) {
  ulong right = fd_wksp_private_pinfo_idx(v->pinfo[i].right_cidx);
  if (!is_null(right)) return verify_spine(v, right, i, by, next);
  uint child;
  do {
    child = fd_wksp_private_pinfo_cidx(i);
    i = fd_wksp_private_pinfo_idx(v->pinfo[i].parent_cidx);
  } while (!is_null(i) && v->pinfo[i].right_cidx == child);
  *next = i;
  return FD_WKSP_SUCCESS;
}

static int verify_treap(verify_t *v, uint root, int by, ulong want_cnt) {
  ulong cnt = 0UL;
  ulong last = 0UL; /* keys are positive */
  ulong i;
  int err =
      verify_spine(v, fd_wksp_private_pinfo_idx(root), FD_WKSP_PRIVATE_PINFO_IDX_NULL, by, &i);
  while (!err && !is_null(i)) {
    ulong key = wksp_treap_key(v->pinfo + i, by);
    CHECK(key > last, "tree out of order", i);
    last = key;
    cnt++;
    if (by == WKSP_BY_SIZE)
      err = verify_same(v, i, &cnt);
    else
      CHECK(v->pinfo[i].same_cidx == WKSP_CIDX_NULL, "used record has a same list", i);
    if (!err) err = verify_step(v, i, by, &i);
  }
  if (FD_UNLIKELY(err)) return err;
  CHECK(cnt == want_cnt, "tree and list differ in number", cnt);
  return FD_WKSP_SUCCESS;
}

static int verify_idle(verify_t *v) {
  ulong cnt = 0UL;
  for (ulong i = fd_wksp_private_pinfo_idx(v->wksp->idle_top_cidx); !is_null(i);) {
    CHECK(i < v->part_max, "idle stack leaves the table", i);
    fd_wksp_private_pinfo_t *rec = v->pinfo + i;
    CHECK(rec->cycle_tag <= v->base, "idle record in use or repeated", i);
    CHECK(!rec->tag, "idle record has a tag", i);
    rec->cycle_tag = v->base + MARK_IDLE;
    cnt++;
    i = fd_wksp_private_pinfo_idx(rec->stack_cidx);
  }
  CHECK(cnt + v->used_cnt + v->free_cnt == v->part_max, "records lost, idle", cnt);
  return FD_WKSP_SUCCESS;
}

/* Makes room for this run's marks above all marks there are; only damage makes them run out. */
static ulong verify_base(fd_wksp_t *wksp, fd_wksp_private_pinfo_t *pinfo) {
  ulong base = wksp->cycle_tag;
  for (ulong i = 0UL; i < wksp->part_max; i++) base = fd_ulong_max(base, pinfo[i].cycle_tag);
  if (FD_UNLIKELY(base > ULONG_MAX / 2UL)) {
    for (ulong i = 0UL; i < wksp->part_max; i++) pinfo[i].cycle_tag = 0UL;
    base = 0UL;
  }
  wksp->cycle_tag = base + MARK_CNT;
  return base;
}

int fd_wksp_verify(fd_wksp_t *wksp) {
  if (FD_UNLIKELY(!wksp || !fd_wksp_private_header_is_sane(wksp) || wksp->discard)) {
    FD_LOG_WARNING(("wksp verify: bad header or interrupted reset"));
    return FD_WKSP_ERR_CORRUPT;
  }
  fd_wksp_private_pinfo_t *pinfo = fd_wksp_private_pinfo(wksp);
  verify_t v = {wksp, pinfo, wksp->part_max, verify_base(wksp, pinfo), 0UL, 0UL};
  int err = verify_list(&v);
  if (!err) err = verify_treap(&v, wksp->part_used_cidx, WKSP_BY_ADDR, v.used_cnt);
  if (!err) err = verify_treap(&v, wksp->part_free_cidx, WKSP_BY_SIZE, v.free_cnt);
  if (!err) err = verify_idle(&v);
  return err;
}
