/* Is linked to a library with an allocator of its own. Prints what the library says it gave; the first block was
   its constructor's, before recording began. */
#include <stdio.h>

unsigned long bound_churn(unsigned long n);

int main(void) {
  fprintf(stderr, "%lu\n", bound_churn(500));
  return 0;
}
