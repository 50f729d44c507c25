/* Allocation and free of partitions.  The tag is the commit point of both: it is stored after the
   range of a new allocation is in place, and cleared before anything of a freed one is
   restructured. */

#include "fd/util/log/fd_log.h"
#include "valtrace/annotate.h"
#include "wksp_internal.h"

/* Fragments tried in best fit order before a partition that fits at any alignment is preferred.
   Only if there is no such partition all of them are tried. */
#define BEST_FIT_TRY 16UL

/* What is asked for, and the place found: partition part, bytes [lo,lo+sz). */
typedef struct {
  ulong align;
  ulong sz;
  ulong idle_cnt; /* records to be had for splitting, at most 2 */
  ulong part;
  ulong lo;
} fit_t;

static ulong idle_cnt_max2(fd_wksp_t const *wksp, fd_wksp_private_pinfo_t const *pinfo) {
  ulong i = fd_wksp_private_pinfo_idx(wksp->idle_top_cidx);
  if (i >= wksp->part_max) return 0UL;
  return 1UL + (ulong)(fd_wksp_private_pinfo_idx(pinfo[i].stack_cidx) < wksp->part_max);
}

/* 1 iff [at,at+sz) is in rec and what is left around it can be made partitions. */
static int fit_at(fit_t const *fit, fd_wksp_private_pinfo_t const *rec, ulong at) {
  if (at < rec->gaddr_lo || at > rec->gaddr_hi || rec->gaddr_hi - at < fit->sz) return 0;
  return (ulong)(at > rec->gaddr_lo) + (ulong)(at + fit->sz < rec->gaddr_hi) <= fit->idle_cnt;
}

/* Tries the lowest and the highest aligned place of partition i. */
static int fit_part(fit_t *fit, ulong i, fd_wksp_private_pinfo_t const *pinfo) {
  fd_wksp_private_pinfo_t const *rec = pinfo + i;
  if (FD_UNLIKELY(fd_wksp_private_pinfo_sz(rec) < fit->sz)) return 0;
  ulong at = fd_ulong_align_up(rec->gaddr_lo, fit->align);
  if (!fit_at(fit, rec, at)) {
    at = fd_ulong_align_dn(rec->gaddr_hi - fit->sz, fit->align);
    if (!fit_at(fit, rec, at)) return 0;
  }
  fit->part = i;
  fit->lo = at;
  return 1;
}

/* Next free partition in order of size, IDX_NULL at the end or on damaged links. */
static ulong free_next(fd_wksp_t const *wksp, fd_wksp_private_pinfo_t const *pinfo, ulong i) {
  ulong part_max = wksp->part_max;
  ulong next = fd_wksp_private_pinfo_idx(pinfo[i].same_cidx);
  if (next < part_max) return next;
  for (ulong rem = part_max; rem && i < part_max && pinfo[i].in_same; rem--)
    i = fd_wksp_private_pinfo_idx(pinfo[i].parent_cidx);
  if (FD_UNLIKELY(i >= part_max)) return FD_WKSP_PRIVATE_PINFO_IDX_NULL;
  next = fd_wksp_private_pinfo_idx(pinfo[i].right_cidx);
  if (next < part_max) {
    for (ulong rem = part_max; rem && pinfo[next].left_cidx < part_max; rem--)
      next = fd_wksp_private_pinfo_idx(pinfo[next].left_cidx);
    return next;
  }
  for (ulong rem = part_max; rem; rem--) {
    uint child = fd_wksp_private_pinfo_cidx(i);
    i = fd_wksp_private_pinfo_idx(pinfo[i].parent_cidx);
    if (i >= part_max) break;
    if (pinfo[i].right_cidx != child) return i;
  }
  return FD_WKSP_PRIVATE_PINFO_IDX_NULL;
}

/* Tries up to try_max free partitions in order of size, beginning with i. */
static int fit_from(fit_t *fit, ulong i, ulong try_max, fd_wksp_t const *wksp,
                    fd_wksp_private_pinfo_t const *pinfo) {
  for (; i < wksp->part_max && try_max; try_max--) {
    if (fit_part(fit, i, pinfo)) return 1;
    if (!fit->idle_cnt && fd_wksp_private_pinfo_sz(pinfo + i) > fit->sz)
      return 0; /* needs a split */
    i = free_next(wksp, pinfo, i);
  }
  return 0;
}

static int fit_find(fit_t *fit, fd_wksp_t *wksp, fd_wksp_private_pinfo_t *pinfo) {
  ulong best = fd_wksp_private_free_treap_query(fit->sz, wksp, pinfo);
  if (fit_from(fit, best, BEST_FIT_TRY, wksp, pinfo)) return 1;
  ulong any = fd_wksp_private_free_treap_query(fit->sz + fit->align - 1UL, wksp, pinfo);
  if (fit_from(fit, any, 1UL, wksp, pinfo)) return 1;
  return fit_from(fit, best, wksp->part_max, wksp, pinfo);
}

/* Links new partition [lo,hi) into the list before or behind i and indexes it as free. */
static int split_off(fd_wksp_t *wksp, fd_wksp_private_pinfo_t *pinfo, ulong i, int behind, ulong lo,
                     ulong hi) {
  ulong n = fd_wksp_private_idle_stack_pop(wksp, pinfo);
  if (FD_UNLIKELY(n >= wksp->part_max)) return FD_WKSP_ERR_CORRUPT;
  fd_wksp_private_pinfo_t *rec = pinfo + n;
  rec->gaddr_lo = lo;
  rec->gaddr_hi = hi;
  rec->prev_cidx = behind ? fd_wksp_private_pinfo_cidx(i) : pinfo[i].prev_cidx;
  rec->next_cidx = behind ? pinfo[i].next_cidx : fd_wksp_private_pinfo_cidx(i);
  ulong prev = fd_wksp_private_pinfo_idx(rec->prev_cidx);
  ulong next = fd_wksp_private_pinfo_idx(rec->next_cidx);
  uint c = fd_wksp_private_pinfo_cidx(n);
  if (prev < wksp->part_max)
    pinfo[prev].next_cidx = c;
  else
    wksp->part_head_cidx = c;
  if (next < wksp->part_max)
    pinfo[next].prev_cidx = c;
  else
    wksp->part_tail_cidx = c;
  return fd_wksp_private_free_treap_insert(n, wksp, pinfo);
}

/* Makes [fit->lo,fit->lo+sz) of the partition found an allocation under tag. */
static int alloc_commit(fd_wksp_t *wksp, fd_wksp_private_pinfo_t *pinfo, fit_t const *fit,
                        ulong tag) {
  ulong i = fit->part;
  fd_wksp_private_pinfo_t *rec = pinfo + i;
  ulong lo = fit->lo;
  ulong hi = fit->lo + fit->sz;
  ulong part_lo = rec->gaddr_lo;
  ulong part_hi = rec->gaddr_hi;
  /* free partitions are never adjacent, so these are allocations, and i's neighbours in the index
   */
  ulong prev = fd_wksp_private_pinfo_idx(rec->prev_cidx);
  ulong next = fd_wksp_private_pinfo_idx(rec->next_cidx);
  int err = wksp_treap_unlink(i, WKSP_BY_SIZE, wksp, pinfo);
  rec->gaddr_lo = lo;
  rec->gaddr_hi = hi;
  if (!err && part_lo < lo) err = split_off(wksp, pinfo, i, 0, part_lo, lo);
  if (!err && hi < part_hi) err = split_off(wksp, pinfo, i, 1, hi, part_hi);
  if (!err) err = wksp_used_treap_insert_between(i, prev, next, wksp, pinfo);
  if (FD_UNLIKELY(err)) return err;
  /* the next owner of the lock acquires this; a rebuild after a kill finds range before tag */
  __atomic_store_n(&rec->tag, tag, __ATOMIC_RELEASE);
  return FD_WKSP_SUCCESS;
}

static ulong alloc_failed(char const *why) {
  FD_LOG_WARNING(("fd_wksp_alloc: %s", why));
  return 0UL;
}

static ulong alloc_out_of_space(fd_wksp_t const *wksp) {
  if (!fd_wksp_oom_silent)
    FD_LOG_WARNING(("fd_wksp_alloc: no usable free range in wksp %s (full, fragmented or out of "
                    "partitions)",
                    wksp->name));
  return 0UL;
}

ulong fd_wksp_alloc_at_least(fd_wksp_t *wksp, ulong align, ulong sz, ulong tag, ulong *lo,
                             ulong *hi) {
  *lo = 0UL;
  *hi = 0UL;
  align = fd_ulong_if(!align, FD_WKSP_ALIGN_DEFAULT, align);
  if (FD_UNLIKELY(!sz)) return 0UL;
  if (FD_UNLIKELY(!wksp)) return alloc_failed("NULL wksp");
  if (FD_UNLIKELY(!fd_ulong_is_pow2(align))) return alloc_failed("bad align");
  if (FD_UNLIKELY(!tag)) return alloc_failed("bad tag");
  if (FD_HAS_DEEPASAN && sz <= LONG_MAX) {
    align = fd_ulong_max(align, DEEPASAN_GRANULE);
    sz = fd_ulong_align_up(sz, DEEPASAN_GRANULE);
  }
  if (FD_UNLIKELY(sz + align - 1UL < sz)) return alloc_failed("sz overflow");
  if (FD_UNLIKELY(fd_wksp_private_lock(wksp))) return 0UL;
  fd_wksp_private_pinfo_t *pinfo = fd_wksp_private_pinfo(wksp);
  fit_t fit = {align, sz, idle_cnt_max2(wksp, pinfo), 0UL, 0UL};
  int found = fit_find(&fit, wksp, pinfo);
  int err = found ? alloc_commit(wksp, pinfo, &fit, tag) : 0;
  if (FD_HAS_DEEPASAN && found && !err) wksp_unpoison(wksp, fit.lo, fit.lo + fit.sz);
  if (FD_LIKELY(found && !err)) vt_block_alloc(wksp, (uchar *)wksp + fit.lo, sz, align, tag);
  fd_wksp_private_unlock(wksp);
  if (FD_UNLIKELY(!found)) return alloc_out_of_space(wksp);
  if (FD_UNLIKELY(err)) return alloc_failed("corrupt metadata");
  *lo = fit.lo;
  *hi = fit.lo + fit.sz;
  return fit.lo;
}

/* Removes partition i from list and table. */
static void part_drop(fd_wksp_t *wksp, fd_wksp_private_pinfo_t *pinfo, ulong i) {
  ulong prev = fd_wksp_private_pinfo_idx(pinfo[i].prev_cidx);
  ulong next = fd_wksp_private_pinfo_idx(pinfo[i].next_cidx);
  if (prev < wksp->part_max)
    pinfo[prev].next_cidx = pinfo[i].next_cidx;
  else
    wksp->part_head_cidx = pinfo[i].next_cidx;
  if (next < wksp->part_max)
    pinfo[next].prev_cidx = pinfo[i].prev_cidx;
  else
    wksp->part_tail_cidx = pinfo[i].prev_cidx;
  fd_wksp_private_idle_stack_push(i, wksp, pinfo);
}

/* 1 iff there is a free partition at i. */
static int is_free_part(fd_wksp_t const *wksp, fd_wksp_private_pinfo_t const *pinfo, ulong i) {
  return i < wksp->part_max && !pinfo[i].tag;
}

ulong wksp_part_free(fd_wksp_t *wksp, fd_wksp_private_pinfo_t *pinfo, ulong i) {
  fd_wksp_private_pinfo_t *rec = pinfo + i;
  wksp_poison(wksp, rec->gaddr_lo, rec->gaddr_hi);
  /* the commit point; what follows can be redone by a rebuild */
  __atomic_store_n(&rec->tag, 0UL, __ATOMIC_RELEASE);
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  ulong prev = fd_wksp_private_pinfo_idx(rec->prev_cidx);
  ulong next = fd_wksp_private_pinfo_idx(rec->next_cidx);
  __builtin_prefetch((void const *)((ulong)pinfo + prev * sizeof(*pinfo)));
  __builtin_prefetch((void const *)((ulong)pinfo + next * sizeof(*pinfo)));
  int err = wksp_treap_unlink(i, WKSP_BY_ADDR, wksp, pinfo);
  /* the one's children while the other is being removed */
  if (prev < wksp->part_max) wksp_treap_prefetch(pinfo, pinfo + prev);
  if (next < wksp->part_max) wksp_treap_prefetch(pinfo, pinfo + next);
  if (!err && is_free_part(wksp, pinfo, prev)) {
    err = wksp_treap_unlink(prev, WKSP_BY_SIZE, wksp, pinfo);
    rec->gaddr_lo = pinfo[prev].gaddr_lo;
    part_drop(wksp, pinfo, prev);
  }
  if (!err && is_free_part(wksp, pinfo, next)) {
    err = wksp_treap_unlink(next, WKSP_BY_SIZE, wksp, pinfo);
    rec->gaddr_hi = pinfo[next].gaddr_hi;
    part_drop(wksp, pinfo, next);
  }
  if (!err) err = fd_wksp_private_free_treap_insert(i, wksp, pinfo);
  return FD_LIKELY(!err) ? i : FD_WKSP_PRIVATE_PINFO_IDX_NULL;
}

void fd_wksp_free(fd_wksp_t *wksp, ulong gaddr) {
  if (FD_UNLIKELY(!wksp)) {
    FD_LOG_WARNING(("fd_wksp_free: NULL wksp"));
    return;
  }
  if (FD_UNLIKELY(!gaddr || fd_wksp_private_lock(wksp))) return;
  fd_wksp_private_pinfo_t *pinfo = fd_wksp_private_pinfo(wksp);
  ulong i = fd_wksp_private_used_treap_query(gaddr, wksp, pinfo);
  /* a recorder is told of the block it lies in; of a wrong free, what the caller gave */
  vt_block_free(wksp, (uchar *)wksp + (i < wksp->part_max ? pinfo[i].gaddr_lo : gaddr));
  int bad = i < wksp->part_max && wksp_part_free(wksp, pinfo, i) >= wksp->part_max;
  fd_wksp_private_unlock(wksp);
  if (FD_UNLIKELY(bad)) FD_LOG_WARNING(("fd_wksp_free: corrupt metadata"));
}
