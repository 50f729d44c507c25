/* Leaks one block of 12,345 bytes at the bottom of argv[1] calls of descend(), and makes temporary
   blocks at every thousandth on the way. */
#include <stdio.h>
#include <stdlib.h>

__attribute__((noinline)) static void *bottom(void) {
  void *volatile p = malloc(12345);
  return p;
}
__attribute__((noinline, noclone, optimize("no-optimize-sibling-calls"))) static void *descend(long n) {
  if (n % 1000 == 0) {
    void *volatile p = malloc(10);
    free(p);
  }
  void *volatile p = n > 1 ? descend(n - 1) : bottom();
  return p;
}
int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  long depth = argc > 1 ? atol(argv[1]) : 1;
  char *p = descend(depth);
  printf("%d\n", p != NULL);
  return 0;
}
