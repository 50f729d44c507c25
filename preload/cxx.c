/* C++ operator new and delete of every form.

   A provider's function that comes back to a hook of ours (libstdc++: new calls malloc, new[] calls
   new, …) is entered by a tail jump after the family is noted in thread-local storage: the hook it
   reaches records the event, once, with its family. A function that does not come back (tcmalloc,
   jemalloc, mimalloc for some of the forms) is called, and this hook records. Which is which is
   learned for each function in its first call. Exceptions may pass through operator new: nothing is
   held while the provider runs. */
#include "preload/hooks.h"
#include "preload/record.h"

#include <dlfcn.h>
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

/* The provider of each function, and whether it comes back to a hook. */
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
/* Bit BIT_x of these: real.x has been seen to come back to a hook; not to come back. */
static _Atomic uint32_t comes_back, stays_away;
static _Atomic int found; /* 0 no, 1 in progress, 2 yes */

/* lookup finds `name` behind the shim, or in a C++ library that was opened privately. */
static void *lookup(void *library, char const *name) {
  void *p = dlsym(RTLD_NEXT, name);
  return p || !library ? p : dlsym(library, name);
}

static void find(void) {
  int none = 0;
  if (!atomic_compare_exchange_strong_explicit(&found, &none, 1, memory_order_acq_rel,
                                               memory_order_acquire))
    return;
  uint64_t busy = vt_internal_begin();
  void *library = dlopen("libstdc++.so.6", RTLD_NOLOAD | RTLD_LAZY);
  if (!library) library = dlopen("libc++.so.1", RTLD_NOLOAD | RTLD_LAZY);
#define X(field, name, type) real.field = (type)lookup(library, name);
  ALL_FUNCTIONS(X)
#undef X
  vt_internal_end(busy);
  atomic_store_explicit(&found, 2, memory_order_release);
}

/* ready: are the providers known? 0 while another call on this or another thread looks for them. */
static inline int ready(void) {
  if (VT_LIKELY(atomic_load_explicit(&found, memory_order_acquire) == 2)) return 1;
  find();
  return atomic_load_explicit(&found, memory_order_acquire) == 2;
}

/* note leaves the family for the hook that the provider reaches; the outermost function wins, as
   operator new[] calls operator new. */
static inline void note(vt_api_t api) {
  if (!vt_tls.api) vt_tls.api = (uint32_t)api + 1;
}

#define IS_SET(bits, field)                                                                        \
  (atomic_load_explicit(&(bits), memory_order_acquire) & (uint32_t)1 << (field))
static void learn(uint32_t field) {
  atomic_fetch_or_explicit(vt_tls.reached ? &comes_back : &stays_away, (uint32_t)1 << field,
                           memory_order_release);
}

/* plain_new serves where there is no provider to ask: a C++ runtime that has not been loaded. */
static void *plain_new(size_t sz, size_t align, vt_api_t api) {
  note(api);
  void *p = align ? aligned_alloc(align, sz) : malloc(sz ? sz : 1);
  if (!p) abort();
  return p;
}

static void plain_delete(void *p, vt_api_t api) {
  note(api);
  free(p);
}

/* after_new ends a call of a provider not known to come back: whatever has not been recorded by a
   hook it reached is recorded here. The family noted for that hook must not stay behind. */
__attribute__((noinline)) static void after_new(uint32_t field, void *p, size_t sz, size_t align,
                                                vt_api_t family, void const *frame) {
  if (!IS_SET(stays_away, field)) learn(field);
  if (vt_tls.reached) return;
  vt_tls.api = 0;
  if (p) vt_record_alloc(p, sz, align, family, frame);
  vt_tls.reached = 1; /* for the hook that called this provider, if any */
}

/* before_delete records the free; the first call of a provider then runs unrecorded, to learn. */
__attribute__((noinline)) static void before_delete(void *p, vt_api_t family, void const *frame) {
  vt_record_free(p, family, frame);
}

#define DEFINE_NEW(field, name, family, align, parameters, arguments)                              \
  void *vt_##field parameters __asm__(name);                                                       \
  VT_EXPORT void *vt_##field parameters {                                                          \
    if (VT_UNLIKELY(!IS_SET(comes_back, BIT_##field))) {                                           \
      if (!ready() || !real.field) return plain_new(sz, align, family);                            \
      vt_tls.reached = 0;                                                                          \
      note(family);                                                                                \
      void *p = real.field arguments;                                                              \
      after_new(BIT_##field, p, sz, align, family, FRAME);                                         \
      return p;                                                                                    \
    }                                                                                              \
    note(family);                                                                                  \
    return real.field arguments;                                                                   \
  }

#define DEFINE_DELETE(field, name, family, parameters, arguments)                                  \
  void vt_##field parameters __asm__(name);                                                        \
  VT_EXPORT void vt_##field parameters {                                                           \
    if (VT_UNLIKELY(!p)) return;                                                                   \
    if (VT_UNLIKELY(!IS_SET(comes_back, BIT_##field) || vt_boot_owns(p))) {                        \
      if (!ready() || !real.field || vt_boot_owns(p)) return plain_delete(p, family);              \
      before_delete(p, family, FRAME);                                                             \
      vt_tls.reached = 1; /* for the hook that called this provider, if any */                     \
      if (IS_SET(stays_away, BIT_##field)) return real.field arguments;                            \
      uint64_t busy = vt_quiet_begin();                                                            \
      vt_tls.reached = 0;                                                                          \
      note(family);                                                                                \
      real.field arguments;                                                                        \
      vt_quiet_end(busy);                                                                          \
      learn(BIT_##field);                                                                          \
      vt_tls.api = 0;                                                                              \
      vt_tls.reached = 1;                                                                          \
      return;                                                                                      \
    }                                                                                              \
    note(family);                                                                                  \
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

DEFINE_DELETE(del, "_ZdlPv", VT_API_DELETE, (void *p), (p))
DEFINE_DELETE(del_v, "_ZdaPv", VT_API_DELETE_ARRAY, (void *p), (p))
DEFINE_DELETE(del_s, "_ZdlPvm", VT_API_DELETE, (void *p, size_t sz), (p, sz))
DEFINE_DELETE(del_vs, "_ZdaPvm", VT_API_DELETE_ARRAY, (void *p, size_t sz), (p, sz))
DEFINE_DELETE(del_n, "_ZdlPvRKSt9nothrow_t", VT_API_DELETE, (void *p, void const *nt), (p, nt))
DEFINE_DELETE(del_vn, "_ZdaPvRKSt9nothrow_t", VT_API_DELETE_ARRAY, (void *p, void const *nt),
              (p, nt))
DEFINE_DELETE(del_a, "_ZdlPvSt11align_val_t", VT_API_DELETE, (void *p, size_t al), (p, al))
DEFINE_DELETE(del_va, "_ZdaPvSt11align_val_t", VT_API_DELETE_ARRAY, (void *p, size_t al), (p, al))
DEFINE_DELETE(del_sa, "_ZdlPvmSt11align_val_t", VT_API_DELETE, (void *p, size_t sz, size_t al),
              (p, sz, al))
DEFINE_DELETE(del_vsa, "_ZdaPvmSt11align_val_t", VT_API_DELETE_ARRAY,
              (void *p, size_t sz, size_t al), (p, sz, al))
DEFINE_DELETE(del_an, "_ZdlPvSt11align_val_tRKSt9nothrow_t", VT_API_DELETE,
              (void *p, size_t al, void const *nt), (p, al, nt))
DEFINE_DELETE(del_van, "_ZdaPvSt11align_val_tRKSt9nothrow_t", VT_API_DELETE_ARRAY,
              (void *p, size_t al, void const *nt), (p, al, nt))
