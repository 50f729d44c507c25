/* The behaviour the alloc table promises: administration, every refusal, a random model of live
   blocks, compaction and emptiness, growth arithmetic, the size class table; and the valloc table:
   vtables by value and the exact text of the backtracing log. */

#include "api.h"
#include "fd/util/alloc/fd_alloc_cfg.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>

int fd_alloc_fprintf(fd_alloc_t * join, FILE * stream);

#define TAG (7UL)

static fd_rng_t rng[1];
static fd_wksp_t * w;
static void * shmem;
static fd_alloc_t * join;

static void test_cfg(void) {
  int good =
      FD_ALLOC_SIZECLASS_ITER_MAX == 1 + fd_ulong_find_msb((ulong)FD_ALLOC_SIZECLASS_CNT - 1UL);
  for (ulong i = 0UL; i < (ulong)FD_ALLOC_SIZECLASS_CNT; i++) {
    fd_alloc_sizeclass_cfg_t const * c = fd_alloc_sizeclass_cfg + i;
    ulong parent = (ulong)c->parent_sizeclass;
    good &= c->block_footprint % FD_ALLOC_SUPERBLOCK_ALIGN == 0UL && c->block_cnt >= 2 &&
            c->block_cnt <= 64 && c->cgroup_mask <= 15 &&
            fd_ulong_is_pow2((ulong)c->cgroup_mask + 1UL) && parent > i &&
            parent <= (ulong)FD_ALLOC_SIZECLASS_CNT &&
            (!i || c->block_footprint > c[-1].block_footprint);
    ulong room = parent == (ulong)FD_ALLOC_SIZECLASS_CNT
                     ? (ulong)FD_ALLOC_ROOT_SUPERBLOCK_FOOTPRINT
                     : (ulong)fd_alloc_sizeclass_cfg[parent].block_footprint;
    good &= 24UL + (ulong)c->block_cnt * (ulong)c->block_footprint <= room;
  }
  IS(good);
  IS(FD_ALLOC_FOOTPRINT_SMALL_THRESH <=
     fd_alloc_sizeclass_cfg[FD_ALLOC_SIZECLASS_CNT - 1UL].block_footprint);
}

static void test_expand(void) {
  SILENT(fd_alloc_max_expand(100UL, 10UL, 5UL) == 131UL &&
         fd_alloc_max_expand(100UL, 50UL, 5UL) == 150UL &&
         fd_alloc_max_expand(100UL, 50UL, 500UL) == 500UL &&
         fd_alloc_max_expand(0UL, 0UL, 0UL) == 0UL);
  SILENT(fd_alloc_max_expand(ULONG_MAX, 1UL, 0UL) == ULONG_MAX &&
         fd_alloc_max_expand(ULONG_MAX - 9UL, 5UL, 3UL) == ULONG_MAX);
}

static void test_admin(void) {
  static uchar outside[FD_ALLOC_FOOTPRINT] __attribute__((aligned(FD_ALLOC_ALIGN)));
  SILENT(fd_alloc_align() == 128UL && fd_alloc_footprint() == 32768UL);
  shmem = fd_wksp_alloc_laddr(w, FD_ALLOC_ALIGN, FD_ALLOC_FOOTPRINT, TAG); /* the alloc's own tag */
  LOGS(!fd_alloc_new(NULL, TAG));
  LOGS(!fd_alloc_new((uchar *)shmem + 1, TAG));
  LOGS(!fd_alloc_new(outside, TAG));
  LOGS(!fd_alloc_new(shmem, 0UL));
  SILENT(fd_alloc_new(shmem, TAG) == shmem);
  LOGS(!fd_alloc_join(NULL, 0UL));
  LOGS(!fd_alloc_join((uchar *)shmem + 1, 0UL));
  LOGS(!fd_alloc_join(outside, 0UL));
  join = fd_alloc_join(shmem, 0x123UL);
  SILENT((ulong)join == (ulong)shmem + 3UL && fd_alloc_join_cgroup_hint(join) == 3UL);
  join = fd_alloc_join_cgroup_hint_set(join, 31UL);
  SILENT((ulong)join == (ulong)shmem + 15UL && fd_alloc_join_cgroup_hint(join) == 15UL);
  SILENT(fd_alloc_wksp(join) == w && fd_alloc_tag(join) == TAG && !fd_alloc_wksp(NULL) &&
         !fd_alloc_tag(NULL));
  LOGS(!fd_alloc_leave(NULL));
  SILENT(fd_alloc_is_empty(join) == 1 && fd_alloc_is_empty(NULL) == 0 &&
         (fd_alloc_compact(NULL), 1));
}

static void test_refusals(void) {
  ulong max = 9UL;
  SILENT(!fd_alloc_malloc_at_least(NULL, 0UL, 1UL, &max) && !max && (max = 9UL));
  SILENT(!fd_alloc_malloc_at_least(join, 3UL, 1UL, &max) && !max && (max = 9UL));
  SILENT(!fd_alloc_malloc_at_least(join, 0UL, 0UL, &max) && !max && (max = 9UL));
  SILENT(!fd_alloc_malloc_at_least(join, 0UL, ULONG_MAX, &max) && !max && (max = 9UL));
  SILENT(!fd_alloc_malloc_at_least(join, 1UL << 63, ULONG_MAX / 2UL + 2UL, &max) && !max &&
         (max = 9UL));
  SILENT(!fd_alloc_malloc_at_least(join, 0UL, 1UL << 40, &max) && !max); /* no memory: silent too */
  SILENT((fd_alloc_free(NULL, NULL), fd_alloc_free(join, NULL), fd_alloc_free(NULL, shmem), 1));
}

typedef struct {
  uchar * p;
  ulong sz, max;
} block_t;
static block_t block[300];

static int alloc_one(block_t * b) {
  ulong align = fd_rng_uint_roll(rng, 3U) ? 0UL : 1UL << fd_rng_int_roll(rng, 13);
  b->sz = 1UL + (fd_rng_ulong_roll(rng, 200000UL) >> fd_rng_int_roll(rng, 18));
  b->p = (uchar *)fd_alloc_malloc_at_least(join, align, b->sz, &b->max);
  if (!b->p) return 1;                    /* space may run out */
  memset(b->p, (int)(b - block), b->max); /* all of max is the caller's */
  return b->max >= b->sz && fd_ulong_is_aligned((ulong)b->p, align ? align : 16UL) &&
         fd_wksp_containing(b->p) == w;
}

static int free_one(block_t * b) {
  int good = 1;
  for (ulong i = 0UL; i < b->max; i++) good &= b->p[i] == (uchar)(b - block);
  fd_alloc_free(fd_alloc_join_cgroup_hint_set(join, fd_rng_ulong(rng)), b->p);
  b->p = NULL;
  return good;
}

static void test_model(void) {
  int good = 1;
  for (int i = 0; i < 20000; i++) {
    block_t * b = block + fd_rng_uint_roll(rng, 300U);
    join = fd_alloc_join_cgroup_hint_set(join, fd_rng_ulong(rng));
    good &= b->p ? free_one(b) : alloc_one(b);
    if (i % 5000 == 17) fd_alloc_compact(join);
  }
  SILENT(good);
  FILE * null = fopen("/dev/null", "w");
  SILENT(fd_alloc_fprintf(join, null) > 0);
  fclose(null);
  for (ulong i = 0UL; i < 300UL; i++) {
    if (i && block[i].p) good &= free_one(block + i);
  }
  if (!block[0].p) good &= alloc_one(block);
  SILENT(good && fd_alloc_is_empty(join) == 0);
  good &= free_one(block);
  fd_alloc_compact(join);
  ulong tag = TAG;
  SILENT(good && fd_wksp_tag_query(w, &tag, 1UL, NULL, 0UL) == 1UL &&
         fd_alloc_is_empty(join) == 1); /* shalloc alone */
}

static void test_end(void) {
  ulong tag = TAG;
  uchar * large = (uchar *)fd_alloc_malloc(join, 0UL, 100000UL);
  uchar * small = (uchar *)fd_alloc_malloc(join, 0UL, 10UL);
  SILENT(large && small && fd_alloc_leave(join) == shmem && fd_alloc_delete(shmem) == shmem);
  SILENT(fd_wksp_tag_query(w, &tag, 1UL, NULL, 0UL) == 2UL &&
         fd_wksp_tag(w, fd_wksp_gaddr(w, large)) == TAG);
  fd_wksp_free_laddr(large);
  LOGS(!fd_alloc_delete(shmem));
  LOGS(!fd_alloc_delete(NULL));
  LOGS(!fd_alloc_delete((uchar *)shmem + 1));
  LOGS(!fd_alloc_join(shmem, 0UL));
}

/* valloc. */
static char out_text[1UL << 16];
static int out_fd;

static char const * captured(void) {
  ulong sz;
  lseek(out_fd, 0, SEEK_SET);
  fd_io_read(out_fd, out_text, 0UL, sizeof(out_text) - 1UL, &sz);
  out_text[sz] = '\0';
  if (ftruncate(out_fd, 0)) abort();
  lseek(out_fd, 0, SEEK_SET);
  return out_text;
}

/* Parses one record the way the reader protocol says and nothing else is there. */
static int is_record(char const * text, char const * kind, ulong addr, char const * tail) {
  char head[80];
  ulong n = 0UL, lines = 0UL;
  char const * p = text + strlen("+++ ") + strlen(kind) + 1UL;
  if (strncmp(text, "+++ ", 4UL) || strncmp(text + 4, kind, strlen(kind))) return 0;
  for (; isdigit((uchar)*p); p++) n = n * 10UL + (ulong)(*p - '0');
  fd_cstr_printf(head, sizeof(head), NULL, ":0x%016lx%s\n", addr, tail);
  if (strncmp(p, head, strlen(head)) || !n || n > 128UL) return 0;
  p += strlen(head);
  for (; lines < n; lines++) {
    char const * eol = strchr(p, '\n');
    if (!eol || eol[-1] != ']' || !memchr(p, '[', (ulong)(eol - p))) return 0;
    p = eol + 1;
  }
  return !strcmp(p, "---\n");
}

static void * refuse(void * self, ulong align, ulong sz) {
  (void)self, (void)align, (void)sz;
  return NULL;
}

static void test_valloc(void) {
  fd_valloc_t libc = fd_libc_alloc_virtual(), null = fd_null_alloc_virtual();
  SILENT(!libc.self && libc.vt == &fd_libc_vtable && !null.self && !null.vt &&
         fd_is_null_alloc_virtual(null) == 1 && fd_is_null_alloc_virtual(libc) == 0);
  uchar * p = (uchar *)fd_valloc_malloc(libc, 64UL, 100UL);
  SILENT(p && fd_ulong_is_aligned((ulong)p, 64UL) &&
         (fd_valloc_free(libc, p), fd_valloc_free(libc, NULL), 1));
  p = (uchar *)fd_valloc_malloc(libc, 0UL, 10UL);
  SILENT(p && fd_ulong_is_aligned((ulong)p, 16UL) && (fd_valloc_free(libc, p), 1));
  p = (uchar *)fd_valloc_malloc(libc, 1UL, 3UL);
  SILENT(p && (p[2] = 1) && (fd_valloc_free(libc, p), 1));
  SILENT(!fd_valloc_malloc(libc, 24UL, 10UL) && !fd_valloc_malloc(libc, 4096UL, ULONG_MAX) &&
         !fd_valloc_malloc(libc, 16UL, ULONG_MAX / 2UL) && !fd_valloc_malloc(libc, 1UL << 63, 1UL));
  fd_valloc_t bt = fd_backtracing_alloc_virtual(&libc);
  SILENT(bt.self == &libc && bt.vt == &fd_backtracing_vtable);
  fflush(stdout);
  int tap_fd = dup(STDOUT_FILENO);
  out_fd = memfd_create("o", 0U);
  dup2(out_fd, STDOUT_FILENO);
  char results[6];
  p = (uchar *)fd_valloc_malloc(bt, 32UL, 1000UL);
  results[0] = (char)(p && is_record(captured(), "ALLOC", (ulong)p, ":32:1000"));
  ulong addr = (ulong)p;
  fd_valloc_free(bt, p);
  results[1] = (char)is_record(captured(), "FREE", addr, "");
  p = (uchar *)fd_valloc_malloc(bt, 24UL, ULONG_MAX);
  results[2] = (char)(!p && is_record(captured(), "ALLOC", 0UL, ":24:18446744073709551615"));
  fd_valloc_free(bt, NULL);
  results[3] = (char)is_record(captured(), "FREE", 0UL, "");
  fd_valloc_vtable_t refusing = {.malloc = refuse, .free = fd_libc_vtable.free};
  fd_valloc_t inner = {.self = NULL, .vt = &refusing};
  bt = fd_backtracing_alloc_virtual(&inner);
  results[4] =
      (char)(!fd_valloc_malloc(bt, 8UL, 8UL) && is_record(captured(), "ALLOC", 0UL, ":8:8"));
  dup2(tap_fd, STDOUT_FILENO);
  SILENT(results[0] && results[1] && results[2] && results[3] && results[4]);
  join = fd_alloc_join(fd_alloc_new(shmem, TAG), 0UL);
  fd_valloc_t a = fd_alloc_virtual(join);
  p = (uchar *)fd_valloc_malloc(a, 128UL, 50UL);
  SILENT(a.self == join && a.vt == &fd_alloc_vtable && p && fd_wksp_containing(p) == w &&
         !fd_alloc_is_empty(join));
  SILENT((fd_valloc_free(a, p), fd_alloc_is_empty(join) == 1));
}

static void write_nowhere(void * arg) {
  (void)arg;
  fd_valloc_t libc = fd_libc_alloc_virtual();
  close(STDOUT_FILENO);
  fd_valloc_malloc(fd_backtracing_alloc_virtual(&libc), 8UL, 8UL);
}

int main(int argc, char ** argv) {
  uint seed = argc > 1 ? fd_cstr_to_uint(argv[1]) : (uint)fd_tickcount();
  api_boot("");
  printf("# seed %u\n", seed);
  fd_rng_new(rng, seed, 0UL);
  w = fd_wksp_new_anonymous(FD_SHMEM_NORMAL_PAGE_SZ, 4096UL, 0UL, "api", 1024UL);
  test_cfg();
  test_expand();
  test_admin();
  test_refusals();
  test_model();
  test_end();
  test_valloc();
  int status = api_child(write_nowhere, NULL);
  ok(WIFEXITED(status) && WEXITSTATUS(status) == 1 && strstr(api_log_text, "ERR "),
     "a log that cannot be written is fatal");
  fd_wksp_delete_anonymous(w);
  fd_halt();
  return done_testing();
}
