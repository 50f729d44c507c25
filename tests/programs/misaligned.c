/* Calls the allocator with a stack that is off by 8 bytes, as hand-written assembly does that keeps only
   half of the ABI's rule; glibc's allocator does not mind. Also below more frames than before, and in a thread. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
static void *call(void (*f)(void), void *a, size_t b) {
  void *result;
  __asm__ volatile("movq %%rsp, %%rbx\n\tandq $-16, %%rsp\n\tsubq $136, %%rsp\n\tcall *%%rax\n\tmovq %%rbx, %%rsp"
                   : "=a"(result), "+D"(a), "+S"(b)
                   : "0"(f)
                   : "rdx", "rcx", "r8", "r9", "r10", "r11", "rbx", "memory", "cc");
  return result;
}
#else
static void *call(void (*f)(void), void *a, size_t b) { return ((void *(*)(void *, size_t))f)(a, b); }
#endif

#define CALL(f, a, b) call((void (*)(void))(f), (void *)(size_t)(a), (size_t)(b))

static void churn(int cnt) {
  for (int i = 0; i < cnt; i++) {
    char *p = CALL(malloc, i % 3000 + 1, 0), *q = CALL(calloc, 3, 7);
    memset(p, 1, (size_t)(i % 3000 + 1));
    p = CALL(realloc, p, i % 500 + 9);
    if (p[0] != 1 || q[20]) exit(1);
    CALL(free, p, 0);
    CALL(free, CALL(aligned_alloc, 64, 640), 0);
    if (i % 10) CALL(free, q, 0);
  }
}

static int deep(int levels) {
  char volatile room[200];
  room[0] = (char)levels;
  if (levels) return deep(levels - 1) + room[0];
  churn(10);
  return room[0];
}

static void *thread(void *arg) {
  free(malloc(1)); /* glibc makes an arena, and does mind */
  churn(1000);
  return arg;
}

int main(void) {
  pthread_t t;
  churn(3000);
  printf("%d\n", deep(300) != 0);
  if (!pthread_create(&t, NULL, thread, NULL)) pthread_join(t, NULL);
}
