/* The behaviour the boot, tile and tpool tables promise: options and their stripping, --tile-cpus,
   tile execution, dispatch of every style, map/reduce trees. */

#include "api.h"

#include <sched.h>

#define TILE_CNT (4UL)

/* Boots a child with the options in arg and exits with the tile count. */
static void boot_tiles(void * arg) {
  char text[256], *argv[32], **pargv = argv;
  fd_halt();
  fd_cstr_printf(text, sizeof(text), NULL, "x %s", (char const *)arg);
  int argc = (int)fd_cstr_tokenize(argv, 31UL, text, ' ');
  argv[argc] = NULL;
  setenv("FD_LOG_PATH", "", 1);
  fd_boot(&argc, &pargv);
  int floating = 0;
  for (ulong i = 0UL; i < fd_tile_cnt(); i++) floating += fd_tile_cpu_id(i) == ULONG_MAX - 1UL;
  ulong cnt = fd_tile_cnt();
  fd_halt();
  _exit((int)cnt + 16 * (cnt == (ulong)floating) + 32 * (argc == 1));
}

static int tiles(char const * options) {
  char copy[256];
  fd_cstr_ncpy(copy, options, 256UL);
  int status = api_child(boot_tiles, copy);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_boot(void) {
  char fixed[64];
  ulong cpu = fd_log_cpu_id();
  IS(tiles("") == 1 + 16 + 32 && tiles("--tile-cpus f3") == 3 + 16 + 32 &&
     tiles("--tile-cpus f,f,f") == 3 + 16 + 32);
  IS(tiles(fd_cstr_printf(fixed, 64UL, NULL, "--tile-cpus %lu,f", cpu)) == 2 + 32);
  IS(tiles(fd_cstr_printf(fixed, 64UL, NULL, "--tile-cpus %lu-%lu/1,f2", cpu, cpu)) == 3 + 32);
  IS(tiles(fd_cstr_printf(fixed, 64UL, NULL, "--tile-cpus %lu-%lu:2", cpu, cpu)) == 1 + 32);
  IS((tiles(fd_cstr_printf(fixed, 64UL, NULL, "--tile-cpus %luh", cpu)) & 15) >= 1);
  char const * bad[] = {"x",  "0,",     "0,0",   "f0", "1-0",  "0-1/0", "0-",
                        ",0", "0 1 2;", "f2000", "-1", "0-1/", "0x1"};
  for (ulong i = 0UL; i < sizeof(bad) / sizeof(bad[0]); i++) {
    fd_cstr_printf(fixed, 64UL, NULL, "--tile-cpus %s", bad[i]);
    if (i == 8UL) continue; /* blanks split the command line */
    ok(tiles(fixed) == 1 && strstr(api_log_text, "ERR "), "malformed: %s", fixed);
  }
  setenv("FD_TILE_CPUS", "f2", 1);
  IS(tiles("") == 2 + 16 + 32 && tiles("--tile-cpus f") == 1 + 16 + 32);
  unsetenv("FD_TILE_CPUS");
  IS(tiles("--unknown 1") == 1 + 16);
  IS(tiles(
         "--log-dedup 0 --log-backtrace 0 --log-app-id 3 --log-thread-id 4 --log-host-id 5 "
         "--log-cpu-id 6 "
         "--log-group-id 7 --log-user-id 8 --log-tid 9 --log-app a --log-thread t --log-host h") ==
     1 + 16 + 32);
  IS(tiles("--log-cpu c --log-group g --log-user u --log-colorize 0 --log-level-logfile 1 "
           "--log-level-stderr 2 "
           "--log-level-flush 3 --log-level-core 5 --shmem-path /tmp/none --tile-cpus f") ==
     1 + 16 + 32);
}

static void identity_child(void * arg) {
  char text[] = "x,--log-app,A,--log-app-id,11,--log-host,H,--log-host-id,12,--log-thread,T,--log-"
                "thread-id,13,"
                "--log-group,G,--log-user,U,--log-cpu,C,--log-level-stderr,1,--log-path,-";
  char *argv[40], **pargv = argv;
  (void)arg;
  fd_halt();
  int argc = (int)fd_cstr_tokenize(argv, 39UL, text, ',');
  argv[argc] = NULL;
  fd_boot(&argc, &pargv);
  int good = !strcmp(fd_log_app(), "A") && fd_log_app_id() == 11UL && !strcmp(fd_log_host(), "H") &&
             fd_log_host_id() == 12UL && !strcmp(fd_log_thread(), "T") &&
             fd_log_thread_id() == 13UL && !strcmp(fd_log_group(), "G") &&
             !strcmp(fd_log_user(), "U") && !strcmp(fd_log_cpu(), "C") &&
             fd_log_level_stderr() == 1 && fd_tile_id() == 13UL && fd_tile_id0() == 13UL &&
             fd_tile_idx() == 0UL;
  _exit(good);
}

static int go;
static int sum_task(int argc, char ** argv) {
  static FD_TL int calls;
  if (argv) *(ulong *)(void *)argv = fd_tile_idx();
  return argc + 1000 * calls++;
}
static int wait_task(int argc, char ** argv) {
  (void)argv;
  while (!__atomic_load_n(&go, __ATOMIC_ACQUIRE)) FD_YIELD();
  return argc;
}
static int nested_task(int argc, char ** argv) { /* a tile may not start itself or the booter */
  (void)argv;
  return !fd_tile_exec_new(fd_tile_idx(), sum_task, 0, NULL) &&
                 !fd_tile_exec_new(0UL, sum_task, 0, NULL)
             ? argc
             : -1;
}
static int big_frame(int argc, char ** argv) {
  uchar volatile frame[1UL << 20];
  static FD_TL uchar tls[1UL << 20];
  (void)argv;
  for (ulong i = 0UL; i < sizeof(frame); i += 4096UL) frame[i] = (uchar)argc, tls[i] = frame[i];
  return frame[4096] + tls[8192];
}

static void test_exec(void) {
  ulong idx = 0UL, cnt = fd_tile_cnt();
  int ret = 5;
  IS(cnt == TILE_CNT && fd_tile_idx() == 0UL && fd_tile_id() == fd_tile_id0() &&
     fd_tile_id1() == fd_tile_id0() + cnt);
  IS(fd_tile_cpu_id(0UL) == ULONG_MAX - 1UL && fd_tile_cpu_id(cnt) == ULONG_MAX);
  SILENT(!fd_tile_exec_new(0UL, sum_task, 0, NULL) && !fd_tile_exec_new(cnt, sum_task, 0, NULL) &&
         !fd_tile_exec_new(ULONG_MAX, sum_task, 0, NULL));
  fd_tile_exec_t * exec = fd_tile_exec_new(2UL, sum_task, -7, (char **)(void *)&idx);
  SILENT(exec && !fd_tile_exec_delete(exec, &ret) && ret == -7 && idx == 2UL);
  exec = fd_tile_exec_new(2UL, sum_task, 1, NULL);
  SILENT(exec && !fd_tile_exec_delete(exec, &ret) &&
         ret == 1001); /* thread-locals persist, at once again */
  exec = fd_tile_exec_by_id_new(fd_tile_id0() + 1UL, wait_task, 3, (char **)3UL);
  SILENT(exec && !fd_tile_exec_new(1UL, sum_task, 0, NULL));
  SILENT(fd_tile_exec(1UL) == exec && fd_tile_exec_by_id(fd_tile_id0() + 1UL) == exec &&
         fd_tile_exec_id(exec) == fd_tile_id0() + 1UL && fd_tile_exec_idx(exec) == 1UL &&
         fd_tile_exec_task(exec) == wait_task && fd_tile_exec_argc(exec) == 3 &&
         (ulong)fd_tile_exec_argv(exec) == 3UL && fd_tile_exec_done(exec) == 0);
  __atomic_store_n(&go, 1, __ATOMIC_RELEASE);
  while (!fd_tile_exec_done(exec)) FD_YIELD();
  SILENT(!fd_tile_exec_delete(exec, NULL));
  exec = fd_tile_exec_new(3UL, nested_task, 9, NULL);
  SILENT(!fd_tile_exec_delete(exec, &ret) && ret == 9);
  exec = fd_tile_exec_new(3UL, big_frame, 4, NULL);
  SILENT(!fd_tile_exec_delete(exec, &ret) && ret == 8);
  SILENT((ulong)fd_tile_stack0() < (ulong)&ret && (ulong)&ret < (ulong)fd_tile_stack1() &&
         fd_tile_stack_sz() &&
         fd_tile_stack_est_used() + fd_tile_stack_est_free() == fd_tile_stack_sz());
}

/* tpool: what a task was called with. */
typedef struct {
  ulong arg[12];
} call_t;
static call_t call[4096];
static ulong call_cnt;

static void record(void * tpool, ulong t0, ulong t1, void * args, void * reduce, ulong stride,
                   ulong l0, ulong l1, ulong m0, ulong m1, ulong n0, ulong n1) {
  ulong i = FD_ATOMIC_FETCH_AND_ADD(&call_cnt, 1UL);
  call[i] =
      (call_t){{(ulong)tpool, t0, t1, (ulong)args, (ulong)reduce, stride, l0, l1, m0, m1, n0, n1}};
}
static void hold(void * tpool, ulong t0, ulong t1, void * args, void * reduce, ulong stride,
                 ulong l0, ulong l1, ulong m0, ulong m1, ulong n0, ulong n1) {
  (void)tpool, (void)t0, (void)t1, (void)args, (void)reduce, (void)stride, (void)l0, (void)l1,
      (void)m0, (void)m1;
  (void)n0, (void)n1;
  while (!__atomic_load_n(&go, __ATOMIC_ACQUIRE)) FD_YIELD();
}

static uchar mem[FD_TPOOL_FOOTPRINT(FD_TILE_MAX)] __attribute__((aligned(FD_TPOOL_ALIGN)));
static fd_tpool_t * pool;

static void test_tpool_admin(void) {
  SILENT(fd_tpool_align() == 128UL && !fd_tpool_footprint(0UL) && !fd_tpool_footprint(1025UL) &&
         fd_tpool_footprint(1UL) == 512UL && fd_tpool_footprint(1024UL) == 8704UL);
  LOGS(!fd_tpool_init(NULL, 4UL, 0UL));
  LOGS(!fd_tpool_init(mem + 64, 4UL, 0UL));
  LOGS(!fd_tpool_init(mem, 0UL, 0UL));
  LOGS(!fd_tpool_init(mem, 1025UL, 0UL));
  LOGS(!fd_tpool_fini(NULL));
  pool = fd_tpool_init(mem, 3UL, 0x1234UL);
  SILENT(pool && fd_tpool_opt(pool) == 0x1234UL && fd_tpool_worker_cnt(pool) == 1UL &&
         fd_tpool_worker_max(pool) == 3UL && fd_tpool_worker_tile_idx(pool, 0UL) == 0UL &&
         fd_tpool_worker_idle(pool, 0UL) == 0);
  LOGS(!fd_tpool_worker_push(NULL, 1UL));
  LOGS(!fd_tpool_worker_push(pool, 0UL));
  LOGS(!fd_tpool_worker_push(pool, TILE_CNT));
  LOGS(!fd_tpool_worker_pop(pool));
  LOGS(!fd_tpool_worker_pop(NULL));
  __atomic_store_n(&go, 0, __ATOMIC_RELEASE);
  fd_tile_exec_t * exec = fd_tile_exec_new(1UL, wait_task, 0, NULL);
  LOGS(!fd_tpool_worker_push(pool, 1UL)); /* busy */
  __atomic_store_n(&go, 1, __ATOMIC_RELEASE);
  fd_tile_exec_delete(exec, NULL);
  SILENT(fd_tpool_worker_push(pool, 2UL) == pool && fd_tpool_worker_idle(pool, 1UL) == 1 &&
         fd_tpool_worker_tile_idx(pool, 1UL) == 2UL);
  LOGS(!fd_tpool_worker_push(pool, 2UL));
  SILENT(fd_tpool_worker_push(pool, 1UL) == pool && fd_tpool_worker_cnt(pool) == 3UL);
  LOGS(!fd_tpool_worker_push(pool, 3UL)); /* full */
  __atomic_store_n(&go, 0, __ATOMIC_RELEASE);
  fd_tpool_exec(pool, 2UL, hold, NULL, 0UL, 0UL, NULL, NULL, 0UL, 0UL, 0UL, 0UL, 0UL, 0UL, 0UL);
  SILENT(fd_tpool_worker_idle(pool, 2UL) == 0);
  LOGS(!fd_tpool_worker_pop(pool)); /* busy */
  __atomic_store_n(&go, 1, __ATOMIC_RELEASE);
  fd_tpool_wait(pool, 2UL);
  SILENT(fd_tpool_worker_idle(pool, 2UL) == 1 && fd_tpool_worker_pop(pool) == pool);
  exec = fd_tile_exec_new(1UL, sum_task, 0, NULL); /* the tile is free again at once */
  SILENT(exec && !fd_tile_exec_delete(exec, NULL) && fd_tpool_worker_push(pool, 1UL));
  SILENT(fd_tpool_fini(pool) == mem);
}

static void test_tpool_exec(void) {
  call_t want = {{1UL, 2UL, 3UL, 4UL, 5UL, 6UL, 7UL, ULONG_MAX, 9UL, 10UL, 11UL, 12UL}};
  pool = fd_tpool_init(mem, FD_TILE_MAX, FD_TPOOL_OPT_SLEEP);
  for (ulong i = 1UL; i < TILE_CNT; i++) fd_tpool_worker_push(pool, i);
  SILENT(fd_tpool_worker_cnt(pool) == TILE_CNT && fd_tpool_opt(pool) == 1UL);
  call_cnt = 0UL;
  fd_tpool_exec(pool, 3UL, record, (void *)1, 2UL, 3UL, (void *)4, (void *)5, 6UL, 7UL, ULONG_MAX,
                9UL, 10UL, 11UL, 12UL);
  fd_tpool_wait(pool, 3UL);
  SILENT(call_cnt == 1UL && !memcmp(call, &want, sizeof(want)));
}

static int by_m_n(void const * a, void const * b) {
  call_t const * x = (call_t const *)a;
  call_t const * y = (call_t const *)b;
  if (x->arg[8] != y->arg[8]) return x->arg[8] < y->arg[8] ? -1 : 1;
  return (x->arg[10] > y->arg[10]) - (x->arg[10] < y->arg[10]);
}

/* All calls carry the opaque arguments and n1=n0+1; sorted by m0 then n0. */
static int collect(ulong t0, ulong t1, ulong l0, ulong l1) {
  int good = 1;
  for (ulong i = 0UL; i < call_cnt; i++) {
    ulong const * a = call[i].arg;
    good &= a[0] == 77UL && a[1] == t0 && a[2] == t1 && a[3] == 88UL && a[4] == 99UL &&
            a[5] == 5UL && a[6] == l0 && a[7] == l1 && a[11] == a[10] + 1UL && a[10] >= t0 &&
            a[10] < t1;
  }
  qsort(call, call_cnt, sizeof(call_t), by_m_n);
  return good;
}

static ulong owner(ulong l, ulong t0, ulong t1, ulong l0, ulong l1) {
  ulong lo, hi;
  for (ulong t = t0; t < t1; t++) {
    FD_TPOOL_PARTITION(l0, l1, 1UL, t - t0, t1 - t0, lo, hi);
    if (lo <= l && l < hi) return t;
  }
  return ULONG_MAX;
}

#define RUN_ALL(how, t0, t1, l0, l1)                                                               \
  (call_cnt = 0UL,                                                                                 \
   fd_tpool_exec_all_##how(pool, t0, t1, record, (void *)77, (void *)88, (void *)99, 5UL, l0, l1), \
   collect(t0, t1, l0, l1))

static int check_all(ulong t0, ulong t1, ulong l0, ulong l1) {
  ulong cnt = l1 - l0, lo, hi;
  int good = RUN_ALL(rrobin, t0, t1, l0, l1) && call_cnt == cnt;
  for (ulong i = 0UL; i < cnt; i++)
    good &= call[i].arg[8] == l0 + i && call[i].arg[9] == l0 + i + 1UL &&
            call[i].arg[10] == t0 + i % (t1 - t0);
  good &= RUN_ALL(block, t0, t1, l0, l1) && call_cnt == cnt;
  for (ulong i = 0UL; i < cnt; i++)
    good &= call[i].arg[8] == l0 + i && call[i].arg[9] == l0 + i + 1UL &&
            call[i].arg[10] == owner(l0 + i, t0, t1, l0, l1);
  good &= RUN_ALL(taskq, t0, t1, l0, l1) && call_cnt == cnt;
  for (ulong i = 0UL; i < cnt; i++)
    good &= call[i].arg[8] == l0 + i && call[i].arg[9] == l0 + i + 1UL;
  good &= RUN_ALL(batch, t0, t1, l0, l1) && call_cnt == t1 - t0;
  for (ulong i = 0UL; i < t1 - t0; i++) {
    FD_TPOOL_PARTITION(l0, l1, 1UL, call[i].arg[10] - t0, t1 - t0, lo, hi);
    good &= call[i].arg[8] == lo && call[i].arg[9] == hi;
  }
  good &= RUN_ALL(raw, t0, t1, l0, l1) && call_cnt == t1 - t0;
  for (ulong i = 0UL; i < t1 - t0; i++)
    good &= call[i].arg[8] == l0 && call[i].arg[9] == l1 && call[i].arg[10] == t0 + i;
  return good;
}

static void test_exec_all(void) {
  int good = 1;
  for (ulong t0 = 0UL; t0 < TILE_CNT; t0++) {
    for (ulong t1 = t0 + 1UL; t1 <= TILE_CNT; t1++) {
      for (ulong cnt = 0UL; cnt < 12UL; cnt++) good &= check_all(t0, t1, 100UL, 100UL + cnt);
    }
  }
  IS(good);
  IS(check_all(1UL, 4UL, 0UL, 1000UL) && check_all(0UL, 4UL, ULONG_MAX - 10UL, ULONG_MAX));
  IS(RUN_ALL(raw, 0UL, 2UL, 9UL, 3UL) && call_cnt == 2UL && call[1].arg[8] == 9UL &&
     call[1].arg[9] == 3UL);
}

/* Map/reduce. */
static long seen[64], leaf_cnt, leaf_of[64];
static ulong args_seen[32], arg_cnt_seen;

static FD_FOR_ALL_PROTO(touch);
static FD_FOR_ALL_BEGIN(touch, 1L) {
  FD_ATOMIC_FETCH_AND_ADD(&leaf_cnt, 1L);
  for (long i = block_i0; i < block_i1; i++) seen[i]++, leaf_of[i] = (long)tpool_t0;
  if (block_cnt != block_i1 - block_i0 || block_thresh != 1L || reduce_cnt) leaf_cnt += 1000L;
  if (tpool_t1 <= tpool_t0 || !tpool) break;
}
FD_FOR_ALL_END

static FD_FOR_ALL_BEGIN(unused_names, 5L) {}
FD_FOR_ALL_END

FD_FOR_ALL_PROTO(see_args);
FD_FOR_ALL_BEGIN(see_args, LONG_MAX) {
  arg_cnt_seen = arg_cnt;
  for (ulong i = 0UL; i < arg_cnt; i++) args_seen[i] = arg[i];
}
FD_FOR_ALL_END

/* Order matters: strings of element numbers; also checks alignment, size and the right partial. */
static ulong reduce_faults;
typedef struct {
  char text[56];
  ulong cnt;
} __attribute__((aligned(64))) partial_t;

static FD_MAP_REDUCE_PROTO(join_text);
static FD_MAP_REDUCE_BEGIN(join_text, 1L, 64UL, sizeof(partial_t), 1L) {
  partial_t * out = (partial_t *)arg[0];
  char * p = fd_cstr_init(out->text);
  for (long i = block_i0; i < block_i1; i++) p = fd_cstr_append_char(p, (char)('a' + i));
  fd_cstr_fini(p);
  out->cnt = (ulong)block_cnt;
  if (reduce_align != 64UL || reduce_sz != sizeof(partial_t) || reduce_cnt != 1L ||
      arg_cnt != 2UL || arg[1] != 42UL || !fd_ulong_is_aligned(arg[0], 64UL))
    FD_ATOMIC_FETCH_AND_ADD(&reduce_faults, 1UL);
}
FD_MAP_END {
  partial_t * out = (partial_t *)arg[0];
  partial_t const * right = (partial_t const *)_r1;
  if (_r1 == arg[0] || !fd_ulong_is_aligned(_r1, 64UL) || tpool_ts <= tpool_t0 ||
      tpool_ts >= tpool_t1 || block_is <= block_i0 || block_is >= block_i1 ||
      out->cnt != (ulong)(block_is - block_i0) || right->cnt != (ulong)(block_i1 - block_is))
    FD_ATOMIC_FETCH_AND_ADD(&reduce_faults, 1UL);
  strcat(out->text, right->text);
  out->cnt += right->cnt;
}
FD_REDUCE_END

static FD_MAP_REDUCE_BEGIN(default_align, 1L, 0UL, 8UL, 1L) {
  if (reduce_align != 128UL) FD_ATOMIC_FETCH_AND_ADD(&reduce_faults, 1UL);
  *(ulong *)arg[0] = (ulong)block_cnt;
}
FD_MAP_END {
  if (!fd_ulong_is_aligned(_r1, 128UL)) FD_ATOMIC_FETCH_AND_ADD(&reduce_faults, 1UL);
  *(ulong *)arg[0] += *(ulong const *)_r1;
}
FD_REDUCE_END

/* reduce_cnt 0: REDUCE runs, _r1 is 0, all arguments are the user's. */
static ulong reduce_runs;
static FD_MAP_REDUCE_BEGIN(no_reduce, 1L, 32UL, 16UL, 0L) {
  if (arg_cnt != 1UL || arg[0] != 7UL || reduce_align != 32UL || reduce_sz != 16UL)
    FD_ATOMIC_FETCH_AND_ADD(&reduce_faults, 1UL);
}
FD_MAP_END {
  if (_r1) FD_ATOMIC_FETCH_AND_ADD(&reduce_faults, 1UL);
  FD_ATOMIC_FETCH_AND_ADD(&reduce_runs, 1UL);
}
FD_REDUCE_END

static void test_map_reduce(void) {
  int good = 1;
  for (ulong t0 = 0UL; t0 < TILE_CNT; t0++) {
    for (ulong t1 = t0 + 1UL; t1 <= TILE_CNT; t1++) {
      for (long i1 = 5L; i1 < 45L; i1++) {
        memset(seen, 0, sizeof(seen));
        leaf_cnt = 0L;
        FD_FOR_ALL(touch, pool, t0, t1, 5L, i1);
        for (long i = 0L; i < 64L; i++) good &= seen[i] == (i >= 5L && i < i1);
        if (i1 - 5L == (long)(t1 - t0)) {
          good &= leaf_cnt == i1 - 5L;
          for (long i = 5L; i < i1; i++) good &= leaf_of[i] == (long)t0 + i - 5L;
        }
        good &= i1 == 5L || leaf_cnt <= i1 - 5L; /* no empty leaves */
      }
    }
  }
  IS(good);
  partial_t out;
  for (ulong t1 = 1UL; t1 <= TILE_CNT; t1++) {
    FD_MAP_REDUCE(join_text, pool, 0UL, t1, 0L, 26L, &out, 42);
    good &= !strcmp(out.text, "abcdefghijklmnopqrstuvwxyz") && out.cnt == 26UL;
  }
  ulong sum = 0UL;
  FD_FOR_ALL(default_align, pool, 0UL, TILE_CNT, 0, 9, &sum); /* the names are interchangeable */
  if (good)
    FD_MAP_REDUCE(unused_names, pool, 0UL, 1UL, 0L, 0L);
  else
    FD_FOR_ALL(unused_names, pool, 0UL, 1UL, 0L, 0L);
  FD_MAP_REDUCE(no_reduce, pool, 0UL, TILE_CNT, 0L, 100L, 7);
  IS(good && !reduce_faults && sum == 9UL && reduce_runs == TILE_CNT - 1UL);
  FD_FOR_ALL(see_args, pool, 0UL, 1UL, -3L, -1L, 1, 2U, 'c', 4L, -5L, 6, 7, 8, 9, 10, 11, 12, 13,
             14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, &sum);
  good = arg_cnt_seen == 26UL && args_seen[2] == 'c' && args_seen[4] == (ulong)-5L &&
         args_seen[25] == (ulong)&sum;
  FD_FOR_ALL(see_args, pool, 0UL, 1UL, 0L, 1L);
  IS(good && arg_cnt_seen == 0UL);
  SILENT(fd_tpool_fini(pool) == mem);
}

int main(void) {
  api_boot("");
  test_boot();
  IS(WEXITSTATUS(api_child(identity_child, NULL)) == 1);
  fd_halt();
  api_boot("--tile-cpus f4");
  test_exec();
  test_tpool_admin();
  test_tpool_exec();
  test_exec_all();
  test_map_reduce();
  fd_halt();
  return done_testing();
}
