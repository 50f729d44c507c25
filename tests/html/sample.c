/* The program the tests of the HTML page record. Its functions hostile_N get names no compiler would
   give them (objcopy); branches makes more call paths than a page holds; the phases make a timeline
   whose selected spans have known contents. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EDGE __attribute__((noinline, noclone))

static void *kept[64];
static int kept_cnt;

/* Named like an allocator and a wrapper that the reports know. */
EDGE void *fd_wksp_alloc(size_t sz) { return malloc(sz); }
EDGE void *xmalloc(size_t sz) { return fd_wksp_alloc(sz); }

EDGE void keep(size_t sz) { kept[kept_cnt++] = xmalloc(sz); }
EDGE void hostile_0(void) { kept[kept_cnt++] = malloc(1001); }
EDGE void hostile_1(void) { kept[kept_cnt++] = malloc(1002); }
EDGE void hostile_2(void) { kept[kept_cnt++] = malloc(1003); }
EDGE void hostile_3(void) { kept[kept_cnt++] = malloc(1004); }
EDGE void hostile_4(void) { kept[kept_cnt++] = malloc(1005); }
EDGE void hostile_5(void) { kept[kept_cnt++] = malloc(1006); }

EDGE void recurse(int depth) {
  if (depth)
    recurse(depth - 1);
  else
    keep(5000);
}

EDGE void branch(int depth, unsigned path) {
  if (!depth)
    free(malloc(100 + path % 7));
  else if (path & 1)
    branch(depth - 1, path >> 1);
  else
    branch(depth - 1, path >> 1);
}

static void pause_ms(long ms) { nanosleep(&(struct timespec){0, ms * 1000000}, NULL); }

EDGE void phase_early(void) {
  for (int i = 0; i < 1000; i++) free(malloc(300));
}
EDGE void phase_late(void) {
  for (int i = 0; i < 2000; i++) free(malloc(200));
}
EDGE void phase_peak(void) {
  void *big = malloc(400000);
  memset(big, 1, 400000);
  free(big);
}

int main(int argc, char **argv) {
  int depth = argc > 1 ? atoi(argv[1]) : 0;
  phase_early();
  pause_ms(80);
  hostile_0();
  hostile_1();
  hostile_2();
  hostile_3();
  hostile_4();
  hostile_5();
  recurse(6);
  phase_peak();
  for (unsigned path = 0; depth && path < 1u << depth; path++) branch(depth, path);
  pause_ms(80);
  phase_late();
  return 0;
}
