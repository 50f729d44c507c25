/* Allocates by known sites and says what is true of each, one a line: NAME ALLOCATIONS BYTES LIVE_BLOCKS LIVE_BYTES.
   Each site is a function of that name; frees come from another thread, too. argv[1]: how much of it. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define SITE __attribute__((noinline, noclone))
#define KEEP(p) __asm__ volatile("" : "+r"(p))

typedef struct {
  void **blocks;
  size_t cnt;
} handed_t;

SITE static void *site_tiny(size_t sz) { void *p = malloc(sz); KEEP(p); return p; }
SITE static void *site_medium(size_t sz) { void *p = calloc(1, sz); KEEP(p); return p; }
SITE static void *site_large(size_t sz) { void *p = aligned_alloc(64, sz); KEEP(p); return p; }
SITE static void *site_churn(size_t sz) { void *p = malloc(sz); KEEP(p); return p; }
SITE static void *site_grown(void *old, size_t sz) { void *p = realloc(old, sz); KEEP(p); return p; }

static void *free_all(void *arg) {
  handed_t *handed = arg;
  for (size_t i = 0; i < handed->cnt; i++) free(handed->blocks[i]);
  return NULL;
}

static void say(char const *name, size_t cnt, size_t bytes, size_t live, size_t live_bytes) {
  printf("%s %zu %zu %zu %zu\n", name, cnt, bytes, live, live_bytes);
}

static void tiny(size_t n, void **all) {
  pthread_t thread;
  for (size_t i = 0; i < n; i++) all[i] = site_tiny(24);
  handed_t handed = {all, n / 2};
  pthread_create(&thread, NULL, free_all, &handed);
  pthread_join(thread, NULL);
  say("site_tiny", n, 24 * n, n - n / 2, 24 * (n - n / 2));
}

static void mixed(size_t n) {
  size_t bytes = 0, live = 0, live_bytes = 0;
  for (size_t i = 0; i < n; i++) {
    size_t sz = 500 + i * 37 % 1500;
    void *p = site_medium(sz);
    bytes += sz;
    if (i % 3)
      free(p);
    else
      live++, live_bytes += sz;
  }
  say("site_medium", n, bytes, live, live_bytes);
  for (size_t i = 0; i < n / 10; i++) site_large(64 * 100);
  say("site_large", n / 10, n / 10 * 6400, n / 10, n / 10 * 6400);
  for (size_t i = 0; i < 10 * n; i++) free(site_churn(64));
  say("site_churn", 10 * n, 640 * n, 0, 0);
}

static void grown(size_t n) {
  size_t cnt = 0, bytes = 0, last = 0;
  for (size_t i = 0; i < n; i++) {
    void *p = NULL;
    for (last = 100; last < 3000; last *= 2, cnt++) bytes += last, p = site_grown(p, last);
  }
  say("site_grown", cnt, bytes, n, n * (last / 2));
}

int main(int argc, char **argv) {
  size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
  static void *all[1 << 20];
  if (10 * n > sizeof all / sizeof *all) return 2;
  tiny(10 * n, all);
  mixed(n);
  grown(n / 10);
  return 0;
}
