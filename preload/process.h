/* The life of a process image under the shim: start, fork, exec, exit; and the per-thread state
   that a hook enters and leaves.

   The gate is the one word the event path reads to learn whether to record. It lies in a page that
   a fork wipes, so that a child, however it was forked, finds it closed and starts a trace of its
   own. */
#ifndef VT_PRELOAD_PROCESS_H
#define VT_PRELOAD_PROCESS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include "core/trace/hidden.h"
#include "core/trace/module.h"
#include "core/trace/sampler.h"
#include "core/trace/stream.h"
#include "core/trace/unwind.h"
#include "core/trace/frames/virtual.h"
#include "preload/filter.h"

#define VT_LIKELY(x)   __builtin_expect(!!(x), 1)
#define VT_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define VT_EXPORT      __attribute__((visibility("default")))

#define VT_RECORDED_FIRST 30

#define VT_COMM_SZ 16 /* of a thread's name in the kernel, with the terminating zero */

/* What one thread needs to record: reused by later threads, never unmapped. */
typedef struct vt_thread {
  vt_stream_t stream;
  uint32_t id;                           /* index in the table of states */
  uint32_t next;                         /* id of the next free state */
  _Atomic uint32_t tid;                  /* of the thread that uses the state; 0: none */
  _Atomic uint32_t number;               /* of that thread in this image */
  _Atomic uint32_t named;                /* it has told its name: the kernel's does not count */
  _Atomic uint64_t comm[VT_COMM_SZ / 8]; /* the kernel's, as written to the trace */
  vt_sampler_t sampler;                  /* of a sampled recording, … */
  uint64_t sampler_image;                /* … seeded for this image, … */
  uint64_t taken_key;                    /* … and the block that it took last, … */
  int64_t taken_left;                    /* … with what was left then: less, when others were allocated since */
  vt_virtual_t *virtual_frames; /* NULL until there are any */
  void *tls; /* vt_tls of the thread that uses the state */
  char *text;                            /* buffer of the text sink, NULL when recording a trace */
  uint8_t
      *intent_end; /* the stream's cursor after a REALLOC_INTENT whose DONE is to come, or NULL */
  void **recorded; /* see watch.h: `first_recorded`, or what it grew to, of recorded_cap entries */
  uint32_t recorded_cap;
  void *first_recorded[VT_RECORDED_FIRST];
} vt_thread_t;

static inline uint32_t vt_thread_tid(vt_thread_t const *t) {
  return atomic_load_explicit(&t->tid, memory_order_relaxed);
}

/* All thread-local storage of the shim. */
typedef struct {
  vt_thread_t *own;    /* this thread's state; NULL before its first event and after its end */
  uint64_t busy;       /* frame address of the hook that uses `own`, VT_BUSY_QUIET, or 0: none */
  uint32_t thread;     /* its number in this image, from 1; 0: it had no event yet */
  uint32_t api_sz;     /* `api` is for a malloc of at least so many bytes; UINT32_MAX: or more */
  uint16_t quiet;      /* > 0: events of this thread are not recorded */
  uint8_t api;         /* vt_api_t + 1 set by operator new/delete for the malloc/free inside, or
                          VT_API_INTERNAL, or 0 */
  uint8_t exiting;     /* rounds of thread-specific destructors seen; see thread.c */
  /* About providers of operator new and delete that need not call malloc and free; watch.h: */
  uint32_t recorded_cnt; /* allocations noted in `own` since the outermost call of one */
  uint64_t watch;        /* frame of the hook that called it; 0: none runs */
  void *freeing;         /* the block that is being deleted, whose free is recorded */
  void *last_recorded;   /* the last allocation; serves where there is no `own` */
  uint64_t said;         /* set with `api` by operator delete: what it was told; vt_said, 0: nothing */
} vt_tls_t;
#define VT_BUSY_QUIET   UINT64_MAX
/* Set in `busy` while the real function behind a patched entry runs: what it calls in turn is no event
   of its own. See vt_enter_slow. */
#define VT_BUSY_INSIDE  ((uint64_t)1)
#define VT_API_INTERNAL UINT8_MAX
extern __thread vt_tls_t vt_tls;
_Static_assert(sizeof(vt_tls_t) <= 64, "dlopen of the shim needs static TLS");

enum { VT_GATE_CLOSED = 0, VT_GATE_RECORDING = 1, VT_GATE_STOPPED = 2, VT_GATE_OFF = 3 };
typedef union {
  _Atomic uint32_t value; /* VT_GATE_… */
  uint8_t page[4096];
} vt_gate_t;
extern VT_HIDDEN vt_gate_t vt_gate;
static inline int vt_gate_open(void) {
  return atomic_load_explicit(&vt_gate.value, memory_order_relaxed) == VT_GATE_RECORDING;
}

typedef struct {
  vt_sink_t sink;
  uint64_t start_tick;
  uint64_t start_unix_ns;
  uint64_t tick_hz;
  uint32_t ppid;
  int forked;   /* this image began with a fork, not with an exec */
  int filtered; /* a seccomp filter is installed: system calls a plain program would not make are
                   out, but for what `allowed` has of them */
  int allowed;  /* VT_FILTER_… */
  int not_wiped; /* a fork does not wipe the gate (Linux before 4.14): who forks must close it */
} vt_process_t;
extern VT_HIDDEN vt_process_t vt_process;

/* vt_process_may_ask: may the kernel be asked what a plain program would not ask it? */
static inline int vt_process_may_ask(void) {
  return !vt_process.filtered && !vt_process.sink.silent;
}

/* vt_paused: are blocks not to be recorded now, as the collector wants it? What gives the rest its meaning is recorded
   all the time: modules, heaps, mappings, names, the end. */
static inline int vt_paused(void) {
  return VT_UNLIKELY(atomic_load_explicit(vt_process.sink.paused, memory_order_relaxed) != 0);
}

/* vt_process_close_gate is for a forked child of a process that is `not_wiped`. */
void vt_process_close_gate(void);

/* vt_process_again begins a trace in a process that was detached from: no thread may be in the recorder
   (vt_thread_all_out). Returns 0 or -1. vt_process_open_gate then begins recording, and says what of an interpreter is not in it. */
int vt_process_again(void);
void vt_process_open_gate(void);

/* vt_enter_slow: start of the process, of a forked child or of a thread; nested and late events. */
vt_thread_t *vt_enter_slow(uint64_t frame);
void vt_leave_slow(vt_thread_t *t);

/* vt_inside_another: does the real function behind a patched entry call the hook whose frame is this,
   so that it is no event of its own? */
int vt_inside_another(uint64_t frame);
/* vt_losing: an event could not be written; closes the gate when recording has stopped. */
void vt_losing(vt_thread_t *t);

/* vt_quiet_begin and vt_quiet_end bracket what is not to be recorded on this thread. `begin`
   returns what `end` needs. */
static inline uint64_t vt_quiet_begin(void) {
  uint64_t busy = vt_tls.busy;
  vt_tls.quiet++;
  vt_tls.busy = VT_BUSY_QUIET;
  return busy;
}
static inline void vt_quiet_end(uint64_t busy) {
  vt_tls.quiet--;
  vt_tls.busy = busy;
}

/* vt_internal_begin and vt_internal_end bracket calls into libc that the shim makes for itself:
   what they allocate comes from the shim's own arena, so that its later free is no event either. */
static inline uint64_t vt_internal_begin(void) {
  vt_tls.api = VT_API_INTERNAL;
  return vt_quiet_begin();
}
static inline void vt_internal_end(uint64_t busy) {
  vt_quiet_end(busy);
  vt_tls.api = 0;
}

/* vt_inside_begin and vt_inside_end bracket a call of an interpreter's allocator by the hook with that
   frame, which records the block: nothing inside is an event, but mappings are. */
static inline uint64_t vt_inside_begin(void const *frame) {
  uint64_t busy = vt_tls.busy;
  vt_tls.busy = (uint64_t)frame | VT_BUSY_INSIDE;
  atomic_signal_fence(memory_order_seq_cst);
  return busy;
}
static inline void vt_inside_end(uint64_t busy) {
  atomic_signal_fence(memory_order_seq_cst);
  vt_tls.busy = busy;
}

/* vt_enter begins the recording of one event and returns the state to record with, owned until
   vt_leave; NULL: do not record. `frame` is the hook's frame address.

   `busy` is stored before the gate is read, so that who asks for vt_thread_all_out overlooks nobody. The gate is closed
   while all threads are stopped (analyzer/attach/leave.c), and a thread is stopped between two instructions, with those
   before done for all to see and those behind not begun: one that stands before the store finds the gate closed when it
   goes on; one behind it is busy until it has found that out, or has written its event. So the compiler's order is enough. */
static inline vt_thread_t *vt_enter(void const *frame) {
  vt_thread_t *t = vt_tls.own;
  if (VT_UNLIKELY(!t || vt_tls.busy)) return vt_enter_slow((uint64_t)frame);
  vt_tls.busy = (uint64_t)frame;
  atomic_signal_fence(memory_order_seq_cst);
  if (VT_LIKELY(vt_gate_open())) return t;
  vt_tls.busy = 0;
  return vt_enter_slow((uint64_t)frame);
}

static inline void vt_leave(vt_thread_t *t) {
  atomic_signal_fence(memory_order_seq_cst);
  if (VT_UNLIKELY(t != vt_tls.own)) return vt_leave_slow(t);
  vt_tls.busy = 0;
}

/* vt_on_signal_stack: does this thread run on its alternate signal stack, as far as one may ask? */
int vt_on_signal_stack(void);

/* vt_process_memory is vt_sys_memory, less calls that a seccomp filter may not expect. */
void *vt_process_memory(size_t sz);

/* thread.c: the states. vt_thread_acquire returns a free or new state set up for the calling thread
   (NULL: no memory); vt_thread_reset_all makes all but `keep` free, in a forked child. */
vt_thread_t *vt_thread_acquire(void);
void vt_thread_release(vt_thread_t *t);
/* vt_thread_take_over makes a state the calling thread's that was its parent's before a fork. */
void vt_thread_take_over(vt_thread_t *t);
void vt_thread_adopt(vt_thread_t *t);
void vt_thread_reset_all(vt_thread_t *keep);
int vt_thread_init(void);

/* vt_thread_all_out: is no thread in the middle of an event? To be asked while the gate is closed, so that nobody can come
   in. States of threads that have ended without a word are taken back. vt_thread_begin_all then makes all states
   begin a trace, with the threads that they have; vt_thread_sample_all, when that is open, its sample. */
int vt_thread_all_out(void);
void vt_thread_begin_all(void);
void vt_thread_sample_all(void);

/* vt_thread_unlock undoes for the states what mlockall did. */
void vt_thread_unlock(void);

/* vt_thread_memory tells of state `id` where it is (NULL: there is none), of VT_THREAD_STATE_SZ bytes, and
   where vt_tls of the thread is that uses it (NULL: none). Numbers begin at 1; returns 0 beyond the last. */
#define VT_THREAD_STATE_SZ (sizeof(vt_thread_t) + VT_UNWIND_STATE_SZ)
int vt_thread_memory(uint32_t id, void const **state, void const **local);

/* vt_thread_number is the number by which the kernel knows a living thread, 0 when it cannot be
   told. Of a vfork child that asks for pthread_self(): its own, not its parent's. */
uint32_t vt_thread_number(pthread_t thread);

/* vt_thread_nameless is the state of that number, if a thread uses it that has not told its name by
   an annotation; else *state is NULL. Numbers begin at 1; returns 0 beyond the last. The thread may
   end meanwhile. */
int vt_thread_nameless(uint32_t id, vt_thread_t **state);

/* names.c: vt_names_init asks for the program's own name. vt_names_thread_begins and
   vt_names_thread_ends write the calling thread's, vt_names_process_ends with its stream those of
   all threads that still live, vt_names_given a name that a thread was just given. */
void vt_names_init(void);
void vt_names_thread_begins(vt_thread_t *t);
void vt_names_given(uint32_t tid, char const *name);
void vt_names_thread_ends(void);
void vt_names_process_ends(vt_thread_t *t);

/* image.c: the messages a trace begins with. */
int vt_image_open(char const **why);
int vt_image_begin(vt_stream_t *s);
void vt_image_process(vt_stream_t *s, vt_process_kind_t kind, uint32_t value, char const *text);

/* vt_image_text writes a message of the time, a thread and a text. */
void vt_image_text(vt_stream_t *s, vt_chunk_type_t type, vt_thread_t const *thread,
                   char const *text, size_t sz);

/* vt_image_read reads at most cap bytes of a small file; returns the number read, 0 on errors. */
size_t vt_image_read(char const *path, char *buf, size_t cap);

/* vt_image_memory writes a memory sample and notes the most resident memory this image ever had: what
   is sampled while it runs misses the peaks of short programs. last: the image ends now, so that this is
   certain. */
void vt_image_memory(vt_stream_t *s, int last);

/* vt_process_end records how the process ends and completes the trace; only the first call counts.
 */
void vt_process_end(vt_process_kind_t kind, uint32_t value);

/* vt_process_exec records that exec is about to replace this image, vt_process_exec_failed that it
   did not. Only for the process the trace is of, not for its vfork children. */
void vt_process_exec(char const *path);
void vt_process_exec_failed(void);

/* vt_process_forked begins the trace of a forked child; does nothing when it has begun. */
void vt_process_forked(void);

/* vt_process_ending: it has been recorded how the process ends. */
int vt_process_ending(void);

/* vt_process_waiting: recording has not begun and will. */
int vt_process_waiting(void);

/* vt_say writes one line "valtrace: what: why (what to do)" to standard error, once. */
void vt_say(char const *what, char const *why, char const *advice);

#endif
