/* Acceptance program of wksp: fills a workspace with random allocations of known pattern,
   checkpoints it with all threads, wipes it, restores it with another range of threads and another
   seed, and compares. Ends with "pass". */

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd/util/fd_util.h"

#define ALLOC_MAX 8192UL

typedef struct {
  ulong gaddr0;
  ulong gaddr1;
} alloc_info_t;

static alloc_info_t info[ALLOC_MAX];

/* What the program knows it has done, for comparison with a recording. */
static ulong alloc_cnt;
static ulong alloc_sz;

static fd_rng_t rng_mem[FD_TILE_MAX];
static uchar tpool_mem[FD_TPOOL_FOOTPRINT(FD_TILE_MAX)] __attribute__((aligned(FD_TPOOL_ALIGN)));

typedef struct {
  char const *path;
  ulong mode;
  int keep;
  ulong worker_cnt;
  char const *wksp;
  ulong page_sz;
  ulong page_cnt;
  ulong near_cpu;
  ulong iter_max;
  ulong leak_cnt; /* allocations to lose at the end */
} config_t;

static int pattern(long idx) { return 1 + (int)(((ulong)idx + 1UL) % 255UL); }

/* arg: wksp, infos */
static FD_FOR_ALL_BEGIN(alloc_init, 1L) {
  fd_wksp_t *wksp = (fd_wksp_t *)arg[0];
  alloc_info_t const *a = (alloc_info_t const *)arg[1];
  for (long i = block_i0; i < block_i1; i++)
    memset(fd_wksp_laddr_fast(wksp, a[i].gaddr0), pattern(i), a[i].gaddr1 - a[i].gaddr0);
}
FD_FOR_ALL_END

/* arg: wksp, infos */
static FD_FOR_ALL_BEGIN(alloc_zero, 1L) {
  fd_wksp_t *wksp = (fd_wksp_t *)arg[0];
  alloc_info_t const *a = (alloc_info_t const *)arg[1];
  for (long i = block_i0; i < block_i1; i++)
    memset(fd_wksp_laddr_fast(wksp, a[i].gaddr0), 0, a[i].gaddr1 - a[i].gaddr0);
}
FD_FOR_ALL_END

/* arg: wksp, infos, rngs; checks the tag at a random byte and all bytes */
static FD_FOR_ALL_BEGIN(alloc_test, 1L) {
  fd_wksp_t *wksp = (fd_wksp_t *)arg[0];
  alloc_info_t const *a = (alloc_info_t const *)arg[1];
  fd_rng_t *rng = (fd_rng_t *)arg[2] + tpool_t0;
  for (long i = block_i0; i < block_i1; i++) {
    ulong sz = a[i].gaddr1 - a[i].gaddr0;
    ulong off = fd_rng_ulong_roll(rng, sz);
    FD_TEST(fd_wksp_tag(wksp, a[i].gaddr0 + off) == (ulong)i + 1UL);
    uchar const *p = (uchar const *)fd_wksp_laddr_fast(wksp, a[i].gaddr0);
    FD_TEST(p[0] == (uchar)pattern(i) && !memcmp(p, p + 1, sz - 1UL));
  }
}
FD_FOR_ALL_END

static void config_init(config_t *c, int *argc, char ***argv) {
  c->path = fd_env_strip_cmdline_cstr(argc, argv, "--path", NULL, NULL);
  c->mode = fd_cstr_to_ulong_octal(fd_env_strip_cmdline_cstr(argc, argv, "--mode", NULL, "0600"));
  c->keep = fd_env_strip_cmdline_int(argc, argv, "--keep", NULL, 0);
  c->worker_cnt = fd_env_strip_cmdline_ulong(argc, argv, "--worker-cnt", NULL, fd_tile_cnt());
  c->wksp = fd_env_strip_cmdline_cstr(argc, argv, "--wksp", NULL, NULL);
  c->page_sz = fd_cstr_to_shmem_page_sz(
      fd_env_strip_cmdline_cstr(argc, argv, "--page-sz", NULL, "gigantic"));
  c->page_cnt = fd_env_strip_cmdline_ulong(argc, argv, "--page-cnt", NULL, 1UL);
  c->near_cpu = fd_env_strip_cmdline_ulong(argc, argv, "--near-cpu", NULL, fd_log_cpu_id());
  c->iter_max = fd_env_strip_cmdline_ulong(argc, argv, "--iter-max", NULL, 100UL);
  c->leak_cnt = fd_env_strip_cmdline_ulong(argc, argv, "--plant-leak", NULL, 0UL);
  static char path[128];
  if (!c->path)
    c->path = fd_cstr_printf(path, sizeof(path), NULL, "/tmp/test_wksp_tpool.%lu.%li",
                             fd_log_group_id(), fd_log_wallclock());
}

static fd_tpool_t *tpool_start(ulong worker_cnt) {
  fd_tpool_t *tpool = fd_tpool_init(tpool_mem, worker_cnt, 0UL);
  if (FD_UNLIKELY(!tpool)) FD_LOG_ERR(("fd_tpool_init failed (--worker-cnt %lu)", worker_cnt));
  for (ulong i = 1UL; i < worker_cnt; i++) {
    if (FD_UNLIKELY(!fd_tpool_worker_push(tpool, i)))
      FD_LOG_ERR(
          ("fd_tpool_worker_push failed (--worker-cnt %lu needs as many tiles)", worker_cnt));
  }
  return tpool;
}

/* Fills about 40 percent of the wksp; returns the number of allocations. */
static ulong fill(fd_wksp_t *wksp, fd_rng_t *rng) {
  ulong budget = fd_wksp_data_max(wksp) / 5UL * 2UL;
  ulong sz_max = fd_ulong_max(fd_wksp_data_max(wksp) >> 8, 1UL);
  ulong used = 0UL;
  ulong cnt = 0UL;
  while (cnt < ALLOC_MAX && used < budget) {
    ulong align = fd_rng_coin_tosses(rng) & 1UL ? 0UL : 1UL << fd_rng_ulong_roll(rng, 13UL);
    ulong sz =
        1UL + fd_rng_ulong_roll(rng, fd_ulong_max(sz_max >> fd_rng_ulong_roll(rng, 8UL), 1UL));
    ulong lo;
    ulong hi;
    if (!fd_wksp_alloc_at_least(wksp, align, sz, cnt + 1UL, &lo, &hi)) break;
    info[cnt++] = (alloc_info_t){lo, hi};
    used += hi - lo;
    alloc_cnt++;
    alloc_sz += hi - lo;
  }
  return cnt;
}

/* A random non-empty part of [0,cnt) that begins with the caller. */
static ulong thread_end(fd_rng_t *rng, ulong cnt) { return 1UL + fd_rng_ulong_roll(rng, cnt); }

static void iterate(config_t const *c, fd_wksp_t *wksp, fd_tpool_t *tpool, ulong iter) {
  fd_rng_t *rng = rng_mem;
  fd_wksp_reset(wksp, fd_rng_uint(rng));
  ulong cnt = fill(wksp, rng);
  FD_FOR_ALL(alloc_init, tpool, 0UL, c->worker_cnt, 0L, (long)cnt, wksp, info);

  if (FD_UNLIKELY(unlink(c->path) && errno != ENOENT))
    FD_LOG_ERR(("unlink(\"%s\") failed (%i-%s)", c->path, errno, fd_io_strerror(errno)));
  int style = (int)fd_rng_uint_roll(rng, FD_HAS_LZ4 ? 4U : 3U);
  FD_TEST(!fd_wksp_checkpt_tpool(tpool, 0UL, thread_end(rng, c->worker_cnt), wksp, c->path, c->mode,
                                 style, "test_wksp_tpool"));

  FD_FOR_ALL(alloc_zero, tpool, 0UL, c->worker_cnt, 0L, (long)cnt, wksp, info);
  uint seed = fd_rng_uint(rng);
  FD_TEST(!fd_wksp_restore_tpool(tpool, 0UL, thread_end(rng, c->worker_cnt), wksp, c->path, seed));
  FD_TEST(fd_wksp_seed(wksp) == seed);
  FD_TEST(!fd_wksp_verify(wksp));
  FD_FOR_ALL(alloc_test, tpool, 0UL, c->worker_cnt, 0L, (long)cnt, wksp, info, rng_mem);
  fd_wksp_usage_t usage;
  fd_wksp_usage(wksp, NULL, 0UL, &usage);
  FD_TEST(usage.total_cnt - usage.free_cnt == cnt);
  FD_LOG_NOTICE(("iter %lu: %lu allocations, %lu bytes, style %i", iter, cnt,
                 usage.total_sz - usage.free_sz, style));
}

/* Loses allocations; the workspace is emptied to have room for them. */
static __attribute__((noinline)) void plant_leak(fd_wksp_t *wksp, ulong cnt) {
  fd_wksp_reset(wksp, 0U);
  for (ulong i = 0UL; i < cnt; i++) FD_TEST(fd_wksp_alloc(wksp, 8UL, 1000UL, 1UL));
  alloc_cnt += cnt;
  alloc_sz += cnt * 1000UL;
}

int main(int argc, char **argv) {
  fd_boot(&argc, &argv);
  config_t c;
  config_init(&c, &argc, &argv);
  FD_LOG_NOTICE(
      ("--path %s --mode 0%lo --keep %i --worker-cnt %lu --wksp %s --page-sz %lu --page-cnt %lu "
       "--near-cpu %lu --iter-max %lu",
       c.path, c.mode, c.keep, c.worker_cnt, c.wksp ? c.wksp : "(none)", c.page_sz, c.page_cnt,
       c.near_cpu, c.iter_max));
  fd_tpool_t *tpool = tpool_start(c.worker_cnt);
  for (ulong i = 0UL; i < c.worker_cnt; i++) fd_rng_join(fd_rng_new(rng_mem + i, (uint)i, 0UL));

  fd_wksp_t *wksp = c.wksp ? fd_wksp_attach(c.wksp)
                           : fd_wksp_new_anonymous(c.page_sz, c.page_cnt, c.near_cpu, "wksp", 0UL);
  if (FD_UNLIKELY(!wksp)) FD_LOG_ERR(("no workspace"));
  for (ulong iter = 0UL; iter < c.iter_max; iter++) iterate(&c, wksp, tpool, iter);

  if (c.leak_cnt) plant_leak(wksp, c.leak_cnt);

  if (!c.keep && c.iter_max && unlink(c.path))
    FD_LOG_WARNING(("unlink(\"%s\") failed (%i-%s)", c.path, errno, fd_io_strerror(errno)));
  if (c.wksp)
    fd_wksp_detach(wksp);
  else if (!c.leak_cnt)
    fd_wksp_delete_anonymous(wksp);
  for (ulong i = 0UL; i < c.worker_cnt; i++) fd_rng_delete(fd_rng_leave(rng_mem + i));
  fd_tpool_fini(tpool);
  FD_LOG_NOTICE(("summary: allocations %lu bytes %lu live %lu live bytes %lu", alloc_cnt, alloc_sz,
                 c.leak_cnt, c.leak_cnt * 1000UL));
  FD_LOG_NOTICE(("pass"));
  fd_halt();
  return 0;
}
