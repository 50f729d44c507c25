/* Interposes what makers of generated code tell libgcc of its unwind tables. libgcc (or whoever serves it in
   this process) is told first, so that exceptions go as before. */
#include "preload/process.h"
#include "core/trace/symbol.h"
#include "core/trace/unwind.h"

#include <stdatomic.h>
#include <string.h>

typedef void frame_fn(void *section);

VT_EXPORT frame_fn __register_frame, __deregister_frame;

/* A provider and its name; it may be loaded later than the shim, and unloaded. */
typedef struct {
  char const *name;
  _Atomic(frame_fn *) function;
} provider_t;
static provider_t registers = {.name = "__register_frame"},
                  deregisters = {.name = "__deregister_frame"};

static void find_one(provider_t *provider) {
  void *p = vt_symbol_from(vt_object_own()->l_next, provider->name, NULL);
  frame_fn *function;
  memcpy(&function, &p, sizeof p);
  atomic_store_explicit(&provider->function, function, memory_order_relaxed);
}

static void find(void) {
  find_one(&registers);
  find_one(&deregisters);
}

/* tell calls the provider, if there is one. */
static void tell(provider_t *provider, void *section) {
  vt_object_t object;
  frame_fn *function = atomic_load_explicit(&provider->function, memory_order_relaxed);
  if (!function || !vt_object_find((uint64_t)function, &object)) {
    vt_symbol_locked(find);
    function = atomic_load_explicit(&provider->function, memory_order_relaxed);
  }
  if (function) function(section);
}

void __register_frame(void *section) {
  tell(&registers, section);
  vt_unwind_register(section);
}

void __deregister_frame(void *section) {
  vt_unwind_deregister(section);
  tell(&deregisters, section);
}
