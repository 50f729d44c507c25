/* CPython's allocators. Small blocks of Python objects come from pools of its own (pymalloc), which
   malloc never hears of. So the two domains that have pools, MEM and OBJ, are wrapped, as the
   interpreter's API provides for: each wrapper records what was asked for, once, and what the pools
   themselves then ask malloc for is no event (VT_BUSY_INSIDE). What else is freed meanwhile is one: tracemalloc
   forgets a block while it is being freed or resized. The events are those that
   PYTHONMALLOC=malloc would give.

   The wrappers must be there before the first block is, and they tell when a code object is freed:
   where the interpreter was told to use other allocators (PYTHONMALLOC=, -X dev) these replace the
   wrappers, and neither blocks nor frames of Python are seen; unless those are malloc itself. */
#include "preload/python.h"
#include "preload/record.h"
#include "core/trace/frames/codes.h"
#include "core/trace/frames/python.h"
#include "core/trace/object.h"
#include "core/trace/symbol.h"
#include "core/trace/sys.h"

#define FRAME __builtin_frame_address(0)

/* PyMemAllocatorEx and PyMemAllocatorDomain (Include/cpython/pymem.h), the same since 3.5. */
typedef struct {
  void *context;
  void *(*malloc)(void *context, size_t sz);
  void *(*calloc)(void *context, size_t cnt, size_t sz);
  void *(*realloc)(void *context, void *p, size_t sz);
  void (*free)(void *context, void *p);
} allocator_t;
enum { DOMAIN_RAW, DOMAIN_MEM, DOMAIN_OBJ, DOMAINS };

static allocator_t real[DOMAINS];
static void (*get)(int domain, allocator_t *out);
static void (*set)(int domain, allocator_t *allocator);

/* A block of no bytes has one, as the interpreter would ask malloc for it. */
static size_t size_of(size_t sz) { return sz ? sz : 1; }

static inline __attribute__((always_inline)) void record(void *p, size_t sz, void const *frame) {
  if (VT_UNLIKELY(!p) || (vt_sampling() && VT_LIKELY(vt_sampling_passes(p, sz)))) return;
  vt_record_alloc(p, sz, 0, VT_API_OTHER, frame);
}

static void *wrapped_malloc(void *context, size_t sz) {
  allocator_t const *a = context;
  uint64_t busy = vt_inside_begin(FRAME);
  void *p = a->malloc(a->context, sz);
  vt_inside_end(busy);
  record(p, size_of(sz), FRAME);
  return p;
}

static void *wrapped_calloc(void *context, size_t cnt, size_t sz) {
  allocator_t const *a = context;
  uint64_t busy = vt_inside_begin(FRAME);
  void *p = a->calloc(a->context, cnt, sz);
  vt_inside_end(busy);
  record(p, size_of(cnt * sz), FRAME);
  return p;
}

#define LAST_WITH_FREED_STATE 0x030a /* version: 3.10 */
#define LEAVE_STEP_NS ((uint64_t)500 * 1000)
#define LEAVE_STEPS   50 /* some switch intervals */

static int has_other_threads(void) {
  void const *state, *local;
  uint32_t cnt = 0;
  for (uint32_t id = 1; cnt < 2 && vt_thread_memory(id, &state, &local); id++) cnt += local != NULL;
  return cnt > 1;
}

/* Up to 3.10 the interpreter frees its state while threads may be waiting for its lock. They look each
   switch interval (5 ms) whether it ends, and leave; one that looks after the state was freed may touch it
   (3.10.8 writes to it: CPython issue 96387). How many do is how long the process lives on from there,
   which recording prolongs. So they are let leave here, where nothing is freed yet. */
static void let_threads_leave(void) {
  _Atomic uint32_t never = 0;
  if (vt_python.layout->version > LAST_WITH_FREED_STATE || !vt_process_may_ask()) return;
  for (uint32_t i = 0; i < LEAVE_STEPS && has_other_threads(); i++)
    vt_sys_futex_wait(&never, 0, LEAVE_STEP_NS);
}

/* before_free is to be called before a block of Python's is freed or may move. */
static inline void before_free(void const *p) {
  if (VT_UNLIKELY(vt_python_ending())) let_threads_leave();
  vt_codes_freed(p);
}

static void *wrapped_realloc(void *context, void *old, size_t sz) {
  allocator_t const *a = context;
  vt_resized_t resized = old ? vt_record_intent(old, size_of(sz), VT_API_OTHER, FRAME) : VT_RESIZED_UNSEEN;
  before_free(old);
  void *before = vt_tls.freeing;
  uint64_t busy = vt_inside_begin(FRAME);
  if (old) vt_tls.freeing = old;
  void *p = a->realloc(a->context, old, sz);
  vt_inside_end(busy);
  vt_tls.freeing = before;
  if (old)
    vt_record_done(old, p, size_of(sz), VT_API_OTHER, FRAME, resized);
  else if (p)
    vt_record_alloc(p, size_of(sz), 0, VT_API_OTHER, FRAME);
  return p;
}

static void wrapped_free(void *context, void *p) {
  allocator_t const *a = context;
  if (VT_UNLIKELY(!p)) return;
  if (!vt_sampling() || VT_UNLIKELY(!vt_sampling_freed(p))) vt_record_free(p, VT_API_OTHER, 0, FRAME);
  before_free(p);
  void *before = vt_tls.freeing;
  vt_tls.freeing = p;
  a->free(a->context, p);
  vt_tls.freeing = before;
}

static void wrap(int domain) {
  allocator_t ours = {&real[domain], wrapped_malloc, wrapped_calloc, wrapped_realloc, wrapped_free};
  get(domain, &real[domain]);
  set(domain, &ours);
}

/* The interpreter has not begun: no thread has a block of its. */
static int wrap_all(struct link_map *first) {
  get = (void (*)(int, allocator_t *))vt_symbol_from(first, "PyMem_GetAllocator", NULL);
  set = (void (*)(int, allocator_t *))vt_symbol_from(first, "PyMem_SetAllocator", NULL);
  if (!get || !set) return -1;
  get(DOMAIN_RAW, &real[DOMAIN_RAW]);
  wrap(DOMAIN_MEM);
  wrap(DOMAIN_OBJ);
  return 0;
}

static char const *_Atomic refused; /* why; NULL: it was not */

void vt_python_refuse(vt_thread_t *t, char const *why) {
  atomic_store_explicit(&refused, why, memory_order_relaxed);
  vt_virtual_refused(&t->stream, VT_LANGUAGE_PYTHON, "Python frames and blocks", why);
}

void vt_python_refuse_now(char const *why) {
  vt_thread_t *t = vt_enter(FRAME);
  if (!t) return;
  vt_python_refuse(t, why);
  vt_leave(t);
}

void vt_python_met(vt_thread_t *t, uint64_t runtime) {
  if (vt_options.no_python || vt_options.text_fd >= 0 || vt_python_awaits(runtime) || runtime == vt_python.runtime) return;
  if (!atomic_load_explicit(&refused, memory_order_relaxed)) vt_python_refuse(t, "its interpreter was opened where it could not be seen before it began");
}

void vt_python_passed(void) {
  if (vt_symbol_from(vt_object_first(), "_PyRuntime", NULL)) vt_python_refuse_now("its interpreter had begun before recording did");
}

void vt_python_passed_again(int mapped) {
  if (mapped || atomic_load_explicit(&refused, memory_order_relaxed)) vt_python_refuse_now("its interpreter had begun before recording did");
}

void vt_python_tell_again(vt_thread_t *t) {
  char const *why = atomic_load_explicit(&refused, memory_order_relaxed);
  if (why) vt_python_refuse(t, why);
}

_Atomic uint32_t vt_python_trusted;

int vt_python_ready_slow(vt_thread_t *t) {
  allocator_t now;
  if (!vt_python.own()) return 0;
  get(DOMAIN_OBJ, &now);
  if (now.malloc == real[DOMAIN_RAW].malloc) { /* PYTHONMALLOC=malloc: no pools */
    wrap(DOMAIN_MEM);
    wrap(DOMAIN_OBJ);
  } else if (now.malloc != wrapped_malloc) {
    atomic_fetch_and_explicit(&vt_capture_more, ~(uint32_t)VT_CAPTURE_VIRTUAL, memory_order_relaxed);
    vt_python_refuse(t, "PYTHONMALLOC or -X dev gave the interpreter other allocators");
    return 0;
  }
  atomic_store_explicit(&vt_python_trusted, 1, memory_order_relaxed);
  return 1;
}

int vt_python_wanted(void) {
  return !vt_options.no_python && vt_options.text_fd < 0 && !vt_python.layout &&
         !atomic_load_explicit(&refused, memory_order_relaxed);
}

int vt_python_take(struct link_map *first, char const **why) {
  uint64_t busy = vt_internal_begin();
  int found = vt_python_find(first, why);
  if (found > 0 && wrap_all(first)) {
    *why = "its allocators cannot be wrapped";
    found = -1;
  }
  vt_internal_end(busy);
  /* Pairs with the acquire in vt_capture_rest. */
  if (found > 0) atomic_fetch_or_explicit(&vt_capture_more, VT_CAPTURE_VIRTUAL, memory_order_release);
  return found;
}

void vt_python_begin(void) {
  char const *why = "";
  if (vt_python_wanted() && vt_python_take(vt_object_first(), &why) < 0) vt_python_refuse_now(why);
}
