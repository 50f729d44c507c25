/* libunwind as a second opinion: loaded at run time only (linked, it would interpose backtrace and
   _Unwind_* in the host), used for whole captures if asked to, and to check our own. */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <ucontext.h>
#include "core/trace/symbol.h"
#include "core/trace/unwind_impl.h"

/* What is used of its interface (libunwind.h for x86-64 with UNW_LOCAL_ONLY), with room to spare.
 */
typedef struct {
  uint64_t opaque[160];
} cursor_t;

static int (*getcontext_)(ucontext_t *context);
static int (*init_local_)(cursor_t *cursor, ucontext_t *context);
static int (*step_)(cursor_t *cursor);
static int (*get_reg_)(cursor_t *cursor, int reg, uint64_t *value);
static int (*backtrace_)(void **buffer, int size);
static void (*flush_cache_)(void *space, uint64_t lo, uint64_t hi);
static void **local_addr_space_;
static uint32_t loaded;
static _Atomic uint64_t flushed; /* epoch word its caches were last flushed for */

uint32_t vt_libunwind_captures;

/* The loader's functions are looked up: before glibc 2.34 they are in a library that a program need not
   have. */
typedef struct {
  void *(*open)(char const *file, int flags);
  void *(*sym)(void *library, char const *name);
  int (*close)(void *library);
} loader_t;

static int find_loader(loader_t *l) {
  void *found[] = {vt_symbol_from(vt_object_first(), "dlopen", NULL),
                   vt_symbol_from(vt_object_first(), "dlsym", NULL),
                   vt_symbol_from(vt_object_first(), "dlclose", NULL)};
  memcpy(l, found, sizeof found);
  return l->open && l->sym && l->close;
}

static int find(loader_t const *l, void *library, char const *name, void *function) {
  void *address = l->sym(library, name);
  memcpy(function, &address, sizeof(address));
  return address != NULL;
}

int vt_unwind_load_libunwind(void) {
  if (loaded) return 0;
  loader_t l;
  void *library =
      find_loader(&l) ? l.open("libunwind.so.8", RTLD_NOW | RTLD_LOCAL) : NULL;
  if (!library) return -ENOENT;
  loaded = find(&l, library, "_Ux86_64_getcontext", &getcontext_) &&
           find(&l, library, "_ULx86_64_init_local", &init_local_) &&
           find(&l, library, "_ULx86_64_step", &step_) &&
           find(&l, library, "_ULx86_64_get_reg", &get_reg_) &&
           find(&l, library, "unw_backtrace", &backtrace_) &&
           find(&l, library, "_Ux86_64_flush_cache", &flush_cache_) &&
           find(&l, library, "_ULx86_64_local_addr_space", &local_addr_space_);
  if (!loaded) l.close(library);
  return loaded ? 0 : -ENOENT;
}

int vt_unwind_use_libunwind(void) {
  int result = vt_unwind_load_libunwind();
  if (!result) vt_libunwind_captures = 1;
  return result;
}

/* Its caches hold rules of unloaded code; ours tell when code was unloaded. */
static void flush_if_unloaded(void) {
  uint64_t word = atomic_load_explicit(&vt_unwind_epoch_word, memory_order_acquire);
  if (atomic_exchange_explicit(&flushed, word, memory_order_acq_rel) != word)
    flush_cache_(*local_addr_space_, 0, 0);
}

/* ---- capture ---- */

/* Return addresses, innermost first, into the free memory between the previous capture and the top
   fifth, which stays free for as many frames. Returns their count; *pcs: where. */
static uint64_t all_pcs(vt_unwind_t *u, uint64_t **pcs) {
  for (;;) {
    uint64_t room = (u->cap - u->depth) * sizeof(vt_frame_t) / (sizeof(vt_frame_t) + 8);
    uint32_t top = u->cap;
    *pcs = (uint64_t *)(u->frames + u->depth);
    int cnt = backtrace_((void **)*pcs, (int)room);
    if (cnt < 0) return 0;
    if ((uint64_t)cnt < room || !vt_frames_grow(u, &top)) return (uint64_t)cnt;
  }
}

/* Threads inside libunwind, by thread pointer. It uses dynamic thread-local storage, whose first
   access in a thread calls malloc, whose hook captures: that capture must not enter it again. (Our
   own storage would have to be initial-exec, of which the shim has none to spare.) */
#define INSIDE_CNT 1024
static _Atomic uint64_t inside[INSIDE_CNT];

static _Atomic uint64_t *enter(void) {
  uint64_t self = (uint64_t)(uintptr_t)__builtin_thread_pointer(), none = 0;
  _Atomic uint64_t *slot = &inside[(self >> 6 ^ self >> 16) % INSIDE_CNT];
  /* No order needed: it is the same thread that must see it. */
  return atomic_compare_exchange_strong_explicit(slot, &none, self, memory_order_relaxed,
                                                 memory_order_relaxed)
             ? slot
             : NULL;
}

int vt_libunwind_capture(vt_unwind_t *u, vt_caller_t const *caller, vt_stack_t *out) {
  uint64_t *pcs, i = 0;
  int saved_errno = errno;
  _Atomic uint64_t *slot = enter();
  if (!slot) return 0;
  flush_if_unloaded();
  uint64_t cnt = all_pcs(u, &pcs);
  uint32_t top = u->cap;
  while (i < cnt && pcs[i] != caller->pc) i++;
  for (; i < cnt && pcs[i]; i++) u->frames[--top] = (vt_frame_t){pcs[i], 0, 0, 0};
  if (top == u->cap) u->frames[--top] = (vt_frame_t){caller->pc, 0, 0, 0};
  u->counters.captures++;
  vt_frames_commit(u, top, 0, out);
  u->memo = 0;
  atomic_store_explicit(slot, 0, memory_order_relaxed);
  errno = saved_errno;
  return 1;
}

/* ---- check ---- */

/* Would libunwind, too, know the way out of this frame? It guesses where there is no unwind information, and has none
   of tables that a program registers. */
static int is_known(vt_unwind_t *u, vt_frame_t const *frame) {
  return vt_cfi_find(&u->cfi, frame->pc, (frame->info & VT_FRAME_EXACT) != 0) == VT_CFI_FOUND && !u->cfi.registered;
}

/* Its next frame at or outside caller; 0 at the end. */
static uint64_t next_pc(cursor_t *cursor, vt_caller_t const *caller) {
  uint64_t sp = 0, pc = 0;
  do {
    if (step_(cursor) <= 0 || get_reg_(cursor, VT_REG_RSP, &sp) ||
        get_reg_(cursor, VT_REG_RIP, &pc))
      return 0;
  } while (caller && sp != caller->sp);
  return pc;
}

__attribute__((noinline)) uint32_t vt_libunwind_differs(vt_unwind_t *u, vt_caller_t const *caller,
                                                        vt_stack_t const *stack) {
  ucontext_t context;
  cursor_t cursor;
  if (!loaded) return 0;
  flush_if_unloaded();
  if (getcontext_(&context) || init_local_(&cursor, &context)) return stack->depth;
  uint64_t pc = next_pc(&cursor, caller);
  for (uint32_t i = stack->depth; i-- > stack->truncated;) {
    if (pc != stack->frames[i].pc) return 1;
    if (!is_known(u, &stack->frames[i])) return 0;
    pc = next_pc(&cursor, NULL);
  }
  return pc && !stack->truncated;
}
