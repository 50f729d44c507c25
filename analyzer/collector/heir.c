/* See heir.h. */
#include "analyzer/collector/heir.h"
#include "analyzer/collector/memory_limits.h"
#include "analyzer/snapshot/verdict.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define END_MS 1000 /* a killed process ends long before */

static uint64_t now_ns(void) { return vt_clock_ns(CLOCK_MONOTONIC); }

static int is_over(int fd, int timeout_ms) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  return poll(&p, 1, timeout_ms) > 0;
}

void vt_heir_look_for(vt_heir_look_t *look, vt_ring_end_t *end, vt_ring_image_t *row) {
  vt_identity_t who = {.space = atomic_load_explicit(&row->space, memory_order_relaxed),
                       .pid = atomic_load_explicit(&row->heir, memory_order_acquire),
                       .seat = atomic_load_explicit(&row->seat, memory_order_relaxed)};
  if (!who.pid || look->heir.who.pid) return;
  who.tick = vt_clock_tick((vt_clock_kind_t)end->ring->clock);
  look->heir = vt_owner_find(end, &who);
}

/* write_result puts the whole payload behind a mark that is written last. */
static void write_result(int fd, vt_bytes_t const *b) {
  uint64_t sz = b->sz;
  size_t at = 0;
  while (at < b->sz) {
    ssize_t n = pwrite(fd, b->data + at, b->sz - at, (off_t)(at + sizeof sz));
    if (n <= 0) return;
    at += (size_t)n;
  }
  (void)!pwrite(fd, &sz, sizeof sz, 0);
}

/* be_helper is the helper's life. Without the ring: who has it counts as one that is recorded. */
static void be_helper(vt_heir_look_t *look, char const *path) {
  uint64_t counters[VT_COUNTER_MAX + 1];
  vt_bytes_t out = {0};
  for (uint32_t c = 0; c <= VT_COUNTER_MAX; c++)
    counters[c] = atomic_load_explicit(&look->row->counters[c], memory_order_relaxed);
  vt_verdict_case_t of = {
      .path = path, .frozen = look->heir.pid, .counters = counters, .high_tags = look->high_tags};
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  vt_ring_leave(look->end);
  vt_verdict_write(&of, &out);
  write_result(look->result, &out);
  _exit(0);
}

static void start_helper(vt_heir_look_t *look, char const *path) {
  look->result = memfd_create("valtrace-leaks", MFD_CLOEXEC);
  pid_t pid = look->result < 0 ? -1 : fork();
  if (pid == 0) be_helper(look, path);
  if (pid < 0) {
    look->given_up = "no process to look at its memory";
    return;
  }
  look->helper = pid;
  look->done = (int)syscall(SYS_pidfd_open, pid, 0);
}

int vt_heir_look_begin(vt_heir_look_t *look, vt_ring_end_t *end, vt_ring_image_t *row,
                       char const *path, uint64_t kept, int high_tags) {
  look->end = end;
  look->row = row;
  look->high_tags = high_tags;
  look->done = look->result = -1;
  vt_heir_look_for(look, end, row);
  if (!look->heir.who.pid) return 0;
  look->deadline = now_ns() + end->ring->heir_limit_ns;
  look->bytes = vt_memory_resident(look->heir.pid);
  if (!look->heir.pid)
    look->given_up = "its memory is gone";
  else if (!path)
    look->given_up = "it has no trace";
  else if (look->bytes + kept > vt_memory_spare() || vt_memory_tight(look->heir.pid))
    look->given_up = "memory is too scarce to keep that of an ended process";
  else
    start_helper(look, path);
  return 1;
}

/* end_heir: memory must be free again, and the process not be counted as one that is recorded. */
static void end_heir(vt_heir_look_t *look) {
  /* Pairs with the acquire in the heir's sleep. */
  atomic_store_explicit(&look->row->heir_state, VT_HEIR_NONE, memory_order_release);
  syscall(SYS_futex, &look->row->heir_state, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
  atomic_store_explicit(&look->row->heir, 0, memory_order_relaxed);
  if (look->heir.fd >= 0) {
    syscall(SYS_pidfd_send_signal, look->heir.fd, SIGKILL, NULL, 0);
    is_over(look->heir.fd, END_MS);
  }
  vt_owner_leave(&look->heir);
}

/* end_helper: it may have been waited for already, so that only its descriptor is sure to mean it.
 */
static void end_helper(vt_heir_look_t *look) {
  if (look->done >= 0) syscall(SYS_pidfd_send_signal, look->done, SIGKILL, NULL, 0);
  if (look->helper) {
    while (waitpid(look->helper, NULL, 0) < 0 && errno == EINTR) continue;
  }
  if (look->done >= 0) close(look->done);
  look->done = -1;
  look->helper = 0;
}

/* take_result copies what the helper wrote; -1: it did not get so far. */
static int take_result(vt_heir_look_t *look, vt_bytes_t *leaks) {
  uint64_t sz = 0;
  if (look->result < 0 || pread(look->result, &sz, sizeof sz, 0) != (ssize_t)sizeof sz || !sz)
    return -1;
  uint8_t *to = vt_bytes_room(leaks, sz);
  for (size_t at = 0; at < sz;) {
    ssize_t n = pread(look->result, to + at, sz - at, (off_t)(at + sizeof sz));
    if (n <= 0) return -1;
    at += (size_t)n;
  }
  leaks->sz += sz;
  return 0;
}

int vt_heir_look_settle(vt_heir_look_t *look, vt_bytes_t *leaks) {
  int over = look->given_up ||
             (look->done >= 0 ? is_over(look->done, 0) : waitpid(look->helper, NULL, WNOHANG) != 0);
  if (!over && now_ns() > look->deadline)
    look->given_up = "the time for the snapshot was over (--snapshot-timeout gives more)";
  else if (!over && vt_memory_tight(look->heir.pid))
    look->given_up = "memory was too scarce to keep that of an ended process";
  if (!over && !look->given_up) return 0;
  end_heir(look);
  end_helper(look);
  if (look->given_up || take_result(look, leaks))
    vt_verdict_none(look->given_up ? look->given_up : "the look at its memory failed", leaks);
  if (look->result >= 0) close(look->result);
  look->result = -1;
  return 1;
}
