/* Ways to end that destructors do not see, and giving up the clock. */
#include "preload/hooks.h"
#include "preload/process.h"
#include "core/trace/sys.h"

#include <errno.h>
#include <linux/seccomp.h>
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

/* before_confined prepares for PR_SET_SECCOMP and PR_SET_TSC; returns what after_confined needs. */
static vt_clock_kind_t before_confined(int option, long value) {
  vt_sink_t *sink = &vt_process.sink;
  vt_clock_kind_t clock = sink->clock;
  if (gives_up_tsc(option, value)) {
    __atomic_store_n(&vt_clock_frozen, vt_clock_tick(clock), __ATOMIC_RELAXED);
    sink->clock = VT_CLOCK_FROZEN;
  }
  if (option == PR_SET_SECCOMP && value == SECCOMP_MODE_STRICT) vt_sink_silence(sink, 1);
  if (option == PR_SET_SECCOMP && value == SECCOMP_MODE_FILTER) vt_sink_confine(sink, 1);
  return clock;
}

/* after_confined notes what the call did: a filter that is in force now, a name, nothing. */
static void after_confined(int option, long value, long failed, vt_clock_kind_t clock) {
  if (option == PR_SET_SECCOMP && value == SECCOMP_MODE_FILTER) {
    if (!failed) vt_process.filtered = 1;
    vt_sink_confine(&vt_process.sink, vt_process.filtered);
  }
  if (option == PR_SET_NAME && !failed)
    vt_names_given(vt_thread_number(pthread_self()), (char const *)value);
  if (failed && gives_up_tsc(option, value)) {
    vt_process.sink.clock = clock;
    vt_sink_silence(&vt_process.sink, 0);
  }
}

VT_EXPORT int prctl(int option, ...) {
  va_list args;
  va_start(args, option);
  long a = va_arg(args, long), b = va_arg(args, long), c = va_arg(args, long),
       d = va_arg(args, long);
  va_end(args);
  vt_clock_kind_t clock = before_confined(option, a);
  int result = vt_real_get()->prctl(option, a, b, c, d);
  after_confined(option, a, result, clock);
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
  vt_clock_kind_t clock = before_confined(option, value);
  long result = (vt_real.syscall ? vt_real.syscall : raw_syscall)(nr, a, b, c, d, e, f);
  after_confined(option, value, result, clock);
  return result;
}

long vt_syscall_hook(long nr, long a, long b, long c, long d, long e, long f) {
  if (nr == SYS_seccomp || nr == SYS_prctl) return confining_syscall(nr, a, b, c, d, e, f);
  return (vt_real.syscall ? vt_real.syscall : raw_syscall)(nr, a, b, c, d, e, f);
}
