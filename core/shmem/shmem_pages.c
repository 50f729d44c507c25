/* Pages: mapping at aligned addresses, and process-private memory.  Huge and gigantic pages are
   tried first; where the machine has none, normal pages (advised to be transparent huge ones) stand
   in. */

#include "shmem_private.h"

#include <errno.h>
#include <sys/mman.h>

#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT 26
#endif

void fd_shmem_private_warn_fallback(void) {
  FD_ONCE_BEGIN { FD_LOG_WARNING(("no huge or gigantic pages here; using normal pages instead")); }
  FD_ONCE_END;
}

ulong fd_shmem_private_check_multi(ulong page_sz, ulong sub_cnt, ulong const * sub_page_cnt,
                                   ulong const * sub_cpu_idx) {
  ulong page_cnt = 0UL, sz;
  char const * bad = NULL;
  if (!fd_shmem_is_page_sz(page_sz))
    bad = "bad page size";
  else if (!sub_cnt || !sub_page_cnt || !sub_cpu_idx)
    bad = "no parts";
  for (ulong i = 0UL; !bad && i < sub_cnt; i++) {
    if (!sub_page_cnt[i]) continue;
    if (__builtin_add_overflow(page_cnt, sub_page_cnt[i], &page_cnt)) bad = "too many pages";
    if (sub_cpu_idx[i] >= fd_shmem_cpu_cnt()) bad = "no such cpu";
  }
  if (!bad && !page_cnt) bad = "no pages";
  if (!bad && (__builtin_mul_overflow(page_cnt, page_sz, &sz) || sz > (ulong)LONG_MAX))
    bad = "too many pages";
  if (!bad) return page_cnt;
  FD_LOG_WARNING(("%s", bad));
  return 0UL;
}

void * fd_shmem_private_reserve(ulong page_sz, ulong sz) {
  ulong total;
  if (__builtin_add_overflow(sz, page_sz, &total)) return NULL;
  uchar * lo =
      mmap(NULL, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, (off_t)0);
  if (lo == MAP_FAILED) return NULL;
  uchar * mem = (uchar *)fd_ulong_align_up((ulong)lo, page_sz);
  if (mem > lo) munmap(lo, (ulong)(mem - lo));
  munmap(mem + sz, total - sz - (ulong)(mem - lo));
  return mem;
}

void * fd_shmem_private_map(void * at, ulong page_sz, ulong sz, int prot, int fd) {
  int flags = MAP_FIXED | (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED);
  if (fd < 0 && page_sz > FD_SHMEM_NORMAL_PAGE_SZ) {
    int huge = MAP_HUGETLB | MAP_POPULATE | (fd_ulong_find_msb(page_sz) << MAP_HUGE_SHIFT);
    void * mem = mmap(at, sz, prot, flags | huge, fd, (off_t)0);
    if (mem != MAP_FAILED) return mem;
    fd_shmem_private_warn_fallback();
    flags |= MAP_NORESERVE; /* zero-fill on demand, also where the machine has less than asked for */
  }
  void * mem = mmap(at, sz, prot, flags, fd, (off_t)0);
  if (mem == MAP_FAILED) return mem;
  if (page_sz > FD_SHMEM_NORMAL_PAGE_SZ) madvise(mem, sz, MADV_HUGEPAGE);
  return mem;
}

void * fd_shmem_acquire_multi(ulong page_sz, ulong sub_cnt, ulong const * sub_page_cnt,
                              ulong const * sub_cpu_idx) {
  ulong sz = page_sz * fd_shmem_private_check_multi(page_sz, sub_cnt, sub_page_cnt, sub_cpu_idx);
  if (!sz) return NULL;
  void * at = fd_shmem_private_reserve(page_sz, sz);
  void * mem = at ? fd_shmem_private_map(at, page_sz, sz, PROT_READ | PROT_WRITE, -1) : MAP_FAILED;
  if (mem == MAP_FAILED) {
    if (at) munmap(at, sz);
    FD_LOG_WARNING(("no memory from the system"));
    return NULL;
  }
  fd_shmem_private_place(mem, page_sz, sub_cnt, sub_page_cnt, sub_cpu_idx);
  mlock2(mem, sz, MLOCK_ONFAULT); /* a refusal leaves the pages unlocked, which is allowed */
  return mem;
}

int fd_shmem_release(void * mem, ulong page_sz, ulong page_cnt) {
  ulong sz;
  if (!mem || !fd_shmem_is_page_sz(page_sz) || !fd_ulong_is_aligned((ulong)mem, page_sz) ||
      !page_cnt || __builtin_mul_overflow(page_sz, page_cnt, &sz)) {
    FD_LOG_WARNING(("bad arguments"));
    return -1;
  }
  if (munmap(mem, sz)) {
    FD_LOG_WARNING(("not unmapped"));
    return -1;
  }
  return 0;
}
