/* A preloaded library that captures on every malloc, calloc, realloc and free of a real program and
   compares: every capture with one that has no memo, every VTCHECK_EVERY-th (default 200) with
   unwinding in full by all registers and by libunwind. Writes one line of counts to the file
   VTCHECK_OUT.PID at exit. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "core/trace/unwind_impl.h"

extern void *__libc_malloc(size_t sz);
extern void *__libc_calloc(size_t cnt, size_t sz);
extern void *__libc_realloc(void *ptr, size_t sz);
extern void __libc_free(void *ptr);

#define EXPORT __attribute__((visibility("default")))

typedef struct {
  vt_unwind_t *memo;
  vt_unwind_t *plain;
  uint64_t cnt;
  uint32_t busy;
} thread_t;

static __thread thread_t *self __attribute__((tls_model("initial-exec")));
static _Atomic uint64_t captures, frames, wrong_memo, wrong_full, wrong_libunwind, truncated;
static uint64_t every;

static void *map_zeroed(size_t sz) {
  void *mem = mmap(NULL, sz, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mem == MAP_FAILED) _exit(99);
  return mem;
}

static void count(_Atomic uint64_t *counter, uint64_t n) {
  atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static void compare(thread_t *t, vt_caller_t const *caller) {
  vt_stack_t memo, plain;
  uint32_t differs, other;
  t->plain->memo = 0;
  vt_unwind_capture(t->memo, caller, &memo);
  vt_unwind_capture(t->plain, caller, &plain);
  differs = memo.depth != plain.depth;
  for (uint32_t i = 0; !differs && i < memo.depth; i++)
    differs = vt_frame_pc(&memo, i) != vt_frame_pc(&plain, i);
  count(&captures, 1);
  count(&frames, memo.depth);
  count(&truncated, memo.truncated);
  count(&wrong_memo, differs);
  if (every && t->cnt++ % every == 0) {
    differs = vt_unwind_check(t->memo, caller, &memo, &other);
    count(&wrong_full, differs - other);
    count(&wrong_libunwind, other);
    if (getenv("VTCHECK_VERBOSE") && (differs || memo.truncated)) {
      char text[64];
      for (uint32_t i = memo.depth; i--;)
        if (write(2, text,
                  (size_t)snprintf(text, sizeof(text), "%u %lx\n", i, vt_frame_pc(&memo, i))) < 0)
          break;
      if (write(2, "--\n", 3) < 0) return;
    }
  }
}

static void check(uint64_t const *fp) {
  vt_caller_t caller = {fp[1], (uint64_t)(uintptr_t)(fp + 2), fp[0]};
  thread_t *t = self;
  if (!every) return;
  if (!t) {
    self = t = map_zeroed(sizeof(*t));
    t->memo = vt_unwind_new(map_zeroed(VT_UNWIND_STATE_SZ));
    t->plain = vt_unwind_new(map_zeroed(VT_UNWIND_STATE_SZ));
  }
  if (t->busy) return;
  t->busy = 1;
  compare(t, &caller);
  t->busy = 0;
}

#define CHECK() check(__builtin_frame_address(0))

EXPORT void *malloc(size_t sz) {
  CHECK();
  return __libc_malloc(sz);
}
EXPORT void *calloc(size_t cnt, size_t sz) {
  CHECK();
  return __libc_calloc(cnt, sz);
}
EXPORT void *realloc(void *ptr, size_t sz) {
  CHECK();
  return __libc_realloc(ptr, sz);
}
EXPORT void free(void *ptr) {
  CHECK();
  __libc_free(ptr);
}
EXPORT int dlclose(void *handle) {
  static int (*next)(void *handle);
  if (!next) {
    void *address = dlsym(RTLD_NEXT, "dlclose");
    memcpy(&next, &address, sizeof(address));
  }
  vt_unwind_epoch_begin();
  int result = next(handle);
  vt_unwind_epoch_end();
  return result;
}

__attribute__((constructor)) static void start(void) {
  char const *given = getenv("VTCHECK_EVERY");
  vt_unwind_global_init(map_zeroed(VT_UNWIND_GLOBAL_SZ), VT_UNWIND_GLOBAL_SZ);
  vt_unwind_load_libunwind();
  every = given ? strtoull(given, NULL, 0) : 200;
}

__attribute__((destructor)) static void stop(void) {
  char path[4096], line[512];
  char const *out = getenv("VTCHECK_OUT");
  every = 0;
  if (!out) return;
  snprintf(path, sizeof(path), "%s.%d", out, (int)getpid());
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  int sz = snprintf(line, sizeof(line),
                    "captures %lu frames %lu memo %lu full %lu libunwind %lu truncated %lu\n",
                    captures, frames, wrong_memo, wrong_full, wrong_libunwind, truncated);
  if (write(fd, line, (size_t)sz) != sz) _exit(98);
  close(fd);
}
