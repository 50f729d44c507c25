/* Sizing and life cycle of a wksp: how header, records and data share the memory. */

#include "fd/util/log/fd_log.h"
#include "valtrace/annotate.h"
#include "wksp_internal.h"

FD_TL int fd_wksp_oom_silent;

/* Bytes behind the data region: makes gaddr_hi itself an address of the wksp. */
#define FOOTER_SZ 1UL

ulong fd_wksp_part_max_est(ulong footprint, ulong sz_typical) {
  footprint = fd_ulong_align_dn(footprint, FD_WKSP_ALIGN);
  ulong per_part = sz_typical + FD_WKSP_PRIVATE_PINFO_FOOTPRINT;
  ulong fixed = fd_wksp_private_pinfo_off() + FOOTER_SZ;
  if (FD_UNLIKELY(!sz_typical || per_part < sz_typical || footprint < fixed)) return 0UL;
  return fd_ulong_min((footprint - fixed) / per_part, FD_WKSP_PRIVATE_PART_MAX);
}

ulong fd_wksp_data_max_est(ulong footprint, ulong part_max) {
  footprint = fd_ulong_align_dn(footprint, FD_WKSP_ALIGN);
  if (FD_UNLIKELY((part_max - 1UL) >= FD_WKSP_PRIVATE_PART_MAX)) return 0UL;
  ulong fixed = fd_wksp_private_data_off(part_max) + FOOTER_SZ;
  return footprint > fixed ? footprint - fixed : 0UL;
}

ulong fd_wksp_align(void) { return FD_WKSP_ALIGN; }

ulong fd_wksp_footprint(ulong part_max, ulong data_max) {
  if (FD_UNLIKELY((part_max - 1UL) >= FD_WKSP_PRIVATE_PART_MAX || !data_max)) return 0UL;
  ulong fixed = fd_wksp_private_data_off(part_max) + FOOTER_SZ + FD_WKSP_ALIGN - 1UL;
  if (FD_UNLIKELY(fixed + data_max < data_max)) return 0UL;
  return fd_ulong_align_dn(fixed + data_max, FD_WKSP_ALIGN);
}

static int shmem_is_bad(void const *shmem, char const *what) {
  if (FD_LIKELY(shmem && fd_ulong_is_aligned((ulong)shmem, FD_WKSP_ALIGN))) return 0;
  FD_LOG_WARNING(("%s: NULL or misaligned memory", what));
  return 1;
}

static void header_init(fd_wksp_t *wksp, char const *name, uint seed, ulong part_max,
                        ulong data_max) {
  memset(wksp, 0, sizeof(*wksp)); /* no magic, owner 0: under construction */
  wksp->part_max = part_max;
  wksp->data_max = data_max;
  wksp->gaddr_lo = fd_wksp_private_data_off(part_max);
  wksp->gaddr_hi = wksp->gaddr_lo + data_max;
  memcpy(wksp->name, name, fd_shmem_name_len(name));
  wksp->seed = seed;
  wksp->heap_id = wksp_heap_id_new(wksp);
}

void *fd_wksp_new(void *shmem, char const *name, uint seed, ulong part_max, ulong data_max) {
  if (FD_UNLIKELY(shmem_is_bad(shmem, "fd_wksp_new"))) return NULL;
  ulong footprint = fd_wksp_footprint(part_max, data_max);
  if (FD_UNLIKELY(!fd_shmem_name_len(name) || !footprint ||
                  (ulong)shmem + footprint < (ulong)shmem)) {
    FD_LOG_WARNING(("fd_wksp_new: bad name or size"));
    return NULL;
  }
  fd_wksp_t *wksp = (fd_wksp_t *)shmem;
  header_init(wksp, name, seed, part_max, data_max);
  memset(fd_wksp_private_pinfo(wksp), 0, part_max * FD_WKSP_PRIVATE_PINFO_FOOTPRINT);
  if (FD_UNLIKELY(wksp_rebuild_index(wksp, seed))) return NULL;
  fd_wksp_private_unlock(wksp);
  /* a join that sees the magic finds all of the above */
  __atomic_store_n(&wksp->magic, FD_WKSP_MAGIC, __ATOMIC_RELEASE);
  wksp_heap_announce(wksp, 1);
  return shmem;
}

fd_wksp_t *fd_wksp_join(void *shwksp) {
  if (FD_UNLIKELY(shmem_is_bad(shwksp, "fd_wksp_join"))) return NULL;
  fd_wksp_t *wksp = (fd_wksp_t *)shwksp;
  if (FD_UNLIKELY(__atomic_load_n(&wksp->magic, __ATOMIC_ACQUIRE) != FD_WKSP_MAGIC)) {
    FD_LOG_WARNING(("fd_wksp_join: no wksp there (bad magic)"));
    return NULL;
  }
  wksp_heap_announce(wksp, 0);
  return wksp;
}

void *fd_wksp_leave(fd_wksp_t *wksp) {
  if (FD_UNLIKELY(!wksp)) FD_LOG_WARNING(("fd_wksp_leave: NULL wksp"));
  vt_heap_detach(wksp);
  return wksp;
}

void *fd_wksp_delete(void *shwksp) {
  if (FD_UNLIKELY(shmem_is_bad(shwksp, "fd_wksp_delete"))) return NULL;
  fd_wksp_t *wksp = (fd_wksp_t *)shwksp;
  if (FD_UNLIKELY(wksp->magic != FD_WKSP_MAGIC)) {
    FD_LOG_WARNING(("fd_wksp_delete: no wksp there (bad magic)"));
    return NULL;
  }
  wksp_heap_announce(wksp, 0); /* it may have been left before */
  vt_heap_delete(wksp);
  wksp_unpoison(wksp, wksp->gaddr_lo, wksp->gaddr_hi);
  __atomic_store_n(&wksp->magic, 0UL, __ATOMIC_RELEASE);
  return shwksp;
}

char const *fd_wksp_name(fd_wksp_t const *wksp) { return wksp->name; }
uint fd_wksp_seed(fd_wksp_t const *wksp) { return wksp->seed; }
ulong fd_wksp_part_max(fd_wksp_t const *wksp) { return wksp->part_max; }
ulong fd_wksp_data_max(fd_wksp_t const *wksp) { return wksp->data_max; }
ulong fd_wksp_gaddr_lo(fd_wksp_t const *wksp) { return wksp->gaddr_lo; }
ulong fd_wksp_gaddr_hi(fd_wksp_t const *wksp) { return wksp->gaddr_hi; }

char const *fd_wksp_strerror(int err) {
  switch (err) {
  case FD_WKSP_SUCCESS: return "success";
  case FD_WKSP_ERR_INVAL: return "inval";
  case FD_WKSP_ERR_FAIL: return "fail";
  case FD_WKSP_ERR_CORRUPT: return "corrupt";
  default: return "unknown";
  }
}

int fd_wksp_private_header_is_sane(fd_wksp_t const *wksp) {
  ulong footprint = fd_wksp_footprint(wksp->part_max, wksp->data_max);
  return wksp->magic == FD_WKSP_MAGIC && footprint && (ulong)wksp + footprint > (ulong)wksp &&
         wksp->gaddr_lo == fd_wksp_private_data_off(wksp->part_max) &&
         wksp->gaddr_hi == wksp->gaddr_lo + wksp->data_max && fd_shmem_name_len(wksp->name);
}
