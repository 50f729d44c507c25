/* Ways to end that destructors do not see, and giving up the clock. */
#include "preload/hooks.h"
#include "preload/process.h"
#include "preload/snapshot.h"
#include "core/trace/sys.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

VT_EXPORT void _exit(int status) {
  vt_process_end(VT_PROCESS_EXIT, (uint32_t)status & 0xff);
  for (;;) vt_sys(SYS_exit_group, status, 0, 0, 0, 0, 0);
}
VT_EXPORT void _Exit(int status) { _exit(status); }

VT_EXPORT void quick_exit(int status) {
  vt_process_end(VT_PROCESS_EXIT, (uint32_t)status & 0xff);
  vt_real_get()->quick_exit(status);
  __builtin_unreachable();
}

/* gives_up_tsc: will the kernel fault the next rdtsc of this process? Strict seccomp sets the same
   bit as PR_SET_TSC. */
static int gives_up_tsc(int option, long value) {
  return (option == PR_SET_SECCOMP && value == SECCOMP_MODE_STRICT) ||
         (option == PR_SET_TSC && value == PR_TSC_SIGSEGV);
}

/* confine lets nothing be done from here on that strict mode, or the filter, does not allow. */
static void confine(long mode, struct sock_fprog const *filter) {
  vt_sink_t *sink = &vt_process.sink;
  int allowed = mode == SECCOMP_MODE_STRICT ? 0 : vt_process.allowed & vt_filter_allows(filter);
  if (mode == SECCOMP_MODE_STRICT)
    vt_sink_silence(sink, VT_SILENT_ALL);
  else
    vt_sink_confine(sink, 1);
  if (mode == SECCOMP_MODE_FILTER && !sink->ring && !(allowed & VT_FILTER_MEMORY))
    vt_sink_silence(sink, VT_SILENT_FILE);
  vt_process.allowed = allowed;
  vt_unwind_confine(mode == SECCOMP_MODE_STRICT   ? VT_UNWIND_NO_CALLS
                    : !(allowed & VT_FILTER_ASK)  ? VT_UNWIND_NO_QUESTIONS
                    : !(allowed & VT_FILTER_OPEN) ? VT_UNWIND_NO_FILES
                                                  : VT_UNWIND_ASKS);
}

/* is_guest: a vfork child shares memory with the process it will leave, which is not confined. */
static int is_guest(void) {
  return !vt_process.filtered && vt_process.sink.pid &&
         atomic_load_explicit(&vt_gate.value, memory_order_relaxed) != VT_GATE_CLOSED &&
         vt_process.sink.pid != (uint32_t)vt_sys_getpid();
}

/* What a call that confines has to undo if it fails. */
typedef struct {
  vt_clock_kind_t clock;
  int allowed, silent, guest;
  vt_unwind_calls_t calls;
} before_t;

/* gives_up: does the call take something from the process for ever? See identity.c. */
static int gives_up(int option, long value) {
  return (option == PR_SET_SECCOMP && value != SECCOMP_MODE_DISABLED) || option == PR_SET_NO_NEW_PRIVS ||
         option == PR_CAPBSET_DROP || option == PR_SET_SECUREBITS;
}

/* before_confined prepares for PR_SET_SECCOMP and PR_SET_TSC; returns what after_confined needs. */
static before_t before_confined(int option, long value, struct sock_fprog const *filter) {
  vt_sink_t *sink = &vt_process.sink;
  before_t before = {.clock = sink->clock,
                     .allowed = vt_process.allowed,
                     .silent = sink->silent,
                     .guest = option == PR_SET_SECCOMP && is_guest(),
                     .calls = vt_unwind_confined()};
  if (before.guest) return before;
  if (gives_up(option, value)) vt_snapshot_unwatch();
  if (gives_up_tsc(option, value)) {
    __atomic_store_n(&vt_clock_frozen, vt_clock_tick(before.clock), __ATOMIC_RELAXED);
    sink->clock = VT_CLOCK_FROZEN;
  }
  if (option == PR_SET_SECCOMP && value != SECCOMP_MODE_DISABLED) confine(value, filter);
  return before;
}

/* unconfine undoes what was done for a call that failed. */
static void unconfine(before_t const *before) {
  vt_process.sink.clock = before->clock;
  vt_process.allowed = before->allowed;
  vt_sink_silence(&vt_process.sink, before->silent);
  vt_sink_confine(&vt_process.sink, vt_process.filtered);
  vt_unwind_confine(before->calls);
}

/* after_confined notes what the call did: a filter that is in force now, a name, nothing. */
static void after_confined(int option, long value, long failed, before_t const *before) {
  if (before->guest) return;
  if (failed && (option == PR_SET_SECCOMP || gives_up_tsc(option, value))) return unconfine(before);
  if (option == PR_SET_SECCOMP && value == SECCOMP_MODE_FILTER) vt_process.filtered = 1;
  if (option == PR_SET_NAME && !failed)
    vt_names_given(vt_thread_number(pthread_self()), (char const *)value);
}

VT_EXPORT int prctl(int option, ...) {
  va_list args;
  va_start(args, option);
  long a = va_arg(args, long), b = va_arg(args, long), c = va_arg(args, long),
       d = va_arg(args, long);
  va_end(args);
  before_t before = before_confined(option, a, (struct sock_fprog const *)b);
  int result = vt_real_get()->prctl(option, a, b, c, d);
  after_confined(option, a, result, &before);
  return result;
}

/* syscall, under another name here because it is declared with variable arguments: as this many
   plain ones it can be passed on by a jump, so that a child that shares the stack returns well. */
typedef long syscall_fn(long nr, long a, long b, long c, long d, long e, long f);
VT_EXPORT syscall_fn vt_syscall_hook __asm__("syscall");

static __attribute__((noinline)) long raw_syscall(long nr, long a, long b, long c, long d, long e,
                                                  long f) {
  long result = vt_sys(nr, a, b, c, d, e, f);
  if (result >= 0 || result < -4095) return result;
  errno = (int)-result;
  return -1;
}

/* confining_syscall is a filter or strict mode installed without prctl's wrapper. */
static __attribute__((noinline)) long confining_syscall(long nr, long a, long b, long c, long d,
                                                        long e, long f) {
  int option = nr == SYS_prctl ? (int)a : PR_SET_SECCOMP;
  long value = nr == SYS_prctl                ? b
               : a == SECCOMP_SET_MODE_STRICT ? SECCOMP_MODE_STRICT
               : a == SECCOMP_SET_MODE_FILTER ? SECCOMP_MODE_FILTER
                                              : SECCOMP_MODE_DISABLED;
  before_t before = before_confined(option, value, (struct sock_fprog const *)c);
  long result = (vt_real.syscall ? vt_real.syscall : raw_syscall)(nr, a, b, c, d, e, f);
  after_confined(option, value, result, &before);
  return result;
}

/* forks: does the call make a process with memory of its own? */
static int forks(long nr, long flags) {
  return nr == SYS_fork || (nr == SYS_clone && !(flags & CLONE_VM));
}

static __attribute__((noinline)) long forking_syscall(long nr, long a, long b, long c, long d,
                                                      long e, long f) {
  long result = (vt_real.syscall ? vt_real.syscall : raw_syscall)(nr, a, b, c, d, e, f);
  if (!result) vt_process_close_gate();
  return result;
}

/* makes_less: one of the calls of identity.c, or of landlock. */
static int makes_less(long nr) {
  switch (nr) {
  case SYS_setuid:
  case SYS_setreuid:
  case SYS_setresuid:
  case SYS_setgid:
  case SYS_setregid:
  case SYS_setresgid:
  case SYS_setgroups:
  case SYS_unshare:
  case SYS_setns:
  case SYS_chroot:
  case SYS_capset: return 1;
#ifdef SYS_landlock_restrict_self
  case SYS_landlock_restrict_self: return 1;
#endif
  default: return 0;
  }
}

long vt_syscall_hook(long nr, long a, long b, long c, long d, long e, long f) {
  if (nr == SYS_seccomp || nr == SYS_prctl) return confining_syscall(nr, a, b, c, d, e, f);
  if (nr == SYS_execve) return execve((char const *)a, (char *const *)b, (char *const *)c);
  if (nr == SYS_execveat)
    return execveat((int)a, (char const *)b, (char *const *)c, (char *const *)d, (int)e);
  if (VT_UNLIKELY(vt_process.not_wiped) && forks(nr, a))
    return forking_syscall(nr, a, b, c, d, e, f);
  if (makes_less(nr)) vt_snapshot_unwatch();
  return (vt_real.syscall ? vt_real.syscall : raw_syscall)(nr, a, b, c, d, e, f);
}
