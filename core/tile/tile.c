/* The tile threads.  Each has a mailbox whose state word goes IDLE -> CLAIMED (an exec_new won the
   tile) -> EXEC -> DONE -> IDLE; the publishing store into EXEC hands the task over and the one
   into DONE hands its results back. */

#include "tile_cpus.h"

#include "../util/wait.h"
#include "fd/util/env/fd_env.h"
#include "fd/util/log/fd_log.h"

#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

enum { STATE_BOOT, STATE_IDLE, STATE_CLAIMED, STATE_EXEC, STATE_DONE, STATE_HALT };

struct __attribute__((aligned(128))) fd_tile_exec_private {
  fd_wait_t state;
  ulong idx;
  fd_tile_task_t task;
  int argc;
  int ret;
  char ** argv;
  pthread_t thread;
};

static fd_tile_exec_t tile[FD_TILE_MAX];
static ulong tile_cpu[FD_TILE_MAX];
static ulong tile_cnt = 1UL;
static ulong tile_id0;
static cpu_set_t boot_affinity;
static int boot_priority;

static FD_TL ulong my_idx;
static FD_TL uchar const * my_stack0;
static FD_TL uchar const * my_stack1;

ulong fd_tile_id0(void) { return tile_id0; }
ulong fd_tile_id1(void) { return tile_id0 + tile_cnt; }
ulong fd_tile_id(void) { return tile_id0 + my_idx; }
ulong fd_tile_idx(void) { return my_idx; }
ulong fd_tile_cnt(void) { return tile_cnt; }
ulong fd_tile_cpu_id(ulong idx) { return idx < tile_cnt ? tile_cpu[idx] : ULONG_MAX; }

static void find_stack(void) {
  pthread_attr_t attr;
  void * lo;
  ulong sz;
  if (my_stack1 || pthread_getattr_np(pthread_self(), &attr)) return;
  if (!pthread_attr_getstack(&attr, &lo, &sz)) {
    my_stack0 = (uchar const *)lo;
    my_stack1 = my_stack0 + sz;
  }
  pthread_attr_destroy(&attr);
}

void const * fd_tile_stack0(void) {
  find_stack();
  return my_stack0;
}

void const * fd_tile_stack1(void) {
  find_stack();
  return my_stack1;
}

ulong fd_tile_stack_sz(void) {
  find_stack();
  return (ulong)(my_stack1 - my_stack0);
}

ulong fd_tile_stack_est_used(void) {
  find_stack();
  ulong here = (ulong)__builtin_frame_address(0);
  return my_stack1 ? (ulong)my_stack1 - here : 0UL;
}

ulong fd_tile_stack_est_free(void) { return fd_tile_stack_sz() - fd_tile_stack_est_used(); }

/* Binds the calling thread to its cpu and raises its priority, or unbinds a floating one. */
static void settle(ulong idx) {
  ulong cpu = tile_cpu[idx];
  if (cpu == FD_TILE_CPU_FLOATING) {
    sched_setaffinity(0, sizeof(boot_affinity), &boot_affinity);
    return;
  }
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof(set), &set)) {
    FD_LOG_WARNING(("tile %lu is not bound to cpu %lu (%s)", idx, cpu, strerrordesc_np(errno)));
  }
  if (setpriority(PRIO_PROCESS, (id_t)fd_log_tid(), -19)) {
    FD_ONCE_BEGIN { FD_LOG_WARNING(("no right to raise the priority of tiles")); }
    FD_ONCE_END;
  }
}

static void * tile_main(void * arg) {
  fd_tile_exec_t * me = (fd_tile_exec_t *)arg;
  my_idx = me->idx;
  settle(my_idx);
  fd_log_private_thread_id_set(tile_id0 + my_idx);
  fd_wait_publish(&me->state, STATE_IDLE);
  for (;;) {
    uint state = fd_wait_word(&me->state);
    if (state == STATE_HALT) return NULL;
    if (state != STATE_EXEC) {
      fd_wait_while(&me->state, state);
      continue;
    }
    me->ret = me->task(me->argc, me->argv);
    fd_wait_publish(&me->state, STATE_DONE);
  }
}

fd_tile_exec_t * fd_tile_exec_new(ulong idx, fd_tile_task_t task, int argc, char ** argv) {
  if (!idx || idx >= tile_cnt || idx == my_idx) return NULL;
  fd_tile_exec_t * exec = &tile[idx];
  if (!fd_wait_claim(&exec->state, STATE_IDLE, STATE_CLAIMED)) return NULL;
  exec->task = task;
  exec->argc = argc;
  exec->argv = argv;
  fd_wait_publish(&exec->state, STATE_EXEC);
  return exec;
}

char const * fd_tile_exec_delete(fd_tile_exec_t * exec, int * opt_ret) {
  uint state;
  while ((state = fd_wait_word(&exec->state)) != STATE_DONE) fd_wait_while(&exec->state, state);
  if (opt_ret) *opt_ret = exec->ret;
  /* Nobody sleeps for IDLE in particular: no wake-up.  Pairs with the claim in fd_tile_exec_new. */
  __atomic_store_n(&exec->state.word, STATE_IDLE, __ATOMIC_RELEASE);
  return NULL;
}

fd_tile_exec_t * fd_tile_exec(ulong idx) {
  if (!idx || idx >= tile_cnt) return NULL;
  uint state = fd_wait_word(&tile[idx].state);
  return state == STATE_EXEC || state == STATE_DONE ? &tile[idx] : NULL;
}

ulong fd_tile_exec_id(fd_tile_exec_t const * exec) { return tile_id0 + exec->idx; }
ulong fd_tile_exec_idx(fd_tile_exec_t const * exec) { return exec->idx; }
fd_tile_task_t fd_tile_exec_task(fd_tile_exec_t const * exec) { return exec->task; }
int fd_tile_exec_argc(fd_tile_exec_t const * exec) { return exec->argc; }
char ** fd_tile_exec_argv(fd_tile_exec_t const * exec) { return exec->argv; }
int fd_tile_exec_done(fd_tile_exec_t const * exec) {
  return fd_wait_word(&exec->state) == STATE_DONE;
}

static int add_tls(struct dl_phdr_info * info, size_t sz, void * arg) {
  (void)sz;
  for (ulong i = 0UL; i < info->dlpi_phnum; i++) {
    if (info->dlpi_phdr[i].p_type == PT_TLS) *(ulong *)arg += info->dlpi_phdr[i].p_memsz;
  }
  return 0;
}

/* glibc carves static thread-local storage and the thread's own data out of the stack it allocates.
 */
static ulong thread_stack_sz(void) {
  ulong sz = FD_TILE_PRIVATE_STACK_SZ + 65536UL;
  dl_iterate_phdr(add_tls, &sz);
  return fd_ulong_align_up(sz, 4096UL);
}

static void start_tile(ulong idx, pthread_attr_t const * attr) {
  tile[idx].idx = idx;
  __atomic_store_n(&tile[idx].state.word, STATE_BOOT, __ATOMIC_RELAXED);
  int err = pthread_create(&tile[idx].thread, attr, tile_main, &tile[idx]);
  if (err) FD_LOG_ERR(("tile %lu not started (%s)", idx, strerrordesc_np(err)));
}

void fd_tile_private_boot(int * pargc, char *** pargv) {
  char const * cpus = fd_env_strip_cmdline_cstr(pargc, pargv, "--tile-cpus", "FD_TILE_CPUS", NULL);
  char const * fault;
  pthread_attr_t attr;
  tile_cpu[0] = FD_TILE_CPU_FLOATING;
  tile_cnt = cpus && cpus[0] ? fd_tile_private_parse_cpus(cpus, tile_cpu, &fault) : 1UL;
  if (!tile_cnt) FD_LOG_ERR(("bad --tile-cpus \"%s\" (%s)", cpus, fault));
  tile_id0 = fd_log_thread_id();
  boot_priority = getpriority(PRIO_PROCESS, (id_t)fd_log_tid());
  if (sched_getaffinity(0, sizeof(boot_affinity), &boot_affinity)) CPU_ZERO(&boot_affinity);
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, thread_stack_sz());
  for (ulong i = 1UL; i < tile_cnt; i++) start_tile(i, &attr);
  pthread_attr_destroy(&attr);
  for (ulong i = 1UL; i < tile_cnt; i++) fd_wait_while(&tile[i].state, STATE_BOOT);
  if (tile_cpu[0] != FD_TILE_CPU_FLOATING) settle(0UL);
}

/* A tile still at work is waited for: its stack must not go away under it. */
void fd_tile_private_halt(void) {
  for (ulong i = 1UL; i < tile_cnt; i++) {
    while (!fd_wait_claim(&tile[i].state, STATE_IDLE, STATE_CLAIMED)) {
      uint state = fd_wait_word(&tile[i].state);
      if (state == STATE_DONE) break;
      fd_wait_while(&tile[i].state, state);
    }
    fd_wait_publish(&tile[i].state, STATE_HALT);
  }
  for (ulong i = 1UL; i < tile_cnt; i++) pthread_join(tile[i].thread, NULL);
  if (tile_cpu[0] != FD_TILE_CPU_FLOATING) {
    sched_setaffinity(0, sizeof(boot_affinity), &boot_affinity);
    setpriority(PRIO_PROCESS, (id_t)fd_log_tid(), boot_priority);
  }
  tile_cnt = 1UL;
}
