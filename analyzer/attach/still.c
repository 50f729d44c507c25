/* See still.h. What `run --snapshots` has from the start is lent for a moment here: while all threads stand, one of them runs
   a function of the shim that makes a sentinel (core/trace/snapshot.h); the collector has that fork; and the sentinel is
   ended before anybody runs on. So nothing of it is in a process in which nobody sees that its rights change. What the
   threads have in their registers lies in memory for that time. */
#include "analyzer/attach/still.h"
#include "analyzer/attach/place.h"
#include "analyzer/attach/remote.h"
#include "core/trace/ring.h"

#include <elf.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <unistd.h>

#define MOST 1024 /* bytes of registers of a thread */

/* put_registers writes what threads have in their registers behind the area's stack: the general ones, and those that
   copying uses. Returns of how many there was no room. */
static uint32_t put_registers(vt_target_t const *t, vt_attach_t const *d, vt_stop_t const *stop) {
  static int const sets[] = {NT_PRSTATUS, NT_PRFPREG};
  static uint8_t room[VT_ATTACH_REGISTERS_SZ + 2 * MOST];
  size_t sz = 0, known = 0;
  for (; known < stop->threads_cnt && sz + 2 * MOST <= VT_ATTACH_REGISTERS_SZ; known++)
    for (int i = 0; i < 2; i++) {
      struct iovec io = {room + sz, MOST};
      if (!ptrace(PTRACE_GETREGSET, stop->threads[known].tid, (void *)(long)sets[i], &io)) sz += (io.iov_len + 7) & ~(size_t)7;
    }
  if (vt_target_write(t, d->stack, room, sz)) known = 0;
  return (uint32_t)(stop->threads_cnt - known);
}

/* take_away what was put there, which is old by the next time. */
static void take_away(vt_target_t const *t, vt_attach_t const *d) {
  static uint8_t const none[VT_ATTACH_REGISTERS_SZ];
  vt_target_write(t, d->stack, none, sizeof none);
}

/* is_lent: has the process a sentinel now? */
static int is_lent(vt_target_t const *t, vt_attach_t const *d, vt_remote_t *r, uint32_t unknown) {
  uint64_t data = t->area + VT_ATTACH_CODE_SZ;
  uint32_t lent = 0;
  if (vt_target_write(t, data + offsetof(vt_attach_t, unknown), &unknown, sizeof unknown)) return 0;
  if (vt_remote_run(r, d->lend, data)) return 0;
  return !vt_target_read(t, data + offsetof(vt_attach_t, lent), &lent, sizeof lent) && lent;
}

/* ask has the collector take the copy; returns the connection, or -1 and *why. */
static int ask(vt_target_t const *t, char const *text, char const **why) {
  static vt_answer_t answer;
  int fd = vt_control_begin(t->name, "take", text, &answer, why);
  if (fd < 0 || !answer.status) return fd < 0 ? -1 : fd;
  close(fd);
  *why = answer.text;
  return -1;
}

int vt_still_take(vt_target_t const *t, vt_attach_t const *d, vt_stop_t const *stop, char const *text, char const **why) {
  vt_space_t space = {0};
  vt_remote_t remote = {.stop = stop, .mem = t->mem, .syscall = t->syscall, .sigreturn = t->sigreturn};
  int fd = -1;
  *why = "its recorder has not been loaded yet";
  if (!d->lend || vt_space_read(&space, t->pid)) return -1;
  *why = "no thread of it is on a stack of its own with room on it";
  if (!vt_remote_begin(&remote, &space, VT_REMOTE_FUNCTION)) {
    uint32_t unknown = put_registers(t, d, stop);
    *why = "there are none of this recording, or no process can be made to keep its memory";
    if (is_lent(t, d, &remote, unknown)) {
      fd = ask(t, text, why);
      vt_remote_run(&remote, d->take_back, t->area + VT_ATTACH_CODE_SZ);
    }
    take_away(t, d);
    vt_remote_end(&remote);
  }
  vt_space_free(&space);
  return fd;
}

/* take_of stops the process and takes its snapshot. */
static int take_of(vt_target_t *t, uint64_t *pause_ns, char const **why) {
  static vt_error_t error;
  static vt_attach_t d;
  vt_stop_t stop;
  *why = error.why;
  if (vt_target_read(t, t->area + VT_ATTACH_CODE_SZ, &d, sizeof d) || vt_stop_all(&stop, t->pid, &error)) return -1;
  int fd = vt_still_take(t, &d, &stop, NULL, why);
  *pause_ns = vt_stop_release(&stop);
  return fd;
}

static void block_child(void) {
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child, NULL);
}

int vt_still_snapshot(pid_t pid, vt_answer_t *answer, uint64_t *pause_ns, char const **why) {
  static vt_error_t error;
  char told[VT_ATTACH_TEXT_SZ];
  vt_target_t t;
  int fd = -1;
  *pause_ns = 0;
  if (vt_target_told(pid, VT_RING_ENV "=", told, sizeof told)) return 1;
  block_child();
  int failed = vt_target_open(&t, pid, &error), over = !failed && vt_place_state(&t, t.area, NULL) != VT_ATTACH_RECORDING;
  *why = error.why;
  if (!failed && !over) fd = take_of(&t, pause_ns, why);
  vt_target_close(&t);
  if (fd >= 0) vt_control_hear(fd, answer);
  return fd >= 0 ? 0 : over ? 1 : -1;
}
