/* Start, fork and end of a process image, and the slow ways into and out of an event. */
#include "preload/process.h"
#include "preload/record.h"
#include "preload/attached.h"
#include "preload/early.h"
#include "preload/environment.h"
#include "preload/first.h"
#include "preload/hooks.h"
#include "preload/mappings.h"
#include "preload/options.h"
#include "preload/patched.h"
#include "preload/python.h"
#include "preload/sampling.h"
#include "preload/snapshot.h"
#include "preload/text.h"
#include "core/trace/debugged.h"
#include "core/trace/libc.h"
#include "core/trace/symbol.h"
#include "core/trace/sys.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CALIBRATION_NS 100000
#define STACK_MAX      ((uint64_t)64 << 20)

/* The page must lie in anonymous memory for MADV_WIPEONFORK: whole pages of .bss do. */
vt_gate_t vt_gate __attribute__((aligned(4096)));
vt_process_t vt_process = {.allowed = VT_FILTER_ALL, .sink.paused = &vt_sink_never_paused};
static _Atomic int started; /* 0 not yet, 1 someone is at it, 2 done */
static _Atomic int ended;
static uint64_t new_before; /* vt_cxx_before: the same for all images that fork from this one */

void vt_say(char const *what, char const *why, char const *advice) {
  static _Atomic int said;
  char line[512];
  size_t n = 0;
  if (vt_attached()) return vt_attached_say(why); /* the program's standard error is not ours */
  if (atomic_exchange_explicit(&said, 1, memory_order_relaxed)) return;
  char const *parts[] = {"valtrace: ", what, ": ", why, " (", advice, ")\n"};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    size_t len = strlen(parts[i]);
    if (len > sizeof line - n) len = sizeof line - n;
    memcpy(line + n, parts[i], len);
    n += len;
  }
  vt_sys_write(STDERR_FILENO, line, n);
}

/* clock_choose trusts the TSC where the kernel does. */
static vt_clock_kind_t clock_choose(void) {
  char source[8] = "";
  int fd = vt_sys_open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
                       O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return VT_CLOCK_MONOTONIC;
  long n = vt_sys_read(fd, source, sizeof source - 1);
  vt_sys_close(fd);
  return n >= 4 && !memcmp(source, "tsc\n", 4) ? VT_CLOCK_TSC : VT_CLOCK_MONOTONIC;
}

/* calibrate estimates ticks per second over a tenth of a millisecond; segments carry pairs that let
   a reader do better. */
static uint64_t calibrate(vt_clock_kind_t kind) {
  if (kind == VT_CLOCK_MONOTONIC) return 1000000000u;
  uint64_t ns0 = vt_clock_ns(CLOCK_MONOTONIC), tick0 = vt_clock_tick(kind), ns;
  do ns = vt_clock_ns(CLOCK_MONOTONIC);
  while (ns - ns0 < CALIBRATION_NS);
  uint64_t ticks = vt_clock_tick(kind) - tick0;
  return (uint64_t)((unsigned __int128)ticks * 1000000000u / (ns - ns0));
}

static void note_start(void) {
  vt_process.start_tick = vt_clock_tick(vt_process.sink.clock);
  vt_process.start_unix_ns = vt_clock_ns(CLOCK_REALTIME);
  vt_process.ppid = (uint32_t)vt_sys_getppid();
}

static int children_off(void) {
  /* A text log has no room for a second process's addresses. */
  return (vt_options.no_children || vt_options.text_fd >= 0) && vt_first_known() &&
         !vt_first_is_me();
}

/* refuse says why this process is not recorded. Children of a collected run write nothing to their
   standard error, which may be somebody's input: `run` tells how many they are, if they can reach
   the collector. */
static int refuse(char const *why, char const *advice) {
  int is_child = vt_options.collector && vt_first_known() && !vt_first_is_me();
  vt_sink_unrecorded(&vt_process.sink, 1);
  if (!is_child) vt_say("this process is not recorded", why, advice);
  return -1;
}

#define NO_MEMORY "no memory for the recorder", "raise the limit on the address space"

/* begin_image opens the trace of this image and writes what it begins with. */
static int begin_image(void) {
  char const *why = "";
  note_start();
  if (vt_options.text_fd < 0 && vt_image_open(&why))
    return refuse(why, "set VALTRACE_OUTPUT to a path that can be written");
  vt_thread_t *t = vt_tls.own ? vt_tls.own : vt_thread_acquire();
  if (!t) return refuse(NO_MEMORY);
  if (!vt_tls.own) vt_thread_adopt(t);
  if (vt_sampling_begin()) return refuse(NO_MEMORY);
  if (vt_options.text_fd < 0 && vt_image_begin(&t->stream))
    return refuse("the collector makes no room", "is it stopped, or the disk full?");
  vt_sink_count(&vt_process.sink, VT_COUNTER_SHIM_BYTES, VT_UNWIND_GLOBAL_SZ);
  vt_sink_count(&vt_process.sink, VT_COUNTER_ALLOCATOR_IN_EXECUTABLE, vt_patched_order());
  vt_sink_note(&vt_process.sink, VT_COUNTER_NEW_BEFORE, new_before);
  if (vt_options.text_fd < 0) vt_patched_write(&t->stream, 1);
  vt_snapshot_watch();
  return 0;
}

static void on_process_exit(int known, int status) {
  vt_process_end(VT_PROCESS_EXIT, known ? (uint32_t)status & 0xff : VT_STATUS_UNKNOWN);
}

static void gate_set(uint32_t value) {
  atomic_store_explicit(&vt_gate.value, value, memory_order_relaxed);
}

void vt_process_close_gate(void) {
  if (vt_process.not_wiped) gate_set(VT_GATE_CLOSED);
}

/* on_fork runs in the child, before other handlers: ours is the first that was registered. */
static void on_fork(void) {
  vt_environment_forked();
  vt_process_close_gate();
  vt_process_forked();
}

/* __libc_single_threaded of glibc from 2.32 on; NULL: nothing tells of threads that record nothing. */
static char const *single_threaded;

/* set_up prepares all that does not belong to one trace. The environment of a process that was attached to has
   nothing of ours, and the program is left to read and change it. */
static int set_up(void) {
  int attached = vt_attached();
  char const *error = vt_options_read(attached ? vt_attached_options() : environ);
  if (!attached) vt_environment_conceal();
  if (error) vt_say("bad option", error, "the default is used");
  vt_process.sink.clock = clock_choose();
  vt_process.tick_hz = calibrate(vt_process.sink.clock);
  if (children_off()) return -1;
  if (!vt_first_known()) vt_first_tell();
  void *rules = vt_sys_memory(VT_UNWIND_GLOBAL_SZ);
  if (!rules || vt_unwind_global_init(rules, VT_UNWIND_GLOBAL_SZ) || vt_thread_init() ||
      vt_module_init(vt_process.sink.clock))
    return refuse(NO_MEMORY);
  vt_unwind_object_seen = vt_module_seen;
  if (vt_options.libunwind && vt_unwind_use_libunwind())
    vt_say("VALTRACE_UNWINDER=libunwind", "libunwind.so.8 cannot be loaded",
           "install libunwind8; the own unwinder is used");
  if (vt_options.unwind_check) {
    vt_unwind_load_libunwind(); /* without it, one opinion must do */
    atomic_fetch_or_explicit(&vt_capture_more, VT_CAPTURE_CHECK, memory_order_relaxed);
  }
  vt_process.not_wiped = vt_sys_madvise(&vt_gate, sizeof vt_gate, MADV_WIPEONFORK) != 0;
  vt_mappings_init();
  vt_names_init();
  single_threaded = vt_symbol_from(vt_object_first(), "__libc_single_threaded", NULL);
  if (vt_options.text_fd >= 0) vt_text_init();
  if (attached)
    vt_attached_patch();
  else
    vt_patched_begin();
  if (!vt_patched_new() && !attached) new_before = (uint64_t)vt_cxx_before();
  vt_libc_at_exit(on_process_exit);
  vt_libc_at_fork(on_fork);
  return 0;
}

/* start runs once, in the first hook or the constructor, whichever comes first. */
static void start(void) {
  int none = 0;
  if (!environ) return; /* libc is not set up yet: a resolver of an indirect function allocates */
  if (!atomic_compare_exchange_strong_explicit(&started, &none, 1, memory_order_acq_rel,
                                               memory_order_acquire))
    return;
  int saved_errno = errno;
  uint64_t busy = vt_internal_begin();
  int failed = set_up() || begin_image();
  vt_internal_end(busy);
  if (vt_attached()) failed = vt_attached_ready(failed);
  gate_set(failed ? VT_GATE_OFF : VT_GATE_RECORDING);
  atomic_store_explicit(&started, 2, memory_order_release);
  if (vt_attached()) vt_attached_begun(failed);
  if (!failed) vt_early_replay();
  errno = saved_errno;
}

int vt_process_waiting(void) { return atomic_load_explicit(&started, memory_order_acquire) == 0; }

__attribute__((constructor)) static void on_load(void) {
  if (!atomic_load_explicit(&started, memory_order_acquire)) start();
  if (atomic_load_explicit(&vt_gate.value, memory_order_relaxed) != VT_GATE_RECORDING) return;
  vt_debugged_objects(vt_object_first());
  if (vt_attached())
    vt_python_passed();
  else
    vt_python_begin();
}

void vt_process_forked(void) {
  if (atomic_load_explicit(&started, memory_order_acquire) != 2 ||
      atomic_load_explicit(&vt_gate.value, memory_order_relaxed) != VT_GATE_CLOSED)
    return; /* the atfork handler and the first event both come here */
  gate_set(VT_GATE_OFF);
  if (!(vt_process.allowed & VT_FILTER_OPEN)) return;
  if (vt_attached_idle()) { /* who attaches to this child will find its threads as they are */
    vt_thread_reset_all(vt_tls.own);
    if (vt_tls.own) vt_thread_take_over(vt_tls.own);
  }
  if (vt_attached_changes()) vt_sink_forget_ring(&vt_process.sink);
  if (children_off() || vt_attached_idle()) return vt_sink_forked(&vt_process.sink);
  vt_tls.busy = 0;
  uint64_t busy = vt_internal_begin();
  vt_process.forked = 1;
  atomic_store_explicit(&ended, 0, memory_order_relaxed);
  vt_sink_forked(&vt_process.sink);
  vt_thread_reset_all(vt_tls.own);
  vt_module_restart();
  vt_virtual_forked();
  vt_debugged_forked();
  if (vt_tls.own) vt_thread_take_over(vt_tls.own);
  int failed = begin_image();
  if (!failed) vt_names_thread_begins(vt_tls.own);
  if (!failed) vt_python_tell_again(vt_tls.own);
  vt_internal_end(busy);
  if (!failed) gate_set(VT_GATE_RECORDING);
}

int vt_process_again(void) {
  uint64_t busy = vt_internal_begin();
  vt_options_read(vt_attached_options());
  vt_process.forked = 0;
  atomic_store_explicit(&ended, 0, memory_order_relaxed);
  vt_sink_leave_ring(&vt_process.sink);
  vt_sink_forked(&vt_process.sink);
  vt_unwind_epoch_begin();
  vt_unwind_epoch_end();
  vt_thread_begin_all();
  vt_object_mapped();
  vt_module_again(vt_clock_tick(vt_process.sink.clock));
  int failed = begin_image();
  vt_thread_sample_all();
  vt_internal_end(busy);
  return failed;
}

void vt_process_open_gate(void) {
  gate_set(VT_GATE_RECORDING);
  vt_python_passed_again(vt_attach_v1->python != 0);
}

int vt_on_signal_stack(void) {
  stack_t ss = {0};
  if (!(vt_process.allowed & VT_FILTER_ASK)) return 1; /* as far as one may know */
  return vt_sys(SYS_sigaltstack, 0, (long)&ss, 0, 0, 0, 0) == 0 && (ss.ss_flags & SS_ONSTACK);
}

/* left_behind: the hook that was busy has been left by a longjmp, as its frame is below ours; or is
   ours, when what it called cannot be back here. */
static int left_behind(uint64_t frame) {
  uint64_t busy = vt_tls.busy & ~VT_BUSY_INSIDE;
  int below = busy == vt_tls.busy ? frame > busy : frame >= busy;
  return below && frame - busy < STACK_MAX && !vt_on_signal_stack();
}

static void forget_left(void) {
  int recording = !(vt_tls.busy & VT_BUSY_INSIDE);
  vt_tls.busy = 0;
  if (!recording) return;
  vt_tls.own->stream.depth = VT_DEPTH_UNKNOWN;
  vt_unwind_reset(vt_tls.own->stream.unwind);
}

int vt_inside_another(uint64_t frame) {
  if (!(vt_tls.busy & VT_BUSY_INSIDE) || vt_tls.quiet) return 0;
  if (left_behind(frame)) forget_left();
  return (vt_tls.busy & VT_BUSY_INSIDE) != 0;
}

/* borrow takes a state for one event, if the gate is still open: a state that is in use keeps others out (see vt_enter). */
static vt_thread_t *borrow(vt_counter_t lost) {
  vt_thread_t *t = vt_thread_acquire();
  if (!t) vt_sink_count(&vt_process.sink, lost, 1);
  if (!t || vt_gate_open()) return t;
  vt_thread_release(t);
  return NULL;
}

vt_thread_t *vt_enter_slow(uint64_t frame) {
  if (vt_tls.quiet) return NULL;
  uint32_t gate = atomic_load_explicit(&vt_gate.value, memory_order_relaxed);
  if (gate == VT_GATE_CLOSED) {
    if (atomic_load_explicit(&started, memory_order_acquire) == 2)
      vt_process_forked();
    else
      start();
    if (vt_paused()) return NULL; /* nobody knew when the event came */
    gate = atomic_load_explicit(&vt_gate.value, memory_order_relaxed);
  }
  if (gate == VT_GATE_STOPPED) vt_sink_count(&vt_process.sink, VT_COUNTER_LOST, 1);
  if (gate != VT_GATE_RECORDING) return NULL;
  if (vt_tls.busy && left_behind(frame)) forget_left();
  if (vt_tls.busy & VT_BUSY_INSIDE) return NULL;
  if (vt_tls.busy) return borrow(VT_COUNTER_NESTED_LOST);
  if (!vt_tls.own) {
    vt_thread_t *t = borrow(VT_COUNTER_LOST);
    if (!t || vt_tls.exiting >= PTHREAD_DESTRUCTOR_ITERATIONS) return t;
    vt_thread_adopt(t);
    vt_tls.busy = frame;
    vt_names_thread_begins(t);
  }
  vt_tls.busy = frame;
  atomic_signal_fence(memory_order_seq_cst);
  if (vt_gate_open()) return vt_tls.own;
  vt_tls.busy = 0;
  return NULL;
}

void vt_leave_slow(vt_thread_t *t) { vt_thread_release(t); }

void vt_losing(vt_thread_t *t) {
  if (atomic_load_explicit(&t->stream.sink->stopped, memory_order_relaxed))
    gate_set(VT_GATE_STOPPED);
}

/* The registers that calls preserve, where a snapshot finds them. */
#if defined(__x86_64__)
#define SPILL(regs)                                                                                \
  __asm__ volatile("movq %%rbx, 0(%0)\n\tmovq %%rbp, 8(%0)\n\tmovq %%r12, 16(%0)\n\t"             \
                   "movq %%r13, 24(%0)\n\tmovq %%r14, 32(%0)\n\tmovq %%r15, 40(%0)"                \
                   :                                                                               \
                   : "r"(regs)                                                                     \
                   : "memory")
#else
#define SPILL(regs)                                                                                \
  __asm__ volatile("stp x19, x20, [%0]\n\tstp x21, x22, [%0, 16]\n\tstp x23, x24, [%0, 32]\n\t"   \
                   "stp x25, x26, [%0, 48]\n\tstp x27, x28, [%0, 64]"                              \
                   :                                                                               \
                   : "r"(regs)                                                                     \
                   : "memory")
#endif
#define SPILLED 10

static vt_snapshot_kind_t snapshot_kind(vt_process_kind_t kind) {
  return kind == VT_PROCESS_EXIT ? VT_SNAPSHOT_EXIT : VT_SNAPSHOT_EXEC;
}

/* say_end writes how this image ends and hands the thread's records over. sp: see vt_snapshot_note; 0:
   nobody will look at the memory. */
static void say_end(vt_process_kind_t kind, uint32_t value, char const *text, uint64_t sp) {
  vt_thread_t *t = vt_enter(__builtin_frame_address(0));
  if (!t) return;
  vt_module_flush(&t->stream);
  if (vt_process_may_ask()) vt_image_memory(&t->stream, kind != VT_PROCESS_EXEC_FAILED);
  if (kind != VT_PROCESS_EXEC_FAILED) vt_names_process_ends(t);
  vt_patched_write(&t->stream, 0);
  if (vt_process_may_ask()) vt_debugged_tell(&t->stream);
  if (sp) vt_snapshot_note(&t->stream, snapshot_kind(kind), sp);
  vt_sink_threaded(&vt_process.sink, single_threaded && !*single_threaded);
  vt_image_process(&t->stream, kind, value, text);
  vt_stream_finish(&t->stream);
  t->stream.depth = VT_DEPTH_UNKNOWN;
  vt_leave(t);
}

/* recording_here: is this image recorded, and are we not in a vfork child of it? */
static int recording_here(void) {
  return vt_gate_open() && vt_options.text_fd < 0 &&
         (vt_process.filtered || vt_process.sink.pid == (uint32_t)vt_sys_getpid());
}

/* leave says how the image ends and leaves its memory to the collector. */
static void leave(vt_process_kind_t kind, uint32_t value, char const *text) {
  uint64_t registers[SPILLED] = {0};
  int wanted = vt_snapshot_wanted();
  SPILL(registers);
  say_end(kind, value, text, wanted ? (uint64_t)registers : 0);
  if (wanted) vt_snapshot_make(snapshot_kind(kind));
}

void vt_process_end(vt_process_kind_t kind, uint32_t value) {
  if (!recording_here() || atomic_exchange_explicit(&ended, 1, memory_order_relaxed)) return;
  leave(kind, value, "");
  if (!vt_process.sink.ring && !vt_process.filtered) vt_sink_close_file(&vt_process.sink);
}

int vt_process_ending(void) { return atomic_load_explicit(&ended, memory_order_relaxed); }

void vt_process_exec(char const *path) {
  if (!recording_here()) return;
  leave(VT_PROCESS_EXEC, 0, path ? path : "");
  if (!vt_process.sink.ring) vt_sink_close_file(&vt_process.sink);
}

void vt_process_exec_failed(void) {
  if (!recording_here()) return;
  vt_snapshot_unmake();
  say_end(VT_PROCESS_EXEC_FAILED, 0, "", 0);
}
