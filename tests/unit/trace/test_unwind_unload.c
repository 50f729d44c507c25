/* Unloading: another library at the address of one that is gone has other rules, in threads that
   use the shared cache as well; captures during an unload; the callback that tells of objects. */
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include "tests/unit/trace/shadow.h"

static __thread flow_t flow;
static char folder[4096];
static _Atomic uint32_t seen; /* objects reported */

typedef void calls_back_t(void (*callback)(void));

static void in_library(void) {
  ENTER();
  flow_capture(&flow);
  LEAVE();
}

NOINLINE static void calls_library(calls_back_t *function) {
  ENTER();
  ENTER_GAP(); /* the library's own frame */
  function(in_library);
  shadow->cnt--;
  LEAVE();
}

static void *load(char const *name, calls_back_t **function) {
  char path[4200];
  snprintf(path, sizeof(path), "%s/%s.so", folder, name);
  void *library = dlopen(path, RTLD_NOW);
  if (!library) abort();
  void *address = dlsym(library, "calls_back");
  memcpy(function, &address, sizeof(address));
  return library;
}

/* The libraries' frames end where the other's begins: the callback has the same sp in both, and the
   return address of the one that is gone is still where it was. */
static uint64_t callback_sp;
static uint32_t quiet;

static void tell_sp(void) {
  ENTER();
  callback_sp = (uint64_t)(uintptr_t)__builtin_frame_address(0);
  if (!quiet) flow_capture(&flow);
  LEAVE();
}

NOINLINE static char shifted(calls_back_t *function, uint64_t shift) {
  ENTER();
  volatile char *mem = (volatile char *)__builtin_alloca(shift + 16);
  mem[0] = 1;
  ENTER_GAP();
  if (shift) {
    function(tell_sp);
    __asm__ volatile("# one site");
  } else {
    function(tell_sp);
    __asm__ volatile("# another site");
  }
  shadow->cnt--;
  LEAVE();
  return mem[0];
}
NOINLINE static void measure(calls_back_t *function) {
  quiet = 1;
  shifted(function, 0);
  quiet = 0;
}

NOINLINE static void unload(void *library) {
  ENTER();
  vt_unwind_epoch_begin();
  flow_capture(&flow); /* as a destructor's malloc would */
  dlclose(library);
  vt_unwind_epoch_end();
  LEAVE();
}

static void test_swap(void) {
  uint64_t last = 0, same = 0;
  ENTER();
  for (int i = 0; i < 40; i++) {
    calls_back_t *function;
    void *library = load(i & 1 ? "libvtswap_b" : "libvtswap_a", &function);
    same += (uint64_t)(uintptr_t)function == last;
    last = (uint64_t)(uintptr_t)function;
    for (int k = 0; k < 3; k++) calls_library(function);
    unload(library);
  }
  LEAVE();
  ok(same > 30, "%lu of 40 times at the same address as the other library", (unsigned long)same);
  flow_verdict(&flow, "reused addresses");
  is_ulong(vt_unwind_epoch(), 80, "two epochs an unload");
}

/* In a thread of its own, so that what this one's stack held stays. */
typedef struct {
  void *library;
  calls_back_t *function;
} replace_t;

static void *replace(void *arg) {
  replace_t *r = (replace_t *)arg;
  vt_unwind_epoch_begin();
  dlclose(r->library);
  vt_unwind_epoch_end();
  r->library = load("libvtswap_b", &r->function);
  return NULL;
}

NOINLINE static void test_same_sp(void) {
  pthread_t thread;
  calls_back_t *first, *second;
  ENTER();
  void *library = load("libvtswap_b", &second);
  measure(second);
  uint64_t low = callback_sp;
  unload(library);
  library = load("libvtswap_a", &first);
  measure(first);
  uint64_t shift = callback_sp - low;
  replace_t r = {library, first};
  uint64_t first_sp = 0;
  for (uint32_t i = 0; i < 8; i++) {
    if (i == 4) {
      first_sp = callback_sp;
      if (pthread_create(&thread, NULL, replace, &r) || pthread_join(thread, NULL)) abort();
    }
    flow.check_every = 0; /* which would write over what is left of earlier calls */
    flow_capture(&flow);
    flow.check_every = 1;
    shifted(r.function, i < 4 ? shift : 0);
  }
  unload(r.library);
  LEAVE();
  ok(SANITIZED || (callback_sp == first_sp && first == r.function),
     "two libraries at one address with one stack pointer");
  flow_verdict(&flow, "frames that look the same");
}

/* Threads that capture while the main thread loads and unloads. */
static _Atomic uint32_t stop, started;

NOINLINE static void recurse(calls_back_t *function, uint32_t depth) {
  ENTER();
  if (depth) recurse(function, depth - 1);
  calls_library(function);
  LEAVE();
}

static void *capture_thread(void *arg) {
  flow_t *result = (flow_t *)arg;
  calls_back_t *function;
  shadow = shadow_new();
  flow_init(&flow, 7);
  load("libvtswap_c", &function); /* stays */
  recurse(function, 5);
  atomic_fetch_add_explicit(&started, 1, memory_order_relaxed);
  while (!atomic_load_explicit(&stop, memory_order_relaxed)) recurse(function, 5);
  *result = flow;
  return NULL;
}

static void test_threads(void) {
  pthread_t thread[3];
  flow_t result[3];
  for (int i = 0; i < 3; i++)
    if (pthread_create(&thread[i], NULL, capture_thread, &result[i])) abort();
  while (atomic_load_explicit(&started, memory_order_relaxed) < 3) sched_yield();
  test_swap();
  atomic_store_explicit(&stop, 1, memory_order_relaxed);
  for (int i = 0; i < 3; i++) {
    pthread_join(thread[i], NULL);
    flow_verdict(&result[i], "thread beside unloads");
  }
}

static void on_object(vt_object_t const *object) {
  if (object->map) atomic_fetch_add_explicit(&seen, 1, memory_order_relaxed);
}

int main(int argc, char **argv) {
  (void)argc;
  snprintf(folder, sizeof(folder), "%s", argv[0]);
  char *slash = strrchr(folder, '/');
  if (slash) *slash = 0;
  shadow = shadow_new();
  vt_unwind_object_seen = on_object;
  vt_unwind_global_init(map_zeroed(VT_UNWIND_GLOBAL_SZ), VT_UNWIND_GLOBAL_SZ);
  flow_init(&flow, 1);
  test_threads();
  test_same_sp();
  ok(seen > 0, "objects were reported: %u", seen);
  return done_testing();
}
