/* A program whose resident memory is known to the page: of each kind some, and what is there of it is
   said on standard output ("NAME address bytes resident-pages"), as is the kernel's sum at the end. */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "valtrace/annotate.h"

#define PAGE  ((size_t)4096)
#define PAIRS 2000

static void *pins[PAIRS], *neighbours[PAIRS];
static char *volatile kept[10];

static void say(char const *name, void const *at, size_t sz, size_t pages) {
  dprintf(1, "%s %#lx %zu %zu\n", name, (unsigned long)at, sz, pages);
}

/* plain: huge pages would make more resident than was touched. */
static char *plain(char *p, size_t sz) {
  if (p == MAP_FAILED) _exit(9);
  madvise(p, sz, MADV_NOHUGEPAGE);
  return p;
}
/* Mapped by the function that says so. */
#define mapped(sz, prot, flags, fd) plain(mmap(NULL, sz, prot, flags, fd, 0), sz)

static void touch(char *p, size_t pages, size_t step) {
  for (size_t i = 0; i < pages; i++) p[i * step * PAGE] = 1;
}

__attribute__((noinline)) void *make_pin(void) { return memset(malloc(48), 1, 48); }
__attribute__((noinline)) void *make_neighbour(void) { return memset(malloc(4000), 1, 4000); }

/* Small blocks keep pages whose other blocks are freed. */
static void fragments(void) {
  for (int i = 0; i < PAIRS; i++) {
    pins[i] = make_pin();
    neighbours[i] = make_neighbour();
  }
  for (int i = 0; i < PAIRS; i++) free(neighbours[i]);
  size_t pages = 0;
  uintptr_t last = 0;
  for (int i = 0; i < PAIRS; i++) { /* they ascend */
    uintptr_t first = (uintptr_t)pins[i] / PAGE, end = ((uintptr_t)pins[i] + 47) / PAGE;
    pages += (first != last) + (end != first);
    last = end;
  }
  say("pins", pins[0], PAIRS * 48, pages);
}

/* Two calls in one line. */
__attribute__((noinline)) void make_pair(void) { kept[7] = memset(malloc(3000), 1, 3000), kept[9] = memset(malloc(3000), 1, 3000); }

/* A block of which a part is used. */
__attribute__((noinline)) void make_reserve(void) {
  size_t sz = (size_t)12 << 20;
  char *p = malloc(sz), *first = (char *)(((uintptr_t)p + PAGE - 1) & ~(PAGE - 1));
  kept[0] = p;
  touch(first, 100, 1);
  say("reserve", p, sz, 101); /* and the page it begins in */
}

__attribute__((noinline)) void make_mapping(void) {
  size_t sz = (size_t)8 << 20;
  char *p = mapped(sz, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  touch(p, 500, 3);
  volatile char sum = 0;
  for (size_t i = 1; i < 1500; i += 3) sum = (char)(sum + p[i * PAGE]); /* reads take no memory */
  kept[1] = p;
  say("mapping", p, sz, 500);
}

__attribute__((noinline)) void make_unmapped_again(void) {
  char *p = mapped(64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  touch(p, 64, 1);
  madvise(p + 8 * PAGE, 40 * PAGE, MADV_DONTNEED);
  kept[2] = p;
  say("given-back", p, 64 * PAGE, 24);
}

__attribute__((noinline)) void make_shared(void) {
  char *p = mapped(1024 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
  touch(p, 7, 100);
  kept[3] = p;
  say("shared", p, 1024 * PAGE, 7);
}

/* All pages of the file, some of them changed. */
__attribute__((noinline)) void make_file(char const *path) {
  int fd = open(path, O_RDWR | O_CREAT, 0600);
  if (fd < 0 || ftruncate(fd, 300 * PAGE)) _exit(9);
  char *p = mapped(300 * PAGE, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd); /* changes all if it may */
  if (mprotect(p, 300 * PAGE, PROT_READ | PROT_WRITE)) _exit(9);
  touch(p, 30, 10);
  close(fd);
  kept[4] = p;
  say("file", p, 300 * PAGE, 300);
}

__attribute__((noinline)) void make_nothing(void) {
  kept[5] = mapped((size_t)4 << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
  say("nothing", kept[5], (size_t)4 << 30, 0);
}

/* A block on a page that another place has, too. */
__attribute__((noinline)) void share_page(char *pool) { vt_block_alloc(pool, pool + 2048, 200, 0, 0); }

/* A heap of the program's own, with a block on every third of its first pages. */
__attribute__((noinline)) void make_heap(void) {
  char *pool = mapped(256 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  vt_heap_create(pool, 256 * PAGE, VT_HEAP_CUSTOM, "the pool", 0, 0);
  for (size_t i = 0; i < 10; i++) {
    memset(pool + 3 * i * PAGE, 1, 100);
    vt_block_alloc(pool, pool + 3 * i * PAGE, 100, 0, 0);
  }
  share_page(pool);
  kept[8] = pool;
  say("heap", pool, 256 * PAGE, 10);
}

static int started[2];

static void *wait_for_ever(void *unused) {
  char room[64 * 4096];
  memset(room, 1, sizeof room);
  kept[6] = room;
  if (write(started[1], room, 1) != 1) _exit(9);
  pause();
  return unused;
}

static void start_thread(void) {
  pthread_t thread;
  char byte;
  if (pipe(started) || pthread_create(&thread, NULL, wait_for_ever, NULL)) _exit(9);
  if (read(started[0], &byte, 1) != 1) _exit(9);
  say("stack", kept[6], 64 * PAGE, 65);
}

static void say_sum(void) {
  char text[512];
  int fd = open("/proc/self/smaps_rollup", O_RDONLY);
  ssize_t n = read(fd, text, sizeof text - 1);
  if (n <= 0) _exit(9);
  text[n] = '\0';
  char const *at = strstr(text, "\nRss:");
  say("sum", NULL, (size_t)strtoul(at + 5, NULL, 10) << 10, 0);
}

int main(int argc, char **argv) {
  if (argc < 2) return 9;
  make_nothing();
  make_mapping();
  make_unmapped_again();
  make_shared();
  make_file(argv[1]);
  make_heap();
  fragments();
  make_reserve();
  make_pair();
  start_thread();
  say_sum();
  return 0;
}
