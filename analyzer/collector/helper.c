/* See helper.h. */
#include "analyzer/collector/helper.h"
#include "analyzer/collector/memory_limits.h"
#include "analyzer/memory/capture.h"
#include "analyzer/util/kernel.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define FOLLOWER_NICE  10
#define FOLLOWER_BYTES ((uint64_t)256 << 20) /* resident, at most */

/* A helper's own side. */
typedef struct {
  char const *path;
  int orders, result;
  vt_replay_t *trace;
  vt_helper_order_t order;
  int told, ordered, gone; /* it has got: word that there is more, its order, the collector's end */
} work_t;

/* write_result puts a whole payload, behind a mark that is written last, where *begin is; and *begin
   behind it. */
static void write_result(int fd, off_t *begin, vt_bytes_t const *b) {
  uint64_t mark = b->sz + 1;
  off_t to = *begin + (off_t)sizeof mark;
  for (size_t at = 0; at < b->sz;) {
    ssize_t n = pwrite(fd, b->data + at, b->sz - at, to + (off_t)at);
    if (n <= 0) return;
    at += (size_t)n;
  }
  (void)!pwrite(fd, &mark, sizeof mark, *begin);
  *begin = to + (off_t)b->sz;
}

/* take_result copies what the helper wrote where *begin is; -1: it did not get so far. */
static int take_result(int fd, off_t *begin, vt_bytes_t *out) {
  uint64_t mark = 0;
  if (pread(fd, &mark, sizeof mark, *begin) != (ssize_t)sizeof mark || !mark) return -1;
  size_t sz = mark - 1;
  uint8_t *to = vt_bytes_room(out, sz);
  *begin += (off_t)sizeof mark;
  for (size_t at = 0; at < sz;) {
    ssize_t n = pread(fd, to + at, sz - at, *begin + (off_t)at);
    if (n <= 0) return -1;
    at += (size_t)n;
  }
  *begin += (off_t)sz;
  out->sz += sz;
  return 0;
}

/* take_all: without the last of it, it is not known what it cost. */
static int take_all(int fd, vt_heir_seen_t *seen) {
  off_t begin = 0;
  vt_bytes_t cost = {0};
  if (take_result(fd, &begin, &seen->pages) || take_result(fd, &begin, &seen->leaks)) return -1;
  seen->cpu_ns = take_result(fd, &begin, &cost) || cost.sz != sizeof seen->cpu_ns ? 0 : vt_load64(cost.data);
  vt_bytes_free(&cost);
  return 0;
}

/* look: the pages come first, they cost little. */
static void look(work_t *w) {
  vt_heir_seen_t seen = {0};
  off_t end = 0;
  vt_capture_take(w->order.pages_of, w->order.kind, w->order.clock, &seen.pages);
  write_result(w->result, &end, &seen.pages);
  if (!w->trace) w->trace = vt_replay_open(w->path);
  vt_verdict_write(&w->order.of, w->trace, &seen.leaks);
  write_result(w->result, &end, &seen.leaks);
  vt_bytes_t cost = {0};
  vt_bytes_u64(&cost, vt_clock_ns(CLOCK_PROCESS_CPUTIME_ID));
  write_result(w->result, &end, &cost);
}

/* hear takes everything that the collector has said. */
static void hear(work_t *w, int flags) {
  ssize_t n;
  while (!w->ordered && !w->gone) {
    n = recv(w->orders, &w->order, sizeof w->order, flags);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    w->told |= n == 1;
    w->ordered = n == (ssize_t)sizeof w->order;
    w->gone = n <= 0;
    flags = MSG_DONTWAIT;
  }
}

static int is_called(void *context) {
  work_t *w = context;
  hear(w, MSG_DONTWAIT);
  return w->ordered || w->gone;
}

/* go_on reads what the collector has written; -1: it cannot, or takes too much. The trace is opened when there is more, not before: what
   was opened and never followed would be taken for the whole of it when the order comes. */
static int go_on(work_t *w) {
  if (!w->trace) w->trace = vt_replay_open(w->path);
  return !w->trace || vt_replay_follow(w->trace, is_called, w) || vt_memory_resident(getpid()) > FOLLOWER_BYTES ? -1 : 0;
}

/* follow is a thread of its own, because a priority that was lowered cannot be raised again. (On Linux it is a thread's;
   those that decode have that of the thread that began them.) What the order asks for is done with the old one. */
static void *follow(void *context) {
  work_t *w = context;
  setpriority(PRIO_PROCESS, 0, FOLLOWER_NICE);
  while (!w->ordered && !w->gone) {
    w->told = 0;
    hear(w, 0);
    if (w->told && !w->ordered && !w->gone && go_on(w)) w->gone = 1;
  }
  return NULL;
}

static void follow_and_look(work_t *w) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, follow, w)) return;
  pthread_join(thread, NULL);
  if (w->ordered) look(w);
}

/* close_others: what the collector has open must end when it does so. What it has for standard output says nothing. */
static void close_others(work_t const *w) {
  DIR *dir = opendir("/proc/self/fd");
  if (!dir) _exit(0);
  dup2(STDOUT_FILENO, STDERR_FILENO);
  for (struct dirent const *entry; (entry = readdir(dir));) {
    int fd = atoi(entry->d_name);
    if (fd > STDERR_FILENO && fd != w->orders && fd != w->result && fd != dirfd(dir)) close(fd);
  }
  closedir(dir);
}

/* begin starts a process; 0 in it, where the ring is gone: who has it counts as one that is recorded. */
static pid_t begin(vt_helper_t *h, vt_ring_end_t *end) {
  h->result = vt_kernel_file("valtrace-leaks", 1);
  pid_t pid = h->result < 0 ? -1 : fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    vt_ring_leave(end);
    return 0;
  }
  if (pid > 0) {
    h->pid = pid;
    h->done = vt_kernel_process(pid);
  } else if (h->result >= 0) {
    close(h->result);
    h->result = -1;
  }
  return pid;
}

int vt_helper_start(vt_helper_t *h, vt_ring_end_t *end, char const *path, vt_helper_order_t const *order) {
  *h = (vt_helper_t){.done = -1, .orders = -1, .result = -1};
  pid_t pid = begin(h, end);
  if (pid == 0) {
    work_t w = {.path = path, .result = h->result, .order = *order};
    look(&w);
    _exit(0);
  }
  return pid < 0 ? -1 : 0;
}

int vt_helper_follow(vt_helper_t *h, vt_ring_end_t *end, char const *path) {
  int ends[2];
  *h = (vt_helper_t){.done = -1, .orders = -1, .result = -1};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends)) return -1;
  pid_t pid = begin(h, end);
  if (pid == 0) {
    static work_t w;
    w = (work_t){.path = path, .orders = ends[1], .result = h->result};
    close_others(&w);
    prctl(PR_SET_NAME, "valtrace-follow");
    follow_and_look(&w);
    _exit(0);
  }
  close(ends[1]);
  h->orders = ends[0];
  if (h->done >= 0) return 0;
  close(h->orders); /* so it ends. Without a descriptor it could not be told from another process when it has. */
  if (pid > 0) close(h->result);
  *h = (vt_helper_t){0};
  return -1;
}

void vt_helper_tell(vt_helper_t *h) {
  if (h->pid) (void)!send(h->orders, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

int vt_helper_order(vt_helper_t *h, vt_helper_order_t const *order) {
  int takes = h->pid && !vt_helper_over(h);
  if (takes && send(h->orders, order, sizeof *order, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof *order) return 0;
  vt_helper_end(h, NULL);
  return -1;
}

int vt_helper_over(vt_helper_t *h) {
  struct pollfd p = {.fd = h->done, .events = POLLIN};
  if (h->done >= 0) return poll(&p, 1, 0) > 0;
  if (waitpid(h->pid, NULL, WNOHANG) == 0) return 0;
  h->pid = 0;
  return 1;
}

/* It may have been waited for already, so that only its descriptor is sure to mean it. */
int vt_helper_end(vt_helper_t *h, vt_heir_seen_t *seen) {
  if (!h->pid && h->result <= 0) return -1;
  if (h->pid) {
    vt_kernel_kill(h->done, h->pid);
    while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR) continue;
  }
  int failed = !seen || take_all(h->result, seen);
  if (h->done >= 0) close(h->done);
  if (h->orders >= 0) close(h->orders);
  close(h->result);
  *h = (vt_helper_t){.done = -1, .orders = -1, .result = -1};
  return failed ? -1 : 0;
}
