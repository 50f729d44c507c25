/* Counts its own finished calls in a shared file (argv[1]) and allocates until it is killed.

   A word is added after each call: 0 allocations, 1 frees, 2 reallocs, of argv[2] threads each. At
   any moment a thread has at most one call that is done but not yet counted. argv[3]: end by itself
   (raise SIGKILL in the middle) after that many calls, 0: never. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { THREADS_MAX = 16, WORDS = 8 };
static _Atomic uint64_t (*words)[WORDS];
static uint64_t stop_after;

static void add(_Atomic uint64_t *word) {
  atomic_fetch_add_explicit(word, 1, memory_order_relaxed);
}
static void *work(void *arg) {
  _Atomic uint64_t *mine = words[(intptr_t)arg];
  void *kept[64] = {NULL};
  for (uint64_t i = 1;; i++) {
    int at = (int)(i * 2654435761u >> 7 & 63);
    if (kept[at]) {
      free(kept[at]);
      add(&mine[1]);
    }
    kept[at] = malloc(i % 500 + 1);
    add(&mine[0]);
    if (i % 4 == 0) {
      kept[at] = realloc(kept[at], i % 3000 + 1);
      add(&mine[2]);
    }
    if (stop_after && i == stop_after) kill(getpid(), SIGKILL);
  }
  return NULL;
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  int fd = open(argv[1], O_RDWR | O_CREAT, 0666);
  size_t sz = sizeof(uint64_t) * THREADS_MAX * WORDS;
  if (fd < 0 || ftruncate(fd, (off_t)sz)) return 2;
  words = mmap(NULL, sz, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  stop_after = strtoull(argv[3], NULL, 10);
  pthread_t thread;
  for (intptr_t i = 1; i < atoi(argv[2]); i++) pthread_create(&thread, NULL, work, (void *)i);
  work(NULL);
  return 0;
}
