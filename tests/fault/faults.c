/* The fault table of the shim's system calls: a test build asks here before each of them.

   VALTEST_FAULT=FIRST:COUNT:ERRNO fails calls FIRST to FIRST+COUNT-1 of the process image, counted
   from 0 (COUNT 0: all from FIRST on). VALTEST_CALLS=FILE is a file of 64 KiB in which call n of
   the image that was started last leaves its number at byte 4 n, so that a test knows what there
   is to fail. Calls that the kernel never fails are left alone and not counted, and so is write, by
   which the shim says what is wrong. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALLS_MAX 16384

long vt_sys_fault(long nr);

static struct { long first, count, error; } table = {.first = -1};
static uint32_t *calls;
static _Atomic long next;

static long raw(long nr, long a, long b, long c, long d, long e, long f) {
  long ret;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(ret)
                   : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return ret;
}

static char const *variable(char const *name) {
  size_t n = strlen(name);
  for (char **e = environ; e && *e; e++)
    if (!strncmp(*e, name, n) && (*e)[n] == '=') return *e + n + 1;
  return NULL;
}

static void set_up(void) {
  char const *fault = variable("VALTEST_FAULT"), *path = variable("VALTEST_CALLS");
  if (fault) {
    char *end;
    table.count = strtol(strchr(fault, ':') + 1, &end, 10);
    table.error = strtol(end + 1, NULL, 10);
    table.first = strtol(fault, NULL, 10);
  }
  if (!path) return;
  long fd = raw(SYS_openat, AT_FDCWD, (long)path, O_RDWR | O_CLOEXEC, 0, 0, 0);
  long p = raw(SYS_mmap, 0, 4 * CALLS_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  raw(SYS_close, fd, 0, 0, 0, 0, 0);
  if (p > 0) calls = (uint32_t *)p;
}

long vt_sys_fault(long nr) {
  static _Atomic int ready;
  if (nr == SYS_getpid || nr == SYS_getppid || nr == SYS_gettid || nr == SYS_exit_group ||
      nr == SYS_write || !environ)
    return 0;
  if (!atomic_exchange(&ready, 1)) set_up();
  long n = atomic_fetch_add(&next, 1);
  if (calls && n < CALLS_MAX) calls[n] = (uint32_t)nr;
  if (table.first < 0 || n < table.first || (table.count && n >= table.first + table.count))
    return 0;
  return -table.error;
}
