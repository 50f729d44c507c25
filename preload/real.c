/* Finding the real functions, and the arena that serves what the shim's own calls into libc
   allocate and what is asked for before the allocator is found. */
#include "preload/hooks.h"
#include "preload/attached.h"
#include "preload/process.h"
#include "core/trace/symbol.h"

#include <stdatomic.h>
#include <string.h>

#define HEAD_SZ 16 /* before each block: its size */

vt_real_t vt_real;
unsigned char vt_boot_arena[VT_BOOT_ARENA_SZ] __attribute__((aligned(4096)));
static _Atomic size_t arena_used;
static _Atomic int finding;

void *vt_boot_alloc(size_t align, size_t sz) {
  if (vt_attached()) return NULL; /* who frees it may do so when nobody looks any more */
  if (align < HEAD_SZ) align = HEAD_SZ;
  if (align > 4096 || sz > VT_BOOT_ARENA_SZ) return NULL;
  size_t used = atomic_load_explicit(&arena_used, memory_order_relaxed);
  size_t at;
  do {
    at = (used + HEAD_SZ + align - 1) & ~(align - 1);
    if (at + sz > VT_BOOT_ARENA_SZ) return NULL;
  } while (!atomic_compare_exchange_weak_explicit(&arena_used, &used, at + sz, memory_order_relaxed,
                                                  memory_order_relaxed));
  memcpy(vt_boot_arena + at - sizeof sz, &sz, sizeof sz);
  return vt_boot_arena + at;
}

size_t vt_boot_size(void const *p) {
  size_t sz;
  memcpy(&sz, (unsigned char const *)p - sizeof sz, sizeof sz);
  return sz;
}

/* AddressSanitizer as a shared library refuses to start behind another preloaded library. Behind
   the shim it is the next provider like any other allocator. It asks the first function of this
   name for options, before $ASAN_OPTIONS; a program that has its own is asked instead of us. */
VT_EXPORT char const *__asan_default_options(void);
VT_EXPORT char const *__asan_default_options(void) { return "verify_asan_link_order=0"; }

/* The cast through memcpy is POSIX's way around ISO C. */
static void next(void *function, struct link_map *behind, char const *name) {
  void *p = vt_symbol_from(behind, name, NULL);
  memcpy(function, &p, sizeof p);
}

void vt_hooks_moved(void *from, void *to) {
#define X(name, result, parameters)                                                                \
  if ((void *)vt_real.name == from) memcpy(&vt_real.name, &to, sizeof to);
  VT_REAL_FUNCTIONS(X)
#undef X
  vt_cxx_moved(from, to);
}

void vt_real_find(void) {
  if (vt_real.malloc || atomic_exchange_explicit(&finding, 1, memory_order_acq_rel)) return;
  vt_real_t real;
  struct link_map *behind = vt_attached() ? vt_object_first() : vt_object_own()->l_next;
#define X(name, result, parameters) next(&real.name, behind, #name);
  VT_REAL_FUNCTIONS(X)
#undef X
  vt_real_complete(&real);
  vt_cxx_find();
  vt_real = real;
}
