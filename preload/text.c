/* Writing records of the backtracing valloc log; see text.h.

   A record is built in the thread's own buffer and written under a lock, so that records of
   different threads never mix and the log's order is the order of events. Symbols are looked up
   before the lock is taken. The host is protected: SIGPIPE is held back, and any failure ends
   recording. */
#include "preload/text.h"
#include "preload/options.h"
#include "core/trace/symbol.h"
#include "core/trace/sys.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

typedef struct {
  char *data;
  size_t sz;
} text_t;

static _Atomic uint32_t lock; /* tid of the writer, 0: free */

static void put(text_t *t, char const *s, size_t n) {
  if (n > VT_TEXT_BUFFER_SZ - t->sz) n = VT_TEXT_BUFFER_SZ - t->sz;
  memcpy(t->data + t->sz, s, n);
  t->sz += n;
}

static void put_text(text_t *t, char const *s) { put(t, s, strlen(s)); }

/* put_number writes v in `base`, at least `width` digits. */
static void put_number(text_t *t, uint64_t v, unsigned base, unsigned width) {
  char digits[20];
  unsigned n = 0;
  while (v || n < width || !n) {
    digits[sizeof digits - ++n] = "0123456789abcdef"[v % base];
    v /= base;
  }
  put(t, digits + sizeof digits - n, n);
}

/* put_place writes "(symbol+0xoff)", relative to the load bias where there is no symbol. */
static void put_place(text_t *t, uint64_t pc, char const *symbol, uint64_t base) {
  put_text(t, "(");
  if (symbol) put(t, symbol, strnlen(symbol, 512));
  put_text(t, pc >= base ? "+0x" : "-0x");
  put_number(t, pc >= base ? pc - base : base - pc, 16, 1);
  put_text(t, ")");
}

/* dladdr is looked up, because it has had a library of its own that not every program has. NULL: there
   is none, and no names. */
typedef int dladdr_t(void const *address, Dl_info *info);
static dladdr_t *name_of;

void vt_text_init(void) { name_of = vt_symbol_from(vt_object_first(), "dladdr", NULL); }

/* put_frame writes "object(symbol+0xoff)[0xaddr]" as glibc's backtrace_symbols_fd does. */
static void put_frame(text_t *t, uint64_t pc) {
  Dl_info info;
  vt_object_t object;
  uint64_t busy = vt_internal_begin();
  int found = name_of && name_of((void *)pc, &info);
  vt_internal_end(busy);
  if (found && info.dli_fname && info.dli_fname[0]) {
    uint64_t bias = vt_object_find(pc, &object) ? object.bias : 0;
    put_text(t, info.dli_fname);
    if (info.dli_sname || bias)
      put_place(t, pc, info.dli_sname, info.dli_sname ? (uint64_t)info.dli_saddr : bias);
  }
  put_text(t, "[0x");
  put_number(t, pc, 16, 1);
  put_text(t, "]\n");
}

/* write_all writes everything to the log; -1 on any failure but a full pipe of a slow reader. */
static int write_all(char const *p, size_t sz) {
  while (sz) {
    long n = vt_sys_write(vt_options.text_fd, p, sz);
    if (n > 0) {
      p += n;
      sz -= (size_t)n;
    } else if (n == -EAGAIN) {
      struct pollfd f = {.fd = vt_options.text_fd, .events = POLLOUT};
      vt_sys(SYS_poll, (long)&f, 1, 100, 0, 0, 0);
    } else if (n != -EINTR) {
      return -1;
    }
  }
  return 0;
}

/* write_shielded writes with SIGPIPE blocked and removes one that the write raised. */
static int write_shielded(text_t const *t) {
  uint64_t pipe_set = (uint64_t)1 << (SIGPIPE - 1), before = 0, pending = 0;
  struct timespec now = {0};
  vt_sys(SYS_rt_sigpending, (long)&pending, 8, 0, 0, 0, 0);
  vt_sys(SYS_rt_sigprocmask, SIG_BLOCK, (long)&pipe_set, (long)&before, 8, 0, 0);
  int err = write_all(t->data, t->sz);
  if (err && !(pending & pipe_set))
    vt_sys(SYS_rt_sigtimedwait, (long)&pipe_set, 0, (long)&now, 8, 0, 0);
  vt_sys(SYS_rt_sigprocmask, SIG_SETMASK, (long)&before, 0, 8, 0, 0);
  return err;
}

/* emit writes one finished record as a whole. A signal handler that interrupts the writer on its
   own thread must not wait for it: its record is dropped. */
static void emit(vt_thread_t *t, text_t const *text) {
  uint32_t none = 0, own = vt_thread_tid(t);
  while (!atomic_compare_exchange_weak_explicit(&lock, &none, own, memory_order_acquire,
                                                memory_order_relaxed)) {
    if (none == own) return;
    none = 0;
    sched_yield();
  }
  if (write_shielded(text))
    atomic_store_explicit(&vt_gate.value, VT_GATE_OFF, memory_order_relaxed);
  atomic_store_explicit(&lock, 0, memory_order_release);
}

static uint32_t shown(vt_stack_t const *stack) {
  return stack->depth < VT_TEXT_FRAMES_MAX ? stack->depth : VT_TEXT_FRAMES_MAX;
}

static void put_head(text_t *text, char const *kind, vt_stack_t const *stack, void const *p) {
  put_text(text, kind);
  put_number(text, shown(stack), 10, 1);
  put_text(text, ":0x");
  put_number(text, (uint64_t)p, 16, 16);
}

static void put_stack_and_emit(vt_thread_t *t, text_t *text, vt_stack_t const *stack) {
  put_text(text, "\n");
  for (uint32_t i = 0; i < shown(stack); i++)
    put_frame(text, vt_frame_pc(stack, stack->depth - 1 - i));
  put_text(text, "---\n");
  emit(t, text);
}

void vt_text_alloc(vt_thread_t *t, vt_stack_t const *stack, void *p, size_t align, size_t sz) {
  text_t text = {.data = t->text};
  put_head(&text, "+++ ALLOC:", stack, p);
  put_text(&text, ":");
  put_number(&text, align, 10, 1);
  put_text(&text, ":");
  put_number(&text, sz, 10, 1);
  put_stack_and_emit(t, &text, stack);
}

void vt_text_free(vt_thread_t *t, vt_stack_t const *stack, void *p) {
  text_t text = {.data = t->text};
  put_head(&text, "+++ FREE:", stack, p);
  put_stack_and_emit(t, &text, stack);
}
