/* The targets of wksp, as ratios measured in one run: medians over interleaved rounds.
   usage: bench_wksp --tile-cpus f2 [--path FILE-ON-TMPFS] [--sz BYTES] [--rep ROUNDS]
   RAW checkpoint and restore against a 2-thread memcpy to a fresh mapping of the same bytes, LZ4
   with 2 threads against 1, alloc+free at 10,000 live allocations, treap query at 1,000 records.

   Wall time of two threads means something only if the machine gives them two cores: "pure
   computation" tells what it gave in the same rounds, and the ratio by CPU time of the busier
   thread what idle cores would give. */

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "fd/util/wksp/fd_wksp_private.h"

static ulong rep_cnt;

static uchar tpool_mem[FD_TPOOL_FOOTPRINT(2UL)] __attribute__((aligned(FD_TPOOL_ALIGN)));
static fd_tpool_t *pool;
static char const *path;

/* arg: dst, src */
static FD_FOR_ALL_BEGIN(copy, 1L) {
  memcpy((uchar *)arg[0] + block_i0, (uchar const *)arg[1] + block_i0, (ulong)block_cnt);
}
FD_FOR_ALL_END

/* arg: memory, sum */
static FD_FOR_ALL_BEGIN(compute, 1L) {
  ulong h = 0UL;
  for (int rep = 0; rep < 4; rep++)
    h ^= fd_hash((ulong)rep, (uchar const *)arg[0] + block_i0, (ulong)block_cnt);
  __atomic_fetch_xor((ulong *)arg[1], h, __ATOMIC_RELAXED);
}
FD_FOR_ALL_END

static long run_mmap(fd_wksp_t *w, ulong sz, int threads) {
  unlink(path);
  long t = fd_log_wallclock();
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
  FD_TEST(!ftruncate(fd, (off_t)sz));
  uchar *map = mmap(NULL, sz, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  FD_TEST(map != MAP_FAILED);
  FD_FOR_ALL(copy, pool, 0UL, (ulong)threads, 0L, (long)sz, map,
             fd_wksp_laddr(w, fd_wksp_gaddr_lo(w)));
  munmap(map, sz);
  close(fd);
  return fd_log_wallclock() - t;
}

/* What two threads get out of this machine now: pure computation on cached memory. */
static long run_compute(fd_wksp_t *w, ulong sz, int threads) {
  ulong sum = 0UL;
  long t = fd_log_wallclock();
  for (ulong done = 0UL; done < sz; done += 1UL << 18)
    FD_FOR_ALL(compute, pool, 0UL, (ulong)threads, 0L, 1L << 18,
               fd_wksp_laddr(w, fd_wksp_gaddr_lo(w)), &sum);
  return fd_log_wallclock() - t;
}

/* arg: style, and threads in the tens */
static long run_checkpt(fd_wksp_t *w, ulong sz, int arg) {
  (void)sz;
  unlink(path);
  long t = fd_log_wallclock();
  FD_TEST(!fd_wksp_checkpt_tpool(pool, 0UL, (ulong)arg / 10UL, w, path, 0600UL, arg % 10, NULL));
  return fd_log_wallclock() - t;
}

static long run_restore(fd_wksp_t *w, ulong sz, int arg) {
  (void)sz;
  long t = fd_log_wallclock();
  FD_TEST(!fd_wksp_restore_tpool(pool, 0UL, (ulong)arg / 10UL, w, path, 1U));
  return fd_log_wallclock() - t;
}

/* arg: where each thread notes the CPU time it has used */
static FD_FOR_ALL_BEGIN(note_cpu, 1L) {
  ((double *)arg[0])[tpool_t0] = bench_cpu_ns();
  (void)block_i0, (void)block_i1;
}
FD_FOR_ALL_END

/* What is measured in each round; the number that goes with it says threads and style. */
enum { MEMCPY, RAW_CKPT, RAW_RESTORE, COMPUTE, LZ4_CKPT = COMPUTE + 2, LZ4_RESTORE = LZ4_CKPT + 2 };
#define STEP_CNT 9
static struct {
  long (*run)(fd_wksp_t *w, ulong sz, int arg);
  int arg;
} const step[STEP_CNT] = {{run_mmap, 2},     {run_checkpt, 21}, {run_restore, 21},
                          {run_compute, 1},  {run_compute, 2},  {run_checkpt, 13},
                          {run_checkpt, 23}, {run_restore, 13}, {run_restore, 23}};

static double wall[STEP_CNT][ROUND_MAX]; /* ns, of each step in each round */
static double busy[STEP_CNT][ROUND_MAX]; /* CPU time of the busier thread */

static void run_round(fd_wksp_t *w, ulong sz, ulong round) {
  static int const order[STEP_CNT] = {MEMCPY,         RAW_CKPT, RAW_RESTORE, COMPUTE,
                                      COMPUTE + 1,    LZ4_CKPT, LZ4_RESTORE, LZ4_CKPT + 1,
                                      LZ4_RESTORE + 1}; /* a restore needs its file */
  for (ulong i = 0UL; i < STEP_CNT; i++) {
    double a[2];
    double b[2];
    int k = order[i];
    FD_FOR_ALL(note_cpu, pool, 0UL, 2UL, 0L, 2L, a);
    wall[k][round] = (double)step[k].run(w, sz, step[k].arg);
    FD_FOR_ALL(note_cpu, pool, 0UL, 2UL, 0L, 2L, b);
    busy[k][round] = b[0] - a[0] > b[1] - a[1] ? b[0] - a[0] : b[1] - a[1];
  }
}

/* v[i]: time of step a over time of step b in round i. */
static double *ratio(double v[ROUND_MAX], double t[STEP_CNT][ROUND_MAX], int a, int b) {
  for (ulong i = 0UL; i < rep_cnt; i++) v[i] = t[a][i] / t[b][i];
  return v;
}

static void print_speed(ulong sz) {
  static char const *const name[STEP_CNT] = {
      "memcpy to mmap, 2 threads", "RAW checkpt, 2 threads", "RAW restore, 2 threads",
      "computation, 1 thread",     "computation, 2 threads", "LZ4 checkpt, 1 thread",
      "LZ4 checkpt, 2 threads",    "LZ4 restore, 1 thread",  "LZ4 restore, 2 threads"};
  for (int k = 0; k < STEP_CNT; k++) {
    double v[ROUND_MAX];
    for (ulong i = 0UL; i < rep_cnt; i++) v[i] = (double)sz / wall[k][i];
    bench_note(name[k], v, rep_cnt);
  }
}

static void bench_io(fd_wksp_t *w) {
  ulong sz = fd_wksp_data_max(w) / 16UL * 15UL;
  ulong g = fd_wksp_alloc(w, 4096UL, sz, 1UL);
  FD_TEST(g);
  ulong *p = fd_wksp_laddr(w, g);
  for (ulong i = 0UL; i < sz / 8UL; i++)
    p[i] = i % 7UL < 4UL ? fd_ulong_hash(i) : i; /* compresses to about 0.7 */
  for (ulong i = 0UL; i < rep_cnt; i++) run_round(w, sz, i);
  double v[ROUND_MAX];
  printf("GB/s of %lu MiB, wall time:\n", sz >> 20);
  print_speed(sz);
  puts("ratios:");
  bench_verdict("RAW checkpt / memcpy to mmap", ">=", 0.8, "", ratio(v, wall, MEMCPY, RAW_CKPT),
                rep_cnt);
  bench_verdict("RAW restore / memcpy to mmap", ">=", 0.8, "", ratio(v, wall, MEMCPY, RAW_RESTORE),
                rep_cnt);
  bench_verdict("LZ4 checkpt, 2 threads / 1", ">=", 1.7, "", ratio(v, wall, LZ4_CKPT, LZ4_CKPT + 1),
                rep_cnt);
  bench_verdict("LZ4 restore, 2 threads / 1", ">=", 1.7, "",
                ratio(v, wall, LZ4_RESTORE, LZ4_RESTORE + 1), rep_cnt);
  bench_note("control: pure computation, 2 threads / 1", ratio(v, wall, COMPUTE, COMPUTE + 1),
             rep_cnt);
  bench_note("LZ4 checkpt by CPU time of the busier thread", ratio(v, busy, LZ4_CKPT, LZ4_CKPT + 1),
             rep_cnt);
  bench_note("LZ4 restore by CPU time of the busier thread",
             ratio(v, busy, LZ4_RESTORE, LZ4_RESTORE + 1), rep_cnt);
  unlink(path);
  fd_wksp_reset(w, 1U);
}

#define OPS  200000UL
#define LIVE 10000UL

/* What an operation is to do, drawn beforehand: a live block and a size. */
static struct {
  uint block;
  uint sz;
} plan[OPS];

static void draw_plan(ulong live_cnt) {
  fd_rng_t rng[1];
  fd_rng_join(fd_rng_new(rng, 2U, 0UL));
  for (ulong i = 0UL; i < OPS; i++) {
    plan[i].block = fd_rng_uint_roll(rng, (uint)live_cnt);
    plan[i].sz = 1U + fd_rng_uint_roll(rng, 4096U);
  }
}

/* alloc+free of one more block, with 10,000 live ones. */
static void run_pair(fd_wksp_t *w, ulong *live) {
  (void)live;
  for (ulong i = 0UL; i < OPS; i++) fd_wksp_free(w, fd_wksp_alloc(w, 16UL, plan[i].sz, 1UL));
}

/* free of a random one of the live blocks, alloc of another in its stead. */
static void run_replace(fd_wksp_t *w, ulong *live) {
  for (ulong i = 0UL; i < OPS; i++) {
    ulong k = plan[i].block;
    fd_wksp_free(w, live[k]);
    live[k] = fd_wksp_alloc(w, 16UL, plan[i].sz, 1UL);
  }
}

static void run_query(fd_wksp_t *w, ulong *live) {
  fd_wksp_private_pinfo_t *pinfo = fd_wksp_private_pinfo(w);
  ulong sum = 0UL;
  for (ulong i = 0UL; i < OPS; i++)
    sum += fd_wksp_private_used_treap_query(live[plan[i].block], w, pinfo);
  FD_COMPILER_FORGET(sum);
}

/* Rounds of f with live_cnt live blocks, in us of CPU time per operation. */
static void bench_ops(fd_wksp_t *w, ulong live_cnt, void (*f)(fd_wksp_t *, ulong *),
                      char const *what, double limit) {
  static ulong live[LIVE];
  double v[9];
  draw_plan(live_cnt);
  for (ulong i = 0UL; i < live_cnt; i++) live[i] = fd_wksp_alloc(w, 16UL, plan[i].sz, 1UL);
  f(w, live); /* reaches the fragmentation that lasts */
  for (ulong i = 0UL; i < 9UL; i++) {
    double t = bench_cpu_ns();
    f(w, live);
    v[i] = (bench_cpu_ns() - t) / (double)OPS / 1000.;
  }
  bench_verdict(what, "<=", limit, " us", v, 9UL);
  fd_wksp_reset(w, 1U);
}

int main(int argc, char **argv) {
  fd_boot(&argc, &argv);
  path = fd_env_strip_cmdline_cstr(&argc, &argv, "--path", NULL, "/dev/shm/bench_wksp.ckpt");
  ulong sz = fd_env_strip_cmdline_ulong(&argc, &argv, "--sz", NULL, 1UL << 30);
  rep_cnt = fd_env_strip_cmdline_ulong(&argc, &argv, "--rep", NULL, 5UL);
  if (!rep_cnt || rep_cnt > ROUND_MAX) FD_LOG_ERR(("--rep must be 1 to 64"));
  if (fd_tile_cnt() < 2UL) FD_LOG_ERR(("bench_wksp needs --tile-cpus f2"));
  pool = fd_tpool_init(tpool_mem, 2UL, 0UL);
  FD_TEST(fd_tpool_worker_push(pool, 1UL));
  fd_wksp_t *w = fd_wksp_new_anonymous(FD_SHMEM_NORMAL_PAGE_SZ, sz / 4096UL * 17UL / 16UL,
                                       fd_log_cpu_id(), "bench", 65536UL);
  FD_TEST(w);
  bench_io(w);
  bench_ops(w, LIVE, run_pair, "alloc+free pair, 10,000 live", 0.5);
  bench_ops(w, LIVE, run_replace, "the same replacing a random live one", 0.5);
  bench_ops(w, 1000UL, run_query, "used treap query, 1,000 records", 0.1);
  fd_wksp_delete_anonymous(w);
  fd_tpool_fini(pool);
  fd_halt();
  return 0;
}
