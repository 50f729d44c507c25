/* Allocates a little and says hello; argv[1]: also leak that many blocks of 10 bytes. */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  for (int i = 0; argc > 1 && i < atoi(argv[1]); i++) {
    void *volatile p = malloc(10);
    ((char volatile *)p)[0] = 1;
  }
  free(malloc(argc > 1 ? 7 : 8));
  puts("hello");
  return 0;
}
