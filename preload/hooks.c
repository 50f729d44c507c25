/* The interposed C allocation functions. Each calls the real one and records what happened: an
   allocation after it returned, a free before it is called. glibc's semantics and errno are kept,
   because nothing here but the real call can set errno.

   A function that uses __builtin_frame_address has a frame pointer and so knows its caller's state
   without unwinding itself. */
#include "preload/hooks.h"
#include "preload/record.h"
#include "core/trace/symbol.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FRAME __builtin_frame_address(0)

/* ready makes the real allocator known; 0 while it is being looked for. */
static inline int ready(void) {
  if (VT_LIKELY(vt_real.malloc)) return 1;
  vt_real_find();
  return vt_real.malloc != NULL;
}

/* A plain reference to malloc is bound to whoever comes first in symbol order, not to ours. */
extern __typeof(malloc) own_malloc
    __attribute__((alias("malloc"), copy(malloc), visibility("hidden")));
/* is_valgrinds: a library that valgrind preloads for one of its tools has the tool's malloc; vgpreload_core has none. */
static int is_valgrinds(char const *path) {
  char const *name = strrchr(path, '/');
  return name && !strncmp(name, "/vgpreload_", 11) && strncmp(name, "/vgpreload_core", 15) != 0;
}

vt_hooks_order_t vt_hooks_reached(void) {
  struct link_map *first = vt_object_own(), *where = NULL;
  while (first && first->l_prev) first = first->l_prev;
  for (struct link_map *m = first; m; m = m->l_next)
    if (is_valgrinds(m->l_name)) return VT_HOOKS_BEHIND_VALGRIND;
  if (vt_symbol_from(first, "malloc", &where) == (void *)own_malloc) return VT_HOOKS_FIRST;
  return where == first ? VT_HOOKS_BEHIND_EXECUTABLE : VT_HOOKS_BEHIND_LIBRARY;
}

/* Of a sampled recording, the usual case of malloc and free: functions of their own, which keep few registers. */
static __attribute__((noinline)) void record_alloc(void *p, size_t sz, vt_api_t api, void const *frame) {
  vt_record_alloc(p, sz, 0, api, frame);
}

static __attribute__((noinline)) void *sampled_malloc(size_t sz) {
  void *p = vt_real.malloc(sz);
  if (VT_UNLIKELY(!vt_sampling_passes(p, sz)) && p) record_alloc(p, sz, VT_API_MALLOC, FRAME);
  return p;
}

/* The same of one within an operator new. */
static __attribute__((noinline)) void *sampled_new(size_t sz) {
  uint32_t api = vt_take_api(VT_API_MALLOC, sz);
  void *p = vt_real.malloc(sz);
  if (VT_UNLIKELY(!vt_sampling_passes(p, sz)) && p) record_alloc(p, sz, (vt_api_t)api, FRAME);
  return p;
}

static __attribute__((noinline)) void *sampled_calloc(size_t cnt, size_t sz) {
  uint32_t api = vt_take_api(VT_API_CALLOC, cnt * sz);
  void *p = vt_real.calloc(cnt, sz);
  if (VT_UNLIKELY(!vt_sampling_passes(p, cnt * sz)) && p) record_alloc(p, cnt * sz, (vt_api_t)api, FRAME);
  return p;
}

/* is_usual: the call is not one that the shim itself caused. */
static inline int is_usual(void) { return vt_sampling() && VT_LIKELY(vt_tls.api != VT_API_INTERNAL); }

static __attribute__((noinline)) void *exact_malloc(size_t sz) {
  if (VT_UNLIKELY(!ready())) return vt_boot_alloc(0, sz);
  uint32_t api = vt_take_api(VT_API_MALLOC, sz);
  if (VT_UNLIKELY(api == VT_API_INTERNAL)) return vt_internal_block(0, sz);
  void *p = vt_real.malloc(sz);
  if (VT_LIKELY(p)) vt_record_alloc(p, sz, 0, (vt_api_t)api, FRAME);
  return p;
}

VT_EXPORT void *malloc(size_t sz) {
  if (!is_usual()) return exact_malloc(sz);
  return VT_LIKELY(!vt_tls.api) ? sampled_malloc(sz) : sampled_new(sz);
}

static __attribute__((noinline)) void *exact_calloc(size_t cnt, size_t sz) {
  if (VT_UNLIKELY(!ready())) return vt_boot_alloc(0, cnt * sz);
  uint32_t api = vt_take_api(VT_API_CALLOC, cnt * sz);
  if (VT_UNLIKELY(api == VT_API_INTERNAL)) {
    void *zeroed = vt_internal_block(0, cnt * sz);
    return zeroed ? memset(zeroed, 0, cnt * sz) : NULL;
  }
  void *p = vt_real.calloc(cnt, sz);
  if (VT_LIKELY(p)) vt_record_alloc(p, cnt * sz, 0, (vt_api_t)api, FRAME);
  return p;
}

VT_EXPORT void *calloc(size_t cnt, size_t sz) { return is_usual() ? sampled_calloc(cnt, sz) : exact_calloc(cnt, sz); }

void vt_hooks_loader_freed(void const *p) {
  vt_module_freed(p, vt_clock_tick(vt_process.sink.clock));
  vt_cxx_sweep();
}

/* free_block is every way to free: `call` frees for real. */
#define FREE_BLOCK(p, own_api, call)                                                               \
  do {                                                                                             \
    uint64_t said;                                                                                 \
    uint32_t api = vt_take_free(own_api, &said);                                                   \
    if (VT_UNLIKELY(!(p)) || VT_UNLIKELY(vt_boot_owns(p))) return;                                 \
    if (VT_UNLIKELY((p) == vt_tls.freeing))                                                        \
      vt_tls.freeing = NULL; /* operator delete has recorded it */                                 \
    else if (VT_LIKELY(api != VT_API_INTERNAL))                                                    \
      vt_record_free((p), (vt_api_t)api, said, FRAME);                                             \
    if (VT_UNLIKELY(vt_module_is_loader((uint64_t)__builtin_return_address(0))))                   \
      vt_hooks_loader_freed(p);                                                                           \
    call;                                                                                          \
  } while (0)

static __attribute__((noinline)) void exact_free(void *p) { FREE_BLOCK(p, VT_API_FREE, vt_real.free(p)); }

/* The loader's frees tell of objects that are gone, and a block that is being deleted has been recorded. */
static __attribute__((noinline)) void sampled_free(void *p) {
  if (VT_LIKELY(p && !vt_boot_owns(p) && p != vt_tls.freeing &&
                !vt_module_is_loader((uint64_t)__builtin_return_address(0)) && vt_sampling_freed(p))) {
    uint64_t said;
    vt_take_free(VT_API_FREE, &said);
    vt_real.free(p);
  } else {
    exact_free(p);
  }
}

VT_EXPORT void free(void *p) {
  if (is_usual()) return sampled_free(p);
  exact_free(p);
}
VT_EXPORT void cfree(void *p) { FREE_BLOCK(p, VT_API_FREE, vt_real.free(p)); }

VT_EXPORT void free_sized(void *p, size_t sz) {
  FREE_BLOCK(p, VT_API_FREE_SIZED,
             vt_real.free_sized ? vt_real.free_sized(p, sz) : vt_real.free(p));
}
VT_EXPORT void free_aligned_sized(void *p, size_t align, size_t sz) {
  FREE_BLOCK(p, VT_API_FREE_SIZED,
             vt_real.free_aligned_sized ? vt_real.free_aligned_sized(p, align, sz)
                                        : vt_real.free(p));
}

/* move_from_boot gives a block of the bootstrap arena a home in the real allocator. */
static void *move_from_boot(void *p, size_t sz) {
  size_t old = vt_boot_size(p);
  void *q = ready() ? vt_real.malloc(sz) : vt_boot_alloc(0, sz);
  if (q) memcpy(q, p, old < sz ? old : sz);
  return q;
}

static inline __attribute__((always_inline)) void *resize(void *p, size_t sz, vt_api_t api,
                                                          void const *frame) {
  if (VT_UNLIKELY(vt_boot_owns(p))) {
    void *q = move_from_boot(p, sz);
    if (q && !vt_boot_owns(q)) vt_record_alloc(q, sz, 0, api, frame);
    return q;
  }
  if (!p) {
    void *q = vt_real.realloc(NULL, sz);
    if (VT_LIKELY(q)) vt_record_alloc(q, sz, 0, api, frame);
    return q;
  }
  vt_resized_t old = vt_record_intent(p, sz, api, frame);
  void *q = vt_real.realloc(p, sz);
  vt_record_done(p, q, sz, api, frame, old);
  return q;
}

VT_EXPORT void *realloc(void *p, size_t sz) {
  if (VT_UNLIKELY(!ready())) return p ? move_from_boot(p, sz) : vt_boot_alloc(0, sz);
  uint32_t api = vt_take_api(VT_API_REALLOC, sz);
  if (VT_UNLIKELY(api == VT_API_INTERNAL))
    return vt_boot_owns(p) ? move_from_boot(p, sz) : p ? vt_real.realloc(p, sz) : vt_internal_block(0, sz);
  return resize(p, sz, (vt_api_t)api, FRAME);
}

/* glibc's reallocarray calls realloc through the PLT: calling it would record twice. */
VT_EXPORT void *reallocarray(void *p, size_t cnt, size_t sz) {
  size_t total;
  if (__builtin_mul_overflow(cnt, sz, &total)) {
    errno = ENOMEM;
    return NULL;
  }
  if (VT_UNLIKELY(!ready())) return p ? move_from_boot(p, total) : vt_boot_alloc(0, total);
  return resize(p, total, VT_API_REALLOCARRAY, FRAME);
}

VT_EXPORT int posix_memalign(void **out, size_t align, size_t sz) {
  if (VT_UNLIKELY(!ready())) return (*out = vt_boot_alloc(align, sz)) ? 0 : ENOMEM;
  uint32_t api = vt_take_api(VT_API_POSIX_MEMALIGN, sz);
  if (VT_UNLIKELY(api == VT_API_INTERNAL)) return (*out = vt_internal_block(align, sz)) ? 0 : ENOMEM;
  int err = vt_real.posix_memalign(out, align, sz);
  if (VT_LIKELY(!err) && *out) vt_record_alloc(*out, sz, align, (vt_api_t)api, FRAME);
  return err;
}

#define ALIGNED(own_api, align, sz, call)                                                          \
  do {                                                                                             \
    if (VT_UNLIKELY(!ready())) return vt_boot_alloc(align, sz);                                    \
    uint32_t api = vt_take_api(own_api, sz);                                                          \
    if (VT_UNLIKELY(api == VT_API_INTERNAL)) return vt_internal_block(align, sz);                           \
    void *p = call;                                                                                \
    if (VT_LIKELY(p)) vt_record_alloc(p, sz, align, (vt_api_t)api, FRAME);                         \
    return p;                                                                                      \
  } while (0)

VT_EXPORT void *aligned_alloc(size_t align, size_t sz) {
  ALIGNED(VT_API_ALIGNED_ALLOC, align, sz, vt_real.aligned_alloc(align, sz));
}
VT_EXPORT void *memalign(size_t align, size_t sz) {
  ALIGNED(VT_API_MEMALIGN, align, sz, vt_real.memalign(align, sz));
}
VT_EXPORT void *valloc(size_t sz) {
  ALIGNED(VT_API_VALLOC, (size_t)getpagesize(), sz, vt_real.valloc(sz));
}
VT_EXPORT void *pvalloc(size_t sz) {
  ALIGNED(VT_API_PVALLOC, (size_t)getpagesize(), sz, vt_real.pvalloc(sz));
}

VT_EXPORT size_t malloc_usable_size(void *p) {
  if (p && vt_boot_owns(p)) return vt_boot_size(p);
  return ready() ? vt_real.malloc_usable_size(p) : 0;
}
