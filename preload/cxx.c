/* C++ operator new and delete of every form.

   The C++ runtimes' own functions do nothing but call malloc and free (or another form, which
   does): they are entered by a tail jump after the family is noted in thread-local storage, and the
   hook they reach records the event, once, with its family. Any other provider may serve a call
   from a pool, from malloc, or from both, and may differ from call to call: it is called, and the
   block it returns is recorded here unless a hook recorded the same address meanwhile; a free is
   recorded here, before the call, and not again by a hook that is asked to free the same block.
   Exceptions may pass through operator new: nothing is held while the provider runs. */
#include "preload/hooks.h"
#include "preload/record.h"
#include "core/trace/static_symbol.h"
#include "core/trace/symbol.h"
#include "core/trace/sys.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define FRAME __builtin_frame_address(0)

typedef void *(*new_fn)(size_t);
typedef void *(*new_n_fn)(size_t, void const *);
typedef void *(*new_a_fn)(size_t, size_t);
typedef void *(*new_an_fn)(size_t, size_t, void const *);
typedef void (*del_fn)(void *);
typedef void (*del_s_fn)(void *, size_t);
typedef void (*del_n_fn)(void *, void const *);
typedef void (*del_a_fn)(void *, size_t);
typedef void (*del_sa_fn)(void *, size_t, size_t);
typedef void (*del_an_fn)(void *, size_t, void const *);

/* X(field, mangled name, type). v: array, n: nothrow, a: aligned, s: sized. */
#define ALL_FUNCTIONS(X)                                                                           \
  X(new_, "_Znwm", new_fn)                                                                         \
  X(new_v, "_Znam", new_fn)                                                                        \
  X(new_n, "_ZnwmRKSt9nothrow_t", new_n_fn)                                                        \
  X(new_vn, "_ZnamRKSt9nothrow_t", new_n_fn)                                                       \
  X(new_a, "_ZnwmSt11align_val_t", new_a_fn)                                                       \
  X(new_va, "_ZnamSt11align_val_t", new_a_fn)                                                      \
  X(new_an, "_ZnwmSt11align_val_tRKSt9nothrow_t", new_an_fn)                                       \
  X(new_van, "_ZnamSt11align_val_tRKSt9nothrow_t", new_an_fn)                                      \
  X(del, "_ZdlPv", del_fn)                                                                         \
  X(del_v, "_ZdaPv", del_fn)                                                                       \
  X(del_s, "_ZdlPvm", del_s_fn)                                                                    \
  X(del_vs, "_ZdaPvm", del_s_fn)                                                                   \
  X(del_n, "_ZdlPvRKSt9nothrow_t", del_n_fn)                                                       \
  X(del_vn, "_ZdaPvRKSt9nothrow_t", del_n_fn)                                                      \
  X(del_a, "_ZdlPvSt11align_val_t", del_a_fn)                                                      \
  X(del_va, "_ZdaPvSt11align_val_t", del_a_fn)                                                     \
  X(del_sa, "_ZdlPvmSt11align_val_t", del_sa_fn)                                                   \
  X(del_vsa, "_ZdaPvmSt11align_val_t", del_sa_fn)                                                  \
  X(del_an, "_ZdlPvSt11align_val_tRKSt9nothrow_t", del_an_fn)                                      \
  X(del_van, "_ZdaPvSt11align_val_tRKSt9nothrow_t", del_an_fn)

/* The provider of each function. */
static struct {
#define X(field, name, type) type field;
  ALL_FUNCTIONS(X)
#undef X
} real;
enum {
#define X(field, name, type) BIT_##field,
  ALL_FUNCTIONS(X)
#undef X
};
/* Bit BIT_x: real.x is a runtime's, whose malloc and free are our hooks. */
static _Atomic uint32_t thin;
static _Atomic int found;

/* is_runtime: does this object have operators that are made of malloc and free? */
static int is_runtime(struct link_map const *map) {
  return vt_symbol_object_begins(map, "libstdc++.so") ||
         vt_symbol_object_begins(map, "libc++.so") || vt_symbol_object_begins(map, "libc++abi.so");
}

/* find_one returns the bit if the provider is a runtime. */
static uint32_t find_one(void *function, char const *name, uint32_t bit) {
  struct link_map *where = NULL;
  void *p = vt_symbol_from(vt_object_own()->l_next, name, &where);
  memcpy(function, &p, sizeof p);
  return p && is_runtime(where) ? bit : 0;
}

/* find may run in several threads at a time: they find the same. */
static uint32_t find(void) {
  uint32_t runtimes = 0;
#define X(field, name, type) runtimes |= find_one(&real.field, name, (uint32_t)1 << BIT_##field);
  ALL_FUNCTIONS(X)
#undef X
  return runtimes;
}

/* in_executable_file asks the symbol table in the file, which must be open to be read. */
static int in_executable_file(void) {
  int fd = vt_sys_open("/proc/self/exe", O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return 0;
  int defined = vt_static_new(fd);
  vt_sys_close(fd);
  return defined;
}

int vt_cxx_before(void) {
  struct link_map *own = vt_object_own(), *first = own, *where = NULL;
  while (first && first->l_prev) first = first->l_prev;
  for (struct link_map *map = own; map; map = map->l_next)
    if (is_runtime(map)) { /* for it the linker exports the program's operator new */
      if (!vt_symbol_from(first, "_Znwm", &where) || where == own || is_runtime(where)) return 0;
      return where == first ? VT_NEW_OF_EXECUTABLE : VT_NEW_OF_LIBRARY;
    }
  return in_executable_file() ? VT_NEW_OF_EXECUTABLE : 0;
}

/* A runtime that is opened later may be bound to another malloc (RTLD_DEEPBIND): not thin. */
static void find_late(void) {
  find();
  atomic_store_explicit(&found, 1, memory_order_release);
}

void vt_cxx_find(void) {
  uint32_t runtimes = find();
  if (!real.new_) return;
  atomic_store_explicit(&thin, vt_hooks_reached() == VT_HOOKS_FIRST ? runtimes : 0,
                        memory_order_release);
  atomic_store_explicit(&found, 1, memory_order_release);
}

int vt_cxx_tells(void) {
#define X(field, name, type) | (uint32_t)1 << BIT_##field
  uint32_t const all = 0 ALL_FUNCTIONS(X);
#undef X
  return atomic_load_explicit(&thin, memory_order_acquire) == all;
}

void vt_cxx_sweep(void) {
  vt_object_t object;
  int gone = 0;
#define X(field, name, type) gone |= real.field && !vt_object_find((uint64_t)real.field, &object);
  ALL_FUNCTIONS(X)
#undef X
  if (!gone) return;
  atomic_store_explicit(&thin, 0, memory_order_release);
  atomic_store_explicit(&found, 0, memory_order_release);
}

void vt_cxx_moved(void *from, void *to) {
#define X(field, name, type)                                                                       \
  if ((void *)real.field == from) memcpy(&real.field, &to, sizeof to);
  ALL_FUNCTIONS(X)
#undef X
}

/* known: has the function a provider? A C program may have opened a C++ library meanwhile. */
static int known(void const *function) {
  if (VT_UNLIKELY(!atomic_load_explicit(&found, memory_order_acquire))) vt_symbol_locked(find_late);
  return *(void *const *)function != NULL;
}

#define IS_THIN(field)                                                                             \
  (atomic_load_explicit(&thin, memory_order_acquire) & (uint32_t)1 << BIT_##field)

/* note leaves the family for the hook that the provider reaches; the outermost function wins, as
   operator new[] calls operator new. */
static inline void note(vt_api_t api) {
  if (!vt_tls.api) vt_tls.api = (uint8_t)(api + 1);
}

/* note_free leaves what operator delete was told, too. */
static inline void note_free(vt_api_t api, size_t sz, size_t align) {
  if (vt_tls.api) return;
  vt_tls.api = (uint8_t)(api + 1);
  vt_tls.said = vt_said(sz, align);
}

/* note_sized leaves it for a malloc of that size: a provider that finds no memory of its own makes
   an exception, which is allocated too. If that ends the call, the note stays behind. */
static inline void note_sized(vt_api_t api, size_t sz) {
  uint32_t api_sz = sz < UINT32_MAX ? (uint32_t)sz : UINT32_MAX;
  if (vt_tls.api && vt_tls.api_sz == api_sz) return;
  vt_tls.api = (uint8_t)(api + 1);
  vt_tls.api_sz = api_sz;
}

/* plain_new serves where there is no provider to ask: a C++ runtime that has not been loaded. */
static void *plain_new(size_t sz, size_t align, vt_api_t api) {
  note(api);
  void *p = align ? aligned_alloc(align, sz) : malloc(sz ? sz : 1);
  if (!p) abort();
  return p;
}

static void plain_delete(void *p, vt_api_t api) {
  note_free(api, 0, 0);
  free(p);
}

uint32_t vt_cxx_before_new(vt_api_t family, size_t sz, void const *frame) {
  uint32_t mark = vt_watch_begin(frame);
  note_sized(family, sz);
  return mark;
}

/* What no hook has recorded since the provider's entry is recorded. The family noted for a hook must
   not stay behind. */
void vt_cxx_after_new(void *p, size_t sz, size_t align, vt_api_t family, uint32_t mark,
                      void const *frame) {
  vt_tls.api = vt_tls.api_sz = 0;
  if (p && !vt_watch_recorded(mark, p)) vt_record_alloc(p, sz, align, family, frame);
  vt_watch_end(frame);
}

/* A provider that is no runtime may have made the block larger than it was asked for: the size is not told. */
void *vt_cxx_before_delete(void *p, vt_api_t family, size_t align, void const *frame) {
  void *before = vt_tls.freeing;
  vt_watch_begin(frame);
  if (p != before) vt_record_free(p, family, vt_said(0, align), frame);
  vt_tls.freeing = p;
  return before;
}

void vt_cxx_after_delete(void *before, void const *frame) {
  vt_tls.freeing = before;
  vt_watch_end(frame);
}

#define DEFINE_NEW(field, name, family, align, parameters, arguments)                              \
  void *vt_##field parameters __asm__(name);                                                       \
  VT_EXPORT void *vt_##field parameters {                                                          \
    if (VT_UNLIKELY(!IS_THIN(field))) {                                                            \
      if (!known(&real.field)) return plain_new(sz, align, family);                                \
      uint32_t mark = vt_cxx_before_new(family, sz, FRAME);                                        \
      void *p = real.field arguments;                                                              \
      vt_cxx_after_new(p, sz, align, family, mark, FRAME);                                         \
      return p;                                                                                    \
    }                                                                                              \
    note(family);                                                                                  \
    return real.field arguments;                                                                   \
  }

#define DEFINE_DELETE(field, name, family, sz, align, parameters, arguments)                       \
  void vt_##field parameters __asm__(name);                                                        \
  VT_EXPORT void vt_##field parameters {                                                           \
    if (VT_UNLIKELY(!p)) return;                                                                   \
    if (VT_UNLIKELY(!IS_THIN(field) || vt_boot_owns(p))) {                                         \
      if (vt_boot_owns(p) || !known(&real.field)) return plain_delete(p, family);                  \
      void *before = vt_cxx_before_delete(p, family, align, FRAME);                                \
      real.field arguments;                                                                        \
      vt_cxx_after_delete(before, FRAME);                                                          \
      return;                                                                                      \
    }                                                                                              \
    note_free(family, sz, align);                                                                  \
    return real.field arguments;                                                                   \
  }

DEFINE_NEW(new_, "_Znwm", VT_API_NEW, 0, (size_t sz), (sz))
DEFINE_NEW(new_v, "_Znam", VT_API_NEW_ARRAY, 0, (size_t sz), (sz))
DEFINE_NEW(new_n, "_ZnwmRKSt9nothrow_t", VT_API_NEW, 0, (size_t sz, void const *nt), (sz, nt))
DEFINE_NEW(new_vn, "_ZnamRKSt9nothrow_t", VT_API_NEW_ARRAY, 0, (size_t sz, void const *nt),
           (sz, nt))
DEFINE_NEW(new_a, "_ZnwmSt11align_val_t", VT_API_NEW, al, (size_t sz, size_t al), (sz, al))
DEFINE_NEW(new_va, "_ZnamSt11align_val_t", VT_API_NEW_ARRAY, al, (size_t sz, size_t al), (sz, al))
DEFINE_NEW(new_an, "_ZnwmSt11align_val_tRKSt9nothrow_t", VT_API_NEW, al,
           (size_t sz, size_t al, void const *nt), (sz, al, nt))
DEFINE_NEW(new_van, "_ZnamSt11align_val_tRKSt9nothrow_t", VT_API_NEW_ARRAY, al,
           (size_t sz, size_t al, void const *nt), (sz, al, nt))

DEFINE_DELETE(del, "_ZdlPv", VT_API_DELETE, 0, 0, (void *p), (p))
DEFINE_DELETE(del_v, "_ZdaPv", VT_API_DELETE_ARRAY, 0, 0, (void *p), (p))
DEFINE_DELETE(del_s, "_ZdlPvm", VT_API_DELETE, sz, 0, (void *p, size_t sz), (p, sz))
DEFINE_DELETE(del_vs, "_ZdaPvm", VT_API_DELETE_ARRAY, sz, 0, (void *p, size_t sz), (p, sz))
DEFINE_DELETE(del_n, "_ZdlPvRKSt9nothrow_t", VT_API_DELETE, 0, 0, (void *p, void const *nt), (p, nt))
DEFINE_DELETE(del_vn, "_ZdaPvRKSt9nothrow_t", VT_API_DELETE_ARRAY, 0, 0, (void *p, void const *nt),
              (p, nt))
DEFINE_DELETE(del_a, "_ZdlPvSt11align_val_t", VT_API_DELETE, 0, al, (void *p, size_t al), (p, al))
DEFINE_DELETE(del_va, "_ZdaPvSt11align_val_t", VT_API_DELETE_ARRAY, 0, al, (void *p, size_t al), (p, al))
DEFINE_DELETE(del_sa, "_ZdlPvmSt11align_val_t", VT_API_DELETE, sz, al, (void *p, size_t sz, size_t al),
              (p, sz, al))
DEFINE_DELETE(del_vsa, "_ZdaPvmSt11align_val_t", VT_API_DELETE_ARRAY, sz, al, (void *p, size_t sz, size_t al), (p, sz, al))
DEFINE_DELETE(del_an, "_ZdlPvSt11align_val_tRKSt9nothrow_t", VT_API_DELETE, 0, al, (void *p, size_t al, void const *nt), (p, al, nt))
DEFINE_DELETE(del_van, "_ZdaPvSt11align_val_tRKSt9nothrow_t", VT_API_DELETE_ARRAY, 0, al, (void *p, size_t al, void const *nt), (p, al, nt))
