/* Ways to end that destructors do not see, and giving up the clock. */
#include "preload/process.h"
#include "core/trace/sys.h"

#include <dlfcn.h>
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
  void (*real)(int) = (void (*)(int))dlsym(RTLD_NEXT, "quick_exit");
  vt_process_end(VT_PROCESS_EXIT, (uint32_t)status & 0xff);
  real(status);
  __builtin_unreachable();
}

/* gives_up_tsc: will the kernel fault the next rdtsc of this process? Strict seccomp sets the same
   bit as PR_SET_TSC. */
static int gives_up_tsc(int option, long value) {
  return (option == PR_SET_SECCOMP && value == SECCOMP_MODE_STRICT) ||
         (option == PR_SET_TSC && value == PR_TSC_SIGSEGV);
}

VT_EXPORT int prctl(int option, ...) {
  static int (*real)(int, ...);
  va_list args;
  va_start(args, option);
  long a = va_arg(args, long), b = va_arg(args, long), c = va_arg(args, long),
       d = va_arg(args, long);
  va_end(args);
  if (!real) real = (int (*)(int, ...))dlsym(RTLD_NEXT, "prctl");
  vt_sink_t *sink = &vt_process.sink;
  vt_clock_kind_t before = sink->clock;
  if (gives_up_tsc(option, a)) {
    __atomic_store_n(&vt_clock_frozen, vt_clock_tick(before), __ATOMIC_RELAXED);
    sink->clock = VT_CLOCK_FROZEN;
  }
  if (option == PR_SET_SECCOMP && a == SECCOMP_MODE_STRICT) vt_sink_silence(sink, 1);
  int result = real(option, a, b, c, d);
  if (option == PR_SET_SECCOMP && a == SECCOMP_MODE_FILTER && !result) vt_process.filtered = 1;
  if (result && gives_up_tsc(option, a)) {
    sink->clock = before;
    vt_sink_silence(sink, 0);
  }
  return result;
}
