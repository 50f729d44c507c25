/* Allocates in steps that a test asks for. A line on standard input, "N SIZE", allocates N blocks of SIZE bytes in
   grow() and keeps them; "-N" frees as many of the oldest; "~N" makes N temporary blocks in churn(); "=N" has three
   threads at one time make N blocks each, and free each other's; each is answered by a line. Ends at the end of its
   input. Standard streams are not used, so that nothing else is allocated but what a thread takes. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEPT_MAX 100000
static void *kept[KEPT_MAX];
static int kept_cnt, freed_cnt;

__attribute__((noinline)) static void grow(int cnt, size_t size) {
  for (int i = 0; i < cnt && kept_cnt < KEPT_MAX; i++) {
    kept[kept_cnt] = malloc(size);
    memset(kept[kept_cnt++], 1, size);
  }
}

__attribute__((noinline)) static void shrink(int cnt) {
  for (int i = 0; i < cnt && freed_cnt < kept_cnt; i++) free(kept[freed_cnt++]);
}

__attribute__((noinline)) static void churn(int cnt) {
  for (int i = 0; i < cnt; i++) free(malloc(100));
}

#define THREADS 3
#define SHELVES 64
static _Atomic(void *) shelf[SHELVES];

static void *exchange(void *arg) {
  int cnt = *(int *)arg;
  for (int i = 1; i <= cnt; i++) free(atomic_exchange(&shelf[i * 7 % SHELVES], malloc((size_t)(i % 500 + 1))));
  return NULL;
}

static void exchange_in_threads(int cnt) {
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, exchange, &cnt);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

static void obey(char const *line) {
  char const *size = strchr(line, ' ');
  if (line[0] == '-')
    shrink(atoi(line + 1));
  else if (line[0] == '=')
    exchange_in_threads(atoi(line + 1));
  else if (line[0] == '~')
    churn(atoi(line + 1));
  else
    grow(atoi(line), size ? (size_t)atoi(size) : 1);
}

int main(void) {
  char line[64];
  size_t sz = 0;
  while (read(0, line + sz, 1) == 1) {
    if (line[sz] != '\n' && sz + 2 < sizeof line) {
      sz++;
      continue;
    }
    line[sz] = '\0';
    sz = 0;
    obey(line);
    if (write(1, "done\n", 5) != 5) return 1;
  }
  return 0;
}
