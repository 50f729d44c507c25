/* See still.h. What `run --snapshots` has a sentinel for (core/trace/snapshot.h) is done here while all threads stand: one of
   them runs a function of the shim that has the copy made. So no process stays beside one of which nobody sees whether its
   rights change. What the threads have in their registers lies in memory for that time. */
#include "analyzer/attach/still.h"
#include "analyzer/attach/place.h"
#include "analyzer/attach/remote.h"
#include "core/trace/ring.h"

#include <elf.h>
#include <errno.h>
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

int vt_still_ask(vt_target_t const *t, char const *text, uint32_t *number, char const **why) {
  static vt_answer_t answer;
  int fd = vt_control_begin(t->name, "take", text, &answer, why);
  *number = (uint32_t)strtoul(answer.text, NULL, 10);
  if (fd < 0 || !answer.status) return fd < 0 ? -1 : fd;
  close(fd);
  *why = answer.text;
  return -1;
}

/* run_copy has the shim's function run. Returns NULL, or why there is no copy. */
static char const *run_copy(vt_target_t const *t, vt_attach_t const *d, vt_remote_t *r, uint32_t number, uint32_t unknown) {
  uint64_t data = t->area + VT_ATTACH_CODE_SZ;
  uint32_t told[] = {number, unknown};
  int32_t copied = -1;
  _Static_assert(offsetof(vt_attach_t, unknown) == offsetof(vt_attach_t, number) + sizeof *told, "both are told");
  if (vt_target_write(t, data + offsetof(vt_attach_t, number), told, sizeof told) || vt_remote_run(r, d->copy, data) ||
      vt_target_read(t, data + offsetof(vt_attach_t, copied), &copied, sizeof copied))
    return "it has ended";
  return !copied ? NULL : copied == -EBUSY ? "an earlier one is not over yet" : "no process can be made that keeps its memory";
}

char const *vt_still_copy(vt_target_t const *t, vt_attach_t const *d, vt_stop_t const *stop, uint32_t number) {
  vt_space_t space = {0};
  vt_remote_t remote = {.stop = stop, .mem = t->mem, .syscall = t->syscall, .sigreturn = t->sigreturn};
  char const *why = "its recorder has not been loaded yet";
  if (!d->copy || vt_space_read(&space, t->pid)) return why;
  why = "no thread of it is on a stack of its own with room on it";
  if (!vt_remote_begin(&remote, &space, VT_REMOTE_FUNCTION)) {
    why = run_copy(t, d, &remote, number, put_registers(t, d, stop));
    take_away(t, d);
    vt_remote_end(&remote);
  }
  vt_space_free(&space);
  return why;
}

/* take_of stops the process and takes its snapshot. Returns NULL, or why there is none. */
static char const *take_of(vt_target_t *t, uint32_t number, uint64_t *pause_ns) {
  static vt_error_t error;
  static vt_attach_t d;
  vt_stop_t stop;
  if (vt_target_read(t, t->area + VT_ATTACH_CODE_SZ, &d, sizeof d)) return "it has ended";
  if (vt_stop_all(&stop, t->pid, &error)) return error.why;
  char const *why = vt_still_copy(t, &d, &stop, number);
  *pause_ns = vt_stop_release(&stop);
  return why;
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
  uint32_t number;
  int fd = -1;
  *pause_ns = 0;
  if (vt_target_told(pid, VT_RING_ENV "=", told, sizeof told)) return 1;
  block_child();
  int failed = vt_target_open(&t, pid, &error), over = !failed && vt_place_state(&t, t.area, NULL) != VT_ATTACH_RECORDING;
  *why = error.why;
  if (!failed && !over) fd = vt_still_ask(&t, NULL, &number, why);
  failed |= fd < 0 || (*why = take_of(&t, number, pause_ns));
  vt_target_close(&t);
  if (fd >= 0 && !failed) vt_control_hear(fd, answer);
  if (fd >= 0 && failed) close(fd);
  return over ? 1 : failed ? -1 : 0;
}
