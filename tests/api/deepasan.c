/* With FD_HAS_DEEPASAN: the bytes of an allocation are the user's, those around and after it are
   not, in a workspace, a fd_alloc and a groove.  deepasan.t builds the library so and runs this. */

#include "api.h"

/* How many of the bytes [lo,hi) the sanitizer guards. */
static ulong guarded(void const * lo, void const * hi) {
  ulong cnt = 0UL;
  for (ulong p = (ulong)lo; p < (ulong)hi; p++) cnt += (ulong) !!fd_asan_test((void *)p);
  return cnt;
}

static fd_wksp_t * w;

static void test_wksp(void) {
  ulong lo, hi, gaddr = fd_wksp_alloc_at_least(w, 1UL, 13UL, 1UL, &lo, &hi);
  uchar * p = (uchar *)fd_wksp_laddr(w, gaddr);
  uchar * data = (uchar *)fd_wksp_laddr(w, fd_wksp_gaddr_lo(w));
  IS(fd_ulong_is_aligned(gaddr, 8UL) && (hi - lo) % 8UL == 0UL && hi - lo >= 13UL);
  IS(!guarded(p, p + (hi - lo)) && guarded(p + (hi - lo), p + 4096) == 4096UL - (hi - lo));
  fd_wksp_free(w, gaddr);
  IS(guarded(data, data + 4096) == 4096UL);
  ulong tag = 2UL, a = fd_wksp_alloc(w, 64UL, 100UL, 2UL);
  fd_wksp_tag_free(w, &tag, 1UL);
  IS(guarded(fd_wksp_laddr_fast(w, a), fd_wksp_laddr_fast(w, a + 100UL)) == 100UL);
  a = fd_wksp_alloc(w, 64UL, 100UL, 3UL);
  memset(fd_wksp_laddr_fast(w, a), 7, 100UL);
  char path[] = "/tmp/api_deepXXXXXX";
  close(mkstemp(path));
  unlink(path);
  IS(!fd_wksp_checkpt(w, path, 0600UL, 0, NULL) && (fd_wksp_reset(w, 1U), 1));
  IS(guarded(data, data + 4096) == 4096UL && !fd_wksp_restore(w, path, 2U));
  uchar * back = (uchar *)fd_wksp_laddr_fast(w, a);
  IS(!guarded(back, back + 100) && guarded(back + 104, back + 1104) == 1000UL && back[99] == 7);
  unlink(path);
  fd_wksp_reset(w, 0U);
}

static void test_alloc(void) {
  void * shmem = fd_wksp_alloc_laddr(w, FD_ALLOC_ALIGN, FD_ALLOC_FOOTPRINT, 1UL);
  fd_alloc_t * join = fd_alloc_join(fd_alloc_new(shmem, 1UL), 0UL);
  ulong max;
  uchar * p = (uchar *)fd_alloc_malloc_at_least(join, 0UL, 100UL, &max);
  IS(!guarded(p, p + max) && guarded(p + max, p + max + 64) == 64UL);
  fd_alloc_free(join, p);
  IS(guarded(p, p + max) == max);
  uchar * q = (uchar *)fd_alloc_malloc_at_least(join, 0UL, 100000UL, &max);
  IS(!guarded(q, q + max));
  fd_alloc_free(join, q);
  IS(guarded(q, q + 100000) == 100000UL);
  uchar * r[200];
  for (ulong i = 0UL; i < 200UL; i++)
    memset(r[i] = (uchar *)fd_alloc_malloc(join, 0UL, 1UL + 40UL * i), 1, 1UL + 40UL * i);
  for (ulong i = 0UL; i < 200UL; i++) fd_alloc_free(join, r[i]);
  IS(fd_alloc_is_empty(join) && fd_alloc_delete(fd_alloc_leave(join)));
}

static void test_groove(void) {
  static uchar shdata[1UL << 20] __attribute__((aligned(128)));
  fd_groove_data_t data[1];
  uchar * vol = (uchar *)fd_shmem_acquire(FD_SHMEM_GIGANTIC_PAGE_SZ, 1UL, 0UL);
  fd_groove_data_t * d = fd_groove_data_join(data, fd_groove_data_new(shdata), vol, 1UL, 0UL);
  fd_groove_data_volume_add(d, vol, FD_GROOVE_VOLUME_FOOTPRINT, NULL, 0UL);
  uchar * p = (uchar *)fd_groove_data_alloc(d, 0UL, 1000UL, 1UL, NULL);
  uchar * stop = (uchar *)fd_groove_data_alloc_stop(p);
  IS(p && !guarded(p, stop) && !fd_groove_data_free(d, p) && guarded(p, stop) == (ulong)(stop - p));
  IS(fd_groove_data_free(d, p) == FD_GROOVE_ERR_INVAL &&
     (p = (uchar *)fd_groove_data_alloc(d, 64UL, 1000UL, 1UL, NULL)));
  memset(p, 1, 1000UL);
  IS(!fd_groove_data_verify(d) && !fd_groove_data_free(d, p) &&
     fd_groove_data_volume_remove(d) == vol);
  IS(!guarded(vol, vol + 65536));
  fd_shmem_release(vol, FD_SHMEM_GIGANTIC_PAGE_SZ, 1UL);
}

static void use_after_free(void * arg) {
  uchar * p = (uchar *)fd_wksp_alloc_laddr(w, 8UL, 64UL, 1UL);
  (void)arg;
  fd_wksp_free_laddr(p);
  FD_VOLATILE(p[10]) = 1;
}

int main(void) {
  api_boot("");
  w = fd_wksp_new_anonymous(FD_SHMEM_NORMAL_PAGE_SZ, 16384UL, 0UL, "deep", 1024UL);
  test_wksp();
  test_alloc();
  test_groove();
  int status = api_child(use_after_free, NULL);
  ok(status && strstr(api_log_text, "use-after-poison"), "a use after free is reported");
  fd_wksp_delete_anonymous(w);
  fd_halt();
  return done_testing();
}
