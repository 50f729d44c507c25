/* churn THREADS: allocates and frees, in so many threads beside the first, which only takes orders; with 0 in
   the first, and no other is ever made. Keeps the count itself. Orders are single bytes on standard input:

   g  run freely until the next order
   p  stand; print the counts: allocations and frees
   r  run ROUND steps in each thread, then as p
   f  fork a child that runs ROUND steps and ends; wait for it, then as p
   x  execute itself anew, with no threads

   Each thread keeps a few blocks and replaces one at a time by every function there is. */
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEPT        64
#define ROUND       1000
#define THREADS_MAX 64
#define REST_US     30000 /* between two rounds of a free run, so that traces stay small */

typedef struct {
  void *kept[KEPT];
  unsigned seed;
  uint64_t allocations, frees;
} worker_t;

static worker_t workers[THREADS_MAX + 1];
static int threads;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t change = PTHREAD_COND_INITIALIZER;
static int standing, freely, round_number; /* under the lock */
static _Atomic int hurry; /* somebody gives an order */

static void *take(unsigned n, size_t sz) {
  void *p = NULL;
  switch (n % 8) {
  case 0: return calloc(1, sz);
  case 1: return aligned_alloc(64, (sz + 63) & ~(size_t)63);
  case 2: return posix_memalign(&p, 32, sz) ? NULL : p;
  case 3: return memalign(128, sz);
  default: return malloc(sz);
  }
}

static void step(worker_t *w) {
  unsigned n = w->seed = w->seed * 1103515245u + 12345u, at = (n >> 8) % KEPT, sz = 1 + (n >> 16) % 2000;
  int had = w->kept[at] != NULL;
  if (n >> 4 & 1 && had) {
    w->kept[at] = realloc(w->kept[at], sz);
  } else {
    free(w->kept[at]);
    w->kept[at] = take(n >> 5, sz);
  }
  w->allocations++;
  w->frees += had;
  if (!w->kept[at]) abort();
  memset(w->kept[at], (int)n, sz);
}

static void steps(worker_t *w) {
  for (int i = 0; i < ROUND; i++) step(w);
}

static void *work(void *arg) {
  worker_t *w = arg;
  int seen = 0;
  for (;;) {
    pthread_mutex_lock(&lock);
    standing++;
    pthread_cond_broadcast(&change);
    while (!freely && seen == round_number) pthread_cond_wait(&change, &lock);
    standing--;
    int whole = !freely;
    seen = round_number;
    pthread_mutex_unlock(&lock);
    if (whole) steps(w);
    for (int i = 0; !whole && i < ROUND / 5 && !atomic_load(&hurry); i++) step(w);
    if (!whole) usleep(REST_US);
  }
  return NULL;
}

static void set(int free_now, int more) {
  atomic_store(&hurry, !free_now);
  pthread_mutex_lock(&lock);
  freely = free_now;
  while (!free_now && standing < threads) pthread_cond_wait(&change, &lock);
  round_number += more;
  pthread_cond_broadcast(&change);
  pthread_mutex_unlock(&lock);
}

/* await waits until all have run a round, as their counts tell. */
static void await(uint64_t allocations) {
  for (;;) {
    uint64_t sum = 0;
    pthread_mutex_lock(&lock);
    int all = standing == threads;
    for (int i = 1; i <= threads; i++) sum += workers[i].allocations;
    if (!all || sum < allocations) pthread_cond_wait(&change, &lock);
    pthread_mutex_unlock(&lock);
    if (all && sum >= allocations) return;
  }
}

static uint64_t sum_of(size_t offset) {
  uint64_t sum = 0;
  for (int i = 0; i <= threads; i++) sum += *(uint64_t *)((char *)&workers[i] + offset);
  return sum;
}

static void tell(void) {
  char line[64];
  int n = snprintf(line, sizeof line, "%llu %llu\n", (unsigned long long)sum_of(offsetof(worker_t, allocations)),
                   (unsigned long long)sum_of(offsetof(worker_t, frees)));
  if (write(1, line, (size_t)n) < 0) _exit(1);
}

static void run_round(void) {
  if (!threads) return steps(&workers[0]);
  uint64_t before = sum_of(offsetof(worker_t, allocations));
  set(0, 1);
  await(before + (uint64_t)threads * ROUND);
}

static void run_freely(void) {
  struct pollfd in = {.fd = 0, .events = POLLIN};
  if (threads) return set(1, 0);
  while (poll(&in, 1, REST_US / 1000) == 0) steps(&workers[0]);
}

static void run_child(void) {
  pid_t pid = fork();
  if (!pid) {
    steps(&workers[0]);
    exit(0);
  }
  waitpid(pid, NULL, 0);
}

int main(int argc, char **argv) {
  char order, *again[] = {argv[0], (char *)(uintptr_t)"0", NULL};
  pthread_t t;
  threads = argc > 1 ? atoi(argv[1]) : 0;
  if (threads > THREADS_MAX) return 2;
  for (int i = 0; i <= threads; i++) workers[i].seed = (unsigned)i + 1;
  for (int i = 1; i <= threads; i++)
    if (pthread_create(&t, NULL, work, &workers[i])) return 1;
  while (read(0, &order, 1) == 1) {
    if (threads) set(0, 0);
    if (order == 'r') run_round();
    if (order == 'f') run_child();
    if (order == 'x') {
      execv("/proc/self/exe", again);
      return 3;
    }
    if (order == 'g')
      run_freely();
    else
      tell();
  }
  return 0;
}
