/* What the next provider's functions lack or do otherwise than glibc's, so that the hooks need not know.

   musl's calloc and aligned allocations call malloc and aligned_alloc where a program's own would be found:
   they come back to the hooks, which are to be quiet meanwhile. */
#include "preload/hooks.h"
#include "preload/process.h"
#include "core/trace/libc.h"
#include "core/trace/sys.h"

#include <errno.h>
#include <stdlib.h>

#define PAGE ((size_t)4096)

static vt_real_t inner; /* musl's */

static void *calloc_once(size_t cnt, size_t sz) {
  uint64_t busy = vt_quiet_begin();
  void *p = inner.calloc(cnt, sz);
  vt_quiet_end(busy);
  return p;
}

static int posix_memalign_once(void **out, size_t align, size_t sz) {
  uint64_t busy = vt_quiet_begin();
  int error = inner.posix_memalign(out, align, sz);
  vt_quiet_end(busy);
  return error;
}

static void *memalign_once(size_t align, size_t sz) {
  uint64_t busy = vt_quiet_begin();
  void *p = inner.memalign(align, sz);
  vt_quiet_end(busy);
  return p;
}

static void *valloc_once(size_t sz) { return memalign_once(PAGE, sz); }
static void *pvalloc_once(size_t sz) { return memalign_once(PAGE, (sz + PAGE - 1) & ~(PAGE - 1)); }

static int raw_execveat(int dir, char const *path, char *const argv[], char *const env[], int flags) {
  errno = (int)-vt_sys(SYS_execveat, dir, (long)path, (long)argv, (long)env, flags, 0);
  return -1;
}

void vt_real_complete(vt_real_t *real) {
  if (!real->execveat) real->execveat = raw_execveat;
  if (vt_libc_is_glibc()) return;
  inner = *real;
  real->calloc = calloc_once;
  real->posix_memalign = posix_memalign_once;
  real->memalign = memalign_once;
  real->valloc = valloc_once;
  real->pvalloc = pvalloc_once;
}
