/* An allocator on top of malloc, that is told by --allocator: its blocks are the events, not those of malloc
   below. When there is none, it leaves by longjmp. Prints how often it gave and took. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

static jmp_buf none;
static int given, taken;

void *pool_malloc(size_t sz);
void pool_free(void *p);

__attribute__((noinline)) void *pool_malloc(size_t sz) {
  if (sz > 1000000) longjmp(none, 1);
  char *p = malloc(sz + 16);
  given++;
  return p ? p + 16 : NULL;
}

__attribute__((noinline)) void pool_free(void *p) {
  taken += p != NULL;
  if (p) free((char *)p - 16);
}

int main(void) {
  volatile int left = 0;
  for (int i = 0; i < 50; i++) {
    if (setjmp(none)) {
      left++;
      continue;
    }
    pool_free(pool_malloc(10 + (size_t)i));
    if (i % 10 == 5) pool_free(pool_malloc(2000000));
  }
  fprintf(stderr, "%d %d %d\n", given, taken, left);
  return 0;
}
