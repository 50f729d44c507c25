/* An interpreter that the program opens: a plugin's libpython. The loader tells when it has mapped objects, but nothing
   can be called in them then, as they are not relocated yet; and dlopen is not ours when it returns, so that its
   caller stays who it is (patched_objects.c). So the interpreter is taken at the first allocation that code of it asks
   for: it has not begun then, and Py_Initialize asks malloc before anything else.

   When the program closes an object, the loader tells that before it unmaps it. Threads that capture might call the
   interpreter's functions: no Python frames are looked for from there on until the objects that are left are known. */
#include "preload/python.h"
#include "preload/record.h"
#include "core/trace/frames/python.h"
#include "core/trace/symbol.h"
#include "core/trace/sys.h"

#include <elf.h>
#include <linux/membarrier.h>
#include <stdatomic.h>

#define OUT_STEP_NS ((uint64_t)200 * 1000)
#define OUT_STEPS   5000 /* a second: threads may wait for room in the ring, but not longer */

/* An interpreter that has been mapped and has not run yet. It is written while nobody waits for it. */
static struct {
  struct link_map *_Atomic map;
  _Atomic uint64_t start, end;
} opened;
static _Atomic int waiting;
static struct link_map *_Atomic taken;
static _Atomic int resting; /* no Python frames, as objects are being closed */

/* end_of is the end of an object's memory, from its headers there; 0: unknown. */
static uint64_t end_of(struct link_map const *map) {
  ElfW(Ehdr) const *eh = (ElfW(Ehdr) const *)map->l_addr;
  uint64_t end = 0;
  if (!map->l_addr || memcmp(eh->e_ident, ELFMAG, SELFMAG)) return 0;
  ElfW(Phdr) const *ph = (ElfW(Phdr) const *)(map->l_addr + eh->e_phoff);
  for (uint32_t i = 0; i < eh->e_phnum; i++)
    if (ph[i].p_type == PT_LOAD && ph[i].p_vaddr + ph[i].p_memsz > end) end = ph[i].p_vaddr + ph[i].p_memsz;
  return end ? map->l_addr + end : 0;
}

static struct link_map *interpreter_in(struct link_map *list) {
  while (list && !vt_symbol_defined(list, "_PyRuntime")) list = list->l_next;
  return list;
}

static void expect(struct link_map *map) {
  atomic_store_explicit(&waiting, 0, memory_order_relaxed);
  atomic_fetch_and_explicit(&vt_capture_more, ~(uint32_t)VT_CAPTURE_OPENED, memory_order_relaxed);
  uint64_t end = map ? end_of(map) : 0;
  if (map && !end) vt_python_refuse_now("nothing tells where its code is");
  if (!end) return;
  atomic_store_explicit(&opened.map, map, memory_order_relaxed);
  atomic_store_explicit(&opened.start, map->l_addr, memory_order_relaxed);
  atomic_store_explicit(&opened.end, end, memory_order_relaxed);
  /* Pairs with the acquire in vt_python_runs. */
  atomic_store_explicit(&waiting, 1, memory_order_release);
  atomic_fetch_or_explicit(&vt_capture_more, VT_CAPTURE_OPENED, memory_order_relaxed);
}

/* rest returns when no thread looks for Python frames any more. What a thread has noted as its being busy is seen
   after the barrier, and whoever becomes so later sees that there is nothing to look for. */
static void rest(void) {
  _Atomic uint32_t never = 0;
  atomic_fetch_and_explicit(&vt_capture_more, ~(uint32_t)VT_CAPTURE_VIRTUAL, memory_order_seq_cst);
  if (!vt_process_may_ask()) return vt_python_refuse_now("objects were closed where a filter forbids to wait for threads");
  atomic_store_explicit(&resting, 1, memory_order_relaxed);
  vt_sys(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0, 0, 0, 0);
  for (uint32_t i = 0; i < OUT_STEPS && !vt_thread_all_out(); i++) vt_sys_futex_wait(&never, 0, OUT_STEP_NS);
  vt_virtual_forget_all();
}

static void rest_is_over(struct link_map const *now) {
  atomic_store_explicit(&resting, 0, memory_order_relaxed);
  if (now == atomic_load_explicit(&taken, memory_order_relaxed)) {
    atomic_fetch_or_explicit(&vt_capture_more, VT_CAPTURE_VIRTUAL, memory_order_release);
    return;
  }
  atomic_store_explicit(&taken, NULL, memory_order_relaxed);
  atomic_store_explicit(&vt_python_trusted, 0, memory_order_relaxed);
  vt_python_forget();
}

void vt_python_objects(struct link_map *list, int leaving) {
  int is_taken = atomic_load_explicit(&taken, memory_order_acquire) != NULL;
  if (leaving && is_taken) rest();
  if (leaving) return;
  if (atomic_load_explicit(&resting, memory_order_relaxed)) rest_is_over(interpreter_in(list));
  if (vt_python_wanted() && !atomic_load_explicit(&taken, memory_order_acquire)) expect(interpreter_in(list));
}

static int is_initialized(struct link_map const *map) {
  int (*ask)(void) = (int (*)(void))vt_symbol_in(map, "Py_IsInitialized");
  return !ask || ask();
}

static int is_in(vt_stack_t const *stack) {
  uint64_t start = atomic_load_explicit(&opened.start, memory_order_relaxed);
  uint64_t sz = atomic_load_explicit(&opened.end, memory_order_relaxed) - start;
  for (uint32_t i = stack->depth; i-- > 0;)
    if (stack->frames[i].pc - start < sz) return 1;
  return 0;
}

int vt_python_awaits(uint64_t runtime) {
  /* Pairs with the release in take: behind that the interpreter is known. */
  if (!(atomic_load_explicit(&vt_capture_more, memory_order_acquire) & VT_CAPTURE_OPENED)) return 0;
  uint64_t start = atomic_load_explicit(&opened.start, memory_order_relaxed);
  return runtime - start < atomic_load_explicit(&opened.end, memory_order_relaxed) - start;
}

/* take: nobody else does, and what was opened is not written meanwhile. Its code runs in this thread: it is relocated,
   and cannot be closed. */
static void take(vt_thread_t *t) {
  struct link_map *map = atomic_load_explicit(&opened.map, memory_order_relaxed), *nobody = NULL;
  char const *why = "it had begun before it was seen";
  /* Pairs with the acquire in vt_python_objects. */
  if (!atomic_compare_exchange_strong_explicit(&taken, &nobody, map, memory_order_acq_rel, memory_order_relaxed)) return;
  if (is_initialized(map) || vt_python_take(map, &why) < 0) vt_python_refuse(t, why);
  atomic_fetch_and_explicit(&vt_capture_more, ~(uint32_t)VT_CAPTURE_OPENED, memory_order_release);
}

void vt_python_runs(vt_thread_t *t, vt_stack_t const *stack) {
  int one = 1;
  if (!atomic_load_explicit(&waiting, memory_order_acquire) || !is_in(stack)) return;
  if (!atomic_compare_exchange_strong_explicit(&waiting, &one, 0, memory_order_acquire, memory_order_relaxed)) return;
  if (is_in(stack))
    take(t);
  else /* it was another one's moment ago */
    atomic_store_explicit(&waiting, 1, memory_order_release);
}
