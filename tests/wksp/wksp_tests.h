/* What the tests of wksp share: whether something was logged, a workspace on the heap, and the
   naive model of a workspace that serves as oracle. */
#ifndef TESTS_WKSP_WKSP_TESTS_H
#define TESTS_WKSP_WKSP_TESTS_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fd/util/fd_util.h"
#include "fd/util/wksp/fd_wksp_private.h"
#include "tests/unit/tap.h"

static char test_dir[64];

/* Boots with the log in a fresh folder, which is also for the test's files. */
__attribute__((unused)) static void test_boot(char const *name) {
  static char text[512];
  char *arg[16];
  char **argv = arg;
  snprintf(test_dir, sizeof(test_dir), "/tmp/wksp-test-XXXXXX");
  if (!mkdtemp(test_dir)) exit(2);
  snprintf(text, sizeof(text),
           "%s --log-path %s/log --log-level-stderr 5 --log-dedup 0 --shmem-path %s "
           "--tile-cpus f3",
           name, test_dir, test_dir);
  int argc = (int)fd_cstr_tokenize(arg, 15UL, text, ' ');
  arg[argc] = NULL;
  fd_boot(&argc, &argv);
}

__attribute__((unused)) static int test_halt(void) {
  char cmd[96];
  snprintf(cmd, sizeof(cmd), "rm -rf '%s'", test_dir);
  fd_halt();
  if (system(cmd)) return 2;
  return done_testing();
}

/* A path in the test's folder; valid until the next but one call. */
__attribute__((unused)) static char const *test_path(char const *name) {
  static char path[2][136];
  static int turn;
  char *p = path[turn ^= 1];
  snprintf(p, sizeof(path[0]), "%s/%s", test_dir, name);
  return p;
}

/* 1 iff anything was logged since the last call. */
__attribute__((unused)) static int logged(void) {
  static off_t last;
  char path[96];
  struct stat st;
  fd_log_flush();
  snprintf(path, sizeof(path), "%s/log", test_dir);
  if (stat(path, &st)) return -1;
  int grown = st.st_size != last;
  last = st.st_size;
  return grown;
}

/* Seed of a random test: from the environment or the clock, always printed. */
__attribute__((unused)) static uint test_seed(void) {
  char const *env = getenv("TEST_SEED");
  uint seed = env ? (uint)strtoul(env, NULL, 0) : (uint)time(NULL) ^ (uint)getpid() << 16;
  printf("# TEST_SEED=%u\n", seed);
  return seed;
}

__attribute__((unused)) static ulong test_cnt(char const *env, ulong def) {
  char const *cstr = getenv(env);
  return cstr ? strtoul(cstr, NULL, 0) : def;
}

/* A workspace in memory that forked children share. */
__attribute__((unused)) static fd_wksp_t *test_wksp(ulong part_max, ulong data_max) {
  void *mem = mmap(NULL, fd_wksp_footprint(part_max, data_max), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return mem == MAP_FAILED ? NULL : fd_wksp_join(fd_wksp_new(mem, "test", 1U, part_max, data_max));
}

__attribute__((unused)) static void test_wksp_free(fd_wksp_t *wksp) {
  munmap(wksp, fd_wksp_footprint(fd_wksp_part_max(wksp), fd_wksp_data_max(wksp)));
}

/* The model: allocations in ascending order, nothing else. */
#define MODEL_MAX 4096UL

typedef struct {
  ulong lo;
  ulong hi;
  ulong tag;
  int fill;
} model_alloc_t;

typedef struct {
  ulong lo;
  ulong hi;
  ulong part_max;
  ulong cnt;
  model_alloc_t alloc[MODEL_MAX];
} model_t;

__attribute__((unused)) static void model_init(model_t *m, fd_wksp_t const *wksp) {
  m->lo = fd_wksp_gaddr_lo(wksp);
  m->hi = fd_wksp_gaddr_hi(wksp);
  m->part_max = fd_wksp_part_max(wksp);
  m->cnt = 0UL;
}

__attribute__((unused)) static int model_insert(model_t *m, model_alloc_t a) {
  ulong i = m->cnt;
  if (a.lo < m->lo || a.hi > m->hi || a.lo >= a.hi || m->cnt == MODEL_MAX) return 0;
  for (; i && m->alloc[i - 1UL].lo >= a.hi; i--) m->alloc[i] = m->alloc[i - 1UL];
  if (i && m->alloc[i - 1UL].hi > a.lo)
    return 0; /* overlap; the model is broken now, the test ends */
  m->alloc[i] = a;
  m->cnt++;
  return 1;
}

__attribute__((unused)) static void model_remove(model_t *m, ulong i) {
  m->cnt--;
  for (; i < m->cnt; i++) m->alloc[i] = m->alloc[i + 1UL];
}

/* Gap k of cnt+1 (may be empty). */
static void model_gap(model_t const *m, ulong k, ulong *lo, ulong *hi) {
  *lo = k ? m->alloc[k - 1UL].hi : m->lo;
  *hi = k < m->cnt ? m->alloc[k].lo : m->hi;
}

static ulong model_part_cnt(model_t const *m) {
  ulong cnt = m->cnt;
  for (ulong k = 0UL; k <= m->cnt; k++) {
    ulong lo, hi;
    model_gap(m, k, &lo, &hi);
    cnt += (ulong)(lo < hi);
  }
  return cnt;
}

/* 1 iff sz bytes aligned to align fit into a gap so that the partitions suffice: any multiple of
   align in the gap, not only those an allocator would think of. */
__attribute__((unused)) static int model_fits(model_t const *m, ulong align, ulong sz) {
  ulong idle = m->part_max - model_part_cnt(m);
  for (ulong k = 0UL; k <= m->cnt; k++) {
    ulong lo, hi;
    model_gap(m, k, &lo, &hi);
    for (ulong at = (lo + align - 1UL) / align * align; at < hi && hi - at >= sz; at += align) {
      if ((ulong)(at > lo) + (ulong)(at + sz < hi) <= idle) return 1;
      if (at + 2UL * align + sz < hi)
        at = (hi - sz) / align * align - align; /* only first and last can differ */
    }
  }
  return 0;
}

/* 1 iff the workspace has exactly the model's partitions and bytes and verifies. */
__attribute__((unused)) static int model_agrees(model_t const *m, fd_wksp_t *wksp) {
  static fd_wksp_tag_query_info_t info[2UL * MODEL_MAX + 1UL];
  ulong zero = 0UL;
  fd_wksp_usage_t usage;
  if (fd_wksp_verify(wksp)) return 0;
  fd_wksp_usage(wksp, &zero, 1UL, &usage);
  if (usage.total_cnt != model_part_cnt(m) || usage.free_cnt != usage.used_cnt ||
      usage.free_sz != usage.used_sz || usage.total_cnt - usage.free_cnt != m->cnt ||
      usage.total_sz != m->hi - m->lo || usage.total_max != m->part_max)
    return 0;
  for (ulong i = 0UL; i < m->cnt; i++) {
    model_alloc_t const *a = m->alloc + i;
    if (fd_wksp_tag(wksp, a->lo) != a->tag || fd_wksp_tag(wksp, a->hi - 1UL) != a->tag) return 0;
    uchar const *p = (uchar const *)fd_wksp_laddr(wksp, a->lo);
    if (p[0] != (uchar)a->fill || memcmp(p, p + 1, a->hi - a->lo - 1UL)) return 0;
  }
  ulong cnt = fd_wksp_tag_query(wksp, &zero, 1UL, info, 2UL * MODEL_MAX + 1UL);
  ulong n = 0UL;
  for (ulong k = 0UL; k <= m->cnt; k++) {
    ulong lo, hi;
    model_gap(m, k, &lo, &hi);
    if (lo == hi) continue;
    if (n >= cnt || info[n].gaddr_lo != lo || info[n].gaddr_hi != hi || info[n].tag) return 0;
    n++;
  }
  return n == cnt;
}

#endif
