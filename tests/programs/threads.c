/* Threads that end with work left, thousands of short ones, tiny stacks, tiny signal stacks. */
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static pthread_key_t key;
static __thread char *own;
static int rounds = 4000;

static void churn(int n) {
  for (int i = 0; i < n; i++) {
    void *volatile p = malloc((size_t)(i % 300 + 1));
    free(p);
  }
}
static void start(void *(*body)(void *), void *arg, pthread_attr_t *attr) {
  pthread_t thread;
  if (pthread_create(&thread, attr, body, arg)) exit(9);
  pthread_join(thread, NULL);
}

static void destroy(void *p) { /* runs again as long as it sets the key again */
  free(own);
  own = malloc(55);
  uintptr_t round = (uintptr_t)p;
  if (round < PTHREAD_DESTRUCTOR_ITERATIONS) pthread_setspecific(key, (void *)(round + 1));
}
static void *with_destructor(void *arg) {
  own = malloc(44);
  pthread_setspecific(key, (void *)1);
  return arg;
}
static void way_destructors(void) {
  pthread_key_create(&key, destroy);
  for (int i = 0; i < 20; i++) start(with_destructor, NULL, NULL);
}

static void *short_life(void *arg) {
  churn(5);
  return arg;
}
static void way_short(void) {
  for (int i = 0; i < 3000; i++) start(short_life, NULL, NULL);
}

static void *blocks[64];
static void *give(void *arg) {
  for (int i = 0; i < 64; i++) blocks[i] = malloc(100 + (size_t)i);
  return arg;
}
static void *take(void *arg) {
  for (int i = 0; i < 64; i++) free(blocks[i]);
  return arg;
}
static void way_cross(void) {
  for (int i = 0; i < 20; i++) {
    start(give, NULL, NULL);
    start(take, NULL, NULL);
  }
}

static void *small(void *arg) {
  char here;
  churn(100);
  void *p = calloc(3, 33);
  p = realloc(p, 500);
  free(p);
  *(char *volatile *)&arg = &here;
  return NULL;
}
static void way_small_stack(void) {
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  if (pthread_attr_setstacksize(&attr, 16384)) exit(8);
  for (int i = 0; i < 20; i++) start(small, NULL, &attr);
}

static void on_signal(int signo) {
  (void)signo;
  void *p = malloc(50);
  p = realloc(p, 60);
  free(p);
}
static void way_sigaltstack(void) { /* raised outside malloc, so allocating is harmless */
  size_t page = (size_t)getpagesize(), sz = (MINSIGSTKSZ + page - 1) & ~(page - 1);
  char *m = mmap(NULL, sz + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(m, page, PROT_NONE);
  stack_t ss = {.ss_sp = m + page + sz - MINSIGSTKSZ, .ss_size = MINSIGSTKSZ};
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
  if (sigaltstack(&ss, NULL)) exit(7);
  sigaction(SIGUSR1, &action, NULL);
  churn(3);
  for (int i = 0; i < 50; i++) raise(SIGUSR1);
}

static void *storm(void *arg) {
  void *kept[50] = {NULL};
  for (int i = 0; i < rounds; i++) {
    int at = (i * 7 + (int)(intptr_t)arg) % 50;
    free(kept[at]);
    kept[at] = malloc((size_t)(i % 1000 + 1));
    if (i % 3 == 0) kept[at] = realloc(kept[at], (size_t)(i % 2000 + 1));
  }
  for (int i = 0; i < 50; i++) free(kept[i]);
  return NULL;
}
static void way_storm(void) {
  pthread_t threads[8];
  for (intptr_t i = 0; i < 8; i++) pthread_create(&threads[i], NULL, storm, (void *)i);
  for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
}

/* Many threads that live at one time, each with a block or two. */
static pthread_barrier_t all_live;
static void *one_of_many(void *arg) {
  void *p = malloc((size_t)(uintptr_t)arg % 100 + 1);
  pthread_barrier_wait(&all_live);
  free(p);
  return malloc(7);
}
static void way_many(void) {
  int cnt = rounds;
  pthread_t *threads = malloc(sizeof *threads * (size_t)cnt);
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  if (pthread_attr_setstacksize(&attr, 65536)) exit(8);
  pthread_barrier_init(&all_live, NULL, (unsigned)cnt);
  for (int i = 0; i < cnt; i++)
    if (pthread_create(&threads[i], &attr, one_of_many, (void *)(intptr_t)i)) exit(9);
  for (int i = 0; i < cnt; i++) {
    void *left;
    pthread_join(threads[i], &left);
    free(left);
  }
  free(threads);
}

static atomic_int churned;
static void *detached(void *arg) {
  churn(20);
  churned++;
  for (;;) pause();
  return arg;
}
static void way_detached(void) { /* main ends first */
  pthread_t thread;
  for (int i = 0; i < 10; i++) {
    pthread_create(&thread, NULL, detached, NULL);
    pthread_detach(thread);
  }
  while (churned < 10) sched_yield();
  puts("detached: done");
  exit(0);
}

static struct {
  char const *name;
  void (*way)(void);
} const ways[] = {{"destructors", way_destructors}, {"short", way_short},
                  {"cross", way_cross},             {"small-stack", way_small_stack},
                  {"sigaltstack", way_sigaltstack}, {"storm", way_storm},
                  {"many", way_many},
                  {"detached", way_detached}};

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  if (argc > 2) rounds = atoi(argv[2]);
  for (size_t i = 0; argc > 1 && i < sizeof ways / sizeof *ways; i++)
    if (!strcmp(argv[1], ways[i].name)) ways[i].way();
  printf("%s: done\n", argc > 1 ? argv[1] : "");
  return 0;
}
