/* Holds memory in blocks of 64 KiB, all reachable by lists, made by a number of threads that live on: for the bench of
   snapshots. holds MIB THREADS [watch]: says when it ends, on the monotonic clock, and its CPU time, both in seconds, and ends;
   or writes to its memory until SIGTERM and then says the longest time that one round of writes took. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 65536
#define ROUND 16 /* blocks */

static size_t each;
static pthread_barrier_t made;
static void **heads;
static int volatile over;

static void on_term(int number) { over = number; }

/* In ms. */
static double now(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void *hold(void *arg) {
  void **head = NULL;
  for (size_t i = 0; i < each; i++) {
    void **block = malloc(BLOCK);
    memset(block, 1, BLOCK);
    *block = head;
    head = block;
  }
  *(void **)arg = head;
  pthread_barrier_wait(&made);
  while (!over) pause();
  return NULL;
}

/* The longest round in ms. */
static double watch(void) {
  double longest = 0, before = now(CLOCK_MONOTONIC);
  void **at = heads[0];
  while (!over) {
    for (int i = 0; i < ROUND; i++) {
      at[1] = (void *)1;
      at = *at ? *at : heads[0];
    }
    double t = now(CLOCK_MONOTONIC);
    if (t - before > longest) longest = t - before;
    before = t;
  }
  return longest;
}

int main(int argc, char **argv) {
  int threads = argc > 2 ? atoi(argv[2]) : 1;
  if (argc < 3 || threads < 1) return 2;
  each = (size_t)atol(argv[1]) * 1048576 / BLOCK / (size_t)threads;
  heads = calloc((size_t)threads, sizeof *heads);
  pthread_barrier_init(&made, NULL, (unsigned)threads + 1);
  for (int i = 0; i < threads; i++) {
    pthread_t t;
    if (pthread_create(&t, NULL, hold, &heads[i])) return 3;
  }
  pthread_barrier_wait(&made);
  if (argc < 4) {
    printf("%.6f %.6f\n", now(CLOCK_MONOTONIC) / 1e3, now(CLOCK_PROCESS_CPUTIME_ID) / 1e3);
    return 0;
  }
  signal(SIGTERM, on_term);
  puts("ready");
  fflush(stdout);
  printf("%.3f\n", watch());
  return 0;
}
