/* A program with an allocator of its own in one unit with its callers, as gcc likes it: it knows which
   registers each function leaves alone, and may keep values there across the call. Prints how often each
   was called, and a sum over values that were alive meanwhile. PREFIX names the functions; what is given
   for HIDDEN is before each. */
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PREFIX
#define PREFIX
#endif
#ifndef HIDDEN
#define HIDDEN
#endif
#define JOIN(a, b)   a##b
#define JOINED(a, b) JOIN(a, b)
#define OWN(name)    JOINED(PREFIX, name)
#define UNIT         64
#define API          HIDDEN __attribute__((noinline, noclone))

static char arena[1 << 22] __attribute__((aligned(64)));
static size_t used;
static void *freed;
static unsigned long allocations, frees;

API void *OWN(malloc)(size_t sz);
API void OWN(free)(void *p);
API void *OWN(calloc)(size_t cnt, size_t sz);
API void *OWN(realloc)(void *p, size_t sz);

/* Blocks of up to a unit are used again; the size is in front of each. */
API void *OWN(malloc)(size_t sz) {
  size_t room = sz <= UNIT ? UNIT : (sz + 15) & ~(size_t)15;
  allocations++;
  if (room == UNIT && freed) {
    void *p = freed;
    freed = *(void **)p;
    return p;
  }
  if (used + room + 16 > sizeof arena) return NULL;
  char *p = arena + used + 16;
  used += room + 16;
  *(size_t *)(p - 16) = room;
  return p;
}

API void OWN(free)(void *p) {
  if (!p) return;
  frees++;
  if (*(size_t *)((char *)p - 16) != UNIT) return;
  *(void **)p = freed;
  freed = p;
}

API void *OWN(calloc)(size_t cnt, size_t sz) {
  char *p = OWN(malloc)(cnt * sz);
  for (size_t i = 0; p && i < cnt * sz; i++) p[i] = 0;
  return p;
}

API void *OWN(realloc)(void *p, size_t sz) {
  char *q = OWN(malloc)(sz);
  if (!p || !q) return q;
  size_t old = *(size_t *)((char *)p - 16);
  for (size_t i = 0; i < old && i < sz; i++) q[i] = ((char *)p)[i];
  OWN(free)(p);
  return q;
}

/* Whatever the hook spoils of the registers that are not saved here, it spoils the sum. */
static __attribute__((noinline)) unsigned long churn(unsigned long n, unsigned long seed) {
  unsigned long a = seed, b = seed * 3, c = seed * 5, d = seed * 7, e = seed * 11, f = seed ^ n;
  double x = (double)seed, y = 0.5, z = 3.0, u = 7.25, v = (double)n;
  for (unsigned long i = 0; i < n; i++) {
    char *p = OWN(malloc)(i % 90);
    a += b ^ i, b += c, c ^= d + i, d += e, e ^= f, f += a;
    x += y, y += z, z += u, u += 0.125, v -= x * 1e-9;
    if (i % 7) OWN(free)(p);
    a ^= (unsigned long)(x + y), f += (unsigned long)u;
  }
  return a + b + c + d + e + f + (unsigned long)(x + y + z + u + v);
}

int main(int argc, char **argv) {
  (void)argv;
  if (argc > 1 && fork()) return wait(NULL) < 0; /* the child does it */
  unsigned long before = allocations, frees_before = frees;
  unsigned long sum = churn(1000, 42);
  void *volatile p = OWN(realloc)(NULL, 10);
  p = OWN(realloc)(p, 5000);
  OWN(free)(p);
  p = OWN(calloc)(3, 5);
  OWN(free)(p);
  unsigned long n = allocations - before, m = frees - frees_before;
  char text[128];
  size_t len = (size_t)snprintf(text, sizeof text, "%lu %lu %lu\n", n, m, sum);
  fwrite(text, 1, len, stderr);
  return 0;
}
