/* C++ operator new and delete of every form.

   A provider that calls malloc and free (libstdc++, libc++) is entered by a tail jump after the family
   is noted in thread-local storage: the malloc or free inside then records the event, once, with its
   family. A provider that does not (tcmalloc, …) is told apart by a probe; there the hook records, and
   calls the nothrow entry first so that no exception passes through the hook. */
#include "preload/hooks.h"
#include "preload/record.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define FRAME __builtin_frame_address(0)

/* The 20 functions, by mangled name; n: nothrow, a: aligned, s: sized, v: array. */
#define CXX_FUNCTIONS(X)                                                                           \
  X(new_, "_Znwm") X(new_v, "_Znam") X(new_n, "_ZnwmRKSt9nothrow_t")                               \
  X(new_vn, "_ZnamRKSt9nothrow_t") X(new_a, "_ZnwmSt11align_val_t")                                \
  X(new_va, "_ZnamSt11align_val_t") X(new_an, "_ZnwmSt11align_val_tRKSt9nothrow_t")                \
  X(new_van, "_ZnamSt11align_val_tRKSt9nothrow_t") X(del, "_ZdlPv") X(del_v, "_ZdaPv")             \
  X(del_s, "_ZdlPvm") X(del_vs, "_ZdaPvm") X(del_n, "_ZdlPvRKSt9nothrow_t")                        \
  X(del_vn, "_ZdaPvRKSt9nothrow_t") X(del_a, "_ZdlPvSt11align_val_t")                              \
  X(del_va, "_ZdaPvSt11align_val_t") X(del_sa, "_ZdlPvmSt11align_val_t")                           \
  X(del_vsa, "_ZdaPvmSt11align_val_t") X(del_an, "_ZdlPvSt11align_val_tRKSt9nothrow_t")            \
  X(del_van, "_ZdaPvSt11align_val_tRKSt9nothrow_t")

typedef struct {
#define X(field, name) void *field;
  CXX_FUNCTIONS(X)
#undef X
} cxx_t;

static cxx_t real;
static _Atomic int found; /* 0 no, 1 in progress, 2 yes */
/* 1: `real` is known and calls malloc and free, which record. Its release follows the filling. */
static _Atomic int forwards;

typedef void *(*new_fn)(size_t);
typedef void *(*new_n_fn)(size_t, void const *);
typedef void *(*new_a_fn)(size_t, size_t);
typedef void *(*new_an_fn)(size_t, size_t, void const *);
typedef void (*del_fn)(void *);
typedef void (*del_2_fn)(void *, size_t);
typedef void (*del_3_fn)(void *, size_t, size_t);

/* lookup finds `name` behind the shim, or in a libstdc++ that was opened privately. */
static void *lookup(void *private_library, char const *name) {
  void *p = dlsym(RTLD_NEXT, name);
  return p || !private_library ? p : dlsym(private_library, name);
}

/* probe allocates once to see whether the provider comes back to our malloc. */
static int probe(cxx_t const *c) {
  vt_tls.saw_malloc = 0;
  void *p = ((new_n_fn)c->new_n)(1, "");
  int saw = vt_tls.saw_malloc != 0;
  ((del_fn)c->del)(p);
  return saw;
}

static void find(void) {
  int none = 0;
  if (!atomic_compare_exchange_strong_explicit(&found, &none, 1, memory_order_acq_rel,
                                               memory_order_acquire))
    return;
  vt_tls.internal++;
  void *library = dlopen("libstdc++.so.6", RTLD_NOLOAD | RTLD_LAZY);
  if (!library) library = dlopen("libc++.so.1", RTLD_NOLOAD | RTLD_LAZY);
#define X(field, name) real.field = lookup(library, name);
  CXX_FUNCTIONS(X)
#undef X
  int forwarding = !real.new_n || !real.del || probe(&real);
  vt_tls.internal--;
  atomic_store_explicit(&forwards, forwarding, memory_order_release);
  atomic_store_explicit(&found, 2, memory_order_release);
}

/* ready: are the providers known? 0 while another call on this or another thread looks for them. */
static inline int ready(void) {
  if (VT_LIKELY(atomic_load_explicit(&found, memory_order_acquire) == 2)) return 1;
  find();
  return atomic_load_explicit(&found, memory_order_acquire) == 2;
}

/* plain_new serves where there is no provider to ask: a C++ runtime that has not been loaded. */
static void *plain_new(size_t sz, size_t align) {
  void *p = align ? aligned_alloc(align, sz) : malloc(sz ? sz : 1);
  if (!p) abort();
  return p;
}

#define NOTE(api_value) (vt_tls.api = (uint32_t)(api_value) + 1)
#define FORWARDS VT_LIKELY(atomic_load_explicit(&forwards, memory_order_acquire))

__attribute__((noinline)) static void record_new(void *p, size_t sz, size_t align, vt_api_t api,
                                                 void const *frame) {
  vt_record_alloc(p, sz, align, api, frame);
}

__attribute__((noinline)) static void record_delete(void *p, vt_api_t api, void const *frame) {
  vt_record_free(p, api, frame);
}

/* NEW: `forward` is the tail call; `quiet` the nothrow form of the same request. */
#define NEW(api, sz, align, field, quiet_field, forward, quiet)                                    \
  do {                                                                                             \
    if (VT_UNLIKELY(!FORWARDS && (!ready() || !real.field))) {                                     \
      NOTE(api);                                                                                   \
      return plain_new(sz, align);                                                                 \
    }                                                                                              \
    if (FORWARDS) {                                                                                \
      NOTE(api);                                                                                   \
      return forward;                                                                              \
    }                                                                                              \
    void *p = real.quiet_field ? quiet : NULL;                                                     \
    if (!p) return forward;                                                                        \
    record_new(p, sz, align, api, FRAME);                                                          \
    return p;                                                                                      \
  } while (0)

void *vt_new(size_t sz) __asm__("_Znwm");
void *vt_new_v(size_t sz) __asm__("_Znam");
void *vt_new_n(size_t sz, void const *nt) __asm__("_ZnwmRKSt9nothrow_t");
void *vt_new_vn(size_t sz, void const *nt) __asm__("_ZnamRKSt9nothrow_t");
void *vt_new_a(size_t sz, size_t align) __asm__("_ZnwmSt11align_val_t");
void *vt_new_va(size_t sz, size_t align) __asm__("_ZnamSt11align_val_t");
void *vt_new_an(size_t sz, size_t align, void const *nt)
    __asm__("_ZnwmSt11align_val_tRKSt9nothrow_t");
void *vt_new_van(size_t sz, size_t align, void const *nt)
    __asm__("_ZnamSt11align_val_tRKSt9nothrow_t");

VT_EXPORT void *vt_new(size_t sz) {
  NEW(VT_API_NEW, sz, 0, new_, new_n, ((new_fn)real.new_)(sz), ((new_n_fn)real.new_n)(sz, ""));
}
VT_EXPORT void *vt_new_v(size_t sz) {
  NEW(VT_API_NEW_ARRAY, sz, 0, new_v, new_vn, ((new_fn)real.new_v)(sz),
      ((new_n_fn)real.new_vn)(sz, ""));
}
VT_EXPORT void *vt_new_n(size_t sz, void const *nt) {
  NEW(VT_API_NEW, sz, 0, new_n, new_n, ((new_n_fn)real.new_n)(sz, nt),
      ((new_n_fn)real.new_n)(sz, nt));
}
VT_EXPORT void *vt_new_vn(size_t sz, void const *nt) {
  NEW(VT_API_NEW_ARRAY, sz, 0, new_vn, new_vn, ((new_n_fn)real.new_vn)(sz, nt),
      ((new_n_fn)real.new_vn)(sz, nt));
}
VT_EXPORT void *vt_new_a(size_t sz, size_t align) {
  NEW(VT_API_NEW, sz, align, new_a, new_an, ((new_a_fn)real.new_a)(sz, align),
      ((new_an_fn)real.new_an)(sz, align, ""));
}
VT_EXPORT void *vt_new_va(size_t sz, size_t align) {
  NEW(VT_API_NEW_ARRAY, sz, align, new_va, new_van, ((new_a_fn)real.new_va)(sz, align),
      ((new_an_fn)real.new_van)(sz, align, ""));
}
VT_EXPORT void *vt_new_an(size_t sz, size_t align, void const *nt) {
  NEW(VT_API_NEW, sz, align, new_an, new_an, ((new_an_fn)real.new_an)(sz, align, nt),
      ((new_an_fn)real.new_an)(sz, align, nt));
}
VT_EXPORT void *vt_new_van(size_t sz, size_t align, void const *nt) {
  NEW(VT_API_NEW_ARRAY, sz, align, new_van, new_van, ((new_an_fn)real.new_van)(sz, align, nt),
      ((new_an_fn)real.new_van)(sz, align, nt));
}

/* DELETE: `forward` is the tail call to the same form of the provider. */
#define DELETE(api_value, p, field, forward)                                                       \
  do {                                                                                             \
    if (VT_UNLIKELY(!(p))) return;                                                                 \
    if (VT_UNLIKELY(vt_boot_owns(p) || (!FORWARDS && (!ready() || !real.field)))) {                \
      NOTE(api_value);                                                                             \
      return free(p);                                                                              \
    }                                                                                              \
    if (FORWARDS) NOTE(api_value);                                                                 \
    else record_delete(p, api_value, FRAME);                                                       \
    return forward;                                                                                \
  } while (0)

void vt_del(void *p) __asm__("_ZdlPv");
void vt_del_v(void *p) __asm__("_ZdaPv");
void vt_del_s(void *p, size_t sz) __asm__("_ZdlPvm");
void vt_del_vs(void *p, size_t sz) __asm__("_ZdaPvm");
void vt_del_n(void *p, void const *nt) __asm__("_ZdlPvRKSt9nothrow_t");
void vt_del_vn(void *p, void const *nt) __asm__("_ZdaPvRKSt9nothrow_t");
void vt_del_a(void *p, size_t align) __asm__("_ZdlPvSt11align_val_t");
void vt_del_va(void *p, size_t align) __asm__("_ZdaPvSt11align_val_t");
void vt_del_sa(void *p, size_t sz, size_t align) __asm__("_ZdlPvmSt11align_val_t");
void vt_del_vsa(void *p, size_t sz, size_t align) __asm__("_ZdaPvmSt11align_val_t");
void vt_del_an(void *p, size_t align, void const *nt)
    __asm__("_ZdlPvSt11align_val_tRKSt9nothrow_t");
void vt_del_van(void *p, size_t align, void const *nt)
    __asm__("_ZdaPvSt11align_val_tRKSt9nothrow_t");

typedef void (*del_n_fn)(void *, void const *);
typedef void (*del_an_fn)(void *, size_t, void const *);

VT_EXPORT void vt_del(void *p) { DELETE(VT_API_DELETE, p, del, ((del_fn)real.del)(p)); }
VT_EXPORT void vt_del_v(void *p) {
  DELETE(VT_API_DELETE_ARRAY, p, del_v, ((del_fn)real.del_v)(p));
}
VT_EXPORT void vt_del_s(void *p, size_t sz) {
  DELETE(VT_API_DELETE, p, del_s, ((del_2_fn)real.del_s)(p, sz));
}
VT_EXPORT void vt_del_vs(void *p, size_t sz) {
  DELETE(VT_API_DELETE_ARRAY, p, del_vs, ((del_2_fn)real.del_vs)(p, sz));
}
VT_EXPORT void vt_del_n(void *p, void const *nt) {
  DELETE(VT_API_DELETE, p, del_n, ((del_n_fn)real.del_n)(p, nt));
}
VT_EXPORT void vt_del_vn(void *p, void const *nt) {
  DELETE(VT_API_DELETE_ARRAY, p, del_vn, ((del_n_fn)real.del_vn)(p, nt));
}
VT_EXPORT void vt_del_a(void *p, size_t align) {
  DELETE(VT_API_DELETE, p, del_a, ((del_2_fn)real.del_a)(p, align));
}
VT_EXPORT void vt_del_va(void *p, size_t align) {
  DELETE(VT_API_DELETE_ARRAY, p, del_va, ((del_2_fn)real.del_va)(p, align));
}
VT_EXPORT void vt_del_sa(void *p, size_t sz, size_t align) {
  DELETE(VT_API_DELETE, p, del_sa, ((del_3_fn)real.del_sa)(p, sz, align));
}
VT_EXPORT void vt_del_vsa(void *p, size_t sz, size_t align) {
  DELETE(VT_API_DELETE_ARRAY, p, del_vsa, ((del_3_fn)real.del_vsa)(p, sz, align));
}
VT_EXPORT void vt_del_an(void *p, size_t align, void const *nt) {
  DELETE(VT_API_DELETE, p, del_an, ((del_an_fn)real.del_an)(p, align, nt));
}
VT_EXPORT void vt_del_van(void *p, size_t align, void const *nt) {
  DELETE(VT_API_DELETE_ARRAY, p, del_van, ((del_an_fn)real.del_van)(p, align, nt));
}
