/* What patched entries lead to. Of C functions the outermost on a thread is the event: what the real
   function calls on its way is none. Of operator new and delete the innermost is, as for preloaded
   ones (cxx.c): a failing new allocates its exception inside, and that block is freed outside. */
#include "preload/patched.h"
#include "preload/record.h"

#include <string.h>

typedef uint64_t real_fn(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);

/* A call of a patched function. */
typedef struct {
  uint64_t args[VT_PATCH_ARGS + 1]; /* the last is that of arguments there are not: 0 */
  vt_patch_descriptor_t const *d;
  void const *frame;
} call_t;

static inline __attribute__((always_inline)) uint64_t real(call_t const *c) {
  uint64_t const *a = c->args;
  return ((real_fn *)c->d->real)(a[0], a[1], a[2], a[3], a[4]);
}

/* inside calls the real function as what nothing inside of is an event. */
static inline __attribute__((always_inline)) uint64_t inside(call_t const *c) {
  uint64_t before = vt_tls.busy;
  vt_tls.busy = (uint64_t)c->frame | VT_BUSY_INSIDE;
  uint64_t result = real(c);
  vt_tls.busy = before;
  return result;
}

static inline int is_inner(call_t const *c) {
  return VT_UNLIKELY(vt_tls.busy) && vt_inside_another((uint64_t)c->frame);
}

static inline size_t size_of(call_t const *c) {
  vt_patch_kind_t const *k = &c->d->kind;
  return c->args[k->size] * (k->count == VT_PATCH_NONE ? 1 : c->args[k->count]);
}

static inline size_t align_of(call_t const *c) {
  vt_patch_kind_t const *k = &c->d->kind;
  if (k->flags != VT_PATCH_NONE && c->args[k->flags] & 63) return (size_t)1 << (c->args[k->flags] & 63);
  return k->aligned ? k->aligned : c->args[k->align];
}

/* own serves what the shim itself caused; in the arena all is zero. */
static __attribute__((noinline)) uint64_t own(call_t const *c) {
  void *p = vt_boot_alloc(align_of(c), size_of(c));
  return p ? (uint64_t)p : inside(c);
}

static inline __attribute__((always_inline)) uint64_t on_alloc(call_t const *c) {
  if (is_inner(c)) return real(c);
  size_t sz = size_of(c);
  uint32_t api = vt_take_api((vt_api_t)c->d->kind.api, sz);
  if (VT_UNLIKELY(api == VT_API_INTERNAL)) return own(c);
  uint64_t p = inside(c);
  if (VT_LIKELY(p)) vt_record_alloc((void *)p, sz, align_of(c), (vt_api_t)api, c->frame);
  return p;
}

static inline __attribute__((always_inline)) uint64_t on_memalign(call_t const *c) {
  if (is_inner(c)) return real(c);
  void **out = (void **)c->args[0];
  size_t sz = size_of(c);
  uint32_t api = vt_take_api((vt_api_t)c->d->kind.api, sz);
  if (VT_UNLIKELY(api == VT_API_INTERNAL) && (*out = vt_boot_alloc(align_of(c), sz))) return 0;
  uint64_t error = inside(c);
  if (VT_LIKELY(!(int)error) && *out && api != VT_API_INTERNAL)
    vt_record_alloc(*out, sz, align_of(c), (vt_api_t)api, c->frame);
  return error;
}

static inline __attribute__((always_inline)) uint64_t on_free(call_t const *c) {
  void *p = (void *)c->args[c->d->kind.block];
  if (VT_UNLIKELY(!p) || is_inner(c)) return real(c);
  uint64_t said;
  uint32_t api = vt_take_free((vt_api_t)c->d->kind.api, &said);
  if (VT_UNLIKELY(vt_boot_owns(p))) return 0;
  if (VT_UNLIKELY(p == vt_tls.freeing))
    vt_tls.freeing = NULL; /* operator delete has recorded it */
  else if (VT_LIKELY(api != VT_API_INTERNAL))
    vt_record_free(p, (vt_api_t)api, said, c->frame);
  if (VT_UNLIKELY(vt_module_is_loader(((uint64_t const *)c->frame)[1]))) vt_hooks_loader_freed(p);
  return inside(c);
}

/* move_home gives a block of the shim's arena a home. */
static __attribute__((noinline)) uint64_t move_home(call_t *c) {
  size_t sz = size_of(c), old;
  void const *p = (void const *)c->args[c->d->kind.block];
  c->args[c->d->kind.block] = 0;
  uint64_t q = inside(c);
  old = vt_boot_size(p);
  if (q) memcpy((void *)q, p, old < sz ? old : sz);
  if (q) vt_record_alloc((void *)q, sz, align_of(c), (vt_api_t)c->d->kind.api, c->frame);
  return q;
}

static inline __attribute__((always_inline)) uint64_t on_realloc(call_t *c) {
  if (is_inner(c)) return real(c);
  void *p = (void *)c->args[c->d->kind.block];
  size_t sz = size_of(c);
  uint32_t api = vt_take_api((vt_api_t)c->d->kind.api, sz);
  if (VT_UNLIKELY(vt_boot_owns(p))) return move_home(c);
  if (VT_UNLIKELY(api == VT_API_INTERNAL)) return inside(c);
  vt_resized_t old = p ? vt_record_intent(p, sz, (vt_api_t)api, c->frame) : VT_RESIZED_UNSEEN;
  uint64_t q = inside(c);
  if (p)
    vt_record_done(p, (void *)q, sz, (vt_api_t)api, c->frame, old);
  else if (VT_LIKELY(q))
    vt_record_alloc((void *)q, sz, align_of(c), (vt_api_t)api, c->frame);
  return q;
}

static inline __attribute__((always_inline)) uint64_t on_new(call_t const *c) {
  size_t sz = size_of(c);
  vt_api_t family = (vt_api_t)c->d->kind.api;
  uint32_t mark = vt_cxx_before_new(family, sz, c->frame);
  uint64_t p = real(c);
  vt_cxx_after_new((void *)p, sz, align_of(c), family, mark, c->frame);
  return p;
}

static inline __attribute__((always_inline)) uint64_t on_delete(call_t const *c) {
  void *p = (void *)c->args[c->d->kind.block];
  if (VT_UNLIKELY(!p)) return real(c);
  if (VT_UNLIKELY(vt_boot_owns(p))) return 0;
  void *before = vt_cxx_before_delete(p, (vt_api_t)c->d->kind.api, align_of(c), c->frame);
  real(c);
  vt_cxx_after_delete(before, c->frame);
  return 0;
}

/* X(shape, function). */
#define ALL_SHAPES(X)                                                                              \
  X(VT_SHAPE_ALLOC, on_alloc)                                                                      \
  X(VT_SHAPE_REALLOC, on_realloc)                                                                  \
  X(VT_SHAPE_FREE, on_free)                                                                        \
  X(VT_SHAPE_MEMALIGN, on_memalign)                                                                \
  X(VT_SHAPE_NEW, on_new)                                                                          \
  X(VT_SHAPE_DELETE, on_delete)

#define DEFINE(shape, function)                                                                    \
  static uint64_t hook_##function(uint64_t a, uint64_t b, uint64_t e, uint64_t f, uint64_t g,      \
                                  vt_patch_descriptor_t const *d) {                                \
    call_t c = {.args = {a, b, e, f, g}, .d = d, .frame = __builtin_frame_address(0)};             \
    return function(&c);                                                                           \
  }
ALL_SHAPES(DEFINE)

vt_patched_hook_t *const vt_patched_hooks[VT_SHAPE_CNT] = {
#define X(shape, function) [shape] = hook_##function,
    ALL_SHAPES(X)
#undef X
};

uint64_t vt_patched_kept(uint64_t const args[VT_PATCH_ARGS], vt_patch_descriptor_t const *d,
                         void const *frame) {
  call_t c = {.d = d, .frame = frame};
  memcpy(c.args, args, VT_PATCH_ARGS * sizeof *args);
  switch (d->kind.shape) {
#define X(shape, function)                                                                         \
  case shape: return function(&c);
    ALL_SHAPES(X)
#undef X
  default: return real(&c);
  }
}
