/* A library with an allocator of its own, which it is bound to: exported and -Bsymbolic, or hidden. */
#include <stddef.h>

#ifdef HIDDEN
#define API static __attribute__((noinline, noclone))
#define NAME(name) _rjem_##name
#else
#define API __attribute__((noinline, noclone))
#define NAME(name) name
#endif

static char arena[1 << 22] __attribute__((aligned(64)));
static size_t used;
static unsigned long allocations, frees;

unsigned long bound_churn(unsigned long n);
#ifndef HIDDEN
API void *NAME(malloc)(size_t sz);
API void NAME(free)(void *p);
#endif

API void *NAME(malloc)(size_t sz) {
  size_t at = used;
  allocations++;
  used += (sz + 63) & ~(size_t)63;
  return used <= sizeof arena ? arena + at : NULL;
}

API void NAME(free)(void *p) { frees += p != NULL; }
#ifdef ALIAS /* one function of two families: whose a call of it is its address does not tell */
void _ZdlPv(void *p) __attribute__((alias("free")));
#endif

static __attribute__((constructor)) void begin(void) { NAME(free)(NAME(malloc)(1)); }

unsigned long bound_churn(unsigned long n) {
  for (unsigned long i = 0; i < n; i++) NAME(free)(NAME(malloc)(i % 90));
  return allocations;
}
