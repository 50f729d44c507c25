/* See ring.h. */
#include "analyzer/collector/ring.h"
#include "analyzer/util/kernel.h"
#include "core/trace/patch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define CALIBRATION_NS 2000000
/* With fewer, threads that allocate side by side would wait for each other; with these as well when
   there are more of them than that, but a limit on the size of files may leave no more. */
#define SEGMENTS_MIN   8

/* move_high gives the descriptor a number few programs use, so that it survives most of them. */
static int move_high(int fd) {
  struct rlimit limit;
  long at_least = 1000;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur <= 1024)
    at_least = (long)limit.rlim_cur - 8;
  int high = fcntl(fd, F_DUPFD, at_least < 3 ? 3 : at_least);
  if (high < 0) return fd;
  close(fd);
  return high;
}

static vt_clock_kind_t clock_kind(void) {
  char source[8] = "";
  FILE *file = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");
  if (!file) return VT_CLOCK_MONOTONIC;
  if (!fgets(source, sizeof source, file)) source[0] = '\0';
  fclose(file);
  return strcmp(source, "tsc\n") ? VT_CLOCK_MONOTONIC : VT_CLOCK_TSC;
}

static uint64_t measure_hz(vt_clock_kind_t kind) {
  uint64_t ns0 = vt_clock_ns(CLOCK_MONOTONIC), tick0 = vt_clock_tick(kind), ns;
  if (kind == VT_CLOCK_MONOTONIC) return 1000000000u;
  do ns = vt_clock_ns(CLOCK_MONOTONIC);
  while (ns - ns0 < CALIBRATION_NS);
  return (uint64_t)((unsigned __int128)(vt_clock_tick(kind) - tick0) * 1000000000u / (ns - ns0));
}

static int listen_on(char const *name, char const *suffix) {
  struct sockaddr_un addr = {.sun_family = AF_UNIX};
  size_t len = (size_t)snprintf(addr.sun_path + 1, sizeof addr.sun_path - 1, "%s%s", name, suffix);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  socklen_t sz = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len);
  if (bind(fd, (struct sockaddr *)&addr, sz) == 0 && listen(fd, SOMAXCONN) == 0) return fd;
  close(fd);
  return -1;
}

/* resize sets the size of the memfd, to which the limit on the size of files applies: it is lifted
   meanwhile, as far as we may. */
static int resize(int fd, uint64_t sz) {
  struct rlimit before, most;
  int limited = getrlimit(RLIMIT_FSIZE, &before) == 0 && before.rlim_cur < sz;
  if (limited) {
    most = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
    if (setrlimit(RLIMIT_FSIZE, &most)) {
      most = (struct rlimit){before.rlim_max, before.rlim_max};
      setrlimit(RLIMIT_FSIZE, &most);
    }
  }
  int result = ftruncate(fd, (off_t)sz), error = errno;
  if (limited) setrlimit(RLIMIT_FSIZE, &before);
  errno = error;
  return result;
}

/* make_segments maps a ring with as many segments as limits allow; returns how many, 0: none. */
static uint32_t make_segments(vt_ring_end_t *end) {
  for (uint32_t n = VT_RING_SEGMENTS; n >= SEGMENTS_MIN; n /= 2) {
    uint64_t sz = VT_RING_SZ(n);
    if (resize(end->fd, sz)) continue;
    void *p = mmap(NULL, sz, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, end->fd, 0);
    if (p == MAP_FAILED) continue;
    end->ring = p;
    return n;
  }
  return 0;
}

int vt_ring_make(vt_ring_end_t *end) {
  uint64_t nonce;
  char name[64];
  if (vt_kernel_random(&nonce)) return -errno;
  int fd = vt_kernel_file(VT_RING_FILE, 0);
  if (fd < 0) return -errno;
  end->fd = move_high(fd);
  uint32_t segments = make_segments(end);
  if (!segments) return -errno;
  end->ring->segments = end->segments = segments;
  end->ring->nonce = nonce;
  end->ring->clock = clock_kind();
  end->ring->tick_hz = measure_hz((vt_clock_kind_t)end->ring->clock);
  end->limit = segments < VT_RING_SPARE ? segments : VT_RING_SPARE;
  atomic_store(&end->ring->limit, end->limit);
  snprintf(name, sizeof name, "valtrace-%d-%08x", getpid(), (unsigned)nonce);
  end->made_at = vt_clock_ns(CLOCK_BOOTTIME) / (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
  end->socket = listen_on(name, ""); /* without it, inheritance alone must do */
  end->patches = listen_on(name, VT_PATCH_SOCKET_SUFFIX);
  end->steering = listen_on(name, VT_CONTROL_SUFFIX);
  snprintf(end->spec, sizeof end->spec, "%d:%s:%016llx", end->fd, name, (unsigned long long)nonce);
  end->ring->magic = VT_RING_MAGIC;
  return 0;
}

void vt_ring_empty(vt_ring_end_t const *end) {
  off_t from = (off_t)VT_RING_SEGMENTS_OFF;
  fallocate(end->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, (off_t)VT_RING_SZ(end->segments) - from);
}

void vt_ring_leave(vt_ring_end_t *end) {
  munmap(end->ring, VT_RING_SZ(end->segments));
  close(end->fd);
  if (end->socket >= 0) close(end->socket);
  if (end->patches >= 0) close(end->patches);
  if (end->steering >= 0) close(end->steering);
  end->ring = NULL;
  end->fd = end->socket = end->patches = end->steering = -1;
}

static void send_fd(int connection, int fd) {
  char byte = 'R';
  struct iovec iov = {.iov_base = &byte, .iov_len = 1};
  union {
    struct cmsghdr align;
    char space[CMSG_SPACE(sizeof(int))];
  } control;
  memset(&control, 0, sizeof control);
  struct msghdr msg = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.space,
                       .msg_controllen = sizeof control.space};
  struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(c), &fd, sizeof fd);
  (void)!sendmsg(connection, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int vt_ring_answer(vt_ring_end_t *end) {
  if (end->socket < 0) return 0;
  for (int c; (c = accept4(end->socket, NULL, NULL, SOCK_CLOEXEC)) >= 0;) {
    struct ucred peer;
    socklen_t sz = sizeof peer;
    if (getsockopt(c, SOL_SOCKET, SO_PEERCRED, &peer, &sz) == 0 &&
        (peer.uid == geteuid() || geteuid() == 0))
      send_fd(c, end->fd);
    close(c);
  }
  return errno == EAGAIN ? 0 : -1;
}

/* wake wakes as many of the threads that wait for a segment as there are new ones. */
static void wake(vt_ring_t *ring, uint32_t segments) {
  atomic_fetch_add_explicit(&ring->progress, 1, memory_order_seq_cst);
  if (atomic_load_explicit(&ring->waiting, memory_order_seq_cst))
    syscall(SYS_futex, &ring->progress, FUTEX_WAKE, segments, NULL, NULL, 0);
}

/* A cold segment is wiped by giving its memory back to the system. */
static void wipe(vt_ring_t *ring, uint32_t i) {
  uint8_t *segment = vt_ring_segment(ring, i);
  if (i < VT_RING_WARM || madvise(segment, VT_SEGMENT_SZ, MADV_REMOVE))
    vt_store64(segment + VT_SEGMENT_OFF_COMMITTED, 0);
}

void vt_ring_give_back(vt_ring_t *ring, uint32_t i) {
  wipe(ring, i);
  /* Pairs with the acquire of the compare-and-swap that claims the segment. */
  atomic_store_explicit(&ring->state[i], VT_SEGMENT_FREE, memory_order_release);
  uint32_t hint = atomic_load_explicit(&ring->hint, memory_order_relaxed);
  while (hint > i && !atomic_compare_exchange_weak_explicit(
                         &ring->hint, &hint, i, memory_order_relaxed, memory_order_relaxed))
    continue;
  wake(ring, 1);
}

void vt_ring_drained(vt_ring_t *ring, uint32_t i, uint32_t from, uint32_t to) {
  uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
  uint64_t begin = (VT_SEGMENT_RECORDS_OFF + from) / page * page;
  uint64_t end = (VT_SEGMENT_RECORDS_OFF + to) / page * page;
  if (!begin) begin = page; /* the segment's header */
  if (i >= VT_RING_WARM && begin < end)
    madvise(vt_ring_segment(ring, i) + begin, end - begin, MADV_REMOVE);
}

/* The limit bounds what the collector has not drained, not how many threads there may be. */
void vt_ring_raise_limit(vt_ring_end_t *end, uint32_t active) {
  uint32_t wanted = active + active / 4 + VT_RING_SPARE, before = end->limit;
  if (wanted > end->segments) wanted = end->segments;
  if (wanted <= before) return;
  end->limit = wanted;
  atomic_store_explicit(&end->ring->limit, wanted, memory_order_relaxed);
  wake(end->ring, wanted - before);
}
