/* Thread states: handed from ended threads to new ones through a lock-free stack, so that thousands
   of short threads need the memory of the few that live at one time and find warm caches.

   A thread is noticed to end by a thread-specific destructor that re-arms itself until the last
   round, so that destructors of the program that free still find the state. Events after that
   borrow a state for one event. */
#include "preload/process.h"
#include "preload/options.h"
#include "preload/sampling.h"
#include "preload/text.h"
#include "core/trace/libc.h"
#include "core/trace/symbol.h"
#include "core/trace/sys.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>

#define STATES_MAX 65536
#define BLOCK      512 /* states that one piece of the table is for */
#define STATE_SZ   VT_THREAD_STATE_SZ

__thread vt_tls_t vt_tls __attribute__((tls_model("initial-exec")));

/* Id -> state, in pieces that are made when a thread first needs one; id 0 is not used. */
typedef _Atomic(vt_thread_t *) entry_t;
static _Atomic(entry_t *) states[STATES_MAX / BLOCK];
static _Atomic uint32_t state_cnt = 1;
/* Free states: id of the first in the low half, a change counter against ABA in the high half. The
   counter has 32 bits: a thread would have to sleep through 2^32 thread ends within one pop. */
static _Atomic uint64_t free_head;
static _Atomic uint32_t thread_cnt; /* threads of this image that had events */
static pthread_key_t key;
/* Looked up, because before glibc 2.34 they are in a library that only programs with threads have; linked,
   it would make one of every program. It may come later, with a library that is opened. */
static int (*key_create)(pthread_key_t *key, void (*destructor)(void *));
static int (*key_set)(pthread_key_t key, void const *value);
enum { KEY_NONE = 0, KEY_MADE, KEY_REFUSED };
static _Atomic int key_made;

static vt_thread_t *state_at(uint32_t id) {
  if (id >= STATES_MAX) return NULL;
  /* Both pair with the releases in set_state: who walks the table sees a state that is set up. */
  entry_t *block = atomic_load_explicit(&states[id / BLOCK], memory_order_acquire);
  return block ? atomic_load_explicit(&block[id % BLOCK], memory_order_acquire) : NULL;
}

/* set_state returns -1 when there is no memory for that piece of the table. */
static int set_state(uint32_t id, vt_thread_t *t) {
  entry_t *block = atomic_load_explicit(&states[id / BLOCK], memory_order_acquire), *none = NULL;
  if (!block) {
    block = vt_sys_memory(BLOCK * sizeof *block);
    if (!block) return -1;
    if (!atomic_compare_exchange_strong_explicit(&states[id / BLOCK], &none, block,
                                                 memory_order_acq_rel, memory_order_acquire)) {
      vt_sys_munmap(block, BLOCK * sizeof *block);
      block = none;
    }
  }
  atomic_store_explicit(&block[id % BLOCK], t, memory_order_release);
  return 0;
}

static vt_thread_t *pop_free(void) {
  uint64_t head = atomic_load_explicit(&free_head, memory_order_acquire);
  while ((uint32_t)head) {
    vt_thread_t *t = state_at((uint32_t)head);
    uint64_t next = ((head >> 32) + 1) << 32 | t->next;
    /* Linearizes here; acquire pairs with the release in push_free. */
    if (atomic_compare_exchange_weak_explicit(&free_head, &head, next, memory_order_acquire,
                                              memory_order_acquire))
      return t;
  }
  return NULL;
}

static void push_free(vt_thread_t *t) {
  atomic_store_explicit(&t->tid, 0, memory_order_relaxed);
  uint64_t head = atomic_load_explicit(&free_head, memory_order_relaxed);
  uint64_t next;
  do {
    t->next = (uint32_t)head;
    next = ((head >> 32) + 1) << 32 | t->id;
  } while (!atomic_compare_exchange_weak_explicit(&free_head, &head, next, memory_order_release,
                                                  memory_order_relaxed));
}

/* The C library keeps a thread's number in the thread's descriptor, and where its stack is: block,
   size and, at the lower end, guard. Where in the descriptor, is looked up at start. It serves
   where a filter may kill the process for asking the kernel. */
#define DESCRIPTOR_FROM 128 /* in words: behind what the ABI fixes */
#define DESCRIPTOR_TO   256
#define DESCRIPTOR_END  560
#define MUSL_FROM       8 /* musl's is small, and may end where its memory does */
#define MUSL_TO         32
#define PAGE_MASK       ((uint64_t)4095)
/* What the kernel keeps free for the stack below it even under a smaller limit (MIN_GAP). */
#define STACK_GAP       ((uint64_t)128 << 20)
static uint32_t tid_at;
static uint32_t stack_at; /* in words of 8 bytes */
static uint64_t main_lo, main_hi;

static void find_tid(void) {
  uint32_t const *descriptor = (uint32_t const *)pthread_self();
  uint32_t tid = (uint32_t)vt_sys_gettid();
  uint32_t from = vt_libc_is_glibc() ? DESCRIPTOR_FROM : MUSL_FROM;
  uint32_t to = vt_libc_is_glibc() ? DESCRIPTOR_TO : MUSL_TO;
  for (uint32_t i = from; i < to && !tid_at; i++)
    if (descriptor[i] == tid) tid_at = i;
}

/* is_block: of the first thread the descriptor has a block that begins at 0 and ends where the loader found the
   stack when it began; of others, one that holds the descriptor and what is on the stack now, and has a page as guard
   (who looks in such a thread is the one that an attached process made, with the usual guard). */
static int is_block(uint64_t const *block, uint64_t first_end) {
  uint64_t self = (uint64_t)pthread_self(), here = (uint64_t)__builtin_frame_address(0);
  if (!block[0]) return block[1] == first_end;
  return !(block[0] & PAGE_MASK) && !(block[1] & PAGE_MASK) && block[2] == PAGE_MASK + 1 &&
         self - block[0] < block[1] && here - block[0] < block[1];
}

static void find_stack(void) {
  uint64_t const *descriptor = (uint64_t const *)pthread_self();
  void **end = vt_symbol_from(vt_object_first(), "__libc_stack_end", NULL);
  struct rlimit limit;
  if (!end || !*end) return;
  for (uint32_t i = DESCRIPTOR_FROM / 2; i < DESCRIPTOR_END / 2 && !stack_at; i++)
    if (is_block(descriptor + i, (uint64_t)*end)) stack_at = i;
  if (!stack_at) return; /* another libc */
  main_hi = ((uint64_t)*end | PAGE_MASK) + 1;
  int known = !vt_sys_getrlimit(RLIMIT_STACK, &limit) && limit.rlim_cur != RLIM_INFINITY;
  main_lo = main_hi - (known ? limit.rlim_cur : STACK_GAP);
  if (main_lo > main_hi) main_lo = main_hi;
}

/* tell_stack tells the unwinder the calling thread's stack. The descriptor itself lies at its end.
 */
static void tell_stack(vt_unwind_t *u) {
  uint64_t self = (uint64_t)pthread_self(), lo = main_lo, hi = main_hi;
  uint64_t const *block = (uint64_t const *)self + stack_at;
  if (stack_at && block[0]) { /* not the first thread */
    lo = block[0] + block[2];
    hi = (block[0] + block[1]) & ~PAGE_MASK;
    if (self < lo || self >= hi) lo = hi;
  }
  vt_unwind_own_stack(u, lo, hi);
}

uint32_t vt_thread_number(pthread_t thread) {
  if (vt_process_may_ask() && thread == pthread_self()) return (uint32_t)vt_sys_gettid();
  return tid_at ? ((uint32_t const *)thread)[tid_at] : 0;
}

void *vt_process_memory(size_t sz) {
  if (vt_process.sink.silent == VT_SILENT_ALL) return NULL;
  if (!vt_process.filtered) return vt_sys_memory(sz);
  void *p = vt_sys_mmap(NULL, sz, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return vt_sys_failed(p) ? NULL : p;
}

static void set_stream(vt_thread_t *t) {
  t->stream = (vt_stream_t){.sink = &vt_process.sink,
                            .unwind = t->stream.unwind,
                            .writer = t->id,
                            .depth = VT_DEPTH_UNKNOWN,
                            .max_depth = vt_options.max_depth,
                            .epoch = vt_unwind_epoch()};
}

static vt_thread_t *new_state(void) {
  if (atomic_load_explicit(&state_cnt, memory_order_relaxed) >= STATES_MAX) return NULL;
  uint8_t *memory = vt_process_memory(STATE_SZ);
  if (!memory) return NULL;
  uint32_t id = atomic_fetch_add_explicit(&state_cnt, 1, memory_order_relaxed);
  if (id >= STATES_MAX) return NULL; /* as many as there are processors may have passed */
  /* Before this stream's first event: what vt_clock_stamp relies on. */
  if (id > 1) __atomic_store_n(&vt_clock_shared, 1, __ATOMIC_RELEASE);
  vt_thread_t *t = (vt_thread_t *)(memory + VT_UNWIND_STATE_SZ);
  t->id = id;
  t->stream.unwind = vt_unwind_new(memory);
  t->recorded = t->first_recorded;
  t->recorded_cap = VT_RECORDED_FIRST;
  if (vt_options.text_fd >= 0 && !(t->text = vt_sys_memory(VT_TEXT_BUFFER_SZ))) return NULL;
  set_stream(t);
  vt_sink_count(&vt_process.sink, VT_COUNTER_SHIM_BYTES, STATE_SZ);
  return set_state(id, t) ? NULL : t;
}

static void set_thread(vt_thread_t *t, uint32_t tid) {
  if (!vt_tls.thread)
    vt_tls.thread = 1 + atomic_fetch_add_explicit(&thread_cnt, 1, memory_order_relaxed);
  atomic_store_explicit(&t->tid, tid, memory_order_relaxed);
  atomic_store_explicit(&t->number, vt_tls.thread, memory_order_relaxed);
  atomic_store_explicit(&t->named, 0, memory_order_relaxed);
  for (int i = 0; i < VT_COMM_SZ / 8; i++)
    atomic_store_explicit(&t->comm[i], 0, memory_order_relaxed);
  vt_stream_thread(&t->stream, tid, vt_tls.thread);
  vt_sampling_thread(t);
  tell_stack(t->stream.unwind);
}

vt_thread_t *vt_thread_acquire(void) {
  vt_thread_t *t = pop_free();
  if (!t) t = new_state();
  if (!t) return NULL;
  vt_unwind_reset(t->stream.unwind);
  set_thread(t, vt_thread_number(pthread_self()));
  return t;
}

void vt_thread_take_over(vt_thread_t *t) { set_thread(t, (uint32_t)vt_sys_gettid()); }

void vt_thread_release(vt_thread_t *t) { push_free(t); }

static void on_thread_exit(void *arg);

static void make_key(void) {
  if (key_made) return;
  key_create = vt_symbol_from(vt_object_first(), "pthread_key_create", NULL);
  key_set = vt_symbol_from(vt_object_first(), "pthread_setspecific", NULL);
  if (!key_create || !key_set) return;
  int made = key_create(&key, on_thread_exit) ? KEY_REFUSED : KEY_MADE;
  atomic_store_explicit(&key_made, made, memory_order_release);
}

void vt_thread_adopt(vt_thread_t *t) {
  vt_tls.own = t;
  t->tls = &vt_tls;
  uint64_t busy = vt_internal_begin();
  if (!key_made) vt_symbol_locked(make_key);
  if (key_made == KEY_MADE) key_set(key, t);
  vt_internal_end(busy);
}

/* on_thread_exit runs as a thread-specific destructor. */
static void on_thread_exit(void *arg) {
  vt_thread_t *t = arg;
  if (++vt_tls.exiting < PTHREAD_DESTRUCTOR_ITERATIONS) {
    key_set(key, t);
    return;
  }
  if (vt_tls.own != t) return; /* a fork in between gave the state away */
  vt_names_thread_ends();
  vt_tls.own = NULL;
  vt_thread_release(t);
}

int vt_thread_nameless(uint32_t id, vt_thread_t **state) {
  uint32_t cnt = atomic_load_explicit(&state_cnt, memory_order_relaxed);
  vt_thread_t *t = id < cnt ? state_at(id) : NULL;
  *state = t && !atomic_load_explicit(&t->named, memory_order_relaxed) ? t : NULL;
  return id < cnt && id < STATES_MAX;
}

int vt_thread_memory(uint32_t id, void const **state, void const **local) {
  uint32_t cnt = atomic_load_explicit(&state_cnt, memory_order_relaxed);
  vt_thread_t *t = id < cnt ? state_at(id) : NULL;
  *state = t ? (uint8_t *)(t + 1) - STATE_SZ : NULL;
  *local = t && vt_thread_tid(t) ? t->tls : NULL;
  return id < cnt && id < STATES_MAX;
}

int vt_thread_init(void) {
  find_tid();
  find_stack();
  make_key();
  return key_made == KEY_REFUSED ? -1 : 0;
}

void vt_thread_unlock(void) {
  uint32_t cnt = atomic_load_explicit(&state_cnt, memory_order_relaxed);
  for (uint32_t id = 1; id < cnt; id++)
    if (state_at(id)) vt_sys_munlock((uint8_t *)(state_at(id) + 1) - STATE_SZ, STATE_SZ);
}

/* read_local copies what may be the memory of a thread that has ended; -1: it is gone. */
static int read_local(void const *from, vt_tls_t *out) {
  struct {
    void const *at;
    size_t sz;
  } remote = {from, sizeof *out}, local = {out, sizeof *out};
  long n = from ? vt_sys(SYS_process_vm_readv, vt_sys_getpid(), (long)&local, 1, (long)&remote, 1, 0) : -1;
  return n == (long)sizeof *out ? 0 : -1;
}

/* is_out: a state that is not its thread's own is borrowed for one event. */
static int is_out(vt_thread_t *t, uint32_t tid) {
  vt_tls_t local;
  if (vt_sys(SYS_tgkill, vt_sys_getpid(), (long)tid, 0, 0, 0, 0) == -ESRCH) {
    push_free(t);
    return 1;
  }
  return !read_local(t->tls, &local) && local.own == t &&
         (!local.busy || local.busy & VT_BUSY_INSIDE);
}

int vt_thread_all_out(void) {
  uint32_t cnt = atomic_load_explicit(&state_cnt, memory_order_relaxed);
  for (uint32_t id = 1; id < cnt && id < STATES_MAX; id++) {
    vt_thread_t *t = state_at(id);
    uint32_t tid = t ? vt_thread_tid(t) : 0;
    if (tid && t != vt_tls.own && !is_out(t, tid)) return 0;
  }
  return 1;
}

void vt_thread_begin_all(void) {
  uint32_t cnt = atomic_load_explicit(&state_cnt, memory_order_relaxed);
  for (uint32_t id = 1; id < cnt && id < STATES_MAX; id++) {
    vt_thread_t *t = state_at(id);
    if (!t) continue;
    set_stream(t);
    vt_unwind_reset(t->stream.unwind);
    t->intent_end = NULL;
    for (int i = 0; i < VT_COMM_SZ / 8; i++) atomic_store_explicit(&t->comm[i], 0, memory_order_relaxed);
    vt_stream_thread(&t->stream, vt_thread_tid(t), atomic_load_explicit(&t->number, memory_order_relaxed));
  }
}

void vt_thread_sample_all(void) {
  uint32_t cnt = atomic_load_explicit(&state_cnt, memory_order_relaxed);
  for (uint32_t id = 1; id < cnt && id < STATES_MAX; id++)
    if (state_at(id)) vt_sampling_thread(state_at(id));
}

void vt_thread_reset_all(vt_thread_t *keep) {
  uint32_t cnt = atomic_load_explicit(&state_cnt, memory_order_relaxed);
  atomic_store_explicit(&free_head, 0, memory_order_relaxed);
  atomic_store_explicit(&thread_cnt, 0, memory_order_relaxed);
  vt_tls.thread = 0;
  for (uint32_t id = 1; id < cnt && id < STATES_MAX; id++) {
    vt_thread_t *t = state_at(id);
    if (!t) continue;
    set_stream(t);
    vt_unwind_reset(t->stream.unwind);
    if (t != keep) push_free(t);
  }
}
