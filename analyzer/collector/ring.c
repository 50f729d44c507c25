/* See ring.h. */
#include "analyzer/collector/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define CALIBRATION_NS 2000000

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

static int listen_on(char const *name) {
  struct sockaddr_un addr = {.sun_family = AF_UNIX};
  size_t len = strlen(name);
  memcpy(addr.sun_path + 1, name, len);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  socklen_t sz = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len);
  if (bind(fd, (struct sockaddr *)&addr, sz) == 0 && listen(fd, SOMAXCONN) == 0) return fd;
  close(fd);
  return -1;
}

int vt_ring_make(vt_ring_end_t *end) {
  uint64_t nonce;
  char name[64];
  if (getrandom(&nonce, sizeof nonce, 0) != sizeof nonce) return -errno;
  int fd = memfd_create("valtrace", 0);
  if (fd < 0) return -errno;
  end->fd = move_high(fd);
  if (ftruncate(end->fd, (off_t)VT_RING_SZ)) return -errno;
  end->ring =
      mmap(NULL, VT_RING_SZ, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, end->fd, 0);
  if (end->ring == MAP_FAILED) return -errno;
  end->ring->nonce = nonce;
  end->ring->clock = clock_kind();
  end->ring->tick_hz = measure_hz((vt_clock_kind_t)end->ring->clock);
  atomic_store(&end->ring->limit, VT_RING_SPARE);
  snprintf(name, sizeof name, "valtrace-%d-%08x", getpid(), (unsigned)nonce);
  end->made_at = vt_clock_ns(CLOCK_BOOTTIME) / (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
  end->socket = listen_on(name); /* without it, inheritance alone must do */
  snprintf(end->spec, sizeof end->spec, "%d:%s:%016llx", end->fd, name, (unsigned long long)nonce);
  end->ring->magic = VT_RING_MAGIC;
  return 0;
}

void vt_ring_leave(vt_ring_end_t *end) {
  munmap(end->ring, VT_RING_SZ);
  close(end->fd);
  if (end->socket >= 0) close(end->socket);
  end->ring = NULL;
  end->fd = end->socket = -1;
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

void vt_ring_give_back(vt_ring_t *ring, uint32_t i) {
  vt_store64(vt_ring_segment(ring, i) + VT_SEGMENT_OFF_COMMITTED, 0);
  /* Pairs with the acquire of the compare-and-swap that claims the segment. */
  atomic_store_explicit(&ring->state[i], VT_SEGMENT_FREE, memory_order_release);
  atomic_fetch_add_explicit(&ring->progress, 1, memory_order_seq_cst);
  if (atomic_load_explicit(&ring->waiting, memory_order_seq_cst))
    syscall(SYS_futex, &ring->progress, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}
