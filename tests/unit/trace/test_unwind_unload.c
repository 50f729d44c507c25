/* Unloading: another library at the address of one that is gone has other rules, in threads that use
   the shared cache as well; captures during an unload; the callback that tells of objects. */
#include <dlfcn.h>
#include <pthread.h>
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

static void unload(void *library) {
  vt_unwind_epoch_begin();
  flow_capture(&flow); /* as a destructor's malloc would */
  dlclose(library);
  vt_unwind_epoch_end();
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

/* Threads that capture while the main thread loads and unloads. */
static _Atomic uint32_t stop;

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
  while (!atomic_load_explicit(&stop, memory_order_relaxed)) recurse(function, 5);
  *result = flow;
  return NULL;
}

static void test_threads(void) {
  pthread_t thread[3];
  flow_t result[3];
  for (int i = 0; i < 3; i++)
    if (pthread_create(&thread[i], NULL, capture_thread, &result[i])) abort();
  test_swap();
  atomic_store_explicit(&stop, 1, memory_order_relaxed);
  for (int i = 0; i < 3; i++) {
    pthread_join(thread[i], NULL);
    flow_verdict(&result[i], "thread beside unloads");
  }
}

static void on_object(struct dl_find_object const *object) {
  if (object->dlfo_link_map) atomic_fetch_add_explicit(&seen, 1, memory_order_relaxed);
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
  ok(seen > 0, "objects were reported: %u", seen);
  return done_testing();
}
