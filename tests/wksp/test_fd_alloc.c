/* fd_alloc: the tables of the interface, the size classes, random mallocs and frees by several
   threads with every block's bytes checked, and that nothing is left in the end. */

#include "fd/util/alloc/fd_alloc_cfg.h"
#include "wksp_tests.h"

int fd_alloc_fprintf(fd_alloc_t *join, FILE *stream);

#define LOGS(c)   (logged(), ok(!!(c) && logged() == 1, "%s (logs)", #c))
#define SILENT(c) (logged(), ok(!!(c) && logged() == 0, "%s (silent)", #c))

static void test_classes(void) {
  int good = 1;
  for (ulong i = 0UL; i < FD_ALLOC_SIZECLASS_CNT; i++) {
    fd_alloc_sizeclass_cfg_t const *c = fd_alloc_sizeclass_cfg + i;
    ulong parent = c->parent_sizeclass;
    ulong room = parent == FD_ALLOC_SIZECLASS_CNT ? FD_ALLOC_ROOT_SUPERBLOCK_FOOTPRINT
                                                  : fd_alloc_sizeclass_cfg[parent].block_footprint;
    good &= parent > i && parent <= FD_ALLOC_SIZECLASS_CNT &&
            c->block_footprint % FD_ALLOC_SUPERBLOCK_ALIGN == 0U;
    good &= c->block_cnt >= 2 && c->block_cnt <= 64 &&
            24UL + (ulong)c->block_cnt * c->block_footprint <= room;
    good &= fd_ulong_is_pow2(c->cgroup_mask + 1UL) && c->cgroup_mask <= 15;
    good &= !i || c->block_footprint > c[-1].block_footprint;
  }
  ok(good, "size classes");
  ok(FD_ALLOC_SIZECLASS_ITER_MAX == 1 + fd_ulong_find_msb(FD_ALLOC_SIZECLASS_CNT - 1UL) &&
         FD_ALLOC_FOOTPRINT_SMALL_THRESH <=
             fd_alloc_sizeclass_cfg[FD_ALLOC_SIZECLASS_CNT - 1UL].block_footprint &&
         FD_ALLOC_SIZECLASS_CNT <= FD_ALLOC_SIZECLASS_MAX,
     "class constants");
  ok(FD_ALLOC_FOOTPRINT == 32768UL && fd_alloc_footprint() == 32768UL && fd_alloc_align() == 128UL,
     "footprint");
  ok(fd_alloc_max_expand(100UL, 1UL, 0UL) == 131UL && fd_alloc_max_expand(1UL, 5UL, 3UL) == 6UL &&
         fd_alloc_max_expand(ULONG_MAX, 5UL, 3UL) == ULONG_MAX &&
         fd_alloc_max_expand(1UL, 1UL, 99UL) == 99UL,
     "max_expand");
}

static void test_args(fd_wksp_t *w) {
  static uchar outside[sizeof(fd_alloc_t)] __attribute__((aligned(128)));
  void *mem = fd_wksp_alloc_laddr(w, FD_ALLOC_ALIGN, FD_ALLOC_FOOTPRINT, 3UL);
  ulong max = 7UL;
  LOGS(!fd_alloc_new(NULL, 3UL));
  LOGS(!fd_alloc_new((uchar *)mem + 8, 3UL));
  LOGS(!fd_alloc_new(outside, 3UL));
  LOGS(!fd_alloc_new(mem, 0UL));
  LOGS(!fd_alloc_join(NULL, 0UL));
  LOGS(!fd_alloc_join(outside, 0UL));
  LOGS(!fd_alloc_join((uchar *)mem + 8, 0UL));
  LOGS(!fd_alloc_leave(NULL));
  LOGS(!fd_alloc_delete(NULL));
  LOGS(!fd_alloc_delete(outside));
  SILENT(fd_alloc_new(mem, 3UL) == mem);
  fd_alloc_t *a = fd_alloc_join(mem, 18UL);
  SILENT(fd_alloc_join_cgroup_hint(a) == 2UL && (ulong)a == (ulong)mem + 2UL);
  a = fd_alloc_join_cgroup_hint_set(a, 5UL);
  SILENT(fd_alloc_join_cgroup_hint(a) == 5UL && fd_alloc_wksp(a) == w && fd_alloc_tag(a) == 3UL);
  SILENT(!fd_alloc_wksp(NULL) && !fd_alloc_tag(NULL) && !fd_alloc_is_empty(NULL));
  SILENT(!fd_alloc_malloc_at_least(NULL, 0UL, 1UL, &max) && !max);
  SILENT(!fd_alloc_malloc_at_least(a, 3UL, 1UL, &max) && !max);
  SILENT(!fd_alloc_malloc(a, 0UL, 0UL) && !fd_alloc_malloc(a, 0UL, ULONG_MAX) &&
         !fd_alloc_malloc(a, 0UL, 1UL << 40));
  SILENT((fd_alloc_free(NULL, mem), fd_alloc_free(a, NULL), fd_alloc_compact(NULL), 1));
  SILENT(fd_alloc_is_empty(a));
  void *p = fd_alloc_malloc(a, 0UL, 40UL);
  SILENT(p && !fd_alloc_is_empty(a));
  FILE *null = fopen("/dev/null", "w");
  SILENT(fd_alloc_fprintf(a, null) > 0 && fd_alloc_fprintf(NULL, null) > 0);
  fclose(null);
  fd_alloc_free(a, p);
  SILENT(fd_alloc_is_empty(a));
  int good = 1;
  for (ulong align = 1UL; align <= 8192UL; align *= 2UL) {
    for (ulong sz = 1UL; sz < 100000UL; sz += 1UL + sz / 3UL) {
      p = fd_alloc_malloc_at_least(a, align, sz, &max);
      good &=
          p && (ulong)p % align == 0UL && max >= sz && fd_wksp_tag(w, fd_wksp_gaddr(w, p)) == 3UL;
      if (p) memset(p, 0xaa, max);
      fd_alloc_free(a, p);
    }
  }
  ok(good && fd_alloc_is_empty(a) && !fd_wksp_verify(w), "every size and alignment");
  SILENT(fd_alloc_leave(a) == mem && fd_alloc_delete(mem) == mem);
  LOGS(!fd_alloc_delete(mem));
  LOGS(!fd_alloc_join(mem, 0UL));
  fd_wksp_free_laddr(mem);
  fd_wksp_usage_t u;
  ok(fd_wksp_usage(w, NULL, 0UL, &u)->free_cnt == u.total_cnt, "nothing is left");
}

/* Exhausts the workspace with one class, then all of it must be usable by another. */
static void test_exhaust(fd_wksp_t *w) {
  void *mem = fd_wksp_alloc_laddr(w, FD_ALLOC_ALIGN, FD_ALLOC_FOOTPRINT, 3UL);
  fd_alloc_t *a = fd_alloc_join(fd_alloc_new(mem, 3UL), 0UL);
  ulong cnt[2] = {0UL, 0UL};
  for (ulong round = 0UL; round < 2UL; round++) {
    void *head = NULL;
    for (void **p = fd_alloc_malloc(a, 8UL, 200UL); p; p = fd_alloc_malloc(a, 8UL, 200UL)) {
      *p = head;
      head = p;
      cnt[round]++;
    }
    while (head) {
      void *next = *(void **)head;
      fd_alloc_free(a, head);
      head = next;
    }
    void *big = fd_alloc_malloc(a, 8UL, fd_wksp_data_max(w) / 2UL);
    ok(!!big, "half of the workspace in one piece after filling it with small blocks");
    fd_alloc_free(a, big);
  }
  is_ulong(cnt[1], cnt[0], "as many blocks the second time");
  ok(cnt[0] * 200UL * 10UL > fd_wksp_data_max(w) * 8UL,
     "at least 80 percent of the workspace is usable");
  fd_alloc_delete(fd_alloc_leave(a));
  fd_wksp_free_laddr(mem);
}

#define LIVE_MAX 600UL
static ulong stress_cnt;
static uint stress_seed;

/* Blocks travel between threads through here. */
static void *shared[64];

static int block_ok(uchar const *p) {
  ulong sz;
  memcpy(&sz, p, sizeof(sz));
  uchar c = (uchar)(sz * 37UL);
  for (ulong i = sizeof(sz); i < sz; i++) {
    if (p[i] != c) return 0;
  }
  return 1;
}

static void *block_new(fd_alloc_t *a, fd_rng_t *rng) {
  ulong sz = 8UL + fd_rng_ulong_roll(rng, 1UL << (1UL + fd_rng_ulong_roll(rng, 16UL)));
  uchar *p = fd_alloc_malloc(a, 1UL << fd_rng_ulong_roll(rng, 8UL), sz);
  if (p) {
    memset(p, (int)(uchar)(sz * 37UL), sz);
    memcpy(p, &sz, sizeof(sz));
  }
  return p;
}

/* arg: alloc, failure counter */
static FD_FOR_ALL_BEGIN(stress, 1L) {
  fd_alloc_t *a = fd_alloc_join_cgroup_hint_set((fd_alloc_t *)arg[0], tpool_t0);
  ulong *bad = (ulong *)arg[1];
  void *live[LIVE_MAX];
  fd_rng_t rng[1];
  memset(live, 0, sizeof(live));
  fd_rng_join(fd_rng_new(rng, stress_seed + (uint)tpool_t0, 0UL));
  for (ulong n = 0UL; n < stress_cnt; n++) {
    ulong i = fd_rng_ulong_roll(rng, LIVE_MAX);
    void *p = live[i];
    if (fd_rng_uint_roll(rng, 4U) == 0U) {
      live[i] = __atomic_exchange_n(&shared[i % 64UL], p, __ATOMIC_ACQ_REL);
      continue;
    }
    if (p && !block_ok(p)) __atomic_fetch_add(bad, 1UL, __ATOMIC_RELAXED);
    fd_alloc_free(a, p);
    live[i] = p ? NULL : block_new(a, rng);
    if (n % 5000UL == 0UL) fd_alloc_compact(a);
  }
  for (ulong i = 0UL; i < LIVE_MAX; i++) fd_alloc_free(a, live[i]);
  (void)block_i0, (void)block_i1;
}
FD_FOR_ALL_END

static void test_stress(fd_wksp_t *w) {
  static uchar tpool_mem[FD_TPOOL_FOOTPRINT(3UL)] __attribute__((aligned(FD_TPOOL_ALIGN)));
  fd_tpool_t *tpool = fd_tpool_init(tpool_mem, 3UL, 0UL);
  fd_tpool_worker_push(tpool, 1UL);
  fd_tpool_worker_push(tpool, 2UL);
  void *mem = fd_wksp_alloc_laddr(w, FD_ALLOC_ALIGN, FD_ALLOC_FOOTPRINT, 3UL);
  fd_alloc_t *a = fd_alloc_join(fd_alloc_new(mem, 3UL), 0UL);
  ulong bad = 0UL;
  FD_FOR_ALL(stress, tpool, 0UL, 3UL, 0L, 3L, a, &bad);
  for (ulong i = 0UL; i < 64UL; i++) fd_alloc_free(a, shared[i]);
  is_ulong(bad, 0UL, "no block's bytes changed under 3 threads");
  ok(fd_alloc_is_empty(a) && !fd_wksp_verify(w), "all is returned afterwards");
  fd_alloc_delete(fd_alloc_leave(a));
  fd_wksp_free_laddr(mem);
  fd_tpool_fini(tpool);
}

int main(void) {
  test_boot("test_fd_alloc");
  stress_seed = test_seed();
  stress_cnt = test_cnt("ALLOC_STRESS", 200000UL);
  fd_wksp_t *w = fd_wksp_new_anonymous(FD_SHMEM_NORMAL_PAGE_SZ, 8192UL, 0UL, "alloc-test", 2000UL);
  if (!ok(!!w, "workspace")) return test_halt();
  test_classes();
  test_args(w);
  test_exhaust(w);
  test_stress(w);
  fd_wksp_delete_anonymous(w);
  return test_halt();
}
