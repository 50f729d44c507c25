/* Workspaces in named and anonymous shared memory, and positions in them as text.  What is joined
   is decided by fd_shmem's table of joins, never by reading a handle that may be stale. */

#include <stdlib.h>
#include <sys/mman.h>

#include "fd/util/log/fd_log.h"
#include "valtrace/annotate.h"
#include "wksp_internal.h"

/* Typical allocation that the number of partitions is provisioned for. */
#define SZ_TYPICAL (64UL << 10)

/* Sizes of a wksp that fills given pages. */
typedef struct {
  ulong page_cnt;
  ulong part_max;
  ulong data_max;
} geometry_t;

/* INVAL (logs) unless the arguments describe pages that a wksp fits into. */
static int geometry_init(geometry_t *geo, char const *name, ulong page_sz, ulong sub_cnt,
                         ulong const *sub_page_cnt, ulong const *sub_cpu_idx, ulong opt_part_max) {
  geo->page_cnt = 0UL;
  int ok = fd_shmem_name_len(name) && fd_shmem_is_page_sz(page_sz) && sub_cnt && sub_page_cnt &&
           sub_cpu_idx;
  for (ulong i = 0UL; ok && i < sub_cnt; i++) {
    ok = geo->page_cnt + sub_page_cnt[i] >= geo->page_cnt;
    geo->page_cnt += sub_page_cnt[i];
  }
  ok = ok && geo->page_cnt && geo->page_cnt <= ULONG_MAX / page_sz;
  if (FD_LIKELY(ok)) {
    ulong footprint = geo->page_cnt * page_sz;
    geo->part_max = opt_part_max ? opt_part_max : fd_wksp_part_max_est(footprint, SZ_TYPICAL);
    geo->part_max = fd_ulong_max(geo->part_max, 1UL); /* less than SZ_TYPICAL in all */
    geo->data_max = fd_wksp_data_max_est(footprint, geo->part_max);
    if (FD_LIKELY(geo->data_max)) return FD_WKSP_SUCCESS;
  }
  FD_LOG_WARNING(("wksp %s: bad name, page size, page counts or number of partitions",
                  name ? name : "(null)"));
  return FD_WKSP_ERR_INVAL;
}

int fd_wksp_new_named(char const *name, ulong page_sz, ulong sub_cnt, ulong const *sub_page_cnt,
                      ulong const *sub_cpu_idx, ulong mode, uint seed, ulong opt_part_max) {
  geometry_t geo;
  int err = geometry_init(&geo, name, page_sz, sub_cnt, sub_page_cnt, sub_cpu_idx, opt_part_max);
  if (FD_UNLIKELY(err)) return err;
  /* joined below by name, which must not find an anonymous region */
  if (FD_UNLIKELY(!fd_shmem_join_query_by_name(name, NULL))) {
    FD_LOG_WARNING(("wksp %s: name is in use by a join of this process", name));
    return FD_WKSP_ERR_FAIL;
  }
  /* whatever fails from here on has logged */
  if (FD_UNLIKELY(fd_shmem_create_multi(name, page_sz, sub_cnt, sub_page_cnt, sub_cpu_idx, mode)))
    return FD_WKSP_ERR_FAIL;
  void *shmem = fd_shmem_join(name, FD_SHMEM_JOIN_MODE_READ_WRITE, 1, NULL, NULL, NULL);
  int ok = shmem && fd_wksp_new(shmem, name, seed, geo.part_max, geo.data_max);
  vt_heap_detach(shmem);
  if (shmem) fd_shmem_leave(shmem, NULL, NULL);
  if (FD_LIKELY(ok)) return FD_WKSP_SUCCESS;
  fd_shmem_unlink(name, page_sz);
  return FD_WKSP_ERR_FAIL;
}

/* Each of the steps logs its failure. */
int fd_wksp_delete_named(char const *name) {
  fd_shmem_join_info_t info;
  void *shmem = fd_shmem_join(name, FD_SHMEM_JOIN_MODE_READ_WRITE, 1, NULL, NULL, &info);
  if (FD_UNLIKELY(!shmem)) return FD_WKSP_ERR_FAIL;
  int ok = !fd_shmem_info(name, info.page_sz, NULL);
  if (FD_UNLIKELY(!ok)) FD_LOG_WARNING(("wksp %s: is anonymous", name));
  ok = ok && fd_wksp_delete(info.shmem);
  fd_shmem_leave(shmem, NULL, NULL);
  return ok && !fd_shmem_unlink(name, info.page_sz) ? FD_WKSP_SUCCESS : FD_WKSP_ERR_FAIL;
}

fd_wksp_t *fd_wksp_new_anon(char const *name, ulong page_sz, ulong sub_cnt,
                            ulong const *sub_page_cnt, ulong const *sub_cpu_idx, uint seed,
                            ulong opt_part_max) {
  geometry_t geo;
  if (FD_UNLIKELY(
          geometry_init(&geo, name, page_sz, sub_cnt, sub_page_cnt, sub_cpu_idx, opt_part_max)))
    return NULL;
  void *mem = fd_shmem_acquire_multi(page_sz, sub_cnt, sub_page_cnt, sub_cpu_idx);
  if (FD_UNLIKELY(!mem)) return NULL; /* logged */
  fd_wksp_t *wksp = NULL;
  if (FD_LIKELY(fd_wksp_new(mem, name, seed, geo.part_max, geo.data_max))) wksp = fd_wksp_join(mem);
  if (FD_LIKELY(wksp && !fd_shmem_join_anonymous(name, FD_SHMEM_JOIN_MODE_READ_WRITE, wksp, mem,
                                                 page_sz, geo.page_cnt)))
    return wksp;
  fd_shmem_release(mem, page_sz, geo.page_cnt);
  return NULL;
}

void fd_wksp_delete_anon(fd_wksp_t *wksp) {
  fd_shmem_join_info_t info;
  if (FD_UNLIKELY(fd_shmem_leave_anonymous(wksp, &info))) return; /* logged */
  fd_wksp_delete(info.shmem);
  fd_shmem_release(info.shmem, info.page_sz, info.page_cnt);
}

/* Of a region that holds no wksp the log tells once, by the join that fails. */
static void *attach_join(void *context, fd_shmem_join_info_t const *info) {
  (void)context;
  return ((fd_wksp_t const *)info->shmem)->magic == FD_WKSP_MAGIC ? fd_wksp_join(info->shmem)
                                                                  : NULL;
}

fd_wksp_t *fd_wksp_attach(char const *name) {
  return (fd_wksp_t *)fd_shmem_join(name, FD_SHMEM_JOIN_MODE_READ_WRITE, 1, attach_join, NULL,
                                    NULL);
}

static void *detach_leave(void *context, fd_shmem_join_info_t const *info) {
  (void)context;
  return fd_wksp_leave((fd_wksp_t *)info->join);
}

int fd_wksp_detach(fd_wksp_t *wksp) { return fd_shmem_leave(wksp, detach_leave, NULL); /* logs */ }

fd_wksp_t *fd_wksp_containing(void const *laddr) {
  fd_shmem_join_info_t info;
  if (FD_UNLIKELY(!laddr || fd_shmem_join_query_by_addr(laddr, 1UL, &info))) return NULL;
  fd_wksp_t *wksp = (fd_wksp_t *)info.shmem; /* pages are larger than the header */
  return info.join == info.shmem && wksp->magic == FD_WKSP_MAGIC ? wksp : NULL;
}

void *fd_wksp_alloc_laddr(fd_wksp_t *wksp, ulong align, ulong sz, ulong tag) {
  ulong gaddr = fd_wksp_alloc(wksp, align, sz, tag);
  return gaddr ? fd_wksp_laddr_fast(wksp, gaddr) : NULL;
}

void fd_wksp_free_laddr(void *laddr) {
  if (FD_UNLIKELY(!laddr)) return;
  fd_wksp_t *wksp = fd_wksp_containing(laddr);
  if (FD_UNLIKELY(!wksp)) {
    FD_LOG_WARNING(("fd_wksp_free_laddr: laddr is in no wksp"));
    return;
  }
  fd_wksp_free(wksp, fd_wksp_gaddr_fast(wksp, laddr));
}

static char *cstr_write(char const *name, ulong gaddr, char *out) {
  return fd_cstr_printf(out, FD_WKSP_CSTR_MAX, NULL, "%s:%lu", name, gaddr);
}

static char *cstr_failed(char const *what) {
  FD_LOG_WARNING(("wksp cstr: %s", what));
  return NULL;
}

char *fd_wksp_cstr(fd_wksp_t const *wksp, ulong gaddr, char *out) {
  if (FD_UNLIKELY(!wksp || !out)) return cstr_failed("NULL wksp or out");
  if (FD_UNLIKELY(gaddr && (gaddr < wksp->gaddr_lo || gaddr > wksp->gaddr_hi)))
    return cstr_failed("gaddr outside the wksp");
  return cstr_write(wksp->name, gaddr, out);
}

char *fd_wksp_cstr_laddr(void const *laddr, char *out) {
  fd_wksp_t *wksp = fd_wksp_containing(laddr);
  if (FD_UNLIKELY(!wksp || !out)) return cstr_failed("NULL out or laddr in no wksp");
  return fd_wksp_cstr(wksp, fd_wksp_gaddr_fast(wksp, laddr), out);
}

char *fd_wksp_cstr_alloc(char const *name, ulong align, ulong sz, ulong tag, char *out) {
  if (FD_UNLIKELY(!out || !fd_shmem_name_len(name))) return cstr_failed("NULL out or bad name");
  if (FD_UNLIKELY((align && !fd_ulong_is_pow2(align)) || !tag))
    return cstr_failed("bad align or tag");
  fd_wksp_t *wksp = fd_wksp_attach(name);
  if (FD_UNLIKELY(!wksp)) return NULL; /* logged */
  ulong gaddr = fd_wksp_alloc(wksp, align, sz, tag);
  fd_wksp_detach(wksp);
  if (FD_UNLIKELY(sz && !gaddr)) return NULL; /* logged */
  return cstr_write(name, gaddr, out);
}

/* Attaches the wksp that cstr names and parses the gaddr; NULL (logs) on failure. */
static fd_wksp_t *cstr_attach(char const *cstr, ulong *gaddr) {
  char name[FD_SHMEM_NAME_MAX];
  char const *colon = cstr ? strrchr(cstr, ':') : NULL;
  ulong len = colon ? (ulong)(colon - cstr) : 0UL;
  char *end = NULL;
  if (FD_LIKELY(len && len < sizeof(name) && colon[1])) {
    memcpy(name, cstr, len);
    name[len] = '\0';
    *gaddr = strtoul(colon + 1, &end, 0);
  }
  if (FD_UNLIKELY(!end || *end)) {
    FD_LOG_WARNING(("wksp cstr: \"%s\" is not name:gaddr", cstr ? cstr : "(null)"));
    return NULL;
  }
  return fd_wksp_attach(name);
}

void fd_wksp_cstr_free(char const *cstr) {
  ulong gaddr;
  fd_wksp_t *wksp = cstr_attach(cstr, &gaddr);
  if (FD_UNLIKELY(!wksp)) return;
  fd_wksp_free(wksp, gaddr);
  fd_wksp_detach(wksp);
}

ulong fd_wksp_cstr_tag(char const *cstr) {
  ulong gaddr;
  fd_wksp_t *wksp = cstr_attach(cstr, &gaddr);
  if (FD_UNLIKELY(!wksp)) return 0UL;
  ulong tag = fd_wksp_tag(wksp, gaddr);
  fd_wksp_detach(wksp);
  return tag;
}

void fd_wksp_cstr_memset(char const *cstr, int c) {
  ulong gaddr;
  fd_wksp_t *wksp = cstr_attach(cstr, &gaddr);
  if (FD_UNLIKELY(!wksp)) return;
  fd_wksp_memset(wksp, gaddr, c);
  fd_wksp_detach(wksp);
}

void *fd_wksp_map(char const *cstr) {
  ulong gaddr;
  fd_wksp_t *wksp = cstr_attach(cstr, &gaddr);
  if (FD_UNLIKELY(!wksp)) return NULL;
  void *laddr = fd_wksp_laddr(wksp, gaddr);
  if (FD_UNLIKELY(!laddr)) {
    if (!gaddr) FD_LOG_WARNING(("fd_wksp_map: gaddr 0 is nowhere")); /* else logged */
    fd_wksp_detach(wksp);
  }
  return laddr;
}

void fd_wksp_unmap(void const *laddr) {
  if (!laddr) return;
  fd_wksp_t *wksp = fd_wksp_containing(laddr);
  if (FD_UNLIKELY(!wksp))
    FD_LOG_WARNING(("fd_wksp_unmap: laddr is in no wksp"));
  else
    fd_wksp_detach(wksp);
}

void fd_wksp_mprotect(fd_wksp_t *wksp, int flag) {
  int ok = wksp && wksp->magic == FD_WKSP_MAGIC;
  ulong footprint = ok ? fd_wksp_footprint(wksp->part_max, wksp->data_max) : 0UL;
  int prot = flag ? PROT_READ : PROT_READ | PROT_WRITE;
  if (FD_UNLIKELY(!footprint || mprotect(wksp, footprint, prot)))
    FD_LOG_WARNING(("fd_wksp_mprotect: bad arguments"));
}
