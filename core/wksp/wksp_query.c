/* Addresses, tags, usage, fill and reset: everything users do besides allocating and freeing. */

#include "fd/util/log/fd_log.h"
#include "valtrace/annotate.h"
#include "wksp_internal.h"

void *fd_wksp_laddr(fd_wksp_t const *wksp, ulong gaddr) {
  if (!gaddr) return NULL;
  if (FD_UNLIKELY(!wksp || gaddr < wksp->gaddr_lo || gaddr > wksp->gaddr_hi)) {
    FD_LOG_WARNING(("fd_wksp_laddr: NULL wksp or gaddr outside of it"));
    return NULL;
  }
  return fd_wksp_laddr_fast(wksp, gaddr);
}

ulong fd_wksp_gaddr(fd_wksp_t const *wksp, void const *laddr) {
  if (!laddr) return 0UL;
  ulong gaddr = fd_wksp_gaddr_fast(wksp, laddr);
  if (FD_UNLIKELY(!wksp || gaddr < wksp->gaddr_lo || gaddr > wksp->gaddr_hi)) {
    FD_LOG_WARNING(("fd_wksp_gaddr: NULL wksp or laddr outside of it"));
    return 0UL;
  }
  return gaddr;
}

ulong fd_wksp_tag(fd_wksp_t *wksp, ulong gaddr) {
  if (FD_UNLIKELY(!wksp || !gaddr || fd_wksp_private_lock(wksp))) return 0UL;
  fd_wksp_private_pinfo_t *pinfo = fd_wksp_private_pinfo(wksp);
  ulong i = fd_wksp_private_used_treap_query(gaddr, wksp, pinfo);
  ulong tag = i < wksp->part_max ? pinfo[i].tag : 0UL;
  fd_wksp_private_unlock(wksp);
  return tag;
}

static int tag_is_in(ulong x, ulong const *tag, ulong tag_cnt) {
  for (ulong i = 0UL; i < tag_cnt; i++) {
    if (tag[i] == x) return 1;
  }
  return 0;
}

/* 1 (logs) unless the arguments all tag functions have are usable. */
static int tag_args_are_bad(char const *what, int bad) {
  if (FD_UNLIKELY(bad)) FD_LOG_WARNING(("%s: NULL argument", what));
  return bad;
}

/* 1 (logs) if a walk over the partitions did not end at the end of the data region. */
static int list_is_bad(char const *what, int bad) {
  if (FD_UNLIKELY(bad)) FD_LOG_WARNING(("%s: corrupt metadata", what));
  return bad;
}

ulong fd_wksp_tag_query(fd_wksp_t *wksp, ulong const *tag, ulong tag_cnt,
                        fd_wksp_tag_query_info_t *info, ulong info_max) {
  if (!tag_cnt) return 0UL;
  if (tag_args_are_bad("fd_wksp_tag_query", !wksp || !tag || (!info && info_max))) return 0UL;
  if (FD_UNLIKELY(fd_wksp_private_lock(wksp))) return 0UL;
  fd_wksp_private_pinfo_t const *pinfo = fd_wksp_private_pinfo(wksp);
  ulong cnt = 0UL;
  ulong end = 0UL;
  for (ulong i = wksp_part_first(wksp); i < wksp->part_max; i = wksp_part_next(wksp, pinfo, i)) {
    fd_wksp_private_pinfo_t const *rec = pinfo + i;
    end = rec->gaddr_hi;
    if (!tag_is_in(rec->tag, tag, tag_cnt)) continue;
    if (cnt < info_max)
      info[cnt] = (fd_wksp_tag_query_info_t){rec->gaddr_lo, rec->gaddr_hi, rec->tag};
    cnt++;
  }
  int bad = end != wksp->gaddr_hi;
  fd_wksp_private_unlock(wksp);
  return list_is_bad("fd_wksp_tag_query", bad) ? 0UL : cnt;
}

void fd_wksp_tag_free(fd_wksp_t *wksp, ulong const *tag, ulong tag_cnt) {
  if (!tag_cnt || tag_args_are_bad("fd_wksp_tag_free", !wksp || !tag)) return;
  if (FD_UNLIKELY(fd_wksp_private_lock(wksp))) return;
  fd_wksp_private_pinfo_t *pinfo = fd_wksp_private_pinfo(wksp);
  for (ulong k = 0UL; k < tag_cnt; k++)
    if (FD_LIKELY(tag[k])) vt_heap_free_tag(wksp, tag[k]);
  ulong i = wksp_part_first(wksp);
  ulong end = 0UL;
  while (i < wksp->part_max) {
    /* the freed partition may swallow its successor, which is then free and needs no visit */
    if (pinfo[i].tag && tag_is_in(pinfo[i].tag, tag, tag_cnt)) i = wksp_part_free(wksp, pinfo, i);
    if (FD_UNLIKELY(i >= wksp->part_max)) break;
    end = pinfo[i].gaddr_hi;
    i = wksp_part_next(wksp, pinfo, i);
  }
  int bad = end != wksp->gaddr_hi;
  fd_wksp_private_unlock(wksp);
  list_is_bad("fd_wksp_tag_free", bad);
}

void fd_wksp_memset(fd_wksp_t *wksp, ulong gaddr, int c) {
  if (FD_UNLIKELY(!wksp)) {
    FD_LOG_WARNING(("fd_wksp_memset: NULL wksp"));
    return;
  }
  if (FD_UNLIKELY(!gaddr || fd_wksp_private_lock(wksp))) return;
  fd_wksp_private_pinfo_t *pinfo = fd_wksp_private_pinfo(wksp);
  ulong i = fd_wksp_private_used_treap_query(gaddr, wksp, pinfo);
  int found = i < wksp->part_max;
  if (FD_LIKELY(found))
    fd_memset(fd_wksp_laddr_fast(wksp, pinfo[i].gaddr_lo), c, fd_wksp_private_pinfo_sz(pinfo + i));
  fd_wksp_private_unlock(wksp);
  if (FD_UNLIKELY(!found)) FD_LOG_WARNING(("fd_wksp_memset: gaddr is not in an allocation"));
}

void fd_wksp_reset(fd_wksp_t *wksp, uint seed) {
  if (FD_UNLIKELY(!wksp)) {
    FD_LOG_WARNING(("fd_wksp_reset: NULL wksp"));
    return;
  }
  if (FD_UNLIKELY(fd_wksp_private_lock(wksp))) return;
  vt_heap_reset(wksp);
  wksp_discard_begin(wksp, wksp->part_max);
  fd_wksp_rebuild(wksp, seed); /* logs */
  fd_wksp_private_unlock(wksp);
}

fd_wksp_usage_t *fd_wksp_usage(fd_wksp_t *wksp, ulong const *tag, ulong tag_cnt,
                               fd_wksp_usage_t *usage) {
  if (tag_args_are_bad("fd_wksp_usage", !usage)) return usage;
  memset(usage, 0, sizeof(*usage));
  if (tag_args_are_bad("fd_wksp_usage", !wksp || (!tag && tag_cnt))) return usage;
  if (FD_UNLIKELY(fd_wksp_private_lock(wksp))) return usage;
  fd_wksp_private_pinfo_t const *pinfo = fd_wksp_private_pinfo(wksp);
  usage->total_max = wksp->part_max;
  usage->total_sz = wksp->data_max;
  ulong end = 0UL;
  for (ulong i = wksp_part_first(wksp); i < wksp->part_max; i = wksp_part_next(wksp, pinfo, i)) {
    ulong sz = fd_wksp_private_pinfo_sz(pinfo + i);
    ulong is_free = (ulong)!pinfo[i].tag;
    ulong is_used = (ulong)tag_is_in(pinfo[i].tag, tag, tag_cnt);
    usage->total_cnt++;
    usage->free_cnt += is_free;
    usage->free_sz += is_free * sz;
    usage->used_cnt += is_used;
    usage->used_sz += is_used * sz;
    end = pinfo[i].gaddr_hi;
  }
  int bad = end != wksp->gaddr_hi;
  fd_wksp_private_unlock(wksp);
  if (list_is_bad("fd_wksp_usage", bad)) memset(usage, 0, sizeof(*usage));
  return usage;
}
