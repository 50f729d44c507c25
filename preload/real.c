/* Finding the real allocator, and the arena that serves allocations made before it is found: dlsym
   itself calls calloc, and constructors of other libraries may run before ours. */
#include "preload/hooks.h"
#include "preload/process.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <string.h>

#define HEAD_SZ 16 /* before each block: its size */

vt_real_t vt_real;
unsigned char vt_boot_arena[VT_BOOT_ARENA_SZ] __attribute__((aligned(4096)));
static _Atomic size_t arena_used;
static _Atomic int finding;

void *vt_boot_alloc(size_t align, size_t sz) {
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

/* next looks a function up behind the shim. The cast through memcpy is POSIX's way around ISO C. */
static void next(void *function, char const *name) {
  void *p = dlsym(RTLD_NEXT, name);
  if (p) memcpy(function, &p, sizeof p);
}

/* AddressSanitizer as a shared library refuses to start behind another preloaded library. Behind the
   shim it is the next provider like any other allocator. It asks the first function of this name for
   options, before $ASAN_OPTIONS; a program that has its own is asked instead of us. */
VT_EXPORT char const *__asan_default_options(void);
VT_EXPORT char const *__asan_default_options(void) { return "verify_asan_link_order=0"; }

void vt_real_find(void) {
  if (vt_real.malloc || atomic_exchange_explicit(&finding, 1, memory_order_acq_rel)) return;
  vt_real_t real = {0};
  uint64_t busy = vt_internal_begin();
  next(&real.malloc, "malloc");
  next(&real.calloc, "calloc");
  next(&real.realloc, "realloc");
  next(&real.free, "free");
  next(&real.posix_memalign, "posix_memalign");
  next(&real.aligned_alloc, "aligned_alloc");
  next(&real.memalign, "memalign");
  next(&real.valloc, "valloc");
  next(&real.pvalloc, "pvalloc");
  next(&real.malloc_usable_size, "malloc_usable_size");
  next(&real.free_sized, "free_sized");
  next(&real.free_aligned_sized, "free_aligned_sized");
  vt_internal_end(busy);
  vt_real = real;
}
