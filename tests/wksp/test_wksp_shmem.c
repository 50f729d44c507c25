/* Workspaces in named and anonymous shared memory, positions as text, and several threads that
   allocate and free in one workspace at the same time. */

#include <errno.h>

#include "wksp_tests.h"

#define LOGS(c)   (logged(), ok(!!(c) && logged() == 1, "%s (logs)", #c))
#define SILENT(c) (logged(), ok(!!(c) && logged() == 0, "%s (silent)", #c))

static ulong const one[1] = {64UL};
static ulong const none[1] = {0UL};
static ulong const huge[2] = {ULONG_MAX, 2UL};
static ulong const cpu[2] = {0UL, 0UL};
static ulong const no_cpu[1] = {99999UL};

static void test_new_named(void) {
  LOGS(fd_wksp_new_named(NULL, 4096UL, 1UL, one, cpu, 0600UL, 1U, 0UL) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_new_named("-x", 4096UL, 1UL, one, cpu, 0600UL, 1U, 0UL) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_new_named("n", 1234UL, 1UL, one, cpu, 0600UL, 1U, 0UL) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_new_named("n", 4096UL, 0UL, one, cpu, 0600UL, 1U, 0UL) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_new_named("n", 4096UL, 1UL, NULL, cpu, 0600UL, 1U, 0UL) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_new_named("n", 4096UL, 1UL, one, NULL, 0600UL, 1U, 0UL) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_new_named("n", 4096UL, 1UL, none, cpu, 0600UL, 1U, 0UL) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_new_named("n", 4096UL, 2UL, huge, cpu, 0600UL, 1U, 0UL) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_new_named("n", 4096UL, 1UL, one, cpu, 0600UL, 1U, 1UL << 40) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_new_named("n", 4096UL, 1UL, one, cpu, 0600UL, 1U, 4096UL) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_new_named("n", 4096UL, 1UL, one, no_cpu, 0600UL, 1U, 0UL) == FD_WKSP_ERR_FAIL);
  LOGS(fd_wksp_new_named("n", 4096UL, 1UL, one, cpu, 1UL << 40, 1U, 0UL) == FD_WKSP_ERR_FAIL);
  SILENT(fd_wksp_new_named("n", 4096UL, 1UL, one, cpu, 0600UL, 7U, 0UL) == FD_WKSP_SUCCESS);
  LOGS(fd_wksp_new_named("n", 4096UL, 1UL, one, cpu, 0600UL, 1U, 0UL) == FD_WKSP_ERR_FAIL);
  LOGS(!fd_wksp_attach("missing"));
  LOGS(!fd_wksp_attach(NULL));
  LOGS(fd_wksp_delete_named(NULL) == FD_WKSP_ERR_FAIL);
  LOGS(fd_wksp_delete_named("missing") == FD_WKSP_ERR_FAIL);
}

static void test_cstr(void) {
  char out[FD_WKSP_CSTR_MAX], again[FD_WKSP_CSTR_MAX], bad[FD_WKSP_CSTR_MAX];
  fd_wksp_t *w = fd_wksp_attach("n");
  ok(w && w == fd_wksp_attach("n") && fd_wksp_seed(w) == 7U, "attachments share one handle");
  SILENT(!fd_wksp_detach(w));
  LOGS(fd_wksp_detach(NULL));
  LOGS(fd_wksp_detach((fd_wksp_t *)out));
  SILENT(fd_wksp_cstr_alloc("n", 64UL, 100UL, 5UL, out) == out);
  SILENT(fd_wksp_cstr_tag(out) == 5UL);
  void *p = fd_wksp_map(out);
  SILENT(p && fd_wksp_containing(p) == w && !fd_wksp_containing(NULL) && !fd_wksp_containing(out));
  SILENT(fd_wksp_cstr_laddr(p, again) == again && !strcmp(out, again));
  SILENT((fd_wksp_cstr_memset(out, 'z'), ((char *)p)[99] == 'z'));
  SILENT((fd_wksp_unmap(p), fd_wksp_unmap(NULL), 1));
  LOGS((fd_wksp_unmap(out), 1));
  SILENT(fd_wksp_cstr(w, 0UL, again) == again && !strcmp(again, "n:0"));
  LOGS(!fd_wksp_cstr(NULL, 0UL, out));
  LOGS(!fd_wksp_cstr(w, 0UL, NULL));
  LOGS(!fd_wksp_cstr(w, 1UL, bad));
  LOGS(!fd_wksp_cstr_laddr(out, bad));
  LOGS(!fd_wksp_cstr_laddr(p, NULL));
  SILENT(fd_wksp_cstr_alloc("n", 64UL, 0UL, 5UL, again) == again && !strcmp(again, "n:0"));
  strcpy(bad, "kept");
  LOGS(!fd_wksp_cstr_alloc("n", 3UL, 8UL, 5UL, bad));
  LOGS(!fd_wksp_cstr_alloc("n", 8UL, 8UL, 0UL, bad));
  LOGS(!fd_wksp_cstr_alloc("missing", 8UL, 8UL, 1UL, bad));
  LOGS(!fd_wksp_cstr_alloc("n", 8UL, 1UL << 40, 1UL, bad));
  LOGS(!fd_wksp_cstr_alloc("n", 8UL, 8UL, 1UL, NULL));
  ok(!strcmp(bad, "kept"), "out untouched");
  LOGS((fd_wksp_cstr_free("n"), fd_wksp_cstr_free("n:"), fd_wksp_cstr_free("n:5x"), 1));
  LOGS(!fd_wksp_cstr_tag(NULL));
  LOGS(!fd_wksp_cstr_tag("missing:5"));
  LOGS((fd_wksp_cstr_memset("n:1", 3), 1));
  LOGS(!fd_wksp_map("n:1"));
  LOGS(!fd_wksp_map(":5"));
  SILENT((fd_wksp_cstr_free(out), !fd_wksp_cstr_tag(out)));
  p = fd_wksp_alloc_laddr(w, 8UL, 8UL, 3UL);
  SILENT(p && (fd_wksp_free_laddr(p), fd_wksp_free_laddr(p), fd_wksp_free_laddr(NULL), 1));
  LOGS((fd_wksp_free_laddr(out), 1));
  LOGS((fd_wksp_mprotect(NULL, 1), 1));
  SILENT((fd_wksp_mprotect(w, 1), fd_wksp_mprotect(w, 0), !fd_wksp_verify(w)));
  SILENT(!fd_wksp_detach(w));
  LOGS(fd_wksp_detach(w));
  SILENT(!fd_wksp_containing(w));
  SILENT(!fd_wksp_delete_named("n"));
  LOGS(!fd_wksp_attach("n"));
}

static void test_anon(void) {
  LOGS(!fd_wksp_new_anon("", 4096UL, 1UL, one, cpu, 1U, 0UL));
  LOGS(!fd_wksp_new_anon("a", 4096UL, 1UL, none, cpu, 1U, 0UL));
  LOGS(!fd_wksp_new_anon("a", 4096UL, 1UL, one, no_cpu, 1U, 0UL));
  fd_wksp_t *w = fd_wksp_new_anon("a", 4096UL, 1UL, one, cpu, 1U, 0UL);
  LOGS(!fd_wksp_new_anon("a", 4096UL, 1UL, one, cpu, 1U, 0UL));
  SILENT(w && fd_wksp_attach("a") == w);
  LOGS((fd_wksp_delete_anon(w), 1)); /* still attached */
  SILENT(!fd_wksp_detach(w) && fd_wksp_containing(w) == w);
  LOGS(fd_wksp_new_named("a", 4096UL, 1UL, one, cpu, 0600UL, 1U, 0UL) == FD_WKSP_ERR_FAIL);
  SILENT((fd_wksp_delete_anon(w), !fd_wksp_containing(w)));
  LOGS((fd_wksp_delete_anon(w), 1));
  LOGS((fd_wksp_delete_anon(NULL), 1));
  w = fd_wksp_new_anon("g", FD_SHMEM_GIGANTIC_PAGE_SZ, 1UL, cpu + 0, cpu, 1U, 0UL);
  ok(!w, "no pages at all");
}

/* What a join or leave function tried with a region that is in the middle of being joined or left.
 */
typedef struct {
  char const *again;  /* joined from inside */
  char const *nested; /* joined from inside, with a function that joins `again` */
  void *got;
  void *nested_join;
} cyclic_t;

static void *cyclic_inner(void *context, fd_shmem_join_info_t const *info) {
  cyclic_t *c = (cyclic_t *)context;
  c->got = fd_shmem_join(c->again, 1, 0, NULL, NULL, NULL);
  return info->shmem;
}

static void *cyclic_outer(void *context, fd_shmem_join_info_t const *info) {
  cyclic_t *c = (cyclic_t *)context;
  c->nested_join = fd_shmem_join(c->nested, 1, 0, cyclic_inner, c, NULL);
  return info->shmem;
}

static void *cyclic_leave(void *context, fd_shmem_join_info_t const *info) {
  *(int *)context = fd_shmem_leave(info->shmem, NULL, NULL);
  return info->shmem;
}

static void *refuse(void *context, fd_shmem_join_info_t const *info) {
  *(void **)context = info->shmem;
  return NULL;
}

/* A region can not be joined from its own join or leave function, not through another one either;
   the others are not harmed, and afterwards no trace is left. */
static void test_cyclic(void) {
  void *shmem = NULL;
  fd_shmem_join_info_t info;
  ok(!fd_shmem_create("x", 4096UL, 1UL, 0UL, 0600UL) &&
         !fd_shmem_create("y", 4096UL, 2UL, 0UL, 0600UL),
     "two regions");
  cyclic_t c = {.again = "x", .got = &c};
  void *x = NULL;
  int left = 0;
  LOGS((x = fd_shmem_join("x", 1, 0, cyclic_inner, &c, &info)) && !c.got);
  ok(info.ref_cnt == 1L && info.join == x, "the outer join is the only one");
  c.got = &c;
  LOGS(!fd_shmem_leave(x, cyclic_inner, &c) && !c.got);
  SILENT(fd_shmem_join_query_by_name("x", NULL) == ENOENT);
  c = (cyclic_t){.again = "x", .nested = "y", .got = &c};
  LOGS((x = fd_shmem_join("x", 1, 0, cyclic_outer, &c, NULL)) && !c.got && c.nested_join);
  SILENT(!fd_shmem_leave(c.nested_join, NULL, NULL) && !fd_shmem_leave(x, NULL, NULL));
  LOGS((x = fd_shmem_join("x", 1, 0, cyclic_leave, &left, NULL)) && left);
  SILENT(!fd_shmem_leave(x, NULL, NULL));
  c = (cyclic_t){.again = "y"};
  SILENT((x = fd_shmem_join("x", 1, 0, cyclic_inner, &c, NULL)) && c.got); /* no cycle */
  SILENT(!fd_shmem_leave(c.got, NULL, NULL) && !fd_shmem_leave(x, NULL, NULL));
  LOGS(!fd_shmem_join("x", 1, 0, refuse, &shmem, NULL));
  SILENT(shmem && fd_shmem_join_query_by_addr(shmem, 4096UL, NULL) == ENOENT);
  ok(!fd_shmem_iter_begin(), "no join is left");
  fd_shmem_unlink("x", 4096UL);
  fd_shmem_unlink("y", 4096UL);
}

/* arg: wksp, failures, operations; every thread has its own live allocations and checks their bytes
 */
static FD_FOR_ALL_BEGIN(stress, 1L) {
  fd_wksp_t *w = (fd_wksp_t *)arg[0];
  ulong *bad = (ulong *)arg[1];
  ulong g[50][2];
  fd_rng_t rng[1];
  memset(g, 0, sizeof(g));
  fd_rng_join(fd_rng_new(rng, (uint)tpool_t0, 0UL));
  for (ulong n = 0UL; n < arg[2]; n++) {
    ulong *a = g[fd_rng_ulong_roll(rng, 50UL)];
    if (a[0]) {
      uchar const *p = (uchar const *)fd_wksp_laddr_fast(w, a[0]);
      int same = p[0] == (uchar)(tpool_t0 + 1UL) && !memcmp(p, p + 1, a[1] - 1UL);
      if (!same || fd_wksp_tag(w, a[0]) != tpool_t0 + 1UL)
        __atomic_fetch_add(bad, 1UL, __ATOMIC_RELAXED);
      fd_wksp_free(w, a[0]);
      a[0] = 0UL;
    } else {
      a[1] = 1UL + fd_rng_ulong_roll(rng, 2000UL);
      a[0] = fd_wksp_alloc(w, 1UL << fd_rng_ulong_roll(rng, 8UL), a[1], tpool_t0 + 1UL);
      if (a[0]) memset(fd_wksp_laddr_fast(w, a[0]), (int)tpool_t0 + 1, a[1]);
    }
  }
  ulong tag = tpool_t0 + 1UL;
  fd_wksp_tag_free(w, &tag, 1UL);
  (void)block_i0, (void)block_i1;
}
FD_FOR_ALL_END

static void test_threads(void) {
  static uchar mem[FD_TPOOL_FOOTPRINT(3UL)] __attribute__((aligned(FD_TPOOL_ALIGN)));
  fd_tpool_t *pool = fd_tpool_init(mem, 3UL, 0UL);
  fd_tpool_worker_push(pool, 1UL);
  fd_tpool_worker_push(pool, 2UL);
  fd_wksp_t *w = test_wksp(300UL, 100000UL);
  ulong bad = 0UL;
  fd_wksp_usage_t u;
  FD_FOR_ALL(stress, pool, 0UL, 3UL, 0L, 3L, w, &bad, test_cnt("WKSP_STRESS", 20000UL));
  is_ulong(bad, 0UL, "no allocation's bytes or tag changed under 3 threads");
  ok(!fd_wksp_verify(w) && fd_wksp_usage(w, NULL, 0UL, &u)->total_cnt == 1UL,
     "all is free afterwards");
  fd_tpool_fini(pool);
}

int main(void) {
  test_boot("test_wksp_shmem");
  test_new_named();
  test_cstr();
  test_anon();
  test_cyclic();
  test_threads();
  return test_halt();
}
