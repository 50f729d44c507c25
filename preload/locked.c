/* mlockall: a program that keeps its memory resident does not ask it of the recorder's, which would
   use up the limit on locked memory. What the shim has mapped is unlocked after the call, and what
   it maps later when it is mapped; pieces of the ring and the file are never locked (pieces.h). */
#include "preload/hooks.h"
#include "preload/process.h"
#include "core/trace/module_table.h"
#include "core/trace/sys.h"

#include <sys/mman.h>

static void unlock_own(void) {
  vt_sink_unlock(&vt_process.sink);
  vt_unwind_unlock();
  vt_module_table_unlock();
  vt_thread_unlock();
}

VT_EXPORT int mlockall(int flags) {
  int result = vt_real_get()->mlockall(flags);
  if (result) return result;
  vt_sys_future_locked = (flags & MCL_FUTURE) != 0;
  if (flags & MCL_CURRENT) unlock_own();
  return 0;
}

VT_EXPORT int munlockall(void) {
  int result = vt_real_get()->munlockall();
  if (!result) vt_sys_future_locked = 0;
  return result;
}
