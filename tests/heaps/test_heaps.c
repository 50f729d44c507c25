/* What tests/heaps/heaps.t records: each scenario is one process that uses wksp, fd_alloc, groove
   or a pool of its own, and leaves behind what its name and heaps.t say.

     test_heaps SCENARIO [options of boot]

   give, take and drop are one story of three processes and want --shmem-path. */

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fd/groove/fd_groove.h"
#include "fd/util/alloc/fd_alloc.h"
#include "fd/util/fd_util.h"
#include "valtrace/annotate.h"

#define SHARED "heaps_shared"

static ulong const one_page_cnt[1] = {16384UL};
static ulong const any_cpu[1] = {0UL};

static fd_wksp_t *wksp_new(char const *name) {
  fd_wksp_t *wksp =
      fd_wksp_new_anon(name, FD_SHMEM_NORMAL_PAGE_SZ, 1UL, one_page_cnt, any_cpu, 1U, 4096UL);
  FD_TEST(wksp);
  return wksp;
}

static __attribute__((noinline)) ulong take(fd_wksp_t *wksp, ulong sz, ulong tag) {
  ulong gaddr = fd_wksp_alloc(wksp, 8UL, sz, tag);
  FD_TEST(gaddr);
  return gaddr;
}

static __attribute__((noinline)) ulong take_and_lose(fd_wksp_t *wksp, ulong sz, ulong tag) {
  ulong gaddr = take(wksp, sz, tag);
  FD_COMPILER_MFENCE();
  return gaddr;
}

static void plain(void) {
  fd_wksp_t *wksp = wksp_new("plain");
  ulong gaddr[10];
  for (ulong i = 0UL; i < 10UL; i++) gaddr[i] = take(wksp, 100UL + i, 1UL);
  for (ulong i = 0UL; i < 10UL; i++) fd_wksp_free(wksp, gaddr[i]);
  for (ulong i = 0UL; i < 3UL; i++) take_and_lose(wksp, 1000UL, 1UL);
}

static void interior(void) {
  fd_wksp_t *wksp = wksp_new("interior");
  ulong gaddr[6];
  for (ulong i = 0UL; i < 6UL; i++) gaddr[i] = take(wksp, 100UL, i + 1UL);
  for (ulong i = 0UL; i < 6UL; i++) fd_wksp_free(wksp, gaddr[i] + 20UL * i - fd_ulong_min(i, 1UL));
}

static void wrong(void) {
  fd_wksp_t *wksp = wksp_new("wrong");
  ulong gaddr = take(wksp, 100UL, 1UL);
  fd_wksp_free(wksp, gaddr);
  fd_wksp_free(wksp, gaddr);
}

static void reset(void) {
  fd_wksp_t *wksp = wksp_new("reset");
  for (ulong round = 0UL; round < 50UL; round++) {
    fd_wksp_reset(wksp, (uint)round);
    for (ulong i = 0UL; i < 5UL; i++) take_and_lose(wksp, 64UL, 1UL);
  }
}

static void tag_free(void) {
  fd_wksp_t *wksp = wksp_new("tag_free");
  ulong gone[2] = {7UL, 9UL};
  for (ulong round = 0UL; round < 50UL; round++) {
    for (ulong i = 0UL; i < 4UL; i++) take_and_lose(wksp, 64UL, 6UL + i);
    fd_wksp_tag_free(wksp, gone, 2UL);
  }
}

static void restore(void) {
  fd_wksp_t *wksp = wksp_new("restore");
  ulong gaddr[3];
  char path[64];
  FD_TEST(fd_cstr_printf(path, sizeof(path), NULL, "/tmp/test_heaps.%d", (int)getpid()));
  for (ulong i = 0UL; i < 3UL; i++) gaddr[i] = take(wksp, 100UL, 1UL);
  FD_TEST(!fd_wksp_checkpt(wksp, path, 0600UL, 0, ""));
  take_and_lose(wksp, 100UL, 1UL);
  FD_TEST(!fd_wksp_restore(wksp, path, 2U));
  FD_TEST(!unlink(path));
  for (ulong i = 0UL; i < 3UL; i++) fd_wksp_free(wksp, gaddr[i]);
  take_and_lose(wksp, 100UL, 1UL);
}

static void delete (void) {
  fd_wksp_t *wksp = wksp_new("delete");
  for (ulong i = 0UL; i < 5UL; i++) take(wksp, 100UL, 1UL);
  fd_wksp_delete_anon(wksp);
  wksp = wksp_new("delete"); /* most likely at the same address */
  take_and_lose(wksp, 100UL, 1UL);
}

static __attribute__((noinline)) void nested_lose(fd_alloc_t *alloc) {
  FD_TEST(fd_alloc_malloc(alloc, 0UL, 33UL));
}

/* An fd_alloc with 1000 blocks freed and 10 lost, half of the latter in another alloc that goes
   with its tag. */
static void nested(void) {
  fd_wksp_t *wksp = wksp_new("nested");
  static void *block[1000];
  for (ulong tag = 5UL; tag < 7UL; tag++) {
    void *mem = fd_wksp_alloc_laddr(wksp, fd_alloc_align(), fd_alloc_footprint(), tag);
    fd_alloc_t *alloc = fd_alloc_join(fd_alloc_new(mem, tag), 0UL);
    FD_TEST(alloc);
    for (ulong i = 0UL; i < 1000UL; i++) {
      block[i] = fd_alloc_malloc(alloc, 0UL, 1UL + i * 37UL % 1500UL);
      FD_TEST(block[i]);
    }
    for (ulong i = 0UL; i < 1000UL; i++) fd_alloc_free(alloc, block[i]);
    for (ulong i = 0UL; i < 5UL; i++) nested_lose(alloc);
    fd_alloc_leave(alloc);
  }
  ulong gone = 5UL;
  fd_wksp_tag_free(wksp, &gone, 1UL);
}

static __attribute__((noinline)) void groove_lose(fd_groove_data_t *data, ulong tag) {
  FD_TEST(fd_groove_data_alloc(data, 0UL, 1000UL, tag, NULL));
}

/* Volumes are a gigabyte of their own; where they lie in a wksp they are nested in it. */
static void groove(int is_nested) {
  fd_groove_data_t data[1];
  static fd_groove_data_shmem_t shdata[1];
  static ulong const page_cnt[1] = {(2UL << 30) / 4096UL + 1024UL};
  void *volume0;
  if (is_nested) {
    fd_wksp_t *wksp =
        fd_wksp_new_anon("big", FD_SHMEM_NORMAL_PAGE_SZ, 1UL, page_cnt, any_cpu, 1U, 64UL);
    FD_TEST(wksp);
    volume0 = fd_wksp_alloc_laddr(wksp, 4096UL, 1UL << 30, 3UL);
  } else
    volume0 = fd_shmem_acquire(FD_SHMEM_NORMAL_PAGE_SZ, (1UL << 30) / 4096UL, 0UL);
  FD_TEST(volume0 && fd_groove_data_new(shdata));
  FD_TEST(fd_groove_data_join(data, shdata, volume0, 1UL, 0UL));
  FD_TEST(!fd_groove_data_volume_add(data, volume0, 1UL << 30, NULL, 0UL));
  for (ulong i = 0UL; i < 20UL; i++) {
    void *obj = fd_groove_data_alloc(data, 1UL << i % 10UL, i * i * 100UL, i, NULL);
    FD_TEST(obj && !fd_groove_data_free(data, obj));
  }
  for (ulong i = 0UL; i < 4UL; i++) groove_lose(data, 77UL);
  FD_TEST(fd_groove_data_leave(data));
}

static void give(void) {
  FD_TEST(!fd_wksp_new_named(SHARED, FD_SHMEM_NORMAL_PAGE_SZ, 1UL, one_page_cnt, any_cpu, 0600UL,
                             3U, 4096UL));
  fd_wksp_t *wksp = fd_wksp_attach(SHARED);
  FD_TEST(wksp);
  for (ulong i = 0UL; i < 100UL; i++) take(wksp, 200UL, 1UL + i);
  void *mem = fd_wksp_alloc_laddr(wksp, fd_alloc_align(), fd_alloc_footprint(), 1000UL);
  fd_alloc_t *alloc = fd_alloc_join(fd_alloc_new(mem, 1001UL), 0UL);
  ulong *list = (ulong *)fd_wksp_alloc_laddr(wksp, 8UL, 51UL * sizeof(ulong), 1002UL);
  FD_TEST(alloc && list);
  list[0] = fd_wksp_gaddr_fast(wksp, mem);
  for (ulong i = 1UL; i < 51UL; i++)
    list[i] = fd_wksp_gaddr_fast(wksp, fd_alloc_malloc(alloc, 0UL, 48UL));
  fd_alloc_leave(alloc);
  fd_wksp_detach(wksp);
}

/* Frees by interior pointer what give allocated, through a mapping that is elsewhere. */
static void take_over(void) {
  FD_TEST(malloc(1UL));
  fd_wksp_t *wksp = NULL;
  for (ulong i = 0UL; i < 1000UL; i++) { /* leaves and comes back: one heap */
    if (wksp) fd_wksp_detach(wksp);
    wksp = fd_wksp_attach(SHARED);
    FD_TEST(wksp);
  }
  fd_wksp_tag_query_info_t info[1];
  for (ulong tag = 1UL; tag <= 100UL; tag++) {
    FD_TEST(fd_wksp_tag_query(wksp, &tag, 1UL, info, 1UL) == 1UL);
    fd_wksp_free(wksp, info->gaddr_lo + tag);
  }
  ulong tag = 1002UL;
  FD_TEST(fd_wksp_tag_query(wksp, &tag, 1UL, info, 1UL) == 1UL);
  ulong const *list = (ulong const *)fd_wksp_laddr_fast(wksp, info->gaddr_lo);
  fd_alloc_t *alloc = fd_alloc_join(fd_wksp_laddr_fast(wksp, list[0]), 1UL);
  FD_TEST(alloc);
  for (ulong i = 1UL; i < 51UL; i++) fd_alloc_free(alloc, fd_wksp_laddr_fast(wksp, list[i]));
  take_and_lose(wksp, 300UL, 5000UL);
  fd_alloc_leave(alloc);
  fd_wksp_detach(wksp);
}

/* A workspace that its maker leaves; whoever uses it then, here unseen, may leave blocks to free.
   It is deleted by one who has left it. */
static void left(void) {
  FD_TEST(!fd_wksp_new_named("left", FD_SHMEM_NORMAL_PAGE_SZ, 1UL, one_page_cnt, any_cpu, 0600UL,
                             3U, 4096UL));
  vt_pause();
  fd_wksp_t *wksp = fd_wksp_attach("left");
  ulong first = take(wksp, 100UL, 1UL), second = take(wksp, 100UL, 1UL);
  fd_wksp_detach(wksp);
  vt_resume();
  wksp = fd_wksp_attach("left");
  fd_wksp_free(wksp, first);
  for (ulong i = 0UL; i < 3UL; i++) take_and_lose(wksp, 1000UL, 1UL);
  fd_wksp_detach(wksp);
  wksp = fd_wksp_attach("left");
  fd_wksp_free(wksp, second);
  fd_wksp_detach(wksp);
  FD_TEST(!fd_wksp_delete_named("left"));
}

/* An alloc and a groove in a workspace that is left and comes back elsewhere, where they are
   joined, left and deleted, with a block in each. */
static void life(void) {
  FD_TEST(!fd_wksp_new_named("life", FD_SHMEM_NORMAL_PAGE_SZ, 1UL, one_page_cnt, any_cpu, 0600UL,
                             3U, 4096UL));
  fd_wksp_t *wksp = fd_wksp_attach("life");
  void *volume = fd_shmem_acquire(FD_SHMEM_NORMAL_PAGE_SZ, (1UL << 30) / 4096UL, 0UL);
  ulong mem[2] = {fd_wksp_alloc(wksp, fd_alloc_align(), fd_alloc_footprint(), 5UL),
                  fd_wksp_alloc(wksp, fd_groove_data_align(), fd_groove_data_footprint(), 6UL)};
  fd_groove_data_t data[1];
  FD_TEST(mem[0] && mem[1] && volume);
  FD_TEST(fd_alloc_new(fd_wksp_laddr_fast(wksp, mem[0]), 7UL));
  FD_TEST(fd_groove_data_new(fd_wksp_laddr_fast(wksp, mem[1])));
  for (int elsewhere = 0; elsewhere < 2; elsewhere++) {
    fd_alloc_t *alloc = fd_alloc_join(fd_wksp_laddr_fast(wksp, mem[0]), 0UL);
    if (!elsewhere) nested_lose(alloc);
    fd_alloc_leave(alloc);
    FD_TEST(fd_groove_data_join(data, fd_wksp_laddr_fast(wksp, mem[1]), volume, 1UL, 0UL));
    if (!elsewhere) {
      FD_TEST(!fd_groove_data_volume_add(data, volume, 1UL << 30, NULL, 0UL));
      groove_lose(data, 77UL);
    }
    fd_groove_data_leave(data);
    if (elsewhere) break;
    void *old = wksp;
    fd_wksp_detach(wksp);
    FD_TEST(mmap(old, 4096UL, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
                 0) == old);
    wksp = fd_wksp_attach("life");
  }
  fd_alloc_delete(fd_wksp_laddr_fast(wksp, mem[0]));
  fd_groove_data_delete(fd_wksp_laddr_fast(wksp, mem[1]));
  fd_wksp_detach(wksp);
  FD_TEST(!fd_wksp_delete_named("life"));
}

/* A pool of the program's own, without UUID. */
static void custom(void) {
  static char pool[4096], other[64];
  vt_heap_create(pool, sizeof(pool), VT_HEAP_CUSTOM, "my pool", NULL, NULL);
  vt_heap_create(other, sizeof(other), VT_HEAP_CUSTOM, "part", NULL, pool);
  for (ulong i = 0UL; i < 8UL; i++) vt_block_alloc(pool, pool + 100UL * i, 100UL, 0UL, 0UL);
  vt_block_alloc(other, other, 10UL, 0UL, 4UL);
  for (ulong i = 0UL; i < 6UL; i++) vt_block_free_interior(pool, pool + 100UL * i + 99UL);
  vt_block_free(pool, pool + 1000);
}

/* A pool that is made anew where it is. */
static void renewed(void) {
  static char pool[4096];
  for (ulong round = 0UL; round < 2UL; round++) {
    vt_heap_create(pool, sizeof(pool), VT_HEAP_CUSTOM, "renewed", "fedcba9876543210", NULL);
    for (ulong i = 0UL; i < 2UL + round; i++)
      vt_block_alloc(pool, pool + 100UL * i, 10UL, 0UL, 0UL);
  }
}

/* Heaps whose memory is malloc's: a workspace and a groove's volume, with a block lost in each. */
static void in_malloc(void) {
  ulong wksp_sz = fd_wksp_footprint(64UL, 100000UL);
  void *mem = aligned_alloc(4096UL, fd_ulong_align_up(wksp_sz, 4096UL));
  fd_wksp_t *wksp = fd_wksp_join(fd_wksp_new(mem, "in_malloc", 1U, 64UL, 100000UL));
  FD_TEST(wksp);
  for (ulong i = 0UL; i < 3UL; i++) take_and_lose(wksp, 1000UL, 1UL);
  void *volume = aligned_alloc(4096UL, 1UL << 30);
  static fd_groove_data_shmem_t shdata[1];
  fd_groove_data_t data[1];
  FD_TEST(volume && fd_groove_data_new(shdata));
  FD_TEST(fd_groove_data_join(data, shdata, volume, 1UL, 0UL));
  FD_TEST(!fd_groove_data_volume_add(data, volume, 1UL << 30, NULL, 0UL));
  for (ulong i = 0UL; i < 4UL; i++) groove_lose(data, 77UL);
  FD_COMPILER_MFENCE();
}

/* Operations on a heap right between its blocks' events. */
static void often(void) {
  static char pool[4096];
  vt_heap_create(pool, sizeof(pool), VT_HEAP_CUSTOM, "often", NULL, NULL);
  for (ulong i = 0UL; i < 2000UL; i++) {
    vt_heap_reset(pool);
    vt_block_alloc(pool, pool + 8, 8UL, 0UL, 0UL);
  }
}

static fd_wksp_t *wksp_in_shared_memory(char const *name) {
  ulong sz = fd_ulong_align_up(fd_wksp_footprint(64UL, 100000UL), 4096UL);
  void *mem = mmap(NULL, sz, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  FD_TEST(mem != MAP_FAILED);
  fd_wksp_t *wksp = fd_wksp_join(fd_wksp_new(mem, name, 1U, 64UL, 100000UL));
  FD_TEST(wksp);
  return wksp;
}

/* A workspace that parent, child and grandchild share and one that is copied by each fork, with the
   same done to both: each generation frees one block of those before and loses some of its own. An
   alloc in the latter is joined anew by each. */
static void forked(void) {
  fd_wksp_t *both[2] = {wksp_in_shared_memory("common"), wksp_new("own")};
  fd_wksp_t *home = wksp_new("home");
  ulong gaddr[2][4];
  for (ulong w = 0UL; w < 2UL; w++)
    for (ulong i = 0UL; i < 4UL; i++) gaddr[w][i] = take(both[w], 100UL, 1UL);
  void *mem = fd_wksp_alloc_laddr(home, fd_alloc_align(), fd_alloc_footprint(), 5UL);
  FD_TEST(fd_alloc_new(mem, 6UL));
  static char parted[64]; /* left before the forks, come back to after them */
  vt_heap_create(parted, sizeof(parted), VT_HEAP_CUSTOM, "parted", "0123456789abcdef", NULL);
  vt_heap_detach(parted);
  int generation = 0;
  while (generation < 2 && !fork()) generation++;
  fd_alloc_t *alloc = fd_alloc_join(mem, 0UL);
  FD_TEST(alloc);
  nested_lose(alloc);
  fd_alloc_leave(alloc);
  vt_heap_attach(parted, sizeof(parted), VT_HEAP_CUSTOM, "parted", "0123456789abcdef", NULL);
  vt_block_alloc(parted, parted, 10UL, 0UL, 0UL);
  for (ulong w = 0UL; w < 2UL; w++) {
    fd_wksp_free(both[w], gaddr[w][generation]);
    for (int i = 0; i <= generation; i++) take_and_lose(both[w], 1000UL, 1UL);
  }
  while (wait(NULL) > 0) continue;
}

int main(int argc, char **argv) {
  fd_boot(&argc, &argv);
  char const *name = argc > 1 ? argv[1] : "";
  struct {
    char const *name;
    void (*run)(void);
  } const scenario[] = {{"plain", plain},         {"interior", interior}, {"wrong", wrong},
                        {"reset", reset},         {"tag_free", tag_free}, {"restore", restore},
                        {"delete", delete},       {"nested", nested},     {"give", give},
                        {"take", take_over},      {"custom", custom},     {"often", often},
                        {"in_malloc", in_malloc}, {"forked", forked},     {"left", left},
                        {"life", life},           {"renewed", renewed}};
  for (ulong i = 0UL; i < sizeof(scenario) / sizeof(*scenario); i++)
    if (!strcmp(name, scenario[i].name)) scenario[i].run();
  if (!strncmp(name, "groove", 6UL)) groove(!strcmp(name, "groove_nested"));
  if (!strcmp(name, "drop")) FD_TEST(!fd_wksp_delete_named(SHARED));
  fd_halt();
  return 0;
}
