/* See held.h. Files: kernel, Documentation/filesystems/proc.rst (fdinfo of epoll; timers). */
#include "core/trace/held.h"
#include "core/trace/clock.h"
#include "core/trace/sys.h"

#include <elf.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>

#ifndef __WALL
#define __WALL 0x40000000
#endif
#define PIECE_SZ      65536
#define WORDS         (PIECE_SZ / 8)
#define STOP_LIMIT_NS ((uint64_t)300 * 1000 * 1000) /* a thread in vfork cannot be stopped */
#define STEP_NS       ((uint64_t)100 * 1000)
#define PASSES        8 /* of looking for threads that were born meanwhile */
#define PATH_SZ       64

/* room is where so many words can be put; NULL: there is no memory. */
static uint64_t *room(vt_held_t *h, uint32_t words) {
  if (!h->words || h->cnt + words > WORDS) {
    void *p = vt_sys_mmap(NULL, PIECE_SZ, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (vt_sys_failed(p)) return NULL;
    h->words = p;
    h->cnt = 0;
  }
  return h->words + h->cnt;
}

void vt_held_path(char *out, int pid, char const *name, int number) {
  char digits[12];
  int values[2] = {pid, number};
  out = stpcpy(out, "/proc/");
  for (int v = 0; v < 2 && values[v] >= 0; v++) {
    size_t n = sizeof digits;
    int rest = values[v];
    do digits[--n] = (char)('0' + rest % 10);
    while (rest /= 10);
    memcpy(out, digits + n, sizeof digits - n);
    out += sizeof digits - n;
    if (!v) out = stpcpy(out, name);
  }
  *out = '\0';
}

/* each calls for the numbers that are names in a folder of /proc/PID. Returns -1 when it cannot be read. */
static int each(int pid, char const *folder, void (*call)(vt_held_t *, int pid, int number), vt_held_t *h) {
  char path[PATH_SZ], buffer[2048] __attribute__((aligned(8)));
  vt_held_path(path, pid, folder, -1);
  int fd = vt_sys_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (fd < 0) return -1;
  long n;
  while ((n = vt_sys(SYS_getdents64, fd, (long)buffer, sizeof buffer, 0, 0, 0)) > 0) {
    for (long at = 0; at < n;) {
      uint16_t sz;
      memcpy(&sz, buffer + at + 16, sizeof sz);
      int number = 0;
      char const *p = buffer + at + 19;
      for (; *p >= '0' && *p <= '9'; p++) number = 10 * number + (*p - '0');
      if (!*p) call(h, pid, number);
      at += sz;
    }
  }
  vt_sys_close(fd);
  return n < 0 ? -1 : 0;
}

/* ---- registers ---- */

static long trace(long request, int tid, long a, long b) {
  return vt_sys(SYS_ptrace, request, tid, a, b, 0, 0);
}

static int maker_tid;
static uint32_t begun; /* threads told to stop, whose registers are still to come */

/* A thread that is being traced, by us or another, cannot be seized. */
static void stop(vt_held_t *h, int pid, int tid) {
  (void)pid;
  if (tid == maker_tid || trace(PTRACE_SEIZE, tid, 0, 0)) return;
  if (trace(PTRACE_INTERRUPT, tid, 0, 0)) return;
  h->stopped++;
  begun++;
}

static void count(vt_held_t *h, int pid, int tid) {
  (void)pid, (void)tid;
  h->unknown++;
}

/* read_registers: the general ones, and those that copying uses. */
static void read_registers(vt_held_t *h, int tid) {
  static int const sets[] = {NT_PRSTATUS, NT_PRFPREG};
  for (int i = 0; i < 2; i++) {
    uint64_t *to = room(h, 128);
    struct iovec iov = {to, 1024};
    if (!to || trace(PTRACE_GETREGSET, tid, sets[i], (long)&iov)) {
      h->unknown += !i;
      return;
    }
    h->cnt += (uint32_t)((iov.iov_len + 7) / 8);
  }
}

/* await takes the registers of threads as they stop. */
static void await(vt_held_t *h) {
  uint64_t start = vt_clock_ns(CLOCK_MONOTONIC);
  _Atomic uint32_t never = 0;
  while (begun) {
    int status = 0;
    long tid = vt_sys(SYS_wait4, -1, (long)&status, WNOHANG | __WALL, 0, 0, 0);
    if (tid > 0) {
      begun--;
      if (WIFSTOPPED(status))
        read_registers(h, (int)tid);
      else
        h->stopped--;
    } else if (tid < 0 || vt_clock_ns(CLOCK_MONOTONIC) - start > STOP_LIMIT_NS) {
      return;
    } else {
      vt_sys_futex_wait(&never, 0, STEP_NS);
    }
  }
}

/* is_gone: the first thread may have ended before the others, and stays listed. */
static int is_gone(int pid, int tid) {
  char path[PATH_SZ], line[128];
  vt_held_path(path, pid, "/task/", tid);
  strcat(path, "/stat");
  int fd = vt_sys_open(path, O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return 1;
  long n = vt_sys_read(fd, line, sizeof line - 1);
  vt_sys_close(fd);
  line[n > 0 ? n : 0] = '\0';
  char const *state = strrchr(line, ')');
  return !state || strlen(state) < 3 || state[2] == 'Z' || state[2] == 'X';
}

static void count_living(vt_held_t *h, int pid, int tid) {
  if (tid != maker_tid) h->unknown += !is_gone(pid, tid);
}

/* unknown_of is how many threads there are beyond those whose registers were read. */
static uint32_t unknown_of(vt_held_t const *h, int pid) {
  vt_held_t listed = {0}, living = {0};
  uint32_t known = h->stopped - begun - h->unknown;
  if (each(pid, "/task/", count, &listed)) return 1;
  if (listed.unknown <= known + 1) return 0;
  each(pid, "/task/", count_living, &living);
  return living.unknown > known ? living.unknown - known : 0;
}

void vt_held_threads(vt_held_t *h, int pid, int maker) {
  uint32_t before;
  int passes = 0;
  maker_tid = maker;
  begun = 0;
  do {
    before = h->stopped;
    if (each(pid, "/task/", stop, h)) break;
    await(h);
  } while (!begun && h->stopped != before && ++passes < PASSES);
  h->unknown = unknown_of(h, pid);
}

uint32_t vt_held_count(int pid) {
  vt_held_t listed = {0};
  each(pid, "/task/", count, &listed);
  return listed.unknown ? listed.unknown : 1;
}

void vt_held_reap(vt_held_t *h) {
  int status = 0;
  while (h->stopped && vt_sys(SYS_wait4, -1, (long)&status, WNOHANG | __WALL, 0, 0, 0) > 0)
    if (!WIFSTOPPED(status)) h->stopped--;
}

static void let_go(vt_held_t *h, int pid, int tid) {
  (void)h, (void)pid;
  trace(PTRACE_DETACH, tid, 0, 0);
}

void vt_held_let_go(vt_held_t *h, int pid) {
  each(pid, "/task/", let_go, h);
  h->stopped = 0;
}

/* ---- descriptors and timers ---- */

static int hex_digit(char c) {
  return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void put(vt_held_t *h, uint64_t value) {
  uint64_t *to = value ? room(h, 1) : NULL;
  if (!to) return;
  *to = value;
  h->cnt++;
}

/* put_numbers puts the hexadecimal numbers of a file that follow a word, with spaces between or not. */
static void put_numbers(vt_held_t *h, char const *path, char const *word) {
  char buffer[1024];
  size_t seen = 0, len = strlen(word);
  uint64_t value = 0;
  int fd = vt_sys_open(path, O_RDONLY | O_CLOEXEC, 0);
  for (long n; fd >= 0 && (n = vt_sys_read(fd, buffer, sizeof buffer)) > 0;) {
    for (long i = 0; i < n; i++) {
      int digit = hex_digit(buffer[i]);
      if (seen < len) {
        seen = buffer[i] == word[seen] ? seen + 1 : buffer[i] == word[0];
      } else if (digit >= 0) {
        value = value << 4 | (uint64_t)digit;
      } else if (buffer[i] != ' ' || value) {
        put(h, value);
        seen = value = 0;
      }
    }
  }
  put(h, value);
  if (fd >= 0) vt_sys_close(fd);
}

static void put_epoll(vt_held_t *h, int pid, int fd) {
  static char const wanted[] = "anon_inode:[eventpoll]";
  char path[PATH_SZ], target[sizeof wanted];
  vt_held_path(path, pid, "/fd/", fd);
  long n = vt_sys_readlink(path, target, sizeof target);
  if (n != sizeof wanted - 1 || memcmp(target, wanted, sizeof wanted - 1)) return;
  vt_held_path(path, pid, "/fdinfo/", fd);
  put_numbers(h, path, "data:");
}

void vt_held_kernel(vt_held_t *h, int pid) {
  char path[PATH_SZ];
  each(pid, "/fd/", put_epoll, h);
  vt_held_path(path, pid, "/timers", -1);
  put_numbers(h, path, "/");
}
