/* The program behind the golden traces: a little of everything a trace can hold. It is compiled only to
   record a golden trace of a new format version, never by the tests. */
#include "valtrace/annotate.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void *volatile keep;
static char pool[4096];

static void *worker(void *arg) {
  vt_thread_name("worker");
  for (int i = 0; i < 50; i++) {
    keep = malloc((size_t)(i * 10 + 1));
    free(keep);
  }
  free(arg);
  keep = malloc(333);
  return NULL;
}

static void recurse(int depth) {
  if (depth) recurse(depth - 1);
  else keep = malloc(77);
  keep = NULL;
}

int main(void) {
  pthread_t thread;
  void *p = malloc(10);
  size_t volatile huge = (size_t)-1 / 2;
  p = realloc(p, 20000);
  keep = realloc(p, huge);
  keep = calloc(3, 100);
  keep = aligned_alloc(64, 640);
  vt_heap_create(pool, sizeof pool, 4, "pool", NULL, NULL);
  vt_block_alloc(pool, pool + 128, 64, 16, 5);
  vt_block_alloc(pool, pool + 256, 64, 16, 6);
  vt_block_free(pool, pool + 128);
  vt_marker("half way");
  vt_heap_free_tag(pool, 6);
  pthread_create(&thread, NULL, worker, malloc(1234));
  pthread_join(thread, NULL);
  recurse(20);
  free(p);
  return 7;
}
