/* System calls of the shim, made without libc: errno stays untouched and no call is a cancellation
   point. Every function returns the kernel's result, a negative errno value on failure. */
#ifndef VT_CORE_TRACE_SYS_H
#define VT_CORE_TRACE_SYS_H

#include <fcntl.h>
#include <linux/futex.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#ifdef VT_SYS_FAULTS
/* Test builds of the shim ask before every call: 0, or the negative errno it is to fail with
   (tests/fault/faults.c). */
long vt_sys_fault(long nr);
#else
static inline long vt_sys_fault(long nr) {
  (void)nr;
  return 0;
}
#endif

static inline long vt_sys(long nr, long a, long b, long c, long d, long e, long f) {
  long fault = vt_sys_fault(nr);
  if (fault) return fault;
#if defined(__x86_64__)
  long ret;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(ret)
                   : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return ret;
#elif defined(__aarch64__)
  register long x8 __asm__("x8") = nr;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                   : "memory");
  return x0;
#else
#error "no system call sequence for this architecture"
#endif
}

static inline int vt_sys_failed(void const *p) { return (uintptr_t)p > (uintptr_t)-4096; }

static inline void *vt_sys_mmap(void *at, size_t sz, int prot, int flags, int fd, off_t off) {
  return (void *)vt_sys(SYS_mmap, (long)at, (long)sz, prot, flags, fd, off);
}
static inline long vt_sys_munmap(void *p, size_t sz) {
  return vt_sys(SYS_munmap, (long)p, (long)sz, 0, 0, 0, 0);
}
static inline void *vt_sys_mremap(void *p, size_t old_sz, size_t sz, int flags) {
  return (void *)vt_sys(SYS_mremap, (long)p, (long)old_sz, (long)sz, flags, 0, 0);
}
static inline long vt_sys_munlock(void *p, size_t sz) {
  return vt_sys(SYS_munlock, (long)p, (long)sz, 0, 0, 0, 0);
}
static inline long vt_sys_madvise(void *p, size_t sz, int advice) {
  return vt_sys(SYS_madvise, (long)p, (long)sz, advice, 0, 0, 0);
}
static inline int vt_sys_open(char const *path, int flags, mode_t mode) {
  return (int)vt_sys(SYS_openat, AT_FDCWD, (long)path, flags, (long)mode, 0, 0);
}
static inline long vt_sys_close(int fd) { return vt_sys(SYS_close, fd, 0, 0, 0, 0, 0); }
static inline long vt_sys_read(int fd, void *buf, size_t sz) {
  return vt_sys(SYS_read, fd, (long)buf, (long)sz, 0, 0, 0);
}
static inline long vt_sys_write(int fd, void const *buf, size_t sz) {
  return vt_sys(SYS_write, fd, (long)buf, (long)sz, 0, 0, 0);
}
static inline long vt_sys_pread(int fd, void *buf, size_t sz, off_t off) {
  return vt_sys(SYS_pread64, fd, (long)buf, (long)sz, off, 0, 0);
}
static inline long vt_sys_ftruncate(int fd, off_t sz) {
  return vt_sys(SYS_ftruncate, fd, sz, 0, 0, 0, 0);
}
static inline long vt_sys_unlink(char const *path) {
  return vt_sys(SYS_unlinkat, AT_FDCWD, (long)path, 0, 0, 0, 0);
}
static inline long vt_sys_rename(char const *from, char const *to) {
  return vt_sys(SYS_renameat, AT_FDCWD, (long)from, AT_FDCWD, (long)to, 0, 0);
}
static inline long vt_sys_mkdir(char const *path, mode_t mode) {
  return vt_sys(SYS_mkdirat, AT_FDCWD, (long)path, (long)mode, 0, 0, 0);
}
static inline long vt_sys_readlink(char const *path, char *buf, size_t sz) {
  return vt_sys(SYS_readlinkat, AT_FDCWD, (long)path, (long)buf, (long)sz, 0, 0);
}
static inline long vt_sys_getcwd(char *buf, size_t sz) {
  return vt_sys(SYS_getcwd, (long)buf, (long)sz, 0, 0, 0, 0);
}
static inline int vt_sys_dup_high(int fd, int at_least, int cloexec) {
  return (int)vt_sys(SYS_fcntl, fd, cloexec ? F_DUPFD_CLOEXEC : F_DUPFD, at_least, 0, 0, 0);
}
/* vt_sys_lock locks a file that is being written for its open file description: until no descriptor
   and no mapping of it is left. */
static inline long vt_sys_lock(int fd) {
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  return vt_sys(SYS_fcntl, fd, F_OFD_SETLK, (long)&whole, 0, 0, 0);
}
static inline int vt_sys_getpid(void) { return (int)vt_sys(SYS_getpid, 0, 0, 0, 0, 0, 0); }
static inline int vt_sys_getppid(void) { return (int)vt_sys(SYS_getppid, 0, 0, 0, 0, 0, 0); }
static inline int vt_sys_gettid(void) { return (int)vt_sys(SYS_gettid, 0, 0, 0, 0, 0, 0); }
static inline int vt_sys_socket(int domain, int type, int protocol) {
  return (int)vt_sys(SYS_socket, domain, type, protocol, 0, 0, 0);
}
static inline long vt_sys_connect(int fd, struct sockaddr const *addr, socklen_t sz) {
  return vt_sys(SYS_connect, fd, (long)addr, (long)sz, 0, 0, 0);
}
static inline long vt_sys_setsockopt(int fd, int level, int name, void const *value, socklen_t sz) {
  return vt_sys(SYS_setsockopt, fd, level, name, (long)value, (long)sz, 0);
}
static inline long vt_sys_recvmsg(int fd, struct msghdr *msg, int flags) {
  return vt_sys(SYS_recvmsg, fd, (long)msg, flags, 0, 0, 0);
}
static inline long vt_sys_getrlimit(int resource, struct rlimit *out) {
  return vt_sys(SYS_prlimit64, 0, resource, 0, (long)out, 0, 0);
}
/* Identity of an open file: st_dev and st_ino. */
static inline long vt_sys_fstat(int fd, struct stat *out) {
  return vt_sys(SYS_fstat, fd, (long)out, 0, 0, 0, 0);
}
/* What the file system tells of an open file that fstat does not: when it was made. */
static inline long vt_sys_statx(int fd, unsigned mask, struct statx *out) {
  return vt_sys(SYS_statx, fd, (long)"", AT_EMPTY_PATH, mask, (long)out, 0);
}
static inline long vt_sys_stat(char const *path, struct stat *out) {
  return vt_sys(SYS_newfstatat, AT_FDCWD, (long)path, (long)out, 0, 0, 0);
}
static inline long vt_sys_futex_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t ns) {
  struct timespec ts = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
  return vt_sys(SYS_futex, (long)word, FUTEX_WAIT, expected, (long)&ts, 0, 0);
}

/* Set while the kernel locks what is mapped (mlockall with MCL_FUTURE). */
extern int vt_sys_future_locked;

/* Zeroed private memory, not locked, excluded from core dumps; NULL on failure. */
static inline void *vt_sys_memory(size_t sz) {
  void *p = vt_sys_mmap(NULL, sz, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (vt_sys_failed(p)) return NULL;
  vt_sys_madvise(p, sz, MADV_DONTDUMP);
  if (vt_sys_future_locked) vt_sys_munlock(p, sz);
  return p;
}

#endif
