/* The behaviour the groove tables promise: keys, the volume pool, headers and their arithmetic, the
   size class table, allocation limits and refusals, frees of what is no object, capacity, verify.
 */

#include "api.h"

#define VOL_CNT (3UL)
#define VOL_SZ  FD_GROOVE_VOLUME_FOOTPRINT

static uchar shdata[1UL << 20] __attribute__((aligned(128)));
static uchar shpool[4096] __attribute__((aligned(128)));
static uchar other[8192] __attribute__((aligned(4096)));
static uchar * vol;
static fd_rng_t rng[1];
static fd_groove_data_t data_mem[1];
static fd_groove_data_t * d;

static void test_base(void) {
  int codes[8] = {0, -1, -2, -3, -4, -5, -6, 77}, distinct = 1;
  for (int i = 0; i < 8; i++) {
    for (int j = 0; j < i; j++)
      distinct &= strcmp(fd_groove_strerror(codes[i]), fd_groove_strerror(codes[j])) != 0;
  }
  SILENT(distinct && !strcmp(fd_groove_strerror(77), "unknown") &&
         !strcmp(fd_groove_strerror(INT_MIN), "unknown"));
  fd_groove_key_t a[1], b[1];
  char text[40] = "0123456789abcdef0123456789abcdefXYZ";
  SILENT(fd_groove_key_init(a, text, 40UL) == a && !memcmp(a->c, text, 32UL));
  SILENT(fd_groove_key_init(b, text, 5UL) == b && !memcmp(b->uc, "01234", 5UL) &&
         fd_mem_iszero(b->uc + 5, 27UL));
  SILENT(fd_groove_key_eq(a, b) == 0 && fd_groove_key_init(b, text, 32UL) &&
         fd_groove_key_eq(a, b) == 1);
  SILENT(fd_groove_key_init(b, NULL, 0UL) && fd_mem_iszero(b->uc, 32UL));
  SILENT(fd_groove_key_init_ulong(a, 1UL, 2UL, 3UL, 4UL) == a && a->ul[0] == 1UL &&
         a->ul[3] == 4UL);
  ulong h = fd_groove_key_hash(a, 5UL), flips = 0UL;
  SILENT(h == fd_groove_key_hash(a, 5UL) && h != fd_groove_key_hash(a, 6UL));
  for (int bit = 0; bit < 256; bit++) {
    *b = *a;
    b->uc[bit >> 3] = (uchar)(b->uc[bit >> 3] ^ (1 << (bit & 7)));
    flips += (ulong)fd_ulong_popcnt(h ^ fd_groove_key_hash(b, 5UL));
  }
  ok(flips > 256UL * 28UL && flips < 256UL * 36UL, "the hash is well mixed: %lu of 16384 bits flip",
     flips);
}

static void test_pool_errors(fd_groove_volume_pool_t * p, fd_groove_volume_pool_t * mem) {
  LOGS(!fd_groove_volume_pool_new(NULL));
  LOGS(!fd_groove_volume_pool_new(shpool + 64));
  SILENT(fd_groove_volume_pool_new(shpool) == shpool);
  LOGS(!fd_groove_volume_pool_join(NULL, shpool, vol, VOL_CNT));
  LOGS(!fd_groove_volume_pool_join((uchar *)mem + 1, shpool, vol, VOL_CNT));
  LOGS(!fd_groove_volume_pool_join(mem, NULL, vol, VOL_CNT));
  LOGS(!fd_groove_volume_pool_join(mem, shpool + 64, vol, VOL_CNT));
  LOGS(!fd_groove_volume_pool_join(mem, other, vol, VOL_CNT));
  LOGS(!fd_groove_volume_pool_join(mem, shpool, NULL, VOL_CNT));
  LOGS(!fd_groove_volume_pool_join(mem, shpool, vol + 512, VOL_CNT));
  LOGS(!fd_groove_volume_pool_join(mem, shpool, vol, 1UL << 34));
  SILENT(fd_groove_volume_pool_join(mem, shpool, NULL, 0UL) == mem &&
         fd_groove_volume_pool_leave(mem) == mem);
  SILENT(fd_groove_volume_pool_join(mem, shpool, vol, VOL_CNT) == p);
  SILENT(fd_groove_volume_pool_shpool(p) == shpool && fd_groove_volume_pool_shele(p) == vol &&
         fd_groove_volume_pool_shpool_const(p) == shpool &&
         fd_groove_volume_pool_shele_const(p) == vol &&
         fd_groove_volume_pool_ele_max(p) == VOL_CNT &&
         fd_groove_volume_pool_ele_max_max() == (1UL << 34) - 1UL);
#define INVAL_ADD(pool, at, sz)                                                                    \
  LOGS(fd_groove_volume_pool_add(pool, at, sz, NULL, 0UL) == FD_GROOVE_ERR_INVAL &&               \
        !fd_groove_volume_pool_acquire(p))
  SILENT(!fd_groove_volume_pool_add(NULL, NULL, 0UL, NULL, 0UL) &&
         !fd_groove_volume_pool_add(p, vol + 5, 0UL, NULL, 0UL));
  INVAL_ADD(NULL, vol, VOL_SZ);
  INVAL_ADD(p, NULL, VOL_SZ);
  INVAL_ADD(p, vol + 4096, VOL_SZ);
  INVAL_ADD(p, vol, VOL_SZ - 4096UL);
  INVAL_ADD(p, vol, 4UL * VOL_SZ);
  INVAL_ADD(p, vol + 3UL * VOL_SZ, VOL_SZ);
  INVAL_ADD(p, vol - VOL_SZ, VOL_SZ);
  INVAL_ADD(p, vol + VOL_SZ, ULONG_MAX - VOL_SZ + 1UL);
  LOGS(!fd_groove_volume_pool_remove(NULL));
  SILENT(!fd_groove_volume_pool_remove(p) && !fd_groove_volume_pool_verify(p));
  LOGS(!fd_groove_volume_pool_leave(NULL));
  LOGS(!fd_groove_volume_pool_delete(NULL));
  LOGS(!fd_groove_volume_pool_delete(shpool + 64));
  LOGS(!fd_groove_volume_pool_delete(other));
}

static void test_pool(void) {
  fd_groove_volume_pool_t mem[1], *p = mem;
  uchar info[500];
  test_pool_errors(p, mem);
  memset(info, 0x61, sizeof(info));
  memset(vol + VOL_SZ, 0xee, 4096UL);
  SILENT(!fd_groove_volume_pool_add(p, vol, 3UL * VOL_SZ, info, 500UL) &&
         !fd_groove_volume_pool_verify(p));
  int good = 1;
  for (ulong i = 0UL; i < VOL_CNT; i++) {
    fd_groove_volume_t * v = (fd_groove_volume_t *)(vol + i * VOL_SZ);
    good &= v->magic == ~FD_GROOVE_VOLUME_MAGIC && v->idx == i && v->info_sz == 480UL &&
            v->info[479] == 0x61;
  }
  SILENT(good && vol[VOL_SZ + 512UL] == 0xee); /* headers alone are touched */
  SILENT((uchar *)fd_groove_volume_pool_peek(p) == vol &&
         fd_groove_volume_pool_idx(p, fd_groove_volume_pool_peek_const(p)) == 0UL);
  SILENT((uchar *)fd_groove_volume_pool_ele(p, 2UL) == vol + 2UL * VOL_SZ &&
         !fd_groove_volume_pool_ele(p, 3UL) && !fd_groove_volume_pool_ele_const(p, ULONG_MAX) &&
         fd_groove_volume_pool_idx_is_null(fd_groove_volume_pool_idx(p, NULL)) == 1 &&
         fd_groove_volume_pool_idx_is_null(fd_groove_volume_pool_idx_null()) == 1);
  for (ulong i = 0UL; i < VOL_CNT; i++) {
    fd_groove_volume_t * v = (fd_groove_volume_t *)fd_groove_volume_pool_remove(p);
    good &= (uchar *)v == vol + i * VOL_SZ && v->magic == 0UL; /* lowest index first */
  }
  SILENT(good && !fd_groove_volume_pool_remove(p));
  SILENT(!fd_groove_volume_pool_add(p, vol + VOL_SZ, VOL_SZ, info, 7UL));
  fd_groove_volume_t * v = (fd_groove_volume_t *)(vol + VOL_SZ);
  SILENT(v->info_sz == 7UL && v->info[6] == 0x61 && fd_mem_iszero(v->info + 7, 473UL) &&
         v->idx == 1UL);
  SILENT(fd_groove_volume_pool_acquire(p) == v && !fd_groove_volume_pool_acquire(p) &&
         (fd_groove_volume_pool_release(p, v), fd_groove_volume_pool_peek(p) == v));
  v->magic = 5UL;
  LOGS(!fd_groove_volume_pool_remove(p));
  SILENT(fd_groove_volume_pool_leave(p) == mem && fd_groove_volume_pool_delete(shpool) == shpool);
  LOGS(!fd_groove_volume_pool_join(mem, shpool, vol, VOL_CNT));
  SILENT(fd_groove_volume_pool_strerror(0) &&
         strcmp(fd_groove_volume_pool_strerror(-1), fd_groove_volume_pool_strerror(-2)) &&
         fd_groove_volume_pool_strerror(9));
}

static void test_headers(void) {
  int good = 1;
  for (int i = 0; i < 5000; i++) {
    fd_groove_data_hdr_t h, g;
    h.bits = fd_rng_ulong(rng), h.info = fd_rng_ulong(rng);
    g = fd_groove_data_hdr(fd_groove_data_hdr_type(h), fd_groove_data_hdr_idx(h),
                           fd_groove_data_hdr_szc(h), fd_groove_data_hdr_align(h),
                           fd_groove_data_hdr_sz(h), fd_groove_data_hdr_info(h));
    good &= g.bits == h.bits && g.info == h.info;
    good &= fd_groove_data_hdr_type(h) == (h.bits & 65535UL) &&
            fd_groove_data_hdr_idx(h) == (h.bits >> 16 & 63UL) &&
            fd_groove_data_hdr_szc(h) == (h.bits >> 22 & 127UL) &&
            fd_groove_data_hdr_align(h) == (h.bits >> 29 & 1023UL) &&
            fd_groove_data_hdr_sz(h) == h.bits >> 39 && fd_groove_data_hdr_info(h) == h.info;
  }
  SILENT(good);
  uchar * start = vol + 512UL * 7UL;
  for (ulong off = 16UL; off <= 512UL; off += 16UL)
    good &= (uchar *)fd_groove_data_object_hdr(start + off) == start;
  SILENT(good && (uchar const *)fd_groove_data_object_hdr_const(start + 528) == start + 512);
  ulong fp = (ulong)fd_groove_data_szc_cfg[3].obj_footprint;
  SILENT((uchar *)fd_groove_data_superblock_hdr(start + 16, 3UL, 0UL) == start - 512 &&
         (uchar const *)fd_groove_data_superblock_hdr_const(start + 16, 3UL, 1UL) ==
             start - fp - 512);
}

static void test_classes(void) {
  int good = 1;
  for (ulong c = 0UL; c < 32UL; c++) {
    fd_groove_data_szc_cfg_t const * s = fd_groove_data_szc_cfg + c;
    ulong parent = (ulong)s->parent_szc, fp = (ulong)s->obj_footprint;
    ulong room = parent == 32UL ? FD_GROOVE_VOLUME_DATA_MAX
                                : (ulong)fd_groove_data_szc_cfg[parent].obj_footprint;
    good &= fp % 512UL == 0UL && fp >= 512UL && fp <= 1UL << 25 &&
            (!c || fp > s[-1].obj_footprint) && s->obj_cnt >= 2 && s->obj_cnt <= 64 &&
            fd_ulong_is_pow2((ulong)s->cgroup_mask + 1UL) && s->cgroup_mask < 64 && parent > c &&
            parent <= 32UL && 512UL + (ulong)s->obj_cnt * fp <= room;
  }
  SILENT(good && fd_groove_data_szc_cfg[0].obj_footprint == 512U);
  SILENT(fd_groove_data_szc_cfg[31].obj_footprint >= FD_GROOVE_DATA_ALLOC_FOOTPRINT_MAX);
  for (ulong fp = 0UL; fp <= FD_GROOVE_DATA_ALLOC_FOOTPRINT_MAX;
       fp += fp < 200000UL ? 64UL : 7777UL) {
    ulong want = 0UL;
    while ((ulong)fd_groove_data_szc_cfg[want].obj_footprint < fp) want++;
    good &= fd_groove_data_szc(fp) == want;
  }
  SILENT(good && fd_groove_data_szc(0UL) == 0UL && fd_groove_data_szc(513UL) == 1UL);
}

static void test_life(void) {
  SILENT(fd_groove_data_align() == 128UL && fd_groove_data_footprint() % 128UL == 0UL &&
         fd_groove_data_footprint() == FD_GROOVE_DATA_FOOTPRINT() &&
         fd_groove_data_footprint() < sizeof(shdata));
  LOGS(!fd_groove_data_new(NULL));
  LOGS(!fd_groove_data_new(shdata + 64));
  SILENT(fd_groove_data_new(shdata) == shdata);
  LOGS(!fd_groove_data_join(NULL, shdata, vol, VOL_CNT, 0UL));
  LOGS(!fd_groove_data_join((uchar *)data_mem + 1, shdata, vol, VOL_CNT, 0UL));
  LOGS(!fd_groove_data_join(data_mem, NULL, vol, VOL_CNT, 0UL));
  LOGS(!fd_groove_data_join(data_mem, shdata + 64, vol, VOL_CNT, 0UL));
  LOGS(!fd_groove_data_join(data_mem, other, vol, VOL_CNT, 0UL));
  LOGS(!fd_groove_data_join(data_mem, shdata, NULL, VOL_CNT, 0UL));
  LOGS(!fd_groove_data_join(data_mem, shdata, vol + 512, VOL_CNT, 0UL));
  LOGS(!fd_groove_data_join(data_mem, shdata, vol, 1UL << 34, 0UL));
  d = fd_groove_data_join(data_mem, shdata, vol, 0UL, ULONG_MAX);
  SILENT(d == data_mem && fd_groove_data_volume_max(d) == (1UL << 34) - 1UL &&
         fd_groove_data_leave(d) == data_mem);
  d = fd_groove_data_join(data_mem, shdata, vol, VOL_CNT, 0xabcdUL);
  SILENT(fd_groove_data_shdata(d) == shdata && fd_groove_data_volume0(d) == vol &&
         fd_groove_data_volume1(d) == vol + VOL_CNT * VOL_SZ &&
         fd_groove_data_shdata_const(d) == shdata && fd_groove_data_volume0_const(d) == vol &&
         fd_groove_data_volume1_const(d) == vol + VOL_CNT * VOL_SZ &&
         fd_groove_data_volume_max(d) == VOL_CNT && fd_groove_data_cgroup_hint(d) == 0xabcdUL);
  SILENT(!fd_groove_data_verify(d) && fd_groove_data_verify(d) == FD_GROOVE_SUCCESS);
  IS(fd_groove_data_verify(NULL) == FD_GROOVE_ERR_CORRUPT && api_logged() <= 1UL);
  int err = 5;
  SILENT(!fd_groove_data_alloc(d, 0UL, 1UL, 1UL, &err) &&
         err == FD_GROOVE_ERR_FULL); /* no volume ever */
  SILENT(!fd_groove_data_volume_remove(d) && !fd_groove_data_alloc(d, 0UL, 1UL, 1UL, NULL));
  LOGS(!fd_groove_data_volume_remove(NULL));
  LOGS(fd_groove_data_volume_add(NULL, vol, VOL_SZ, NULL, 0UL) == FD_GROOVE_ERR_INVAL);
  LOGS(fd_groove_data_volume_add(d, vol + 512, VOL_SZ, NULL, 0UL) == FD_GROOVE_ERR_INVAL);
  SILENT(!fd_groove_data_volume_add(d, vol, 3UL * VOL_SZ, "i", 2UL) && !fd_groove_data_verify(d));
  int good = 1;
  for (ulong i = 0UL; i < VOL_CNT; i++)
    good &= (uchar *)fd_groove_data_volume_remove(d) == vol + i * VOL_SZ;
  SILENT(good && !fd_groove_data_volume_remove(d) &&
         !fd_groove_data_volume_add(d, vol, VOL_SZ, NULL, 9UL));
  SILENT(((fd_groove_volume_t *)vol)->info_sz == 0UL &&
         !fd_groove_data_volume_verify(d, (fd_groove_volume_t *)vol));
}

static void test_alloc(void) {
  int err;
#define REFUSED(align, sz)                                                                         \
  LOGS((err = 9, !fd_groove_data_alloc(d, align, sz, 1UL, &err)) && err == FD_GROOVE_ERR_INVAL)
  REFUSED(3UL, 1UL);
  REFUSED(1024UL, 1UL);
  REFUSED(1UL << 63, 1UL);
  REFUSED(0UL, 10485760UL + 512UL);
  REFUSED(512UL, 10485761UL);
  REFUSED(0UL, ULONG_MAX);
  REFUSED(512UL, ULONG_MAX - 511UL);
  LOGS((err = 9, !fd_groove_data_alloc(NULL, 0UL, 1UL, 1UL, &err)) && err == FD_GROOVE_ERR_INVAL);
  void *z0 = fd_groove_data_alloc(d, 0UL, 0UL, ULONG_MAX, &err),
       *z1 = fd_groove_data_alloc(d, 512UL, 0UL, 0UL, NULL);
  SILENT(z0 && z1 && z0 != z1 && !err && fd_groove_data_alloc_sz(z0) == 0UL &&
         fd_groove_data_alloc_tag(z0) == ULONG_MAX && fd_groove_data_alloc_align(z0) == 16UL &&
         fd_groove_data_alloc_align(z1) == 512UL);
  int good = 1;
  for (ulong lg = 0UL; lg < 10UL; lg++) {
    ulong align = 1UL << lg, sz = 10485760UL;
    uchar * p = (uchar *)fd_groove_data_alloc(d, align, sz, lg, &err); /* 10 MiB at any align */
    uchar * hdr = (uchar *)fd_groove_data_object_hdr(p);
    good &= p && !err && fd_ulong_is_aligned((ulong)p, align) &&
            fd_ulong_is_aligned((ulong)hdr, 512UL) && p == hdr + fd_ulong_align_up(16UL, align) &&
            fd_groove_data_alloc_sz(p) == sz && fd_groove_data_alloc_align(p) == align;
    uchar * stop = (uchar *)fd_groove_data_alloc_stop(p);
    good &= (uchar *)fd_groove_data_alloc_start(p) == hdr + 16 && p + sz <= stop &&
            fd_groove_data_alloc_stop_const(p) == stop &&
            fd_groove_data_alloc_start_const(p) == hdr + 16;
    fd_groove_data_hdr_t h = *fd_groove_data_object_hdr(p);
    fd_groove_data_hdr_t const * sb = fd_groove_data_superblock_hdr_const(
        p, fd_groove_data_hdr_szc(h), fd_groove_data_hdr_idx(h));
    good &= fd_groove_data_hdr_type(h) == 0xfd67UL && fd_groove_data_hdr_type(*sb) == 0x0298UL &&
            fd_groove_data_hdr_szc(*sb) == fd_groove_data_hdr_szc(h) &&
            fd_groove_data_hdr_align(*sb) == 16UL;
    good &= stop == hdr + fd_groove_data_szc_cfg[fd_groove_data_hdr_szc(h)].obj_footprint;
    memset(hdr + 16, 0xff, (ulong)(stop - hdr) - 16UL); /* all writable */
    good &=
        !fd_groove_data_verify(d) && !fd_groove_data_volume_verify(d, (fd_groove_volume_t *)vol);
    good &= !fd_groove_data_free(d, p);
  }
  SILENT(good);
  fd_groove_data_t second_mem[1];
  fd_groove_data_t * second = fd_groove_data_join(second_mem, shdata, vol, VOL_CNT, 99UL);
  SILENT(!fd_groove_data_free(second, z0) &&
         !fd_groove_data_private_free(d, z1, FD_GROOVE_DATA_HDR_TYPE_ALLOC) &&
         fd_groove_data_leave(second) == second_mem);
  LOGS(!fd_groove_data_leave(NULL));
}

static void test_bad_frees(void) {
  int err;
  uchar * p = (uchar *)fd_groove_data_alloc(d, 16UL, 2000UL, 1UL, &err);
  uchar * q = (uchar *)fd_groove_data_alloc(d, 16UL, 2000UL, 2UL, &err);
  memset(p, 0, 2000UL);
  LOGS(fd_groove_data_free(NULL, p) == FD_GROOVE_ERR_INVAL);
  SILENT(fd_groove_data_free(d, NULL) == FD_GROOVE_ERR_INVAL);
  IS(fd_groove_data_free(d, other + 16) == FD_GROOVE_ERR_INVAL &&
     fd_groove_data_free(d, vol - 16) == FD_GROOVE_ERR_INVAL &&
     fd_groove_data_free(d, vol + VOL_CNT * VOL_SZ + 16) == FD_GROOVE_ERR_INVAL &&
     fd_groove_data_free(d, (void *)16) == FD_GROOVE_ERR_INVAL);
  IS(fd_groove_data_free(d, p + 1024) == FD_GROOVE_ERR_INVAL); /* the block there is data */
  IS(fd_groove_data_private_free(d, p, FD_GROOVE_DATA_HDR_TYPE_SUPERBLOCK) == FD_GROOVE_ERR_INVAL);
  fd_groove_data_hdr_t * hdr = fd_groove_data_object_hdr(p);
  fd_groove_data_hdr_t kept = *hdr;
  hdr->bits = kept.bits ^ (0x1fUL << 22); /* an impossible class */
  IS(fd_groove_data_free(d, p) != FD_GROOVE_SUCCESS);
  *hdr = kept;
  api_logged();
  SILENT(!fd_groove_data_verify(d) && !fd_groove_data_free(d, p));
  IS(fd_groove_data_free(d, p) == FD_GROOVE_ERR_INVAL); /* already freed */
  api_logged();
  SILENT(!fd_groove_data_free(d, q) && !fd_groove_data_verify(d));
  /* its superblock says that the object is free while its header says that it is not */
  p = (uchar *)fd_groove_data_alloc(d, 16UL, 2000UL, 1UL, &err);
  kept = *fd_groove_data_object_hdr(p);
  ulong idx = fd_groove_data_hdr_idx(kept);
  hdr = fd_groove_data_superblock_hdr(p, fd_groove_data_hdr_szc(kept), idx);
  ((ulong *)(hdr + 1))[0] |= 1UL << idx;
  LOGS(fd_groove_data_free(d, p) == FD_GROOVE_ERR_CORRUPT);
  LOGS(fd_groove_data_free(d, p) == FD_GROOVE_ERR_INVAL);
  LOGS(fd_groove_data_verify(NULL) == FD_GROOVE_ERR_CORRUPT);
  ((fd_groove_volume_t *)vol)->idx++;
  LOGS(fd_groove_data_volume_verify(d, (fd_groove_volume_t *)vol) == FD_GROOVE_ERR_CORRUPT);
  ((fd_groove_volume_t *)vol)->idx--;
  SILENT(!fd_groove_data_verify(d) &&
         !fd_groove_data_volume_verify(d, (fd_groove_volume_t *)vol));
  LOGS(fd_groove_data_volume_verify(d, NULL) == FD_GROOVE_ERR_CORRUPT);
  LOGS(fd_groove_data_volume_verify(d, (fd_groove_volume_t *)(vol + VOL_CNT * VOL_SZ)) ==
       FD_GROOVE_ERR_CORRUPT);
  LOGS(fd_groove_data_volume_verify(NULL, (fd_groove_volume_t *)vol) == FD_GROOVE_ERR_CORRUPT);
}

/* Fills a volume with objects of one size: FULL comes with most of it live, and a volume helps. */
static void test_capacity(void) {
  static void * obj[1UL << 12];
  ulong cnt = 0UL, sz = 1UL << 20;
  int err = 0;
  while (cnt < 4096UL && (obj[cnt] = fd_groove_data_alloc(d, 0UL, sz, cnt, &err))) cnt++;
  SILENT(err == FD_GROOVE_ERR_FULL && cnt * sz >= VOL_SZ / 2UL);
  SILENT(!fd_groove_data_volume_add(d, vol + VOL_SZ, VOL_SZ, NULL, 0UL) &&
         (obj[cnt] = fd_groove_data_alloc(d, 0UL, sz, cnt, &err)) &&
         (uchar *)obj[cnt] >= vol + VOL_SZ);
  cnt++;
  int good = 1;
  for (ulong i = 0UL; i < cnt; i++) good &= fd_groove_data_alloc_tag(obj[i]) == i;
  for (ulong i = 0UL; i < cnt; i++) good &= !fd_groove_data_free(d, obj[cnt - 1UL - i]);
  SILENT(good && !fd_groove_data_verify(d));
  ulong removed = 0UL;
  for (uchar * v; (v = (uchar *)fd_groove_data_volume_remove(d)); removed++)
    good &= *(ulong *)(void *)v == 0UL;
  SILENT(good && removed == 2UL); /* whole volumes come back */
  SILENT(fd_groove_data_leave(d) == data_mem);
  LOGS(!fd_groove_data_delete(NULL));
  LOGS(!fd_groove_data_delete(shdata + 64));
  SILENT(fd_groove_data_delete(shdata) == shdata);
  LOGS(!fd_groove_data_delete(shdata));
  LOGS(!fd_groove_data_join(data_mem, shdata, vol, VOL_CNT, 0UL));
}

int main(int argc, char ** argv) {
  uint seed = argc > 1 ? fd_cstr_to_uint(argv[1]) : (uint)fd_tickcount();
  api_boot("");
  printf("# seed %u\n", seed);
  fd_rng_new(rng, seed, 0UL);
  uchar * map = (uchar *)mmap(NULL, 6UL << 30, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (map == MAP_FAILED) return 1;
  vol = (uchar *)fd_ulong_align_up((ulong)map + 1UL, 1UL << 30);
  test_base();
  test_pool();
  test_headers();
  test_classes();
  test_life();
  test_alloc();
  test_bad_frees();
  test_capacity();
  munmap(map, 6UL << 30);
  fd_halt();
  return done_testing();
}
