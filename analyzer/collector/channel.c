/* See channel.h. */
#include "analyzer/collector/channel.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
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

#define FD_HIGH 1000
#define CALIBRATION_NS 2000000

/* The kernel's choice of clock source says whether the TSC can be trusted. */
static vt_clock_kind_t choose_clock(void) {
  char source[8] = "";
  int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
                O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? 0 : read(fd, source, sizeof source - 1);
  if (fd >= 0) close(fd);
  return n >= 4 && !memcmp(source, "tsc\n", 4) ? VT_CLOCK_TSC : VT_CLOCK_MONOTONIC;
}

static uint64_t calibrate(vt_clock_kind_t kind) {
  if (kind == VT_CLOCK_MONOTONIC) return 1000000000u;
  uint64_t ns0 = vt_clock_ns(CLOCK_MONOTONIC), tick0 = vt_clock_tick(kind);
  struct timespec pause = {.tv_nsec = CALIBRATION_NS};
  nanosleep(&pause, NULL);
  uint64_t ticks = vt_clock_tick(kind) - tick0, ns = vt_clock_ns(CLOCK_MONOTONIC) - ns0;
  return (uint64_t)((unsigned __int128)ticks * 1000000000u / ns);
}

/* raise_fd moves a descriptor where programs do not step on it. */
static int raise_fd(int fd) {
  struct rlimit limit;
  int at = FD_HIGH;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur <= FD_HIGH)
    at = limit.rlim_cur > 16 ? (int)limit.rlim_cur - 4 : 3;
  int high = fcntl(fd, F_DUPFD, at);
  close(fd);
  return high;
}

static int make_ring(vt_channel_t *c, uint64_t nonce) {
  char name[32];
  snprintf(name, sizeof name, "valtrace-%016llx", (unsigned long long)nonce);
  snprintf(c->link, sizeof c->link, "/memfd:%s (deleted)", name);
  int fd = memfd_create(name, MFD_CLOEXEC);
  if (fd < 0 || (c->fd = raise_fd(fd)) < 0) return -1;
  if (ftruncate(c->fd, (off_t)VT_RING_SZ)) return -1;
  void *p = mmap(NULL, VT_RING_SZ, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, c->fd, 0);
  if (p == MAP_FAILED) return -1;
  c->ring = p;
  vt_clock_kind_t clock = choose_clock();
  c->ring->collector_pid = (uint32_t)getpid();
  c->ring->clock = clock;
  c->ring->nonce = nonce;
  c->ring->tick_hz = calibrate(clock);
  atomic_store_explicit(&c->ring->limit, VT_RING_SPARE, memory_order_relaxed);
  c->ring->magic = VT_RING_MAGIC;
  return 0;
}

static int make_socket(vt_channel_t *c, char const *name) {
  struct sockaddr_un addr = {.sun_family = AF_UNIX};
  size_t len = strlen(name);
  memcpy(addr.sun_path + 1, name, len);
  c->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (c->socket < 0) return -1;
  socklen_t sz = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len);
  return bind(c->socket, (struct sockaddr *)&addr, sz) || listen(c->socket, 128) ? -1 : 0;
}

int vt_channel_open(vt_channel_t *c, vt_error_t *error) {
  uint64_t nonce = 0;
  char name[48];
  *c = (vt_channel_t){.fd = -1, .socket = -1};
  if (getrandom(&nonce, sizeof nonce, 0) != sizeof nonce) nonce = vt_clock_ns(CLOCK_REALTIME);
  snprintf(name, sizeof name, "valtrace-%d-%08x", getpid(), (unsigned)nonce);
  if (make_ring(c, nonce) || make_socket(c, name)) {
    vt_error_set(error, "shared memory for recording", strerror(errno),
                 "raise the limits of this session");
    return -1;
  }
  snprintf(c->env, sizeof c->env, "%d:%s:%016llx", c->fd, name, (unsigned long long)nonce);
  return 0;
}

static void send_fd(int to, int fd) {
  char byte = 1;
  struct iovec iov = {.iov_base = &byte, .iov_len = 1};
  union {
    struct cmsghdr align;
    char space[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct msghdr msg = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.space,
                       .msg_controllen = sizeof control.space};
  struct cmsghdr *m = CMSG_FIRSTHDR(&msg);
  m->cmsg_level = SOL_SOCKET;
  m->cmsg_type = SCM_RIGHTS;
  m->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(m), &fd, sizeof fd);
  sendmsg(to, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* may_have: a process of another user (but root) gets nothing. */
static int may_have(int connection) {
  struct ucred peer;
  socklen_t sz = sizeof peer;
  if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &sz)) return 0;
  return peer.uid == geteuid() || peer.uid == 0 || geteuid() == 0;
}

void vt_channel_serve(vt_channel_t *c) {
  for (int connection; (connection = accept4(c->socket, NULL, NULL, SOCK_CLOEXEC)) >= 0;) {
    if (may_have(connection)) send_fd(connection, c->fd);
    close(connection);
  }
}

static long futex(_Atomic uint32_t *word, int op, uint32_t value, struct timespec const *timeout) {
  return syscall(SYS_futex, word, op, value, timeout, NULL, 0);
}

void vt_channel_sleep(vt_channel_t *c, uint64_t ns) {
  struct timespec timeout = {.tv_sec = (time_t)(ns / 1000000000u),
                             .tv_nsec = (long)(ns % 1000000000u)};
  futex(&c->ring->idle, FUTEX_WAIT, 1, &timeout);
  atomic_store_explicit(&c->ring->idle, 0, memory_order_relaxed);
}

void vt_channel_wake(vt_channel_t *c) {
  if (c->ring) atomic_store_explicit(&c->ring->idle, 0, memory_order_relaxed);
}

void vt_channel_progress(vt_channel_t *c) {
  /* Sequentially consistent with the waiter's increment of `waiting`: either it sees the new value of
     progress or we see it waiting. */
  atomic_fetch_add_explicit(&c->ring->progress, 1, memory_order_seq_cst);
  if (atomic_load_explicit(&c->ring->waiting, memory_order_seq_cst))
    futex(&c->ring->progress, FUTEX_WAKE, INT32_MAX, NULL);
}

unsigned vt_channel_users(vt_channel_t const *c) {
  unsigned users = 0;
  DIR *proc = opendir("/proc");
  if (!proc) return 0;
  for (struct dirent *e; (e = readdir(proc));) {
    char path[300], target[128];
    if (!isdigit((unsigned char)e->d_name[0]) || atoi(e->d_name) == getpid()) continue;
    snprintf(path, sizeof path, "/proc/%s/fd/%d", e->d_name, c->fd);
    ssize_t n = readlink(path, target, sizeof target - 1);
    target[n > 0 ? n : 0] = '\0';
    users += !strcmp(target, c->link);
  }
  closedir(proc);
  return users;
}
