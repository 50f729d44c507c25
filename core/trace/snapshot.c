/* See snapshot.h. The heir has the registers of the thread that made it, and so its thread-local
   storage: nothing here may touch errno or call what does. */
#include "core/trace/snapshot.h"
#include "core/trace/held.h"
#include "core/trace/sys.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2
#endif
#ifndef __WALL
#define __WALL 0x40000000
#endif
#define STACK_SZ  16384
#define DESCRIPTORS_MAX (1 << 20)
#define LAYOUT_SZ 32768
#define WATCH_NS  ((uint64_t)200 * 1000 * 1000) /* between looks whether process and collector are still there */
#define STEP_NS  ((uint64_t)50 * 1000 * 1000)
#define DEAD_NS  ((uint64_t)2000 * 1000 * 1000) /* of a collector that shows no life */
#define START_NS ((uint64_t)1000 * 1000 * 1000)
/* While stopped threads end, and how long the process has for that. */
#define REAP_NS   ((uint64_t)1000 * 1000)
#define LET_GO_NS ((uint64_t)200 * 1000 * 1000)

static uint8_t stack[STACK_SZ] __attribute__((aligned(16)));
static struct {
  vt_ring_t *ring;
  vt_ring_image_t *image;
  int pid, tid; /* who made the heir */
  int stops;    /* its other threads are stopped */
  long heir;    /* 0: none */
  vt_heir_layout_fn *layout; /* of a sentinel */
  int stands;       /* all threads stand, for the copy of this number, … */
  uint32_t number;
  uint32_t unknown; /* … the registers of so many of them not being known */
  vt_held_t held;
} left;
static uint8_t layout[LAYOUT_SZ];

static uint32_t state_of(vt_ring_image_t *image) {
  return atomic_load_explicit(&image->heir_state, memory_order_acquire);
}

static uint32_t copy_state_of(vt_ring_image_t *image) {
  return atomic_load_explicit(&image->copy_state, memory_order_acquire);
}

static void put_state(_Atomic uint32_t *word, uint32_t state) {
  atomic_store_explicit(word, state, memory_order_release);
  vt_sys(SYS_futex, (long)word, FUTEX_WAKE, INT_MAX, 0, 0, 0);
}

static void set_state(vt_ring_image_t *image, uint32_t state) { put_state(&image->heir_state, state); }

static void end_heir(void) {
  for (;;) vt_sys(SYS_exit_group, 0, 0, 0, 0, 0, 0);
}

/* close_each does what close_range does, on kernels before 5.9: a descriptor above the limit, which has been
   lowered since, stays open. */
static int close_each(void) {
  struct rlimit limit;
  if (vt_sys(SYS_unshare, CLONE_FILES, 0, 0, 0, 0, 0) || vt_sys_getrlimit(RLIMIT_NOFILE, &limit))
    return -1;
  for (uint64_t fd = 0; fd < limit.rlim_cur && fd < DESCRIPTORS_MAX; fd++) vt_sys_close((int)fd);
  return 0;
}

/* withdraw gives up all that others could notice of the heir. */
static int withdraw(vt_ring_t *ring) {
  if (vt_sys(SYS_close_range, 0, UINT_MAX, CLOSE_RANGE_UNSHARE, 0, 0, 0) && close_each()) return -1;
  vt_sys(SYS_setsid, 0, 0, 0, 0, 0, 0);
  vt_sys(SYS_chdir, (long)"/", 0, 0, 0, 0, 0);
  vt_sys(SYS_prctl, PR_SET_NAME, (long)"valtrace-heir", 0, 0, 0, 0);
  vt_sys(SYS_prctl, PR_SET_PTRACER, ring->collector_pid, 0, 0, 0, 0);
  return 0;
}

/* attend lets the end of stopped threads be seen; returns how long the heir may sleep until then. */
static uint64_t attend(uint64_t slept_ns) {
  if (!left.held.stopped) return STEP_NS;
  vt_held_reap(&left.held);
  if (left.held.stopped && slept_ns > LET_GO_NS) vt_held_let_go(&left.held, left.pid);
  return REAP_NS;
}

/* sleep_on sleeps until what is kept is released, or nobody can be there to release it. That the time is over is said
   before the memory goes: the collector may come, or be in the middle of its look, only then. */
static void sleep_on(vt_ring_t *ring, _Atomic uint32_t *state) {
  uint64_t now = vt_clock_ns(CLOCK_MONOTONIC), start = now, sign = now, end = now + ring->heir_limit_ns;
  uint32_t alive = atomic_load_explicit(&ring->alive, memory_order_relaxed);
  while (atomic_load_explicit(state, memory_order_acquire) == VT_HEIR_READY && now < end && now - sign < DEAD_NS) {
    vt_sys_futex_wait(state, VT_HEIR_READY, attend(now - start));
    now = vt_clock_ns(CLOCK_MONOTONIC);
    uint32_t seen = atomic_load_explicit(&ring->alive, memory_order_relaxed);
    if (seen != alive) sign = now;
    alive = seen;
  }
  uint32_t ready = VT_HEIR_READY;
  if (now >= end) atomic_compare_exchange_strong_explicit(state, &ready, VT_HEIR_OVER, memory_order_release, memory_order_relaxed);
}

/* gather: all other threads are stopped, or there are none, so that nothing changes. */
static void gather(void) {
  left.held = (vt_held_t){0};
  if (left.stops) vt_held_threads(&left.held, left.pid, left.tid);
  vt_held_kernel(&left.held, left.pid);
  if (left.stops) atomic_store_explicit(&left.image->registers_unknown, left.held.unknown, memory_order_relaxed);
}

/* change returns whether the state was as expected; else who made the heir, or the collector, wants another one. */
static int change(uint32_t from, uint32_t to) {
  if (!atomic_compare_exchange_strong_explicit(&left.image->heir_state, &from, to, memory_order_acq_rel,
                                               memory_order_relaxed))
    return 0;
  vt_sys(SYS_futex, (long)&left.image->heir_state, FUTEX_WAKE, INT_MAX, 0, 0, 0);
  return 1;
}

/* withdraw_or_end: without it the heir would be noticed. */
static void withdraw_or_end(void) {
  if (!withdraw(left.ring)) return;
  set_state(left.image, VT_HEIR_NONE);
  end_heir();
}

static void be_heir(void) {
  withdraw_or_end();
  gather();
  if (change(VT_HEIR_STARTING, VT_HEIR_READY)) sleep_on(left.ring, &left.image->heir_state);
  end_heir();
}

/* describe: of a killed process not even the registers of its last thread are known. */
static void describe(void) {
  uint32_t threads = 0;
  uint64_t sz = left.layout(layout, sizeof layout, VT_SNAPSHOT_KILLED, &threads);
  left.held = (vt_held_t){0};
  atomic_store_explicit(&left.image->registers_unknown, threads ? threads : 1, memory_order_relaxed);
  atomic_store_explicit(&left.image->layout_sz, (uint32_t)sz, memory_order_relaxed);
  atomic_store_explicit(&left.image->layout, (uint64_t)layout, memory_order_relaxed);
}

/* is_expected: or another one is, by now. */
static int is_expected(vt_ring_image_t *image) {
  return atomic_load_explicit(&image->copy_number, memory_order_relaxed) == left.number;
}

/* stood: this copy is of when all threads stood. Who stopped them may have been killed, and they ran on. */
static int stood(void) {
  char path[64], status[2048];
  static char const key[] = "\nTracerPid:\t";
  vt_held_path(path, left.pid, "/task/", left.tid);
  strcat(path, "/status");
  int fd = vt_sys_open(path, O_RDONLY | O_CLOEXEC, 0);
  long n = fd < 0 ? 0 : vt_sys_read(fd, status, sizeof status - 1);
  if (fd >= 0) vt_sys_close(fd);
  status[n > 0 ? n : 0] = '\0';
  char const *tracer = strstr(status, key);
  return tracer && tracer[sizeof key - 1] != '0' && is_expected(left.image);
}

static void give_up(void) {
  uint32_t starting = VT_HEIR_STARTING;
  if (is_expected(left.image)) atomic_compare_exchange_strong(&left.image->copy_state, &starting, VT_HEIR_NONE);
}

/* be_copy is what the sentinel forks: the program's memory, of which all else goes its way. It belongs to nobody but the
   collector, so it may be read, and be the first that the system ends when memory is scarce. */
static void be_copy(void) {
  vt_ring_image_t *image = left.image;
  uint32_t threads = 0;
  int fd = vt_sys_open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC, 0);
  if (fd >= 0) vt_sys_write(fd, "1000", 4);
  if (fd >= 0) vt_sys_close(fd);
  vt_sys(SYS_setsid, 0, 0, 0, 0, 0, 0);
  vt_sys(SYS_prctl, PR_SET_NAME, (long)"valtrace-copy", 0, 0, 0, 0);
  vt_sys(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0, 0);
  vt_sys(SYS_prctl, PR_SET_PTRACER, left.ring->collector_pid, 0, 0, 0, 0);
  left.held = (vt_held_t){0};
  vt_held_kernel(&left.held, left.pid);
  uint64_t sz = left.layout(layout, sizeof layout, VT_SNAPSHOT_REQUEST, &threads);
  uint32_t unknown = left.stands ? left.unknown : vt_held_count(left.pid);
  atomic_store_explicit(&image->copy_registers_unknown, unknown, memory_order_relaxed);
  atomic_store_explicit(&image->copy_layout_sz, (uint32_t)sz, memory_order_relaxed);
  atomic_store_explicit(&image->copy_layout, (uint64_t)layout, memory_order_relaxed);
  if (left.stands && !stood()) {
    give_up();
    end_heir();
  }
  put_state(&image->copy_state, VT_HEIR_READY);
  sleep_on(left.ring, &image->copy_state);
  end_heir();
}

/* make_copy forks. One copy at a time: the one before has been released. */
static void make_copy(void) {
  vt_ring_image_t *image = left.image;
  vt_clock_kind_t clock = (vt_clock_kind_t)left.ring->clock;
  atomic_store_explicit(&image->copy_begun, vt_clock_tick(clock), memory_order_relaxed);
  long pid = vt_sys(SYS_clone, CLONE_UNTRACED, 0, 0, 0, 0, 0); /* exit signal 0 */
  if (!pid) be_copy();
  atomic_store_explicit(&image->copy_made, vt_clock_tick(clock), memory_order_relaxed);
  atomic_store_explicit(&image->copy, pid > 0 ? (uint32_t)pid : 0, memory_order_release);
  if (pid < 0) put_state(&image->copy_state, VT_HEIR_NONE);
}

/* be_maker has the copy made, and is gone. */
static void be_maker(void) {
  if (!withdraw(left.ring)) make_copy();
  end_heir();
}

/* watch sleeps until something is asked for, or process or collector have been gone for too long. */
static void watch(void) {
  uint64_t now = vt_clock_ns(CLOCK_MONOTONIC), sign = now, there = now;
  uint32_t alive = atomic_load_explicit(&left.ring->alive, memory_order_relaxed);
  while (state_of(left.image) == VT_HEIR_WATCHING) {
    vt_sys_futex_wait(&left.image->heir_state, VT_HEIR_WATCHING, WATCH_NS);
    now = vt_clock_ns(CLOCK_MONOTONIC);
    uint32_t seen = atomic_load_explicit(&left.ring->alive, memory_order_relaxed);
    if (seen != alive) sign = now;
    alive = seen;
    if (vt_sys_getppid() == left.pid) there = now;
    vt_sys(SYS_wait4, -1, 0, WNOHANG | __WALL, 0, 0, 0); /* a copy that has ended */
    if (now - sign > DEAD_NS || now - there > left.ring->heir_limit_ns) end_heir();
  }
}

static void be_sentinel(void) {
  withdraw_or_end();
  uint32_t asked = VT_HEIR_STARTING;
  change(asked, VT_HEIR_WATCHING);
  for (;;) {
    watch();
    asked = state_of(left.image);
    if (asked == VT_HEIR_COPY) {
      make_copy();
      change(asked, VT_HEIR_WATCHING);
      continue;
    }
    if (asked == VT_HEIR_STARTING)
      gather();
    else if (asked == VT_HEIR_DESCRIBE)
      describe();
    else
      end_heir();
    if (!change(asked, VT_HEIR_READY)) continue;
    sleep_on(left.ring, &left.image->heir_state);
    if (state_of(left.image) != VT_HEIR_WATCHING) end_heir(); /* else exec has failed */
  }
}

/* in_valgrind: the program is simulated by valgrind, which ends it for a clone that is neither thread nor fork. Asked by
   its client request 0x1001, which rotates a register by 128 bits in all: elsewhere that is nothing. */
static int in_valgrind(void) {
  uint64_t answer = 0;
#if defined(__x86_64__)
  uint64_t request[6] = {0x1001};
  __asm__ volatile("rolq $3, %%rdi\n\trolq $13, %%rdi\n\trolq $61, %%rdi\n\trolq $51, %%rdi\n\txchgq %%rbx, %%rbx"
                   : "+d"(answer)
                   : "a"(request)
                   : "cc", "memory");
#endif
  return answer != 0;
}

/* clone_heir starts a life on its own stack; returns its number or a negative errno value. */
static long clone_heir(void (*life)(void)) {
  long flags = CLONE_VM | CLONE_FILES | CLONE_UNTRACED; /* exit signal 0 */
  long fault = vt_sys_fault(SYS_clone);
  if (fault || in_valgrind()) return fault ? fault : -ENOSYS;
#if defined(__x86_64__)
  long ret;
  register void *top __asm__("rsi") = stack + STACK_SZ;
  register long none __asm__("r10") = 0;
  register long tls __asm__("r8") = 0;
  register void (*entry)(void) __asm__("r12") = life;
  __asm__ volatile("syscall\n\t"
                   "test %%rax, %%rax\n\t"
                   "jnz 1f\n\t"
                   "xor %%ebp, %%ebp\n\t"
                   "call *%%r12\n\t"
                   "ud2\n"
                   "1:"
                   : "=a"(ret)
                   : "a"(SYS_clone), "D"(flags), "r"(top), "d"(0), "r"(none), "r"(tls), "r"(entry)
                   : "rcx", "r11", "memory");
  return ret;
#elif defined(__aarch64__)
  register long x8 __asm__("x8") = SYS_clone;
  register long x0 __asm__("x0") = flags;
  register void *x1 __asm__("x1") = stack + STACK_SZ;
  register long x2 __asm__("x2") = 0;
  register long x3 __asm__("x3") = 0;
  register long x4 __asm__("x4") = 0;
  register void (*x19)(void) __asm__("x19") = life;
  __asm__ volatile("svc 0\n\t"
                   "cbnz x0, 1f\n\t"
                   "blr x19\n\t"
                   "brk 1\n"
                   "1:"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x19)
                   : "memory");
  return x0;
#endif
}

static void reap(long pid) {
  vt_sys(SYS_kill, pid, SIGKILL, 0, 0, 0, 0);
  vt_sys(SYS_wait4, pid, 0, __WALL, 0, 0, 0);
}

/* pointer_guard is what the C library mixes into the pointers of a jmp_buf; 0: not known. */
static uint64_t pointer_guard(void) {
  uint64_t guard = 0;
#if defined(__x86_64__)
  __asm__("movq %%fs:0x30, %0" : "=r"(guard)); /* tcbhead_t of glibc */
#endif
  return guard;
}

/* await waits until the state is none of those it is on its way from. */
static uint32_t await(vt_ring_image_t *image, uint32_t from) {
  uint64_t start = vt_clock_ns(CLOCK_MONOTONIC);
  while (state_of(image) == from && vt_clock_ns(CLOCK_MONOTONIC) - start < START_NS)
    vt_sys_futex_wait(&image->heir_state, from, STEP_NS);
  return state_of(image);
}

/* is_in: a heir's time may be over when it is first looked at. */
static int is_in(uint32_t state, uint32_t wanted) {
  return state == wanted || (wanted == VT_HEIR_READY && state == VT_HEIR_OVER);
}

/* start clones a heir and waits for it to be in a state. */
static int start(vt_ring_image_t *image, void (*life)(void), uint32_t wanted) {
  uint64_t all = ~(uint64_t)0, before = 0;
  atomic_store_explicit(&image->heir_state, VT_HEIR_STARTING, memory_order_relaxed);
  vt_sys(SYS_rt_sigprocmask, SIG_BLOCK, (long)&all, (long)&before, 8, 0, 0);
  long pid = clone_heir(life);
  vt_sys(SYS_rt_sigprocmask, SIG_SETMASK, (long)&before, 0, 8, 0, 0);
  left.heir = pid > 0 ? pid : 0;
  if (pid > 0 && is_in(await(image, VT_HEIR_STARTING), wanted)) {
    atomic_store_explicit(&image->heir, (uint32_t)pid, memory_order_release);
    return 0;
  }
  set_state(image, VT_HEIR_NONE);
  if (pid > 0) reap(pid);
  left.heir = 0;
  return -1;
}

static void prepare(vt_ring_t *ring, vt_ring_image_t *image, vt_heir_threads_t threads) {
  left.ring = ring;
  left.image = image;
  left.pid = vt_sys_getpid();
  left.tid = vt_sys_gettid();
  left.stops = threads == VT_HEIR_STOPS_THREADS;
  /* Where only ancestors may trace (Yama); the process is about to end. */
  if (left.stops) vt_sys(SYS_prctl, PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0, 0);
  atomic_store_explicit(&image->pointer_guard, pointer_guard(), memory_order_relaxed);
  atomic_store_explicit(&image->registers_unknown, threads == VT_HEIR_LEAVES_THREADS, memory_order_relaxed);
}

/* is_watched: has this image a sentinel that has not ended? While it forks it is waited for. */
static int is_watched(vt_ring_image_t *image) {
  if (!left.heir || left.image != image || left.pid != vt_sys_getpid()) return 0;
  await(image, VT_HEIR_COPY);
  return state_of(image) == VT_HEIR_WATCHING;
}

int vt_heir_make(vt_ring_t *ring, vt_ring_image_t *image, vt_heir_threads_t threads) {
  if (!ring->heir_limit_ns) return -1;
  int watched = is_watched(image);
  prepare(ring, image, threads);
  if (!watched) return start(image, be_heir, VT_HEIR_READY);
  set_state(image, VT_HEIR_STARTING);
  return is_in(await(image, VT_HEIR_STARTING), VT_HEIR_READY) ? 0 : -1;
}

void vt_heir_unmake(vt_ring_image_t *image) {
  if (left.layout && left.heir && left.image == image && state_of(image) == VT_HEIR_READY)
    set_state(image, VT_HEIR_WATCHING);
  else
    vt_heir_end(image);
}

void vt_heir_end(vt_ring_image_t *image) {
  uint32_t pid = atomic_exchange_explicit(&image->heir, 0, memory_order_relaxed);
  if (!pid) return;
  left.heir = 0;
  left.layout = NULL;
  set_state(image, VT_HEIR_NONE);
  reap(pid);
}

int vt_sentinel_make(vt_ring_t *ring, vt_ring_image_t *image, vt_heir_layout_fn *describes) {
  if (!ring->heir_limit_ns) return -1;
  prepare(ring, image, VT_HEIR_NO_THREADS);
  left.layout = describes;
  if (!start(image, be_sentinel, VT_HEIR_WATCHING)) return 0;
  left.layout = NULL;
  return -1;
}

/* is_made: the copy is ready, and its number told. */
static int is_made(vt_ring_image_t *image) {
  return copy_state_of(image) == VT_HEIR_READY && atomic_load_explicit(&image->copy, memory_order_acquire);
}

/* The copy is not made by this process itself, whose child it would be, and whose descriptors it would have. */
int vt_copy_make(vt_ring_t *ring, vt_ring_image_t *image, vt_heir_layout_fn *describes, uint32_t number, uint32_t unknown) {
  static _Atomic int busy;
  uint64_t begun = vt_clock_ns(CLOCK_MONOTONIC);
  if (!ring->heir_limit_ns || copy_state_of(image) != VT_HEIR_STARTING) return -1;
  if (atomic_exchange_explicit(&busy, 1, memory_order_acquire)) return -EBUSY;
  left.number = number;
  prepare(ring, image, VT_HEIR_NO_THREADS);
  left.layout = describes;
  left.stands = 1;
  left.unknown = unknown;
  long pid = clone_heir(be_maker);
  while (pid > 0 && is_expected(image) && copy_state_of(image) != VT_HEIR_NONE && !is_made(image) &&
         vt_clock_ns(CLOCK_MONOTONIC) - begun < ring->heir_limit_ns)
    vt_sys_futex_wait(&image->copy_state, VT_HEIR_STARTING, STEP_NS);
  if (pid > 0) reap(pid);
  left.layout = NULL;
  left.stands = 0;
  int made = is_made(image);
  atomic_store_explicit(&busy, 0, memory_order_release);
  return made ? 0 : -1;
}
