/* The tables of the interface, line by line: constants, every function's error paths with return
   value and whether it logs. */

#include "wksp_tests.h"

#define SHMEM_SZ 16384UL
static uchar shmem[SHMEM_SZ] __attribute__((aligned(4096)));

FD_STATIC_ASSERT(FD_WKSP_SUCCESS == 0 && FD_WKSP_ERR_INVAL == -1 && FD_WKSP_ERR_FAIL == -2 &&
                     FD_WKSP_ERR_CORRUPT == -3,
                 codes);
FD_STATIC_ASSERT(FD_WKSP_ALIGN == 128UL && FD_WKSP_ALIGN_DEFAULT == 4096UL &&
                     FD_WKSP_CSTR_MAX == 61UL,
                 sizes);
FD_STATIC_ASSERT(FD_WKSP_CHECKPT_STYLE_RAW == FD_WKSP_CHECKPT_STYLE_V1, style);
FD_STATIC_ASSERT(FD_WKSP_FOOTPRINT(64UL, 8192UL) <= 16384UL, footprint);
FD_STATIC_ASSERT(sizeof(fd_wksp_usage_t) == 56UL, usage);

/* The expression is true and what it did logged (or did not). */
#define LOGS(c)   (logged(), ok(!!(c) && logged() == 1, "%s (logs)", #c))
#define SILENT(c) (logged(), ok(!!(c) && logged() == 0, "%s (silent)", #c))

static void test_sizing(void) {
  SILENT(fd_wksp_align() == 128UL);
  SILENT(!fd_wksp_footprint(0UL, 1UL) && !fd_wksp_footprint(1UL, 0UL) &&
         !fd_wksp_footprint(1UL << 32, 1UL));
  SILENT(!fd_wksp_footprint(1UL, ULONG_MAX) && !fd_wksp_footprint(1UL, ULONG_MAX - 300UL));
  SILENT(fd_wksp_footprint(17UL, 12345UL) == FD_WKSP_FOOTPRINT(17UL, 12345UL));
  SILENT(fd_wksp_part_max_est(ULONG_MAX, 1UL) == UINT_MAX);
  SILENT(!fd_wksp_part_max_est(100UL, 1UL) && !fd_wksp_part_max_est(SHMEM_SZ, 0UL));
  SILENT(!fd_wksp_part_max_est(SHMEM_SZ, ULONG_MAX));
  SILENT(fd_wksp_data_max_est(ULONG_MAX, UINT_MAX));
  SILENT(!fd_wksp_data_max_est(SHMEM_SZ, 0UL) && !fd_wksp_data_max_est(ULONG_MAX, 1UL << 32));
  SILENT(!fd_wksp_data_max_est(192UL, 1UL));
  int good = 1;
  for (ulong part_max = 1UL; part_max < 200UL; part_max++) {
    ulong data_max = fd_wksp_data_max_est(SHMEM_SZ, part_max);
    good &= fd_wksp_footprint(part_max, data_max) <= SHMEM_SZ &&
            fd_wksp_footprint(part_max, data_max + 1UL) > SHMEM_SZ;
  }
  ok(good, "data_max_est is the largest that fits");
}

static void test_life(void) {
  LOGS(!fd_wksp_new(NULL, "w", 1U, 4UL, 100UL));
  LOGS(!fd_wksp_new(shmem + 1, "w", 1U, 4UL, 100UL));
  LOGS(!fd_wksp_new(shmem, "", 1U, 4UL, 100UL));
  LOGS(!fd_wksp_new(shmem, NULL, 1U, 4UL, 100UL));
  LOGS(!fd_wksp_new(shmem, "w", 1U, 0UL, 100UL));
  LOGS(!fd_wksp_new(shmem, "w", 1U, 4UL, 0UL));
  LOGS(!fd_wksp_join(NULL));
  LOGS(!fd_wksp_join(shmem + 8));
  memset(shmem, 0, sizeof(shmem));
  LOGS(!fd_wksp_join(shmem));
  LOGS(!fd_wksp_leave(NULL));
  LOGS(!fd_wksp_delete(NULL));
  LOGS(!fd_wksp_delete(shmem + 8));
  LOGS(!fd_wksp_delete(shmem));
  SILENT(fd_wksp_new(shmem, "w", 7U, 4UL, 100UL) == shmem);
  fd_wksp_t *w = fd_wksp_join(shmem);
  ok((void *)w == (void *)shmem, "the join is the address");
  ok(!strcmp(fd_wksp_name(w), "w") && fd_wksp_seed(w) == 7U && fd_wksp_part_max(w) == 4UL &&
         fd_wksp_data_max(w) == 100UL && fd_wksp_gaddr_lo(w) &&
         fd_wksp_gaddr_hi(w) == fd_wksp_gaddr_lo(w) + 100UL && fd_wksp_owner(w) == ULONG_MAX,
     "accessors");
  SILENT(fd_wksp_leave(w) == shmem);
  memset(shmem + 128, 0xff, 256); /* delete needs no consistent metadata */
  SILENT(fd_wksp_delete(shmem) == shmem);
  LOGS(!fd_wksp_delete(shmem));
  LOGS(!fd_wksp_join(shmem));
  ok(!strcmp(fd_wksp_strerror(0), "success") && !strcmp(fd_wksp_strerror(-1), "inval") &&
         !strcmp(fd_wksp_strerror(-2), "fail") && !strcmp(fd_wksp_strerror(-3), "corrupt") &&
         !strcmp(fd_wksp_strerror(1), "unknown"),
     "strerror");
}

static fd_wksp_t *fresh(void) {
  ulong part_max = fd_wksp_part_max_est(SHMEM_SZ, 64UL);
  return fd_wksp_join(
      fd_wksp_new(shmem, "w", 1U, part_max, fd_wksp_data_max_est(SHMEM_SZ, part_max)));
}

static void test_addr(fd_wksp_t *w) {
  ulong lo = fd_wksp_gaddr_lo(w);
  ulong hi = fd_wksp_gaddr_hi(w);
  SILENT(!fd_wksp_laddr(w, 0UL) && !fd_wksp_laddr(NULL, 0UL));
  LOGS(!fd_wksp_laddr(NULL, lo));
  LOGS(!fd_wksp_laddr(w, lo - 1UL));
  LOGS(!fd_wksp_laddr(w, hi + 1UL));
  SILENT(fd_wksp_laddr(w, lo) == shmem + lo && fd_wksp_laddr(w, hi) == shmem + hi);
  SILENT(!fd_wksp_gaddr(w, NULL) && !fd_wksp_gaddr(NULL, NULL));
  LOGS(!fd_wksp_gaddr(NULL, shmem + lo));
  LOGS(!fd_wksp_gaddr(w, shmem));
  LOGS(!fd_wksp_gaddr(w, shmem + hi + 1UL));
  SILENT(fd_wksp_gaddr(w, shmem + lo) == lo && fd_wksp_gaddr(w, shmem + hi) == hi);
}

static void test_alloc(fd_wksp_t *w) {
  ulong lo = 5UL, hi = 5UL;
  SILENT(!fd_wksp_alloc_at_least(NULL, 3UL, 0UL, 0UL, &lo, &hi) && !lo && !hi);
  LOGS(!fd_wksp_alloc(NULL, 1UL, 1UL, 1UL));
  LOGS(!fd_wksp_alloc(w, 3UL, 1UL, 1UL));
  LOGS(!fd_wksp_alloc(w, 1UL, 1UL, 0UL));
  LOGS(!fd_wksp_alloc(w, 4096UL, ULONG_MAX - 1UL, 1UL));
  LOGS(!fd_wksp_alloc(w, 1UL, 1UL << 40, 1UL));
  fd_wksp_oom_silent = 1;
  SILENT(!fd_wksp_alloc(w, 1UL, 1UL << 40, 1UL));
  LOGS(!fd_wksp_alloc(w, 1UL, 1UL, 0UL)); /* only out-of-space is silenced */
  fd_wksp_oom_silent = 0;
  ulong g = fd_wksp_alloc(w, 0UL, 100UL, 3UL);
  ok(g && g % 4096UL == 0UL, "default alignment fits into 16 KiB");
  SILENT(fd_wksp_tag(w, g) == 3UL && fd_wksp_tag(w, g + 99UL) == 3UL && !fd_wksp_tag(w, g + 100UL));
  SILENT(!fd_wksp_tag(w, g - 1UL) && !fd_wksp_tag(NULL, g) && !fd_wksp_tag(w, 0UL) &&
         !fd_wksp_tag(w, ULONG_MAX));
  LOGS((fd_wksp_free(NULL, g), 1));
  SILENT((fd_wksp_free(w, 0UL), fd_wksp_free(w, g + 100UL), fd_wksp_free(w, ULONG_MAX), 1));
  SILENT((fd_wksp_free(w, g + 50UL), !fd_wksp_tag(w, g)));
  SILENT((fd_wksp_free(w, g), !fd_wksp_verify(w)));
  LOGS((fd_wksp_memset(NULL, g, 1), 1));
  LOGS((fd_wksp_memset(w, g, 1), 1));
  LOGS((fd_wksp_reset(NULL, 1U), 1));
  SILENT((fd_wksp_reset(w, 9U), fd_wksp_seed(w) == 9U));
}

static void test_tags(fd_wksp_t *w) {
  fd_wksp_tag_query_info_t info[2];
  fd_wksp_usage_t u, zero;
  ulong tag[3] = {5UL, 5UL, 0UL};
  memset(&zero, 0, sizeof(zero));
  ulong a = fd_wksp_alloc(w, 1UL, 10UL, 5UL);
  ulong b = fd_wksp_alloc(w, 1UL, 20UL, 6UL);
  ulong c = fd_wksp_alloc(w, 1UL, 30UL, 5UL);
  SILENT(!fd_wksp_tag_query(NULL, NULL, 0UL, NULL, 3UL));
  LOGS(!fd_wksp_tag_query(NULL, tag, 1UL, info, 2UL));
  LOGS(!fd_wksp_tag_query(w, NULL, 1UL, info, 2UL));
  LOGS(!fd_wksp_tag_query(w, tag, 1UL, NULL, 2UL));
  SILENT(fd_wksp_tag_query(w, tag, 2UL, NULL, 0UL) == 2UL);
  SILENT(fd_wksp_tag_query(w, tag, 3UL, info, 2UL) == 3UL && info[0].gaddr_lo == a &&
         info[1].gaddr_lo == c);
  LOGS(fd_wksp_usage(w, tag, 1UL, NULL) == NULL);
  LOGS(fd_wksp_usage(NULL, tag, 1UL, &u) == &u && !memcmp(&u, &zero, sizeof(u)));
  LOGS(fd_wksp_usage(w, NULL, 1UL, &u) == &u && !memcmp(&u, &zero, sizeof(u)));
  SILENT(fd_wksp_usage(w, tag, 2UL, &u)->used_cnt == 2UL && u.used_sz == 40UL &&
         u.free_cnt == 1UL && u.total_cnt == 4UL && u.free_sz + 60UL == u.total_sz);
  SILENT(fd_wksp_usage(w, tag + 2, 1UL, &u)->used_cnt == u.free_cnt && u.used_sz == u.free_sz);
  SILENT(!fd_wksp_usage(w, tag, 0UL, &u)->used_cnt && u.total_max == fd_wksp_part_max(w));
  LOGS((fd_wksp_tag_free(NULL, tag, 1UL), 1));
  LOGS((fd_wksp_tag_free(w, NULL, 1UL), 1));
  SILENT((fd_wksp_tag_free(w, NULL, 0UL), 1));
  SILENT((fd_wksp_tag_free(w, tag, 3UL),
          !fd_wksp_tag(w, a) && fd_wksp_tag(w, b) == 6UL && !fd_wksp_tag(w, c)));
  SILENT(!fd_wksp_verify(w));
}

/* The index operations on records in all the states they may come in. */
static void test_index(fd_wksp_t *w) {
  fd_wksp_private_pinfo_t *p = fd_wksp_private_pinfo(w);
  ulong null = FD_WKSP_PRIVATE_PINFO_IDX_NULL;
  ulong lo = fd_wksp_gaddr_lo(w);
  for (ulong i = 0UL; i < 20UL; i++) {
    p[i].gaddr_lo = lo + 10UL * i;
    p[i].gaddr_hi = lo + 10UL * i + (i & 1UL ? 10UL : 5UL);
  }
  w->part_used_cidx = fd_wksp_private_pinfo_cidx(null);
  w->part_free_cidx = fd_wksp_private_pinfo_cidx(null);
  SILENT(fd_wksp_private_used_treap_remove(3UL, w, p) == FD_WKSP_ERR_CORRUPT);
  SILENT(fd_wksp_private_free_treap_remove(3UL, w, p) == FD_WKSP_ERR_CORRUPT);
  SILENT(fd_wksp_private_used_treap_insert(w->part_max, w, p) == FD_WKSP_ERR_CORRUPT);
  int good = 1;
  for (ulong i = 0UL; i < 20UL; i++)
    good &= !fd_wksp_private_used_treap_insert(i * 7UL % 20UL, w, p);
  for (ulong i = 0UL; i < 20UL; i++)
    good &= fd_wksp_private_used_treap_query(p[i].gaddr_hi - 1UL, w, p) == i;
  SILENT(good);
  SILENT(fd_wksp_private_used_treap_query(lo + 7UL, w, p) == null);
  SILENT(fd_wksp_private_used_treap_insert(3UL, w, p) == FD_WKSP_ERR_CORRUPT);
  p[20].gaddr_lo = lo + 12UL;
  p[20].gaddr_hi = lo + 14UL;
  SILENT(fd_wksp_private_used_treap_insert(20UL, w, p) == FD_WKSP_ERR_CORRUPT);
  p[20].gaddr_hi = p[20].gaddr_lo;
  SILENT(fd_wksp_private_free_treap_insert(20UL, w, p) == FD_WKSP_ERR_CORRUPT);
  SILENT(fd_wksp_private_free_treap_remove(4UL, w, p) ==
         FD_WKSP_ERR_CORRUPT); /* is in the other index */
  SILENT(!fd_wksp_private_used_treap_remove(4UL, w, p));
  SILENT(fd_wksp_private_used_treap_remove(4UL, w, p) == FD_WKSP_ERR_CORRUPT);
  SILENT(!fd_wksp_private_used_treap_insert(4UL, w, p));
  good = 1;
  w->part_used_cidx = fd_wksp_private_pinfo_cidx(null);
  for (ulong i = 0UL; i < 20UL; i++) good &= !fd_wksp_private_free_treap_insert(i, w, p);
  SILENT(good && fd_wksp_private_used_treap_remove(4UL, w, p) == FD_WKSP_ERR_CORRUPT);
  SILENT(fd_wksp_private_free_treap_query(0UL, w, p) == null &&
         fd_wksp_private_free_treap_query(11UL, w, p) == null);
  ulong q = fd_wksp_private_free_treap_query(6UL, w, p);
  SILENT(q < 20UL && fd_wksp_private_pinfo_sz(p + q) == 10UL && !p[q].in_same);
  SILENT(fd_wksp_private_free_treap_insert(q, w, p) == FD_WKSP_ERR_CORRUPT);
  for (ulong i = 0UL; i < 20UL; i++)
    good &= !fd_wksp_private_free_treap_remove((i * 3UL + q) % 20UL, w, p);
  SILENT(good && fd_wksp_private_free_treap_query(1UL, w, p) == null);
}

/* Every damage of metadata is found, and rebuild repairs what it can. */
static void test_damage(void) {
  fd_wksp_t *w = fresh();
  fd_wksp_private_pinfo_t *p = fd_wksp_private_pinfo(w);
  ulong g[9];
  for (ulong i = 0UL; i < 9UL; i++) g[i] = fd_wksp_alloc(w, 1UL, 50UL + i % 3UL, 1UL + i);
  for (ulong i = 1UL; i < 9UL; i += 2UL) fd_wksp_free(w, g[i]);
  static uchar save[SHMEM_SZ];
  memcpy(save, shmem, SHMEM_SZ);
  ulong meta_lo = sizeof(*w);
  int good = 1;
  for (ulong off = meta_lo; off < meta_lo + 20UL * 64UL; off += 4UL) {
    ulong field = (off - meta_lo) % 64UL;
    ulong tag = ((fd_wksp_private_pinfo_t const *)(save + meta_lo))[(off - meta_lo) / 64UL].tag;
    memcpy(shmem, save, SHMEM_SZ);
    *(uint *)(shmem + off) ^= 0x80000000U;
    /* not wrong in itself: another priority, tag or mark, what idle or free records do not use */
    int harmless = field == 24UL || field >= 52UL || (tag && field >= 16UL && field < 24UL) || !tag;
    good &= harmless || fd_wksp_verify(w);
    if (field >= 24UL && field < 56UL) good &= !fd_wksp_rebuild(w, 3U) && !fd_wksp_verify(w);
  }
  ok(good, "verify finds damaged links and rebuild repairs them");
  memcpy(shmem, save, SHMEM_SZ);
  ulong r = fd_wksp_private_used_treap_query(g[2], w, p);
  p[r].gaddr_hi += 60UL;
  LOGS(fd_wksp_rebuild(w, 3U) == FD_WKSP_ERR_CORRUPT); /* overlap */
  p[r].gaddr_hi -= 60UL;
  SILENT(!fd_wksp_rebuild(w, 3U) && !fd_wksp_verify(w) && fd_wksp_tag(w, g[2]) == 3UL);
  w->magic ^= 1UL;
  LOGS(fd_wksp_verify(w) == FD_WKSP_ERR_CORRUPT);
  LOGS(fd_wksp_rebuild(w, 3U) == FD_WKSP_ERR_CORRUPT);
}

/* A record with children may not have the lowest priority. */
static void test_priority(void) {
  fd_wksp_t *w = fresh();
  fd_wksp_private_pinfo_t *p = fd_wksp_private_pinfo(w);
  for (ulong i = 0UL; i < 30UL; i++) fd_wksp_alloc(w, 1UL, 1UL + i, 1UL);
  ulong root = fd_wksp_private_pinfo_idx(w->part_used_cidx);
  p[root].heap_prio = 0U;
  LOGS(fd_wksp_verify(w) == FD_WKSP_ERR_CORRUPT);
  SILENT(!fd_wksp_rebuild(w, 1U) && !fd_wksp_verify(w));
}

/* The only place for an aligned range is behind many fragments that are large enough but
   misaligned, and is itself smaller than sz+align-1. */
static void test_hidden_fit(void) {
  fd_wksp_t *w = fresh();
  ulong gap[40];
  ulong fill = fd_wksp_alloc(w, 64UL, 32UL, 2UL); /* what follows is at 32 modulo 64 */
  ulong head = fd_wksp_gaddr_lo(w);
  if (fill > head) fd_wksp_alloc(w, 1UL, fill - head, 2UL);
  for (ulong i = 0UL; i < 40UL; i++) {
    gap[i] = fd_wksp_alloc(w, 1UL, i < 39UL ? 64UL : 100UL, 1UL);
    fd_wksp_alloc(w, 1UL, 64UL, 2UL);
  }
  fd_wksp_usage_t u;
  fd_wksp_usage(w, NULL, 0UL, &u);
  fd_wksp_alloc(w, 1UL, u.free_sz, 2UL);
  ulong one_tag = 1UL;
  fd_wksp_tag_free(w, &one_tag, 1UL);
  ok(gap[39] % 64UL == 32UL && fd_wksp_usage(w, NULL, 0UL, &u)->free_cnt == 40UL, "40 fragments");
  SILENT(fd_wksp_alloc(w, 64UL, 64UL, 3UL) == gap[39] + 32UL);
  LOGS(!fd_wksp_alloc(w, 64UL, 64UL, 3UL));
}

int main(void) {
  test_boot("test_wksp_unit");
  test_sizing();
  test_life();
  fd_wksp_t *w = fresh();
  test_addr(w);
  test_alloc(w);
  test_tags(w);
  test_index(fresh());
  test_damage();
  test_priority();
  test_hidden_fit();
  return test_halt();
}
