/* Tiles and thread pools: every error of push, pop and exec_new, the partition of each exec_all
   style against a count per element, and map/reduce against the serial answer.  Run with
   --tile-cpus f4 by default, so on more threads than the machine may have cpus. */

#include "fd/util/fd_util.h"
#include "tests/unit/tap.h"

#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ELEM_MAX (3000UL)
#define TILES    (4UL)

static uchar mem[FD_TPOOL_FOOTPRINT(FD_TILE_MAX)] __attribute__((aligned(FD_TPOOL_ALIGN)));
static ulong hits[ELEM_MAX];
static ulong owner[ELEM_MAX];
static int bad_args;
static FD_TL int tile_local;

static int count_up(int argc, char ** argv) {
  *(ulong *)(void *)argv += 1UL;
  tile_local += argc;
  return tile_local;
}

static void test_tiles(void) {
  ulong cnt = 5UL;
  int ret = 0, steps = 0;
  is_ulong(fd_tile_cnt(), TILES, "tile count");
  ok(!fd_tile_idx() && !fd_tile_exec_new(0UL, count_up, 0, NULL), "tile 0 takes no task");
  ok(!fd_tile_exec_new(TILES, count_up, 0, NULL) && !fd_tile_exec(TILES), "no such tile");
  ok(fd_tile_cpu_id(TILES) == ULONG_MAX && fd_tile_cpu_id(1UL) == ULONG_MAX - 1UL, "cpu ids");
  for (int i = 0; i < 1000; i++) {
    fd_tile_exec_t * exec = fd_tile_exec_new(1UL, count_up, 2, (char **)(void *)&cnt);
    steps += exec && !fd_tile_exec_delete(exec, &ret);
  }
  ok(steps == 1000 && cnt == 1005UL && ret == 2000, "a thousand tasks; thread-locals persist");
  ok(!fd_tile_exec(1UL), "idle tile executes nothing");
  ok(fd_tile_stack_sz() > 0UL && fd_tile_stack_est_used() < fd_tile_stack_sz(),
     "stack diagnostics");
}

static void test_push_pop(void) {
  ok(!fd_tpool_init(NULL, 1UL, 0UL) && !fd_tpool_init(mem + 1, 1UL, 0UL) &&
         !fd_tpool_init(mem, 0UL, 0UL) && !fd_tpool_init(mem, FD_TILE_MAX + 1UL, 0UL),
     "bad init");
  ok(!fd_tpool_fini(NULL) && !fd_tpool_worker_push(NULL, 1UL) && !fd_tpool_worker_pop(NULL),
     "NULL pool");
  fd_tpool_t * tp = fd_tpool_init(mem, 3UL, 12345UL);
  ok(tp && fd_tpool_opt(tp) == 12345UL && fd_tpool_worker_cnt(tp) == 1UL &&
         fd_tpool_worker_max(tp) == 3UL,
     "accessors");
  ok(!fd_tpool_worker_idle(tp, 0UL) && !fd_tpool_worker_tile_idx(tp, 0UL),
     "worker 0 is never idle");
  ok(!fd_tpool_worker_push(tp, 0UL) && !fd_tpool_worker_push(tp, TILES), "bad tiles");
  ok(fd_tpool_worker_push(tp, 2UL) == tp && fd_tpool_worker_idle(tp, 1UL) == 1, "pushed and idle");
  ok(!fd_tpool_worker_push(tp, 2UL), "pushed twice");
  ok(fd_tpool_worker_push(tp, 1UL) == tp && fd_tpool_worker_tile_idx(tp, 2UL) == 1UL,
     "second worker");
  ok(!fd_tpool_worker_push(tp, 3UL), "full");
  ok(!fd_tile_exec_new(2UL, count_up, 0, NULL), "a worker's tile is busy");
  ok(fd_tpool_worker_pop(tp) == tp && fd_tpool_worker_push(tp, 1UL) == tp,
     "popped tile free at once");
  ok(fd_tpool_fini(tp) == mem &&
         fd_tile_exec_delete(fd_tile_exec_new(2UL, count_up, 0, (char **)(void *)hits), NULL) ==
             NULL,
     "fini frees the tiles");
}

/* Records who ran what; the arguments must be what was given. */
static void note(void * tpool, ulong t0, ulong t1, void * args, void * reduce, ulong stride,
                 ulong l0, ulong l1, ulong m0, ulong m1, ulong n0, ulong n1) {
  if (tpool != (void *)1 || args != (void *)2 || reduce != (void *)3 || stride != 4UL ||
      t1 - t0 > TILES || n1 != n0 + 1UL || n0 < t0 || n0 >= t1 || l1 - l0 > ELEM_MAX) {
    __atomic_store_n(&bad_args, 1, __ATOMIC_RELAXED);
  }
  for (ulong m = m0; m < m1; m++) {
    FD_ATOMIC_FETCH_AND_ADD(&hits[m - l0], 1UL);
    __atomic_store_n(&owner[m - l0], n0 - t0, __ATOMIC_RELAXED);
  }
}

static int all_hit(ulong cnt, ulong times) {
  for (ulong i = 0UL; i < ELEM_MAX; i++) {
    if (hits[i] != (i < cnt ? times : 0UL)) return 0;
  }
  return 1;
}

static int owned(ulong cnt, ulong threads, int rrobin) {
  for (ulong t = 0UL; t < threads; t++) {
    ulong lo, hi;
    FD_TPOOL_PARTITION(0UL, cnt, 1UL, t, threads, lo, hi);
    for (ulong i = 0UL; i < cnt; i++) {
      ulong is = owner[i] == t, should = rrobin ? i % threads == t : (i >= lo && i < hi);
      if (is != should) return 0;
    }
  }
  return 1;
}

static void test_exec_all(fd_tpool_t * tp, fd_rng_t * rng) {
  int good[5] = {1, 1, 1, 1, 1};
  for (int i = 0; i < 300; i++) {
    ulong cnt = fd_rng_ulong_roll(rng, i & 1 ? 10UL : ELEM_MAX + 1UL);
    ulong threads = 1UL + fd_rng_ulong_roll(rng, TILES);
    ulong t0 = fd_rng_ulong_roll(rng, TILES - threads + 1UL), t1 = t0 + threads;
    ulong l0 = i & 2 ? fd_rng_ulong(rng) >> 1 : ULONG_MAX - cnt, l1 = l0 + cnt;
#define RUN(style)               \
  memset(hits, 0, sizeof(hits)); \
  fd_tpool_exec_all_##style(tp, t0, t1, note, (void *)1, (void *)2, (void *)3, 4UL, l0, l1)
    RUN(rrobin);
    good[0] &= all_hit(cnt, 1UL) && owned(cnt, threads, 1);
    RUN(block);
    good[1] &= all_hit(cnt, 1UL) && owned(cnt, threads, 0);
    RUN(taskq);
    good[2] &= all_hit(cnt, 1UL);
    RUN(batch);
    good[3] &= all_hit(cnt, 1UL) && owned(cnt, threads, 0);
    RUN(raw);
    good[4] &= all_hit(cnt, threads);
#undef RUN
  }
  static char const * const name[5] = {"rrobin", "block", "taskq", "batch", "raw"};
  for (int i = 0; i < 5; i++)
    ok(good[i], "exec_all_%s: each element as often and by whom it should be", name[i]);
  ok(!bad_args, "task arguments");
}

static FD_FOR_ALL_BEGIN(mark, 1L) {
  ulong * hit = (ulong *)arg[0];
  for (long i = block_i0; i < block_i1; i++) hit[i] += 1UL + tpool_t0 * 1000UL;
  if (block_cnt != block_i1 - block_i0) break;
  if (arg_cnt != 1UL) hit[0] = 999999UL;
}
FD_FOR_ALL_END

/* Sum of 128-byte aligned, 2-element results: sum of elements and count of leaves. */
FD_MAP_REDUCE_PROTO(total);
FD_MAP_REDUCE_BEGIN(total, 5L, 0UL, sizeof(ulong), 2L) {
  ulong * out = (ulong *)arg[0];
  out[0] = 0UL;
  for (long i = block_i0; i < block_i1; i++) out[0] += ((ulong const *)arg[1])[i];
  out[1] = reduce_align == 128UL && reduce_cnt == 2L && reduce_sz == 8UL && block_thresh == 5L;
}
FD_MAP_END {
  ulong const * right = (ulong const *)_r1;
  ulong * out = (ulong *)arg[0];
  out[0] += right[0];
  out[1] += right[1];
  if (_r1 & 127UL || tpool_ts <= tpool_t0 || tpool_ts >= tpool_t1 || block_is <= block_i0 ||
      block_is >= block_i1)
    out[1] = 1UL << 40;
}
FD_REDUCE_END

static void test_map_reduce(fd_tpool_t * tp, fd_rng_t * rng) {
  static ulong x[ELEM_MAX];
  int sums = 1, marks = 1;
  for (ulong i = 0UL; i < ELEM_MAX; i++) x[i] = fd_rng_ulong(rng);
  for (int iter = 0; iter < 500; iter++) {
    ulong threads = 1UL + fd_rng_ulong_roll(rng, TILES);
    ulong t0 = fd_rng_ulong_roll(rng, TILES - threads + 1UL), t1 = t0 + threads;
    long i0 = (long)fd_rng_ulong_roll(rng, 100UL),
         i1 = i0 + (long)fd_rng_ulong_roll(rng, iter & 1 ? 8UL : 2900UL);
    ulong sum[2], want = 0UL;
    for (long i = i0; i < i1; i++) want += x[i];
    FD_MAP_REDUCE(total, tp, t0, t1, i0, i1, sum, x);
    sums &= sum[0] == want && sum[1] >= 1UL && sum[1] <= threads;
    memset(hits, 0, sizeof(hits));
    FD_FOR_ALL(mark, tp, t0, t1, i0, i1, hits);
    for (long i = 0L; i < (long)ELEM_MAX; i++)
      marks &= (i >= i0 && i < i1) == (hits[i] % 1000UL == 1UL);
  }
  ok(sums, "map/reduce is the serial sum, results aligned");
  ok(marks, "for all touches each element once");
  memset(hits, 0, sizeof(hits));
  FD_FOR_ALL(mark, tp, 1UL, TILES, 0L, 3, hits);
  ok(hits[0] == 1001UL && hits[1] == 2001UL && hits[2] == 3001UL,
     "threshold 1: thread k has element k");
}

FD_FOR_ALL_PROTO(many);
FD_FOR_ALL_BEGIN(many, 1L) {
  ulong sum = 0UL;
  for (ulong i = 1UL; i < arg_cnt; i++) sum += arg[i];
  ((ulong *)arg[0])[block_i0] = sum * 100UL + arg_cnt;
}
FD_FOR_ALL_END

static void test_args(fd_tpool_t * tp) {
  ulong out[2] = {0UL, 0UL};
  FD_FOR_ALL(many, tp, 0UL, 2UL, 0, 2, out, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
             17, 18, 19, 20, 21, 22, 23, 24, 25);
  ok(out[0] == 32526UL && out[1] == 32526UL, "26 arguments");
  FD_MAP_REDUCE(many, tp, 0UL, 2UL, 0, 2, out, (char *)NULL, -1L);
  ok(out[0] == out[1] && out[0] == ULONG_MAX * 100UL + 3UL,
     "pointers and negative ints as arguments");
}

/* Whether a thread of ours is in futex() without a time limit; -1 if the kernel does not tell. */
static int asleep(char const * tid) {
  char path[300], line[200] = "";
  ulong no = 0UL, timeout = 1UL;
  snprintf(path, sizeof(path), "/proc/self/task/%s/syscall", tid);
  FILE * file = fopen(path, "r");
  if (!file) return -1;
  if (fgets(line, sizeof(line), file)) sscanf(line, "%lu %*x %*x %*x %lx", &no, &timeout);
  fclose(file);
  return no == (ulong)SYS_futex && !timeout;
}

/* Idle workers and tiles sleep until they are woken: all come to wait without a time limit. */
static void test_idle(void) {
  ulong sleepers = 0UL;
  int known = 1;
  alarm(60U); /* who does not sleep at all */
  while (known && sleepers < TILES - 1UL) {
    DIR * tasks = opendir("/proc/self/task");
    sleepers = 0UL;
    for (struct dirent * e; (e = readdir(tasks));) {
      int state = e->d_name[0] == '.' || atoi(e->d_name) == getpid() ? 0 : asleep(e->d_name);
      known &= state >= 0;
      sleepers += state > 0;
    }
    closedir(tasks);
    sched_yield();
  }
  alarm(0U);
  ok(!known || sleepers == TILES - 1UL, "idle workers and tiles sleep%s", known ? "" : " # SKIP /proc does not tell");
}

static void test_partition(fd_rng_t * rng) {
  int good = 1;
  for (int i = 0; i < 10000; i++) {
    ulong lo, hi, task0 = fd_rng_ulong(rng) >> fd_rng_uint_roll(rng, 64U),
                  cnt = fd_rng_ulong(rng) >> fd_rng_uint_roll(rng, 64U);
    ulong task1 = cnt > ULONG_MAX - task0 ? ULONG_MAX : task0 + cnt,
          lanes = 1UL + fd_rng_ulong_roll(rng, 16UL);
    ulong workers = 1UL + fd_rng_ulong_roll(rng, 20UL), next = task0,
          blocks = (task1 - task0) / lanes;
    for (ulong w = 0UL; w < workers; w++) {
      FD_TPOOL_PARTITION(task0, task1, lanes, w, workers, lo, hi);
      ulong want = lanes * (blocks / workers + (w < blocks % workers)) +
                   (w == workers - 1UL ? (task1 - task0) % lanes : 0UL);
      good &= lo == next && hi - lo == want;
      next = hi;
    }
    good &= next == task1;
  }
  ok(good, "FD_TPOOL_PARTITION against its definition");
}

int main(int argc, char ** argv) {
  fd_rng_t rng[1];
  char * with_tiles[64] = {argv[0], (char *)(ulong) "--tile-cpus", (char *)(ulong) "f4"};
  int cnt = 3;
  for (int i = 1; i < argc && cnt < 62; i++) with_tiles[cnt++] = argv[i];
  argv = with_tiles;
  setenv("FD_LOG_PATH", "", 0); /* no litter in /tmp */
  fd_boot(&cnt, &argv);
  uint seed = fd_env_strip_cmdline_uint(&cnt, &argv, "--seed", NULL, (uint)fd_log_wallclock());
  printf("# --seed %u\n", seed);
  fd_rng_new(rng, seed, 0UL);
  fd_log_level_stderr_set(4);
  is_ulong(FD_TPOOL_FOOTPRINT(1UL), 512UL, "footprint for 1");
  is_ulong(fd_tpool_footprint(1024UL), 8704UL, "footprint for 1024");
  ok(!fd_tpool_footprint(0UL) && !fd_tpool_footprint(1025UL), "no footprint");
  test_tiles();
  test_push_pop();
  test_partition(rng);
  fd_tpool_t * tp = fd_tpool_init(mem, TILES, FD_TPOOL_OPT_SLEEP);
  for (ulong i = 1UL; i < TILES; i++) fd_tpool_worker_push(tp, i);
  test_exec_all(tp, rng);
  test_map_reduce(tp, rng);
  test_args(tp);
  test_idle();
  fd_tpool_fini(tp);
  fd_halt();
  return done_testing();
}
