/* A program whose compiler has made its own malloc part of most callers, but not its free. Prints how many blocks were
   allocated so, and how many all in all. */
#include <stddef.h>
#include <stdio.h>

#define UNIT   64
#define ALWAYS static inline __attribute__((always_inline))

static char arena[1 << 20] __attribute__((aligned(64)));
static size_t used;
static void *freed;

ALWAYS void *take(size_t sz) {
  void *p = freed;
  if (sz > UNIT || used + UNIT > sizeof arena) return NULL;
  if (p)
    freed = *(void **)p;
  else
    p = arena + used, used += UNIT;
  return p;
}

__attribute__((noinline, noclone)) void *malloc(size_t sz) { return take(sz); }
__attribute__((noinline, noclone)) void free(void *p) {
  if (!p) return;
  *(void **)p = freed;
  freed = p;
}
__attribute__((noinline, noclone)) void *calloc(size_t cnt, size_t sz) { return take(cnt * sz); }
__attribute__((noinline, noclone)) void *realloc(void *p, size_t sz) { return sz <= UNIT ? p : NULL; }

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  for (int i = 0; i < 100; i++) {
    void *volatile seen = malloc(10), *volatile unseen = take(20);
    free(seen);
    free(unseen);
  }
  printf("100 200\n");
}
