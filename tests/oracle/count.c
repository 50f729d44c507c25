/* Counts what a program asks of its allocator: an oracle that shares nothing with the tracer.

   Every process image keeps its counts in a mapped file $VALTEST_COUNT/PID.N, so that they survive
   SIGKILL. A page that fork wipes tells a child to begin a file of its own; a vfork child counts as
   its parent. C++ operators count only when the allocator behind them did not come back to malloc or
   free with the same block. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct counts {
  uint64_t magic, pid;
  _Atomic uint64_t allocations, frees, reallocs, bytes;
  char exe[4000];
} early, *counts = &early;
/* A page that is wiped in a forked child. volatile: sigprocmask is declared as a leaf, as if no handler came before it. */
static _Atomic unsigned char *volatile alive;
/* The blocks of this thread's last counted calls. */
enum { LAST = 64 };
static __thread uint64_t my_calls;
static __thread void *my_last[LAST];
static char arena[65536] __attribute__((aligned(64))); /* what dlsym itself asks for */
static _Atomic size_t arena_used;
/* volatile: dlsym is declared as a leaf, as if it never came back here */
static __thread int volatile resolving;

/* pthread_atfork, for a library that musl's programs load, too. */
extern int __register_atfork(void (*)(void), void (*)(void), void (*)(void), void *) __attribute__((weak));

/* forget is for kernels that wipe nothing; a child made past libc then counts as its parent. */
static void forget(void) { *alive = 0; }

static void begin_image(char const *dir) {
  char path[4096];
  int fd = -1;
  for (int n = 0; n < 100 && fd < 0; n++) {
    snprintf(path, sizeof path, "%s/%d.%d", dir, (int)syscall(SYS_getpid), n);
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  }
  if (fd < 0 || ftruncate(fd, sizeof early)) return;
  struct counts *c = mmap(NULL, sizeof *c, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (c == MAP_FAILED) return;
  if (!alive) {
    memcpy(c, &early, sizeof early);
    alive = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (madvise((void *)alive, 4096, MADV_WIPEONFORK) && __register_atfork)
      __register_atfork(NULL, NULL, forget, NULL);
  }
  c->magic = 0x746e756f63, c->pid = (uint64_t)syscall(SYS_getpid);
  if (readlink("/proc/self/exe", c->exe, sizeof c->exe - 1) < 0) c->exe[0] = 0;
  counts = c;
  *alive = 1;
}
static void count(void *block, int allocations, int frees, int reallocs, size_t bytes) {
  static char dir[4096]; /* read once: setenv itself reallocates the environment */
  static int looked;
  if (!looked && environ) {
    looked = 1;
    if (getenv("VALTEST_COUNT")) strcpy(dir, getenv("VALTEST_COUNT"));
  }
  if (dir[0] && (!alive || !*alive)) { /* a signal handler that allocates must not begin it again */
    int saved_errno = errno;
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    if (!alive || !*alive) begin_image(dir);
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = saved_errno;
  }
  my_last[my_calls++ % LAST] = block;
  if (allocations) counts->allocations++;
  if (frees) counts->frees++;
  if (reallocs) counts->reallocs++;
  if (bytes) counts->bytes += bytes;
}
/* counted: has a call since the one of number `since` counted this block? */
static int counted(void *block, uint64_t since) {
  for (uint64_t i = since; i < my_calls; i++)
    if (my_last[i % LAST] == block) return 1;
  return 0;
}
static void *allocated(void *p, size_t sz) {
  if (p && !resolving) count(p, 1, 0, 0, sz);
  return p;
}
/* once: not what musl asks itself for by another of its functions, and by us. */
static void *once(uint64_t before, void *p, size_t sz) {
  return counted(p, before) ? p : allocated(p, sz);
}
static int in_arena(void *p) { return (char *)p >= arena && (char *)p < arena + sizeof arena; }
static void *arena_alloc(size_t sz) {
  size_t at = atomic_fetch_add(&arena_used, (sz + 63) & ~(size_t)63);
  return at + sz <= sizeof arena ? arena + at : NULL;
}

/* What every libc has is looked up together, at the first call: later a program may have had dlsym
   fail, and its message, freed by the next dlsym, would be freed by us. A signal handler that
   allocates has to wait meanwhile: it would get what dlsym is to get. */
static char const *const common[] = {"malloc",        "calloc",   "realloc", "free", "posix_memalign",
                                     "aligned_alloc", "memalign", "valloc",  "pvalloc"};
enum { COMMON = sizeof common / sizeof *common };
static void *next_of(char const *name) {
  static void *found[COMMON];
  void *f = NULL;
  /* Not by sigprocmask, which a sanitizer replaces and cannot yet serve. */
  uint64_t all = ~(uint64_t)0, before = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof all);
  resolving++;
  for (int i = 0; i < COMMON; i++) {
    if (!found[i]) found[i] = dlsym(RTLD_NEXT, common[i]);
    if (!strcmp(name, common[i])) f = found[i];
  }
  if (!f) f = dlsym(RTLD_NEXT, name);
  resolving--;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
  return f;
}
#define NEXT(name, result, ...)                                                                    \
  static result (*next)(__VA_ARGS__);                                                              \
  if (!next) next = (result(*)(__VA_ARGS__))next_of(#name)

void *malloc(size_t sz) {
  if (resolving) return arena_alloc(sz);
  NEXT(malloc, void *, size_t);
  return allocated(next(sz), sz);
}
void *calloc(size_t n, size_t sz) {
  if (resolving) return arena_alloc(n * sz);
  NEXT(calloc, void *, size_t, size_t);
  uint64_t before = my_calls;
  return once(before, next(n, sz), n * sz);
}
void free(void *p) {
  if (in_arena(p)) return;
  static void (*next)(void *);
  /* While resolving: the message of a lookup of the program's that failed, which the next one frees. */
  if (!next && resolving) return;
  if (!next) next = (void (*)(void *))next_of("free");
  if (p) count(p, 0, 1, 0, 0);
  next(p);
}
void *realloc(void *p, size_t sz) {
  NEXT(realloc, void *, void *, size_t);
  if (in_arena(p)) abort();
  void *q = next(p, sz);
  if (p && q) count(q, 1, 1, 1, sz);
  if (!p && q) count(q, 1, 0, 0, sz);
  if (p && !q && !sz) count(p, 0, 1, 0, 0);
  return q;
}
int posix_memalign(void **p, size_t align, size_t sz) {
  NEXT(posix_memalign, int, void **, size_t, size_t);
  uint64_t before = my_calls;
  int e = next(p, align, sz);
  if (!e) once(before, *p, sz);
  return e;
}
#define ALIGNED(name)                                                                              \
  void *name(size_t align, size_t sz) {                                                            \
    NEXT(name, void *, size_t, size_t);                                                            \
    uint64_t before = my_calls;                                                                    \
    return once(before, next(align, sz), sz);                                                      \
  }
#define PAGED(name)                                                                                \
  void *name(size_t sz) {                                                                          \
    NEXT(name, void *, size_t);                                                                    \
    uint64_t before = my_calls;                                                                    \
    return once(before, next(sz), sz);                                                             \
  }
void *aligned_alloc(size_t align, size_t sz), *memalign(size_t align, size_t sz);
void *valloc(size_t sz), *pvalloc(size_t sz);
ALIGNED(aligned_alloc) ALIGNED(memalign) PAGED(valloc) PAGED(pvalloc)

#define FREED(name, how)                                                                           \
  void name(void *p);                                                                              \
  void name(void *p) {                                                                             \
    NEXT(how, void, void *);                                                                       \
    if (p) count(p, 0, 1, 0, 0);                                                                      \
    next(p);                                                                                       \
  }
FREED(free_sized, free) FREED(free_aligned_sized, free) FREED(cfree, free)

/* x, y: the second and third argument, whatever they are. A throw passes through. */
#define NEW(name)                                                                                  \
  void *name(size_t sz, size_t x, size_t y);                                                       \
  void *name(size_t sz, size_t x, size_t y) {                                                      \
    NEXT(name, void *, size_t, size_t, size_t);                                                    \
    uint64_t before = my_calls;                                                                    \
    void *p = next(sz, x, y);                                                                      \
    return once(before, p, sz);                                                                    \
  }
#define DELETE(name)                                                                               \
  void name(void *p, size_t x, size_t y);                                                          \
  void name(void *p, size_t x, size_t y) {                                                         \
    NEXT(name, void, void *, size_t, size_t);                                                      \
    uint64_t before = my_calls;                                                                    \
    next(p, x, y);                                                                                 \
    if (p && !counted(p, before)) count(p, 0, 1, 0, 0);                                                \
  }
NEW(_Znwm) NEW(_Znam) NEW(_ZnwmRKSt9nothrow_t) NEW(_ZnamRKSt9nothrow_t)
NEW(_ZnwmSt11align_val_t) NEW(_ZnamSt11align_val_t)
NEW(_ZnwmSt11align_val_tRKSt9nothrow_t) NEW(_ZnamSt11align_val_tRKSt9nothrow_t)
DELETE(_ZdlPv) DELETE(_ZdaPv) DELETE(_ZdlPvm) DELETE(_ZdaPvm)
DELETE(_ZdlPvRKSt9nothrow_t) DELETE(_ZdaPvRKSt9nothrow_t)
DELETE(_ZdlPvSt11align_val_t) DELETE(_ZdaPvSt11align_val_t)
DELETE(_ZdlPvmSt11align_val_t) DELETE(_ZdaPvmSt11align_val_t)
DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t) DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t)
