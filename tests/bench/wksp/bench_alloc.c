/* fd_alloc against jemalloc: the same sizes in the same order, 1 and 2 threads, in one run.
   usage: bench_alloc [--tile-cpus f2]; needs libjemalloc.so.2, which it preloads into itself. */

#include <dlfcn.h>
#include <unistd.h>

#include "bench.h"

#define LIVE   1000UL
#define PAIRS  500000UL
#define ROUNDS 15UL

typedef struct {
  void *(*malloc)(void *ctx, ulong sz);
  void (*free)(void *ctx, void *p);
  void *ctx;
} heap_t;

static void *wrap_je_malloc(void *ctx, ulong sz) {
  (void)ctx;
  return malloc(sz);
}
static void wrap_je_free(void *ctx, void *p) {
  (void)ctx;
  free(p);
}
static void *wrap_fd_malloc(void *ctx, ulong sz) {
  return fd_alloc_malloc((fd_alloc_t *)ctx, 0UL, sz);
}
static void wrap_fd_free(void *ctx, void *p) { fd_alloc_free((fd_alloc_t *)ctx, p); }

/* arg: heap, is fd, CPU time taken by each thread; each replaces random ones of its live blocks of
 * 8 to 512 bytes */
static FD_FOR_ALL_BEGIN(churn, 1L) {
  heap_t heap = *(heap_t const *)arg[0];
  if (arg[1]) heap.ctx = fd_alloc_join_cgroup_hint_set((fd_alloc_t *)heap.ctx, tpool_t0);
  void *live[LIVE];
  fd_rng_t rng[1];
  fd_rng_join(fd_rng_new(rng, (uint)tpool_t0, 0UL));
  for (ulong i = 0UL; i < LIVE; i++)
    live[i] = heap.malloc(heap.ctx, 8UL + fd_rng_uint_roll(rng, 505U));
  double start = bench_cpu_ns();
  for (ulong n = 0UL; n < PAIRS; n++) {
    uint r = fd_rng_uint(rng);
    uint i = (uint)(((ulong)(r & 0xffffU) * LIVE) >> 16);
    heap.free(heap.ctx, live[i]);
    live[i] = heap.malloc(heap.ctx, 8UL + (((ulong)(r >> 16) * 505UL) >> 16));
    *(uchar *)live[i] = 1U;
  }
  ((double *)arg[2])[tpool_t0] = bench_cpu_ns() - start;
  for (ulong i = 0UL; i < LIVE; i++) heap.free(heap.ctx, live[i]);
  (void)block_i0, (void)block_i1;
}
FD_FOR_ALL_END

static double churn_ns(fd_tpool_t *tpool, heap_t const *heap, ulong is_fd, ulong threads) {
  double ns[2] = {0., 0.};
  FD_FOR_ALL(churn, tpool, 0UL, threads, 0L, (long)threads, heap, is_fd, ns);
  return (ns[0] > ns[1] ? ns[0] : ns[1]) / (double)PAIRS;
}

/* Rounds of each in turn, so that a busy machine slows both alike. */
static void compare(fd_tpool_t *tpool, heap_t const *fd, heap_t const *je, ulong threads) {
  double a[ROUNDS];
  double b[ROUNDS];
  double ratio[ROUNDS];
  char what[64];
  for (ulong i = 0UL; i < ROUNDS; i++) {
    a[i] = churn_ns(tpool, fd, 1UL, threads);
    b[i] = churn_ns(tpool, je, 0UL, threads);
    ratio[i] = a[i] / b[i];
  }
  printf("%lu threads: fd_alloc %.1f ns, jemalloc %.1f ns of CPU time per malloc+free pair\n",
         threads, bench_median(a, ROUNDS), bench_median(b, ROUNDS));
  snprintf(what, sizeof(what), "fd_alloc / jemalloc, %lu threads", threads);
  bench_verdict(what, "<=", 1.5, "", ratio, ROUNDS);
}

/* Makes malloc jemalloc's; it can not be loaded later, as it needs static thread-local storage. */
static void under_jemalloc(char **argv) {
  if (dlsym(RTLD_DEFAULT, "mallctl")) return;
  if (getenv("LD_PRELOAD") || setenv("LD_PRELOAD", "libjemalloc.so.2", 1) ||
      execv("/proc/self/exe", argv)) {
    fputs("bench_alloc: libjemalloc.so.2 is not installed\n", stderr);
    exit(1);
  }
}

int main(int argc, char **argv) {
  under_jemalloc(argv);
  fd_boot(&argc, &argv);
  static uchar mem[FD_TPOOL_FOOTPRINT(2UL)] __attribute__((aligned(FD_TPOOL_ALIGN)));
  fd_tpool_t *tpool = fd_tpool_init(mem, 2UL, 0UL);
  if (fd_tile_cnt() > 1UL) fd_tpool_worker_push(tpool, 1UL);
  fd_wksp_t *w =
      fd_wksp_new_anonymous(FD_SHMEM_NORMAL_PAGE_SZ, 65536UL, fd_log_cpu_id(), "bench", 0UL);
  FD_TEST(w);
  void *alloc = fd_alloc_new(fd_wksp_alloc_laddr(w, FD_ALLOC_ALIGN, FD_ALLOC_FOOTPRINT, 1UL), 1UL);
  heap_t fd = {wrap_fd_malloc, wrap_fd_free, fd_alloc_join(alloc, 0UL)};
  heap_t je = {wrap_je_malloc, wrap_je_free, NULL};
  for (ulong threads = 1UL; threads <= fd_ulong_min(fd_tile_cnt(), 2UL); threads++)
    compare(tpool, &fd, &je, threads);
  fd_tpool_fini(tpool);
  fd_halt();
  return 0;
}
