/* The behaviour the wksp tables promise: sizing, life cycle, allocation against a naive model of
   the data region, tags, usage, shared-memory and cstr helpers, index operations, checkpoint,
   restore, preview and printf; return values, what logs and what is silent. */

#include "api.h"
#include "fd/util/pod/fd_pod.h"
#include "fd/util/wksp/fd_wksp_private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define NORMAL   FD_SHMEM_NORMAL_PAGE_SZ
#define PART_MAX (64UL)

static uchar mem[1UL << 17] __attribute__((aligned(4096)));
static fd_rng_t rng[1];
static char name[40];
static fd_wksp_t * w;

static void test_sizing(void) {
  SILENT(fd_wksp_align() == 128UL && !fd_wksp_footprint(0UL, 1UL) && !fd_wksp_footprint(1UL, 0UL) &&
         !fd_wksp_footprint(1UL << 32, 1UL) && !fd_wksp_footprint(1UL, ULONG_MAX) &&
         fd_wksp_footprint((1UL << 32) - 1UL, 1UL));
  SILENT(!fd_wksp_part_max_est(0UL, 64UL) && !fd_wksp_part_max_est(4096UL, 0UL) &&
         !fd_wksp_part_max_est(100UL, 1UL) && !fd_wksp_part_max_est(1UL << 20, ULONG_MAX) &&
         fd_wksp_part_max_est(ULONG_MAX, 1UL) == (1UL << 32) - 1UL);
  SILENT(!fd_wksp_data_max_est(0UL, 1UL) && !fd_wksp_data_max_est(1UL << 20, 0UL) &&
         !fd_wksp_data_max_est(ULONG_MAX, 1UL << 32) && !fd_wksp_data_max_est(4096UL, 64UL) &&
         fd_wksp_data_max_est(ULONG_MAX, (1UL << 32) - 1UL));
  int good = 1;
  for (int i = 0; i < 20000; i++) {
    ulong footprint = fd_rng_ulong(rng) >> fd_rng_int_roll(rng, 64);
    ulong part_max = fd_rng_ulong(rng) >> (32 + fd_rng_int_roll(rng, 32));
    ulong data_max = fd_wksp_data_max_est(footprint, part_max);
    if (data_max)
      good &= fd_wksp_footprint(part_max, data_max) <= footprint &&
              (!fd_wksp_footprint(part_max, data_max + 1UL) ||
               fd_wksp_footprint(part_max, data_max + 1UL) > footprint);
    else
      good &= !part_max || !fd_wksp_footprint(part_max, 1UL) ||
              fd_wksp_footprint(part_max, 1UL) > footprint;
    if (fd_wksp_footprint(part_max, footprint))
      good &= fd_wksp_footprint(part_max, footprint) == FD_WKSP_FOOTPRINT(part_max, footprint) &&
              fd_wksp_footprint(part_max, footprint) % 128UL == 0UL;
    ulong typical = 1UL + (fd_rng_ulong(rng) >> fd_rng_int_roll(rng, 64)),
          est = fd_wksp_part_max_est(footprint, typical);
    good &= est <= UINT_MAX;
    if (est && typical < ULONG_MAX / 2UL)
      good &= (double)est * (double)(64UL + typical) <= (double)footprint * 1.0001;
  }
  IS(good);
  /* the static buffer callers size */
  ulong part_max = fd_wksp_part_max_est(16384UL, 64UL),
        data_max = fd_wksp_data_max_est(16384UL, part_max);
  w = fd_wksp_join(fd_wksp_new(mem, "small", 1U, part_max, data_max));
  ulong gaddr = w ? fd_wksp_alloc(w, 0UL, 1UL, 1UL) : 0UL;
  SILENT(gaddr && fd_ulong_is_aligned(gaddr, 4096UL) && fd_wksp_delete(fd_wksp_leave(w)) == mem);
}

static void test_life(void) {
  ulong data_max = fd_wksp_data_max_est(sizeof(mem), PART_MAX);
  LOGS(!fd_wksp_new(NULL, "w", 0U, PART_MAX, data_max));
  LOGS(!fd_wksp_new(mem + 64, "w", 0U, PART_MAX, data_max));
  LOGS(!fd_wksp_new(mem, "w/", 0U, PART_MAX, data_max));
  LOGS(!fd_wksp_new(mem, NULL, 0U, PART_MAX, data_max));
  LOGS(!fd_wksp_new(mem, "w", 0U, 0UL, data_max));
  LOGS(!fd_wksp_new(mem, "w", 0U, PART_MAX, 0UL));
  LOGS(!fd_wksp_new(mem, "w", 0U, PART_MAX, ULONG_MAX));
  memset(mem, 0x77, sizeof(mem));
  SILENT(fd_wksp_new(mem, "w", 9U, PART_MAX, data_max) == mem);
  LOGS(!fd_wksp_join(NULL));
  LOGS(!fd_wksp_join(mem + 64));
  LOGS(!fd_wksp_join(mem + 128));
  SILENT((w = fd_wksp_join(mem)) == (void *)mem);
  SILENT(!strcmp(fd_wksp_name(w), "w") && fd_wksp_seed(w) == 9U &&
         fd_wksp_part_max(w) == PART_MAX && fd_wksp_data_max(w) == data_max &&
         fd_wksp_gaddr_lo(w) && fd_wksp_owner(w) == ULONG_MAX &&
         fd_wksp_gaddr_hi(w) == fd_wksp_gaddr_lo(w) + data_max && !fd_wksp_verify(w));
  uchar * data = (uchar *)fd_wksp_laddr(w, fd_wksp_gaddr_lo(w));
  SILENT(data[0] == 0x77 && data[data_max - 1UL] == 0x77 && data + data_max < mem + sizeof(mem));
  SILENT(!strcmp(fd_wksp_strerror(0), "success") && !strcmp(fd_wksp_strerror(-1), "inval") &&
         !strcmp(fd_wksp_strerror(-2), "fail") && !strcmp(fd_wksp_strerror(-3), "corrupt") &&
         !strcmp(fd_wksp_strerror(1), "unknown") && !strcmp(fd_wksp_strerror(-4), "unknown"));
  LOGS(!fd_wksp_leave(NULL));
  LOGS(!fd_wksp_delete(NULL));
  LOGS(!fd_wksp_delete(mem + 64));
  LOGS(!fd_wksp_delete(mem + 128));
}

static void test_addresses(void) {
  ulong lo = fd_wksp_gaddr_lo(w), hi = fd_wksp_gaddr_hi(w);
  SILENT(!fd_wksp_laddr(w, 0UL) && !fd_wksp_laddr(NULL, 0UL) && !fd_wksp_gaddr(w, NULL) &&
         !fd_wksp_gaddr(NULL, NULL));
  SILENT(fd_wksp_laddr(w, lo) == mem + lo && fd_wksp_laddr(w, hi) == mem + hi &&
         fd_wksp_gaddr(w, mem + hi) == hi && fd_wksp_gaddr(w, mem + lo) == lo &&
         fd_wksp_laddr_fast(w, 5UL) == mem + 5 && fd_wksp_gaddr_fast(w, mem + 5) == 5UL);
  LOGS(!fd_wksp_laddr(w, lo - 1UL));
  LOGS(!fd_wksp_laddr(w, hi + 1UL));
  LOGS(!fd_wksp_laddr(NULL, lo));
  LOGS(!fd_wksp_gaddr(w, mem + lo - 1));
  LOGS(!fd_wksp_gaddr(w, mem + hi + 1));
  LOGS(!fd_wksp_gaddr(NULL, mem + lo));
}

static void test_alloc_errors(void) {
  ulong lo = 1UL, hi = 2UL, tag = 1UL, hit;
  fd_wksp_tag_query_info_t info[1];
  fd_wksp_usage_t usage[1], zero[1];
  memset(zero, 0, sizeof(zero));
  SILENT(!fd_wksp_alloc_at_least(NULL, 3UL, 0UL, 0UL, &lo, &hi) && !lo && !hi);
  lo = hi = 7UL;
  LOGS(!fd_wksp_alloc_at_least(NULL, 0UL, 1UL, 1UL, &lo, &hi) && !lo && !hi);
  lo = hi = 7UL;
  LOGS(!fd_wksp_alloc_at_least(w, 3UL, 1UL, 1UL, &lo, &hi) && !lo && !hi);
  LOGS(!fd_wksp_alloc(w, 1UL, 1UL, 0UL));
  LOGS(!fd_wksp_alloc(w, 4096UL, ULONG_MAX - 4000UL, 1UL));
  LOGS(!fd_wksp_alloc(w, 1UL, fd_wksp_data_max(w) + 1UL, 1UL));
  LOGS(!fd_wksp_alloc(w, 1UL << 63, 1UL, 1UL));
  char message[256];
  fd_cstr_ncpy(message, strstr(api_log_text, "): "), sizeof(message));
  LOGS(!fd_wksp_alloc(w, 64UL, fd_wksp_data_max(w) + 77UL, 2UL));
  IS(message[0] && !strcmp(message, strstr(api_log_text, "): "))); /* no per-call values */
  fd_wksp_oom_silent = 1;
  SILENT(!fd_wksp_alloc(w, 1UL, fd_wksp_data_max(w) + 1UL, 1UL));
  fd_wksp_oom_silent = 0;
  SILENT((hit = fd_wksp_alloc(w, 1UL, fd_wksp_data_max(w), 5UL)) == fd_wksp_gaddr_lo(w));
  SILENT(fd_wksp_tag(w, hit) == 5UL && fd_wksp_tag(w, fd_wksp_gaddr_hi(w) - 1UL) == 5UL);
  SILENT(!fd_wksp_tag(NULL, hit) && !fd_wksp_tag(w, 0UL) && !fd_wksp_tag(w, hit - 1UL) &&
         !fd_wksp_tag(w, fd_wksp_gaddr_hi(w)) && !fd_wksp_tag(w, ULONG_MAX));
  LOGS((fd_wksp_free(NULL, hit), 1));
  SILENT((fd_wksp_free(w, 0UL), fd_wksp_free(w, hit - 1UL), fd_wksp_free(w, ULONG_MAX),
          fd_wksp_tag(w, hit) == 5UL));
  SILENT((fd_wksp_free(w, fd_wksp_gaddr_hi(w) - 1UL), fd_wksp_free(w, hit), !fd_wksp_tag(w, hit)));
  SILENT(!fd_wksp_tag_query(w, &tag, 0UL, info, 1UL) &&
         !fd_wksp_tag_query(w, NULL, 0UL, NULL, 0UL));
  LOGS(!fd_wksp_tag_query(NULL, &tag, 1UL, info, 1UL));
  LOGS(!fd_wksp_tag_query(w, NULL, 1UL, info, 1UL));
  LOGS(!fd_wksp_tag_query(w, &tag, 1UL, NULL, 1UL));
  SILENT((fd_wksp_tag_free(w, NULL, 0UL), 1));
  LOGS((fd_wksp_tag_free(NULL, &tag, 1UL), 1));
  LOGS((fd_wksp_tag_free(w, NULL, 1UL), 1));
  LOGS((fd_wksp_memset(NULL, hit, 0), 1));
  LOGS((fd_wksp_memset(w, hit, 0), 1));
  LOGS((fd_wksp_reset(NULL, 0U), 1));
  LOGS(!fd_wksp_usage(w, &tag, 1UL, NULL));
  memset(usage, 1, sizeof(usage));
  LOGS(fd_wksp_usage(NULL, &tag, 1UL, usage) == usage && !memcmp(usage, zero, sizeof(zero)));
  memset(usage, 1, sizeof(usage));
  LOGS(fd_wksp_usage(w, NULL, 1UL, usage) == usage && !memcmp(usage, zero, sizeof(zero)));
  SILENT(fd_wksp_usage(w, NULL, 0UL, usage) == usage && usage->total_max == PART_MAX &&
         usage->total_cnt == 1UL && usage->total_sz == fd_wksp_data_max(w) &&
         usage->free_cnt == 1UL && usage->free_sz == usage->total_sz && !usage->used_cnt &&
         !usage->used_sz);
}

/* The model: the owner of each byte of the data region. */
static ulong model[sizeof(mem)];
static ulong tag_of[256]; /* of owner i */

static int owned(ulong lo, ulong hi, ulong who) {
  for (ulong i = lo; i < hi; i++) {
    if (model[i] != who) return 0;
  }
  return 1;
}

static void own(ulong lo, ulong hi, ulong who) {
  for (ulong i = lo; i < hi; i++) model[i] = who;
}

/* Whether an aligned range of sz bytes is free anywhere: then an allocation may not fail. */
static int fits(ulong align, ulong sz) {
  for (ulong at = fd_ulong_align_up(fd_wksp_gaddr_lo(w), align); at + sz <= fd_wksp_gaddr_hi(w);
       at += align) {
    if (owned(at, at + sz, 0UL)) return 1;
  }
  return 0;
}

static int usage_agrees(ulong tag) {
  fd_wksp_usage_t usage[1], zero[1];
  ulong used = 0UL, tagged = 0UL, set[3] = {tag, tag, 1UL << 40}, none = 0UL;
  for (ulong i = fd_wksp_gaddr_lo(w); i < fd_wksp_gaddr_hi(w); i++) {
    used += !!model[i];
    tagged += model[i] && tag_of[model[i]] == tag;
  }
  fd_wksp_usage(w, set, 3UL, usage);
  fd_wksp_usage(w, &none, 1UL, zero);
  return usage->used_sz == tagged && usage->free_sz == usage->total_sz - used &&
         zero->used_cnt == zero->free_cnt && zero->used_sz == zero->free_sz &&
         zero->free_sz == usage->free_sz;
}

static void model_free(ulong who) {
  for (ulong i = fd_wksp_gaddr_lo(w); i < fd_wksp_gaddr_hi(w); i++) {
    if (model[i] == who) model[i] = 0UL;
  }
  tag_of[who] = 0UL;
}

static int model_alloc(void) {
  ulong align = 1UL << fd_rng_int_roll(rng, 13), sz = 1UL + fd_rng_ulong_roll(rng, 9000UL), lo, hi;
  ulong who = 1UL;
  while (tag_of[who]) who++;
  ulong tag = 1UL + fd_rng_ulong_roll(rng, 4UL), live = 0UL;
  for (ulong i = 1UL; i < 256UL; i++) live += !!tag_of[i];
  fd_wksp_oom_silent = 1;
  ulong r = fd_wksp_alloc_at_least(w, align, sz, tag, &lo, &hi);
  if (!r) return !lo && !hi && (live >= PART_MAX / 3UL || !fits(align, sz));
  int good = fd_ulong_is_aligned(r, align) && lo <= r && r + sz <= hi &&
             lo >= fd_wksp_gaddr_lo(w) && hi <= fd_wksp_gaddr_hi(w) && owned(lo, hi, 0UL) &&
             fd_wksp_tag(w, lo) == tag && fd_wksp_tag(w, hi - 1UL) == tag;
  own(lo, hi, who);
  tag_of[who] = tag;
  return good;
}

static int model_free_any(void) {
  ulong at = fd_wksp_gaddr_lo(w) + fd_rng_ulong_roll(rng, fd_wksp_data_max(w));
  ulong who = model[at];
  fd_wksp_free(w, at);
  if (who) model_free(who);
  return !fd_wksp_tag(w, at);
}

static int model_tag_ops(void) {
  ulong set[2] = {1UL + fd_rng_ulong_roll(rng, 4UL), 0UL};
  fd_wksp_tag_query_info_t info[8];
  ulong cnt = 0UL, got = fd_wksp_tag_query(w, set, 1UL, info, 8UL);
  for (ulong i = 1UL; i < 256UL; i++) cnt += tag_of[i] == set[0];
  int good = got == cnt && usage_agrees(set[0]);
  for (ulong i = 0UL; i < fd_ulong_min(got, 8UL); i++) {
    ulong who = model[info[i].gaddr_lo];
    good &= info[i].tag == set[0] && tag_of[who] == set[0] &&
            owned(info[i].gaddr_lo, info[i].gaddr_hi, who) &&
            (!i || info[i].gaddr_lo >= info[i - 1UL].gaddr_hi);
  }
  if (fd_rng_uint_roll(rng, 4U)) return good;
  fd_wksp_tag_free(w, set, 2UL);
  for (ulong i = 1UL; i < 256UL; i++) {
    if (tag_of[i] == set[0]) model_free(i);
  }
  return good && !fd_wksp_tag_query(w, set, 1UL, NULL, 0UL);
}

static void test_model(void) {
  int good = 1;
  for (int i = 0; i < 400 && good; i++) {
    uint what = fd_rng_uint_roll(rng, 8U);
    good &= what < 4U ? model_alloc() : what < 7U ? model_free_any() : model_tag_ops();
    good &= fd_wksp_verify(w) == FD_WKSP_SUCCESS;
  }
  fd_wksp_oom_silent = 0;
  IS(good);
  SILENT(fd_wksp_rebuild(w, 77U) == 0 && fd_wksp_seed(w) == 77U && !fd_wksp_verify(w));
  int same = 1;
  for (ulong i = fd_wksp_gaddr_lo(w); i < fd_wksp_gaddr_hi(w); i += 61UL)
    same &= fd_wksp_tag(w, i) == tag_of[model[i]];
  IS(same);
  SILENT((fd_wksp_reset(w, 88U), fd_wksp_seed(w) == 88U && !fd_wksp_verify(w)));
  ulong lo, hi, r = fd_wksp_alloc_at_least(w, 0UL, 100UL, 3UL, &lo, &hi);
  memset(fd_wksp_laddr(w, lo), 1, hi - lo);
  SILENT(r && (fd_wksp_memset(w, r + 50UL, 0xab), 1));
  int all = 1;
  for (ulong i = lo; i < hi; i++) all &= mem[i] == 0xab;
  SILENT(all && hi - lo >= 100UL && hi - lo < 4096UL); /* trimmed, but for slack */
  ulong a[64], cnt = 0UL;
  while (cnt < 64UL && (a[cnt] = fd_wksp_alloc(w, 1UL, 3UL, 4UL))) cnt++;
  ok(cnt >= PART_MAX - 4UL && api_logged() >= 1UL, "records run out at %lu allocations", cnt);
  fd_wksp_reset(w, 0U);
}

/* Damage is found, and what is real survives. */
static void test_corrupt(void) {
  ulong a = fd_wksp_alloc(w, 1UL, 100UL, 1UL);
  fd_wksp_alloc(w, 1UL, 100UL, 2UL);
  fd_wksp_private_pinfo_t * pinfo = fd_wksp_private_pinfo(w);
  uint root = w->part_free_cidx;
  w->part_free_cidx = fd_wksp_private_pinfo_cidx(FD_WKSP_PRIVATE_PINFO_IDX_NULL);
  LOGS(fd_wksp_verify(w) == FD_WKSP_ERR_CORRUPT);
  SILENT(!fd_wksp_rebuild(w, 5U) && !fd_wksp_verify(w) && fd_wksp_tag(w, a) == 1UL);
  (void)root;
  ulong i = fd_wksp_private_used_treap_query(a, w, pinfo), hi = pinfo[i].gaddr_hi;
  pinfo[i].gaddr_hi = hi + 1UL; /* overlaps the next */
  LOGS(fd_wksp_verify(w) == FD_WKSP_ERR_CORRUPT);
  LOGS(fd_wksp_rebuild(w, 5U) == FD_WKSP_ERR_CORRUPT && pinfo[i].gaddr_hi == hi + 1UL &&
       pinfo[i].tag == 1UL);
  pinfo[i].gaddr_hi = hi;
  SILENT(!fd_wksp_rebuild(w, 6U) && !fd_wksp_verify(w));
  LOGS(fd_wksp_rebuild(NULL, 6U) != FD_WKSP_SUCCESS);
  LOGS(fd_wksp_verify(NULL) != FD_WKSP_SUCCESS);
  fd_wksp_reset(w, 0U);
}

/* The lists under the indices: records of one size (only those of 2 bytes are left) and idle ones. */
static void test_lists(fd_wksp_private_pinfo_t * p) {
  ulong null = FD_WKSP_PRIVATE_PINFO_IDX_NULL;
  ulong head = fd_wksp_private_free_treap_query(2UL, w, p);
  int good = 1;
  for (ulong i = 0UL; i < 9UL; i++) {
    good &= !fd_wksp_private_free_treap_same_is_empty(head, w, p);
    ulong next = fd_wksp_private_free_treap_same_remove(head, w, p);
    good &= next != head && next < 40UL && next % 4UL == 1UL &&
            fd_wksp_private_free_treap_remove(next, w, p) == FD_WKSP_ERR_CORRUPT;
  }
  SILENT(good && fd_wksp_private_free_treap_same_is_empty(head, w, p) == 1 &&
         fd_wksp_private_free_treap_same_remove(head, w, p) == null &&
         fd_wksp_private_free_treap_query(2UL, w, p) == head);
  ulong cnt = 0UL, first = null;
  while (!fd_wksp_private_idle_stack_is_empty(w)) {
    ulong i = fd_wksp_private_idle_stack_pop(w, p);
    if (!cnt++) first = i;
  }
  SILENT(cnt == PART_MAX - 1UL && fd_wksp_private_idle_stack_pop(w, p) == null);
  p[first].tag = 5UL;
  fd_wksp_private_idle_stack_push(first, w, p);
  SILENT(!p[first].tag && !p[first].gaddr_lo && !p[first].gaddr_hi &&
         !fd_wksp_private_idle_stack_is_empty(w) && fd_wksp_private_idle_stack_pop(w, p) == first);
  w->idle_top_cidx = (uint)PART_MAX; /* damaged */
  SILENT(fd_wksp_private_idle_stack_is_empty(w) && fd_wksp_private_idle_stack_pop(w, p) == null);
}

static void test_index(void) {
  fd_wksp_private_pinfo_t * p = fd_wksp_private_pinfo(w);
  ulong null = FD_WKSP_PRIVATE_PINFO_IDX_NULL, lo = fd_wksp_gaddr_lo(w);
  SILENT(fd_wksp_private_pinfo_idx(fd_wksp_private_pinfo_cidx(null)) == null &&
         fd_wksp_private_pinfo_idx_is_null(null) == 1 &&
         fd_wksp_private_pinfo_idx_is_null(0UL) == 0 &&
         fd_wksp_private_pinfo_idx(fd_wksp_private_pinfo_cidx(7UL)) == 7UL);
  SILENT((ulong)p == (ulong)w + fd_wksp_private_pinfo_off() &&
         fd_wksp_private_data_off(PART_MAX) <= lo);
  w->part_used_cidx = w->part_free_cidx = fd_wksp_private_pinfo_cidx(null);
  for (ulong i = 0UL; i < 40UL; i++) {
    p[i].gaddr_lo = lo + 10UL * i;
    p[i].gaddr_hi = p[i].gaddr_lo + 1UL + i % 4UL;
    p[i].tag = 0UL;
  }
  int good = 1;
  for (ulong i = 0UL; i < 40UL; i++) {
    good &= fd_wksp_private_used_treap_remove(i, w, p) == FD_WKSP_ERR_CORRUPT;
    good &= !fd_wksp_private_used_treap_insert(i, w, p);
    good &= fd_wksp_private_used_treap_insert(i, w, p) == FD_WKSP_ERR_CORRUPT;
    good &= fd_wksp_private_free_treap_remove(i, w, p) == FD_WKSP_ERR_CORRUPT;
  }
  SILENT(good && fd_wksp_private_pinfo_sz(p + 3) == 4UL);
  for (ulong i = 0UL; i < 400UL; i++) {
    ulong want = i % 10UL < 1UL + i / 10UL % 4UL ? i / 10UL : null;
    good &= fd_wksp_private_used_treap_query(lo + i, w, p) == want;
  }
  SILENT(good && fd_wksp_private_used_treap_query(0UL, w, p) == null &&
         fd_wksp_private_used_treap_query(ULONG_MAX, w, p) == null);
  p[50].gaddr_lo = lo + 9UL, p[50].gaddr_hi = lo + 12UL;
  SILENT(fd_wksp_private_used_treap_insert(50UL, w, p) == FD_WKSP_ERR_CORRUPT &&
         fd_wksp_private_used_treap_insert(PART_MAX, w, p) == FD_WKSP_ERR_CORRUPT &&
         fd_wksp_private_used_treap_remove(ULONG_MAX, w, p) == FD_WKSP_ERR_CORRUPT);
  p[50].gaddr_hi = p[50].gaddr_lo;
  SILENT(fd_wksp_private_used_treap_insert(50UL, w, p) == FD_WKSP_ERR_CORRUPT);
  p[50].gaddr_lo = fd_wksp_gaddr_hi(w), p[50].gaddr_hi = p[50].gaddr_lo + 1UL;
  SILENT(fd_wksp_private_used_treap_insert(50UL, w, p) == FD_WKSP_ERR_CORRUPT);
  for (ulong i = 0UL; i < 40UL; i++)
    good &= !fd_wksp_private_used_treap_remove((i * 7UL) % 40UL, w, p);
  for (ulong i = 0UL; i < 40UL; i++)
    good &= fd_wksp_private_used_treap_remove(i, w, p) == FD_WKSP_ERR_CORRUPT;
  SILENT(good && fd_wksp_private_used_treap_query(lo, w, p) == null);
  for (ulong i = 0UL; i < 40UL; i++) good &= !fd_wksp_private_free_treap_insert(i, w, p);
  for (ulong i = 0UL; i < 40UL; i++)
    good &= p[i].in_same == 1U || fd_wksp_private_free_treap_insert(i, w, p) == FD_WKSP_ERR_CORRUPT;
  for (ulong sz = 1UL; sz <= 4UL; sz++)
    good &= fd_wksp_private_pinfo_sz(p + fd_wksp_private_free_treap_query(sz, w, p)) == sz;
  SILENT(good && fd_wksp_private_free_treap_query(5UL, w, p) == null &&
         fd_wksp_private_free_treap_query(0UL, w, p) == null);
  for (ulong i = 0UL; i < 40UL; i++) {
    if (i % 4UL != 1UL) good &= !fd_wksp_private_free_treap_remove(i, w, p);
  }
  SILENT(good && fd_wksp_private_pinfo_sz(p + fd_wksp_private_free_treap_query(1UL, w, p)) == 2UL &&
         fd_wksp_private_free_treap_query(3UL, w, p) == null &&
         fd_wksp_private_free_treap_remove(0UL, w, p) == -3 &&
         fd_wksp_private_free_treap_remove(PART_MAX, w, p) == -3 &&
         fd_wksp_private_free_treap_insert(PART_MAX, w, p) == -3);
  test_lists(p);
  SILENT(!fd_wksp_private_lock(w) && fd_wksp_owner(w) == fd_log_group_id());
  fd_wksp_private_unlock(w);
  w->part_max = w->data_max = 0UL; /* delete does without consistent metadata */
  SILENT(fd_wksp_owner(w) == ULONG_MAX && fd_wksp_delete(w) == mem);
  LOGS(!fd_wksp_delete(mem));
  LOGS(!fd_wksp_join(mem));
}

static void test_named_errors(void) {
  ulong one = 1UL, zero = 0UL, cpu = 0UL, far = fd_shmem_cpu_cnt(), huge = ULONG_MAX / 2UL;
  LOGS(fd_wksp_new_named("a/b", NORMAL, 1UL, &one, &cpu, 0600UL, 0U, 0UL) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_new_named(NULL, NORMAL, 1UL, &one, &cpu, 0600UL, 0U, 0UL) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_new_named(name, 1UL, 1UL, &one, &cpu, 0600UL, 0U, 0UL) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_new_named(name, NORMAL, 0UL, &one, &cpu, 0600UL, 0U, 0UL) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_new_named(name, NORMAL, 1UL, NULL, &cpu, 0600UL, 0U, 0UL) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_new_named(name, NORMAL, 1UL, &one, NULL, 0600UL, 0U, 0UL) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_new_named(name, NORMAL, 1UL, &zero, &cpu, 0600UL, 0U, 0UL) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_new_named(name, NORMAL, 1UL, &huge, &cpu, 0600UL, 0U, 0UL) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_new_named(name, NORMAL, 1UL, &one, &cpu, 0600UL, 0U, 1UL << 30) ==
       FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_new_named(name, NORMAL, 1UL, &one, &far, 0600UL, 0U, 0UL) == FD_WKSP_ERR_FAIL);
  LOGS(fd_wksp_new_named(name, NORMAL, 1UL, &one, &cpu, 1UL << 40, 0U, 0UL) == FD_WKSP_ERR_FAIL);
  SILENT(fd_shmem_info(name, 0UL, NULL) == ENOENT);
  SILENT(
      !fd_wksp_new_named(name, NORMAL, 1UL, &one, &cpu, 0600UL, 7U, 3UL)); /* nothing left behind */
  LOGS(fd_wksp_new_named(name, NORMAL, 1UL, &one, &cpu, 0600UL, 0U, 0UL) == FD_WKSP_ERR_FAIL);
  SILENT((w = fd_wksp_attach(name)) && fd_wksp_part_max(w) == 3UL && fd_wksp_seed(w) == 7U &&
         !strcmp(fd_wksp_name(w), name));
  SILENT(fd_wksp_data_max(w) == fd_wksp_data_max_est(NORMAL, 3UL) && !fd_wksp_detach(w) &&
         !fd_wksp_delete_named(name));
  LOGS(fd_wksp_delete_named(name) == FD_WKSP_ERR_FAIL);
  LOGS(fd_wksp_delete_named(NULL) == FD_WKSP_ERR_FAIL);
  LOGS(!fd_wksp_attach(name));
  LOGS(!fd_wksp_attach(NULL));
  LOGS(fd_wksp_detach(NULL));
  LOGS(!fd_wksp_new_anon("a/b", NORMAL, 1UL, &one, &cpu, 0U, 0UL));
  LOGS(!fd_wksp_new_anon(name, NORMAL, 1UL, &one, &far, 0U, 0UL));
  LOGS(!fd_wksp_new_anon(name, NORMAL, 1UL, &zero, &cpu, 0U, 0UL));
  LOGS(!fd_wksp_new_anon(name, 3UL, 1UL, &one, &cpu, 0U, 0UL));
}

static void test_anon(void) {
  w = fd_wksp_new_anonymous(NORMAL, 64UL, fd_log_cpu_id(), name, 0UL);
  SILENT(w && fd_wksp_attach(name) == w && !fd_wksp_detach(w) && fd_wksp_seed(w) == 0U);
  SILENT(fd_wksp_part_max(w) == fd_wksp_part_max_est(64UL * NORMAL, 65536UL));
  LOGS(!fd_wksp_new_anonymous(NORMAL, 1UL, 0UL, name, 0UL)); /* the name is in use */
  uchar * p = (uchar *)fd_wksp_alloc_laddr(w, 8UL, 100UL, 3UL);
  SILENT(p && fd_wksp_containing(p) == w && fd_wksp_containing(p + 50) == w &&
         !fd_wksp_containing(NULL) && !fd_wksp_containing(mem) &&
         !fd_wksp_containing((void *)ULONG_MAX) && fd_wksp_tag(w, fd_wksp_gaddr(w, p)) == 3UL);
  SILENT((fd_wksp_free_laddr(NULL), fd_wksp_free_laddr(p + 5), fd_wksp_free_laddr(p),
          !fd_wksp_tag(w, fd_wksp_gaddr(w, p))));
  LOGS((fd_wksp_free_laddr(mem), 1));
  SILENT(!fd_wksp_alloc_laddr(w, 8UL, 0UL, 3UL));
  LOGS(!fd_wksp_alloc_laddr(w, 8UL, 1UL, 0UL));
  SILENT((fd_wksp_mprotect(w, 1), fd_wksp_mprotect(w, 0), fd_wksp_alloc(w, 1UL, 1UL, 1UL)));
  LOGS((fd_wksp_mprotect(NULL, 0), 1));
  SILENT((fd_wksp_delete_anonymous(w), !fd_wksp_containing(w)));
  LOGS((fd_wksp_delete_anon(w), 1));
  LOGS((fd_wksp_delete_anon(NULL), 1));
  LOGS(fd_wksp_detach(w));
}

static void test_cstr(void) {
  ulong page_cnt = 16UL, cpu = 0UL;
  char out[FD_WKSP_CSTR_MAX], text[80], kept[FD_WKSP_CSTR_MAX];
  memset(out, 'o', sizeof(out));
  memcpy(kept, out, sizeof(out));
  IS(!fd_wksp_new_named(name, NORMAL, 1UL, &page_cnt, &cpu, 0600UL, 0U, 8UL));
  LOGS(!fd_wksp_cstr_alloc("nosuch", 0UL, 1UL, 1UL, out));
  LOGS(!fd_wksp_cstr_alloc(NULL, 0UL, 1UL, 1UL, out));
  LOGS(!fd_wksp_cstr_alloc(name, 3UL, 1UL, 1UL, out));
  LOGS(!fd_wksp_cstr_alloc(name, 0UL, 1UL, 0UL, out));
  LOGS(!fd_wksp_cstr_alloc(name, 0UL, ULONG_MAX, 1UL, out));
  LOGS(!fd_wksp_cstr_alloc(name, 0UL, 1UL << 20, 1UL, out));
  LOGS(!fd_wksp_cstr_alloc(name, 0UL, 1UL, 1UL, NULL));
  SILENT(!memcmp(out, kept, sizeof(out)) && fd_wksp_cstr_alloc(name, 0UL, 0UL, 1UL, out) == out &&
         !strcmp(out, fd_cstr_printf(text, 80UL, NULL, "%s:0", name)));
  SILENT(fd_wksp_cstr_alloc(name, 64UL, 100UL, 9UL, out) == out && fd_wksp_cstr_tag(out) == 9UL);
  ulong gaddr = fd_cstr_to_ulong(strrchr(out, ':') + 1);
  SILENT((fd_wksp_cstr_memset(out, 0x5c), 1));
  uchar * p = (uchar *)fd_wksp_map(out);
  SILENT(p && p[0] == 0x5c && p[99] == 0x5c && (w = fd_wksp_containing(p)) &&
         fd_wksp_gaddr(w, p) == gaddr);
  SILENT(fd_wksp_cstr(w, gaddr, text) == text && !strcmp(text, out));
  SILENT(fd_wksp_cstr_laddr(p, text) == text && !strcmp(text, out));
  SILENT(fd_wksp_cstr(w, 0UL, text) == text && fd_wksp_cstr(w, fd_wksp_gaddr_hi(w), text) == text);
  LOGS(!fd_wksp_cstr(w, fd_wksp_gaddr_hi(w) + 1UL, text));
  LOGS(!fd_wksp_cstr(w, 1UL, text));
  LOGS(!fd_wksp_cstr(NULL, 0UL, text));
  LOGS(!fd_wksp_cstr(w, 0UL, NULL));
  LOGS(!fd_wksp_cstr_laddr(mem, text));
  LOGS(!fd_wksp_cstr_laddr(p, NULL));
  LOGS(!fd_wksp_cstr_laddr(NULL, text));
  fd_cstr_printf(text, 80UL, NULL, "%s:0x%lx", name, gaddr);
  SILENT(fd_wksp_cstr_tag(text) == 9UL && fd_wksp_map(text) == p &&
         (fd_wksp_unmap(p), 1)); /* base 0 */
  char const * bad[] = {NULL, "", "x", ":5", "nosuch:5", "a b:5"};
  for (ulong i = 0UL; i < 6UL; i++) {
    LOGS(!fd_wksp_cstr_tag(bad[i]));
    LOGS((fd_wksp_cstr_free(bad[i]), 1));
    LOGS((fd_wksp_cstr_memset(bad[i], 0), 1));
    LOGS(!fd_wksp_map(bad[i]));
  }
  fd_cstr_printf(text, 80UL, NULL, "%s:1", name);
  LOGS(!fd_wksp_map(text));
  fd_shmem_join_info_t info;
  SILENT(!fd_shmem_join_query_by_name(name, &info) && info.ref_cnt == 1L); /* failures kept none */
  SILENT((fd_wksp_unmap(NULL), 1));
  LOGS((fd_wksp_unmap(mem), 1));
  SILENT((fd_wksp_unmap(p + 3), fd_shmem_join_query_by_name(name, &info) == ENOENT));
  SILENT((fd_wksp_cstr_free(out), !fd_wksp_cstr_tag(out)));
  SILENT(!fd_wksp_delete_named(name));
}

static char pod_at[FD_WKSP_CSTR_MAX];

static void bad_pod_attach(void * cstr) { fd_wksp_pod_attach((char const *)cstr); }
static void bad_pod_detach(void * pod) { fd_wksp_pod_detach((uchar const *)pod); }
static void bad_pod_unmap(void * obj) { fd_wksp_pod_unmap(obj); }
static void bad_pod_map(void * key) {
  fd_wksp_pod_map(fd_wksp_pod_attach(pod_at), (char const *)key);
}
#define POD_ERR(task, arg)                                                                         \
  ok(api_child(task, arg) == 1 << 8 && strstr(api_log_text, "ERR "), "%s of %s", #task, #arg)

static void test_pod(void) {
  ulong page_cnt = 16UL, cpu = 0UL;
  char at[FD_WKSP_CSTR_MAX], missing[] = "nosuch:4096", gone[] = "gone", other[] = "no";
  IS(!fd_wksp_new_named(name, NORMAL, 1UL, &page_cnt, &cpu, 0600UL, 0U, 8UL));
  fd_wksp_cstr_alloc(name, 8UL, 1000UL, 1UL, pod_at);
  fd_wksp_cstr_alloc(name, 8UL, 8UL, 2UL, at);
  void * shpod = fd_wksp_map(pod_at);
  SILENT(!fd_pod_new(NULL, 100UL) && !fd_pod_new((uchar *)shpod + 1, 100UL) &&
         !fd_pod_new(shpod, 23UL));
  SILENT(!fd_pod_join(NULL) && !fd_pod_join(shpod) && !fd_pod_delete(shpod));
  ulong max = FD_POD_FOOTPRINT_MIN + FD_POD_ENTRY_FOOTPRINT(5UL, strlen(at)) +
              FD_POD_ENTRY_FOOTPRINT(4UL, 11UL);
  SILENT(fd_pod_new(shpod, max) == shpod);
  uchar * pod = fd_pod_join(shpod);
  SILENT(pod && fd_pod_insert_cstr(pod, "my.it", at) == 1 &&
         fd_pod_insert_cstr(pod, "my.it", "x") == 0 &&
         fd_pod_insert_cstr(pod, "gone", missing) == 1 && fd_pod_insert_cstr(pod, "", "") == 0);
  SILENT(!fd_pod_insert_cstr(NULL, "a", "b") && !fd_pod_insert_cstr(pod, NULL, "b") &&
         !fd_pod_insert_cstr(pod, "a", NULL));
  SILENT(!strcmp(fd_pod_query_cstr(pod, "my.it", NULL), at) &&
         fd_pod_query_cstr(pod, "my", at) == at && !fd_pod_query_cstr(NULL, "my.it", NULL) &&
         !fd_pod_query_cstr(pod, NULL, NULL));
  SILENT(fd_pod_leave(pod) == shpod && (fd_wksp_unmap(shpod), 1));
  uchar const * attached = fd_wksp_pod_attach(pod_at);
  uchar * obj = (uchar *)fd_wksp_pod_map(attached, "my.it");
  w = fd_wksp_containing(obj);
  SILENT(attached && obj && fd_wksp_tag(w, fd_wksp_gaddr(w, obj)) == 2UL);
  SILENT((fd_wksp_pod_unmap(obj), fd_wksp_pod_detach(attached), !fd_wksp_containing(obj)));
  POD_ERR(bad_pod_attach, missing);
  POD_ERR(bad_pod_attach, NULL);
  POD_ERR(bad_pod_attach, at);
  POD_ERR(bad_pod_detach, NULL);
  POD_ERR(bad_pod_unmap, NULL);
  POD_ERR(bad_pod_unmap, mem);
  POD_ERR(bad_pod_map, gone);
  POD_ERR(bad_pod_map, other);
  POD_ERR(bad_pod_map, NULL);
  shpod = fd_wksp_map(pod_at);
  SILENT(fd_pod_delete(shpod) == shpod && !fd_pod_join(shpod) && !fd_pod_delete(shpod) &&
         (fd_wksp_unmap(shpod), 1));
  SILENT(!fd_wksp_delete_named(name));
}

static char path[80];

static ulong file_mode(void) {
  struct stat st;
  return stat(path, &st) ? 0UL : (ulong)st.st_mode & 07777UL;
}

/* Printed characters at a verbosity, and the text. */
static char const * printed(int verbose, int * cnt) {
  static char text[1UL << 18];
  ulong sz;
  int fd = memfd_create("p", 0U);
  *cnt = fd_wksp_printf(fd, path, verbose);
  lseek(fd, 0, SEEK_SET);
  fd_io_read(fd, text, 0UL, sizeof(text) - 1UL, &sz);
  text[sz] = '\0';
  close(fd);
  return text;
}

static void test_checkpt_style(int style) {
  static uchar other[1UL << 18] __attribute__((aligned(4096)));
  ulong lo[3], hi[3], data_max = fd_wksp_data_max_est(sizeof(mem), PART_MAX);
  fd_wksp_preview_t preview, kept;
  w = fd_wksp_join(fd_wksp_new(mem, "source", 3U, PART_MAX, data_max));
  for (ulong i = 0UL; i < 3UL; i++) {
    fd_wksp_alloc_at_least(w, 1UL << (4UL * i), 5000UL * i + 1UL, i + 10UL, lo + i, hi + i);
    for (ulong j = lo[i]; j < hi[i]; j++) mem[j] = (uchar)(j * 7UL + i);
  }
  fd_wksp_free(w, lo[0]);
  mode_t mask = umask(0777);
  SILENT(!fd_wksp_checkpt(w, path, 0640UL, style, "user info here"));
  umask(mask);
  IS(file_mode() == 0640UL);
  LOGS(fd_wksp_checkpt(w, path, 0600UL, style, NULL) == FD_WKSP_ERR_FAIL && file_mode() == 0640UL);
  memset(&preview, 0, sizeof(preview));
  kept = preview;
  SILENT(!fd_wksp_preview(path, &preview) && !strcmp(preview.name, "source") &&
         preview.seed == 3U && preview.part_max == PART_MAX && preview.data_max == data_max &&
         preview.style == (style == 1 ? 1 : 2));
  SILENT(!fd_wksp_preview(path, NULL));
  int cnt[7], rising = 1;
  for (int v = -1; v < 6; v++)
    printed(v, &cnt[v + 1]), rising &= v < 0 ? !cnt[0] : cnt[v + 1] > cnt[v];
  ok(rising && strstr(printed(2, cnt), "user info here") && strstr(printed(0, cnt), "source"),
     "printf, style %d", style);
  api_logged();
  fd_wksp_t * x =
      fd_wksp_join(fd_wksp_new(other, "target", 4U, 2UL * PART_MAX, data_max + 60000UL));
  fd_wksp_alloc(x, 1UL, 77UL, 99UL);
  SILENT(!fd_wksp_restore(x, path, 21U) && fd_wksp_seed(x) == 21U && !fd_wksp_verify(x));
  int same = 1;
  for (ulong i = 0UL; i < 3UL; i++) {
    same &= fd_wksp_tag(x, lo[i]) == (i ? i + 10UL : 0UL) &&
            fd_wksp_tag(x, hi[i] - 1UL) == (i ? i + 10UL : 0UL);
    if (i) same &= !memcmp(mem + lo[i], other + lo[i], hi[i] - lo[i]);
  }
  ulong old_tag = 99UL;
  IS(same && !fd_wksp_tag_query(x, &old_tag, 1UL, NULL, 0UL));
  fd_wksp_t * tiny = fd_wksp_join(fd_wksp_new(other, "tiny", 4U, 1UL, 4096UL));
  ulong a = fd_wksp_alloc(tiny, 1UL, 4096UL, 5UL);
  int err = fd_wksp_restore(tiny, path, 1U);
  LOGS(err == FD_WKSP_ERR_FAIL ? fd_wksp_tag(tiny, a) == 5UL
                               : err == FD_WKSP_ERR_CORRUPT && !fd_wksp_tag(tiny, a));
  fd_wksp_reset(w, 0U);
  unlink(path);
  SILENT(!fd_wksp_checkpt(w, path, 0600UL, style, NULL) && !fd_wksp_restore(w, path, 2U) &&
         !fd_wksp_verify(w));
  unlink(path);
  (void)kept;
}

/* Those that name the version: what they write is of it, another version is refused. */
static void test_checkpt_versions(void) {
  w = fd_wksp_join(fd_wksp_new(mem, "w", 3U, PART_MAX, 20000UL));
  ulong a = fd_wksp_alloc(w, 1UL, 100UL, 6UL);
  fd_wksp_preview_t preview;
  int null = open("/dev/null", O_WRONLY);
  SILENT(!fd_wksp_private_checkpt_v1(NULL, 0UL, 1UL, w, path, 0600UL, NULL));
  SILENT(!fd_wksp_preview(path, &preview) && preview.style == 1 &&
         fd_wksp_private_printf_v1(null, path, 1) == fd_wksp_printf(null, path, 1));
  fd_wksp_free(w, a);
  LOGS(fd_wksp_private_printf_v2(null, path, 1) == -1);
  LOGS(fd_wksp_private_restore_v2(NULL, 0UL, 1UL, w, path, 1U) == FD_WKSP_ERR_FAIL);
  SILENT(!fd_wksp_tag(w, a) && !fd_wksp_private_restore_v1(NULL, 0UL, 1UL, w, path, 1U) &&
         fd_wksp_tag(w, a) == 6UL);
  for (int style = 1; style < 2 + FD_HAS_LZ4; style++) {
    unlink(path);
    SILENT(!fd_wksp_private_checkpt_v2(NULL, 0UL, 1UL, w, path, 0600UL, NULL, style));
    fd_wksp_reset(w, 1U);
    LOGS(fd_wksp_private_restore_v1(NULL, 0UL, 1UL, w, path, 1U) == FD_WKSP_ERR_FAIL);
    LOGS(fd_wksp_private_printf_v1(null, path, 0) == -1);
    SILENT(!fd_wksp_private_restore_v2(NULL, 0UL, 1UL, w, path, 1U) && fd_wksp_tag(w, a) == 6UL &&
           fd_wksp_private_printf_v2(null, path, 0) > 0);
  }
  LOGS(fd_wksp_private_checkpt_v2(NULL, 0UL, 1UL, w, path, 0600UL, NULL, 1) == FD_WKSP_ERR_FAIL);
  unlink(path);
  LOGS(fd_wksp_private_checkpt_v2(NULL, 0UL, 1UL, w, path, 0600UL, NULL, 3) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_private_restore_v1(NULL, 0UL, 1UL, w, path, 1U) == FD_WKSP_ERR_FAIL);
  LOGS(fd_wksp_private_restore_v2(NULL, 0UL, 1UL, w, NULL, 1U) == FD_WKSP_ERR_INVAL);
  close(null);
}

/* User info is kept up to 16383 characters. */
static void test_uinfo(void) {
  static char uinfo[20001];
  memset(uinfo, 'u', 20000UL);
  int cnt;
  w = fd_wksp_join(fd_wksp_new(mem, "w", 3U, PART_MAX, 4096UL));
  SILENT(!fd_wksp_checkpt(w, path, 0600UL, 0, uinfo));
  char const * run = strstr(printed(2, &cnt), "uuuuuuuuuu");
  is_ulong(run ? strspn(run, "u") : 0UL, 16383UL, "characters of user info kept");
  unlink(path);
}

static void test_checkpt_errors(void) {
  fd_wksp_preview_t preview, kept;
  memset(&preview, 0x33, sizeof(preview));
  kept = preview;
  LOGS(fd_wksp_checkpt(NULL, path, 0600UL, 0, NULL) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_checkpt(w, NULL, 0600UL, 0, NULL) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_checkpt(w, path, 1UL << 40, 0, NULL) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_checkpt(w, path, 0600UL, 4, NULL) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_checkpt(w, path, 0600UL, -1, NULL) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_checkpt(w, "/nonexistent/dir/file", 0600UL, 0, NULL) == FD_WKSP_ERR_FAIL);
  LOGS(fd_wksp_restore(NULL, path, 0U) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_restore(w, NULL, 0U) == FD_WKSP_ERR_INVAL);
  ulong a = fd_wksp_alloc(w, 1UL, 10UL, 6UL);
  LOGS(fd_wksp_restore(w, path, 0U) == FD_WKSP_ERR_FAIL && fd_wksp_tag(w, a) == 6UL);
  SILENT(fd_wksp_preview(NULL, &preview) == FD_WKSP_ERR_INVAL &&
         fd_wksp_preview(path, &preview) == FD_WKSP_ERR_FAIL);
  int fd = open(path, O_CREAT | O_WRONLY, 0600);
  IS(write(fd, mem, 5) == 5);
  SILENT(fd_wksp_preview(path, &preview) == FD_WKSP_ERR_CORRUPT &&
         fd_wksp_preview(path, NULL) == FD_WKSP_ERR_CORRUPT);
  LOGS(fd_wksp_restore(w, path, 0U) != FD_WKSP_SUCCESS && fd_wksp_tag(w, a) == 6UL);
  IS(write(fd, mem, 9000) == 9000);
  SILENT(fd_wksp_preview(path, &preview) == FD_WKSP_ERR_CORRUPT &&
         !memcmp(&preview, &kept, sizeof(kept)));
  IS(fd_wksp_printf(fd, path, 0) < 0 && fd_wksp_printf(fd, path, -1) <= 0);
  close(fd);
  unlink(path);
}

int main(int argc, char ** argv) {
  char base[] = "/dev/shm/api_wkspXXXXXX", option[80];
  uint seed = argc > 1 ? fd_cstr_to_uint(argv[1]) : (uint)fd_tickcount();
  if (!mkdtemp(base)) return 1;
  fd_cstr_printf(option, sizeof(option), NULL, "--shmem-path %s", base);
  api_boot(option);
  printf("# seed %u\n", seed);
  fd_rng_new(rng, seed, 0UL);
  fd_cstr_printf(name, 40UL, NULL, "apiw%d", (int)getpid());
  fd_cstr_printf(path, 80UL, NULL, "%s/checkpt", base);
  test_sizing();
  test_life();
  test_addresses();
  test_alloc_errors();
  test_model();
  test_corrupt();
  test_index();
  test_named_errors();
  test_anon();
  test_cstr();
  test_pod();
  for (int style = 0; style < 3 + FD_HAS_LZ4; style++) test_checkpt_style(style);
  if (!FD_HAS_LZ4) LOGS(fd_wksp_checkpt(w, path, 0600UL, 3, NULL) == FD_WKSP_ERR_INVAL);
  test_checkpt_versions();
  test_uinfo();
  test_checkpt_errors();
  fd_halt();
  char dir[80];
  IS(!rmdir(fd_cstr_printf(dir, 80UL, NULL, "%s/.normal", base)) && !rmdir(base));
  return done_testing();
}
