/* The two indices alone, against a list of what is in them: records with random ranges and few
   sizes go in and out of either index, which is emptied now and then by clearing its root, so that
   records full of old links come back. */

#include "wksp_tests.h"

#define REC 100UL

static fd_rng_t rng[1];
static fd_wksp_t *w;
static fd_wksp_private_pinfo_t *p;
static int in_used[REC];
static int in_free[REC];

static void randomize(ulong i) {
  ulong sz = 1UL + fd_rng_ulong_roll(rng, 12UL);
  p[i].gaddr_lo = fd_wksp_gaddr_lo(w) + fd_rng_ulong_roll(rng, 2000UL);
  p[i].gaddr_hi = p[i].gaddr_lo + sz;
  p[i].tag = fd_rng_ulong(rng);
}

static void clear(uint *root, int *in) {
  *root = fd_wksp_private_pinfo_cidx(FD_WKSP_PRIVATE_PINFO_IDX_NULL);
  memset(in, 0, REC * sizeof(int));
}

static int overlaps(ulong n) {
  for (ulong i = 0UL; i < REC; i++) {
    if (in_used[i] && p[i].gaddr_lo < p[n].gaddr_hi && p[n].gaddr_lo < p[i].gaddr_hi) return 1;
  }
  return 0;
}

static int step_used(ulong i) {
  if (fd_rng_uint_roll(rng, 2U)) {
    int fits = !overlaps(i);
    if (fd_wksp_private_used_treap_insert(i, w, p) !=
        (fits ? FD_WKSP_SUCCESS : FD_WKSP_ERR_CORRUPT))
      return 0;
    in_used[i] |= fits;
  } else {
    int err = fd_wksp_private_used_treap_remove(i, w, p);
    if (err != (in_used[i] ? FD_WKSP_SUCCESS : FD_WKSP_ERR_CORRUPT)) return 0;
    in_used[i] = 0;
  }
  ulong at = fd_wksp_gaddr_lo(w) + fd_rng_ulong_roll(rng, 2020UL);
  ulong want = FD_WKSP_PRIVATE_PINFO_IDX_NULL;
  for (ulong k = 0UL; k < REC; k++) {
    if (in_used[k] && p[k].gaddr_lo <= at && at < p[k].gaddr_hi) want = k;
  }
  return fd_wksp_private_used_treap_query(at, w, p) == want;
}

static int step_free(ulong i) {
  if (fd_rng_uint_roll(rng, 2U)) {
    if (in_free[i] && p[i].in_same) return 1; /* detection is optional */
    int err = fd_wksp_private_free_treap_insert(i, w, p);
    if (err != (in_free[i] ? FD_WKSP_ERR_CORRUPT : FD_WKSP_SUCCESS)) return 0;
    in_free[i] = 1;
  } else {
    int err = fd_wksp_private_free_treap_remove(i, w, p);
    if (err != (in_free[i] ? FD_WKSP_SUCCESS : FD_WKSP_ERR_CORRUPT)) return 0;
    in_free[i] = 0;
  }
  ulong sz = fd_rng_ulong_roll(rng, 15UL);
  ulong want = ULONG_MAX;
  for (ulong k = 0UL; k < REC; k++) {
    ulong k_sz = fd_wksp_private_pinfo_sz(p + k);
    if (in_free[k] && k_sz >= sz && k_sz < want) want = k_sz;
  }
  ulong got = fd_wksp_private_free_treap_query(sz, w, p);
  if (!sz || want == ULONG_MAX) return fd_wksp_private_pinfo_idx_is_null(got);
  return got < REC && in_free[got] && fd_wksp_private_pinfo_sz(p + got) == want;
}

/* A record is in one index at a time, as its links are shared; it may change over without a remove
   after its index was emptied. */
static int run(ulong cnt) {
  clear(&w->part_used_cidx, in_used);
  clear(&w->part_free_cidx, in_free);
  for (ulong i = 0UL; i < REC; i++) randomize(i);
  for (ulong n = 0UL; n < cnt; n++) {
    ulong i = fd_rng_ulong_roll(rng, REC);
    if (fd_rng_uint_roll(rng, 700U) == 0U) clear(&w->part_used_cidx, in_used);
    if (fd_rng_uint_roll(rng, 700U) == 0U) clear(&w->part_free_cidx, in_free);
    if (!in_used[i] && !in_free[i] && fd_rng_uint_roll(rng, 4U) == 0U) randomize(i);
    int to_free = in_free[i] || (!in_used[i] && fd_rng_uint_roll(rng, 2U));
    if (!(to_free ? step_free(i) : step_used(i))) {
      printf("# step %lu, record %lu, index %s\n", n, i, to_free ? "by size" : "by address");
      return 0;
    }
    if (to_free && fd_wksp_private_used_treap_remove(i, w, p) != FD_WKSP_ERR_CORRUPT) return 0;
    if (in_used[i] && fd_wksp_private_free_treap_remove(i, w, p) != FD_WKSP_ERR_CORRUPT) return 0;
  }
  return 1;
}

int main(void) {
  test_boot("test_wksp_index");
  fd_rng_join(fd_rng_new(rng, test_seed(), 0UL));
  w = test_wksp(REC + 10UL, 8192UL);
  p = fd_wksp_private_pinfo(w);
  logged();
  ok(run(test_cnt("WKSP_INDEX_OPS", 300000UL)), "both indices agree with the list");
  ok(!logged(), "silently");
  return test_halt();
}
