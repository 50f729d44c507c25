/* A program that does what it is told, a line on standard input each, and answers each with a line, so that a test can
   pause and resume its recording at known moments. It allocates nothing but what it is told to. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCKS_MAX  200000
#define THREADS_MAX 16

typedef struct node {
  struct node *next;
  char rest[56];
} node_t;

static void *blocks[BLOCKS_MAX];
static int block_cnt;
static node_t *head; /* the only way to all nodes */
static pthread_t threads[THREADS_MAX];
static int thread_cnt;
static _Atomic int running;
static _Atomic unsigned long rounds;

__attribute__((noinline)) static void allocate(int n, size_t sz) {
  while (n-- > 0) blocks[block_cnt++] = malloc(sz);
}

__attribute__((noinline)) static void release(int n) {
  while (n-- > 0 && block_cnt) free(blocks[--block_cnt]);
}

__attribute__((noinline)) static void enlarge(int n, size_t sz) {
  for (int i = 1; i <= n && i <= block_cnt; i++) blocks[block_cnt - i] = realloc(blocks[block_cnt - i], sz);
}

/* append hangs n nodes at the end of the list. */
__attribute__((noinline)) static void append(int n) {
  node_t **at = &head;
  while (*at) at = &(*at)->next;
  for (; n-- > 0; at = &(*at)->next) *at = calloc(1, sizeof(node_t));
}

__attribute__((noinline)) static void lose(int n) {
  while (n-- > 0) {
    void *volatile p = malloc(1000);
    p = NULL;
    (void)p;
  }
}

__attribute__((noinline)) static void *through(unsigned depth, size_t sz) {
  void *p = depth ? through(depth - 1, sz) : malloc(sz);
  __asm__ volatile("" : "+r"(p)); /* no tail call */
  return p;
}

/* mix replaces n blocks in no order: what is recorded of it compresses badly. */
__attribute__((noinline)) static void mix(int n) {
  static void *mixed[4096];
  static unsigned x = 1;
  for (; n-- > 0; x = x * 1664525 + 1013904223) {
    free(mixed[x >> 20]);
    mixed[x >> 20] = through(x >> 28, x & 1023);
  }
}

/* clean overwrites what the stack below has kept of pointers. */
__attribute__((noinline)) static void clean(void) {
  char volatile room[16384];
  for (size_t i = 0; i < sizeof room; i++) room[i] = 0;
}

/* Each round makes a block, resizes it and frees it; the sizes are the thread's own. With rests, as a test has to
   read all of it. */
static void *churn(void *context) {
  size_t own = 1000 + 100 * (size_t)(intptr_t)context;
  for (unsigned round = 0; atomic_load(&running); round++) {
    if (round % 4 == 3) usleep(3000);
    char *p = malloc(own);
    p = realloc(p, own + 50);
    free(p);
    atomic_fetch_add(&rounds, 1);
  }
  return NULL;
}

static void start_threads(int n) {
  atomic_store(&running, 1);
  for (thread_cnt = 0; thread_cnt < n; thread_cnt++)
    if (pthread_create(&threads[thread_cnt], NULL, churn, (void *)(intptr_t)thread_cnt)) abort();
}

/* wait_rounds comes back when so many more rounds have been made. */
static void wait_rounds(unsigned long n) {
  unsigned long from = atomic_load(&rounds);
  while (atomic_load(&rounds) - from < n) usleep(100);
}

static void stop_threads(void) {
  atomic_store(&running, 0);
  for (int i = 0; i < thread_cnt; i++) pthread_join(threads[i], NULL);
}

/* read_line: without stdio, which would allocate a buffer. 0: there is none. */
static int read_line(char *line, size_t cap) {
  size_t n = 0;
  while (n + 1 < cap && read(0, line + n, 1) == 1)
    if (line[n++] == '\n') break;
  line[n] = '\0';
  return n != 0;
}

static void answer(char const *text) { (void)!write(1, text, strlen(text)); }

int main(int argc, char **argv) {
  char line[64], text[64];
  (void)argc;
  answer("ready\n");
  while (read_line(line, sizeof line)) {
    int n = 0, sz = 0;
    sscanf(line + 1, "%d %d", &n, &sz);
    switch (line[0]) {
    case 'a': allocate(n, (size_t)sz); break;
    case 'f': release(n); break;
    case 'r': enlarge(n, (size_t)sz); break;
    case 'n': append(n); break;
    case 'l': lose(n); break;
    case 'x': mix(n); break;
    case 't': start_threads(n); break;
    case 'w': wait_rounds((unsigned long)n); break;
    case 'T': stop_threads(); break;
    case 'c': /* a child that does the rest */
      if ((sz = fork()) > 0) {
        while (waitpid(sz, NULL, 0) < 0) continue;
        return 0;
      }
      break;
    case 'e': execv(argv[0], argv); abort();
    case 'q': clean(); return 0;
    default: return 1;
    }
    snprintf(text, sizeof text, "%d\n", getpid());
    answer(text);
  }
  return 0;
}
