/* A program with an allocator of its own inside the executable, where no preload can see it. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

static char arena[1 << 20] __attribute__((aligned(64)));
static size_t used;

void *malloc(size_t sz) {
  size_t at = used;
  used += (sz + 63) & ~(size_t)63;
  return used <= sizeof arena ? arena + at : NULL;
}
void free(void *p) { (void)p; }
void *calloc(size_t n, size_t sz) { return malloc(n * sz); }
void *realloc(void *p, size_t sz) {
  (void)p;
  return malloc(sz);
}

int main(void) {
  void *volatile p = malloc(100);
  printf("%d\n", (char *)p >= arena && (char *)p < arena + sizeof arena);
  free(p);
  return 0;
}
