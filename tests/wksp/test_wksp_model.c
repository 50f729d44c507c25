/* Random operations on workspaces small enough to run out of space and of partitions all the time,
   against a naive model.  After each operation the whole workspace must be what the model says. */

#include "wksp_tests.h"

static fd_rng_t rng[1];
static model_t model[1];

static int op_alloc(fd_wksp_t *wksp) {
  ulong align = 1UL << fd_rng_ulong_roll(rng, 13UL);
  ulong sz = 1UL + fd_rng_ulong_roll(rng, 1UL << (1UL + fd_rng_ulong_roll(rng, 13UL)));
  ulong tag = 1UL + fd_rng_ulong_roll(rng, 5UL);
  ulong lo;
  ulong hi;
  int fits = model_fits(model, align, sz);
  ulong gaddr = fd_wksp_alloc_at_least(wksp, align, sz, tag, &lo, &hi);
  if (!gaddr) return !fits && !lo && !hi;
  if (!fits || gaddr % align || gaddr < lo || gaddr + sz > hi) return 0;
  int fill = (int)fd_rng_uint_roll(rng, 256U);
  fd_wksp_memset(wksp, lo, fill);
  return model_insert(model, (model_alloc_t){lo, hi, tag, fill});
}

static int op_free(fd_wksp_t *wksp) {
  if (!model->cnt) return 1;
  ulong i = fd_rng_ulong_roll(rng, model->cnt);
  model_alloc_t a = model->alloc[i];
  ulong at = a.lo + fd_rng_ulong_roll(rng, a.hi - a.lo);
  fd_wksp_free(wksp, at);
  model_remove(model, i);
  if (fd_wksp_tag(wksp, at)) return 0;
  fd_wksp_free(wksp, at); /* a double free has no effect */
  return 1;
}

static int op_tag_free(fd_wksp_t *wksp) {
  ulong tag[3] = {fd_rng_ulong_roll(rng, 6UL), 1UL + fd_rng_ulong_roll(rng, 5UL), 77UL};
  fd_wksp_tag_free(wksp, tag, 3UL);
  for (ulong i = model->cnt; i--;) {
    if (model->alloc[i].tag == tag[0] || model->alloc[i].tag == tag[1]) model_remove(model, i);
  }
  return 1;
}

static int op_tag_query(fd_wksp_t *wksp) {
  fd_wksp_tag_query_info_t info[4];
  ulong tag[3] = {1UL + fd_rng_ulong_roll(rng, 5UL), 1UL + fd_rng_ulong_roll(rng, 5UL), 77UL};
  ulong cnt = fd_wksp_tag_query(wksp, tag, 3UL, info, 4UL);
  ulong n = 0UL;
  for (ulong i = 0UL; i < model->cnt; i++) {
    model_alloc_t const *a = model->alloc + i;
    if (a->tag != tag[0] && a->tag != tag[1]) continue;
    if (n < 4UL &&
        (info[n].gaddr_lo != a->lo || info[n].gaddr_hi != a->hi || info[n].tag != a->tag))
      return 0;
    n++;
  }
  return n == cnt;
}

static int op_memset(fd_wksp_t *wksp) {
  if (!model->cnt) return 1;
  model_alloc_t *a = model->alloc + fd_rng_ulong_roll(rng, model->cnt);
  a->fill = (int)fd_rng_uint_roll(rng, 256U);
  fd_wksp_memset(wksp, a->lo + fd_rng_ulong_roll(rng, a->hi - a->lo), a->fill);
  return 1;
}

static int op_rebuild(fd_wksp_t *wksp) {
  uint seed = fd_rng_uint(rng);
  return !fd_wksp_rebuild(wksp, seed) && fd_wksp_seed(wksp) == seed;
}

static int op_reset(fd_wksp_t *wksp) {
  uint seed = fd_rng_uint(rng);
  fd_wksp_reset(wksp, seed);
  model->cnt = 0UL;
  return fd_wksp_seed(wksp) == seed;
}

/* Changes the workspace between checkpoint and restore, which must not matter. */
static int op_restore(fd_wksp_t *wksp) {
  char const *path = test_path("ckpt");
  int style = (int)fd_rng_uint_roll(rng, 4U);
  if (fd_wksp_checkpt(wksp, path, 0600UL, style, NULL)) return 0;
  if (fd_rng_uint_roll(rng, 2U)) fd_wksp_reset(wksp, 0U);
  while (fd_rng_uint_roll(rng, 8U))
    fd_wksp_memset(wksp, fd_wksp_alloc(wksp, 1UL, 1UL + fd_rng_ulong_roll(rng, 999UL), 9UL), 0xa5);
  for (ulong i = 0UL; i < model->cnt; i++) {
    if (fd_wksp_tag(wksp, model->alloc[i].lo)) fd_wksp_memset(wksp, model->alloc[i].lo, 0x5a);
  }
  return !fd_wksp_restore(wksp, path, fd_rng_uint(rng)) && !unlink(path);
}

static struct {
  char const *name;
  uint weight;
  int (*run)(fd_wksp_t *);
} const op[] = {
    {"alloc", 100U, op_alloc},       {"free", 70U, op_free},      {"tag_free", 5U, op_tag_free},
    {"tag_query", 8U, op_tag_query}, {"memset", 8U, op_memset},   {"rebuild", 3U, op_rebuild},
    {"reset", 1U, op_reset},         {"restore", 2U, op_restore},
};
#define OP_CNT (sizeof(op) / sizeof(op[0]))

static ulong op_pick(void) {
  uint sum = 0U;
  for (ulong i = 0UL; i < OP_CNT; i++) sum += op[i].weight;
  uint at = fd_rng_uint_roll(rng, sum);
  ulong i = 0UL;
  while (at >= op[i].weight) at -= op[i++].weight;
  return i;
}

static int run(ulong part_max, ulong data_max, ulong op_max) {
  fd_wksp_t *wksp = test_wksp(part_max, data_max);
  model_init(model, wksp);
  for (ulong n = 0UL; n < op_max; n++) {
    ulong i = op_pick();
    if (!op[i].run(wksp) || !model_agrees(model, wksp)) {
      printf("# operation %lu (%s) disagrees with the model\n", n, op[i].name);
      return 0;
    }
  }
  test_wksp_free(wksp);
  return 1;
}

int main(void) {
  test_boot("test_wksp_model");
  fd_rng_join(fd_rng_new(rng, test_seed(), 0UL));
  ulong cnt = test_cnt("WKSP_MODEL_OPS", 4000UL);
  ok(run(1UL, 4096UL, cnt / 10UL), "1 partition");
  ok(run(2UL, 5000UL, cnt / 10UL), "2 partitions");
  ok(run(16UL, 65536UL, cnt), "16 partitions");
  ok(run(64UL, 65536UL, cnt), "64 partitions");
  ok(run(400UL, 300000UL, cnt), "400 partitions");
  return test_halt();
}
