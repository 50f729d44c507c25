/* Keeps a record of its own calls and prints it with each allocation: "SIZE: address…", where each address is
   that of the call, innermost first, to main's. To be built with -finstrument-functions. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define QUIET __attribute__((no_instrument_function))
static __thread void *calls[256];
static __thread int depth;

void __cyg_profile_func_enter(void *function, void *call) QUIET;
void __cyg_profile_func_exit(void *function, void *call) QUIET;
void __cyg_profile_func_enter(void *function, void *call) {
  (void)function;
  calls[depth++] = call;
}
void __cyg_profile_func_exit(void *function, void *call) {
  (void)function;
  (void)call;
  depth--;
}

static _Atomic int next_size = 1000;

/* mark allocates a block whose size tells it from all others. */
static QUIET __attribute__((noinline)) void mark(void) {
  char line[8192];
  int size = next_size++, n = 0;
  void *volatile block = malloc((size_t)size);
  for (int i = depth; i-- > 0;) n += snprintf(line + n, sizeof line - (size_t)n, " %lx", (unsigned long)(uintptr_t)calls[i]);
  printf("%d:%s\n", size, line);
  free(block);
}

static __attribute__((noinline)) void leaf(int n) {
  mark();
  (void)n;
}
static __attribute__((noinline)) void recurse(int n) {
  volatile char room[64];
  room[0] = (char)n;
  if (n) recurse(n - 1);
  leaf(n + room[0]);
}
static __attribute__((noinline)) void aligned(int n) {
  volatile char room[64] __attribute__((aligned(64)));
  room[n & 63] = 1;
  leaf(room[n & 63]);
}
static int compare(void const *a, void const *b) { /* through the C library's own frame */
  leaf(1);
  return *(int const *)a - *(int const *)b;
}
static void *thread(void *arg) {
  recurse(5);
  return arg;
}

int main(void) {
  int two[] = {2, 1};
  pthread_t other;
  setvbuf(stdout, NULL, _IONBF, 0);
  recurse(20);
  for (int i = 0; i < 8; i++) aligned(i);
  pthread_create(&other, NULL, thread, NULL);
  pthread_join(other, NULL);
  puts("through the C library");
  qsort(two, 2, sizeof *two, compare);
  return 0;
}
