/* A library that allocates with the C library's functions, whichever it is bound to. */
#include <stdlib.h>
#include <string.h>

unsigned long plain_churn(unsigned long n);

unsigned long plain_churn(unsigned long n) {
  for (unsigned long i = 0; i < n; i++) {
    char *p = malloc(10 + i % 50);
    p = realloc(p, 100);
    free(p);
    p = calloc(2, i + 1);
    free(p);
  }
  return 3 * n; /* a realloc of a block counts as one */
}
