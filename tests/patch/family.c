/* Calls every function of malloc's family a known number of times, in several threads, and frees all it
   got. Prints the number of allocations. */
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 4
#define ROUNDS  100

static void use(void *p, size_t sz) {
  if (!p) abort();
  memset(p, 0x5a, sz);
  free(p);
}

static void *round_trip(void *arg) {
  (void)arg;
  for (size_t i = 0; i < ROUNDS; i++) {
    void *p = NULL;
    use(malloc(i + 1), i + 1);
    use(calloc(3, i + 1), 3 * (i + 1));
    p = realloc(NULL, 10);
    p = realloc(p, 20 * (i + 1));
    use(p, 20);
    if (posix_memalign(&p, 128, 99) || (uintptr_t)p % 128) abort();
    use(p, 99);
    use(aligned_alloc(256, 512), 512);
    use(memalign(64, 65), 65);
    use(valloc(100), 100);
    free(NULL);
  }
  return NULL;
}

int main(void) {
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++)
    if (pthread_create(&threads[i], NULL, round_trip, NULL)) abort();
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  round_trip(NULL);
  fprintf(stderr, "%d\n", (THREADS + 1) * ROUNDS * 8); /* a realloc of a block counts as one each */
  return 0;
}
