/* Alternate signal stacks: of a stack that a program allocates and gives to the kernel, often nobody else keeps the
   address. It is kept here, in memory that a look at the process takes for the program's (not among the shim's own
   in snapshot.c). A stack of a thread that has ended stays until another thread needs the place. */
#include "preload/hooks.h"
#include "preload/process.h"
#include "core/trace/sys.h"

#include <signal.h>

#define PLACES 4096 /* threads; those beyond are not remembered */

typedef struct {
  _Atomic uint32_t tid; /* 0: free */
  uint32_t unused;
  void *stack;
} place_t;

static place_t *_Atomic places;

/* places_of_all makes the memory at the first call. */
static place_t *places_of_all(void) {
  place_t *all = atomic_load_explicit(&places, memory_order_acquire), *none = NULL;
  if (all) return all;
  all = vt_sys_memory(PLACES * sizeof *all);
  if (!all) return NULL;
  /* Pairs with the acquire above. */
  if (atomic_compare_exchange_strong_explicit(&places, &none, all, memory_order_acq_rel, memory_order_acquire))
    return all;
  vt_sys_munmap(all, PLACES * sizeof *all);
  return none;
}

static void remember(void *stack) {
  place_t *all = places_of_all();
  uint32_t tid = (uint32_t)vt_sys_gettid();
  for (int i = 0; all && i < PLACES; i++) {
    uint32_t owner = atomic_load_explicit(&all[i].tid, memory_order_relaxed);
    if (!owner) /* else `owner` is whoever was faster */
      atomic_compare_exchange_strong_explicit(&all[i].tid, &owner, tid, memory_order_relaxed, memory_order_relaxed);
    if (owner && owner != tid) continue;
    all[i].stack = stack;
    return;
  }
}

VT_EXPORT int sigaltstack(stack_t const *restrict stack, stack_t *restrict old) {
  int result = vt_real_get()->sigaltstack(stack, old);
  if (result || !stack || vt_process.filtered) return result;
  remember(stack->ss_flags & SS_DISABLE ? NULL : stack->ss_sp);
  return result;
}
