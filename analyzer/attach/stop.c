/* See stop.h. Threads are made by threads, so that looking at the list of them is repeated until two looks
   in a row find nobody new. A thread that is about to take a signal stops for that instead: it
   takes it, and is stopped again. */
#include "analyzer/attach/stop.h"
#include "analyzer/util/mem.h"
#include "core/trace/clock.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#define EVENT_STOP  128 /* PTRACE_EVENT_STOP */
#define PATIENCE_NS ((uint64_t)3000000000)
#define STEP_NS     100000000
#define TRIES       5

static int known(vt_stop_t const *stop, pid_t tid) {
  for (size_t i = stop->threads_cnt; i-- > 0;)
    if (stop->threads[i].tid == tid && !stop->threads[i].gone) return 1;
  return 0;
}

/* is_over: a thread that has ended, or is about to, cannot be stopped, and need not. */
static int is_over(pid_t pid, pid_t tid) {
  char path[64], line[512] = "";
  snprintf(path, sizeof path, "/proc/%d/task/%d/stat", pid, tid);
  FILE *file = fopen(path, "re");
  if (!file) return 1;
  char *state = fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
  fclose(file);
  return !state || state[1] != ' ' || state[2] == 'Z' || state[2] == 'X';
}

/* seize returns how many threads are new, -1: one may not be stopped (errno). */
static int seize(vt_stop_t *stop) {
  char path[64];
  int found = 0;
  snprintf(path, sizeof path, "/proc/%d/task", stop->pid);
  DIR *dir = opendir(path);
  if (!dir) return -1;
  for (struct dirent const *entry; found >= 0 && (entry = readdir(dir));) {
    pid_t tid = atoi(entry->d_name);
    if (tid <= 0 || known(stop, tid)) continue;
    if (ptrace(PTRACE_SEIZE, tid, NULL, PTRACE_O_TRACESYSGOOD)) {
      int error = errno;
      if (error == ESRCH || is_over(stop->pid, tid)) continue;
      errno = error;
      found = -1;
    } else {
      VT_PUSH(stop->threads, (vt_stop_thread_t){.tid = tid});
      ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
      found++;
    }
  }
  int error = errno;
  closedir(dir);
  errno = error;
  return found;
}

int vt_stop_is_trap(int status) { return status >> 16 == EVENT_STOP; }

/* take_stop looks whether a thread has stopped, or ended: that of the first is not told before that of all others has been
   taken. */
static void take_stop(vt_stop_thread_t *t) {
  int status;
  pid_t got = waitpid(t->tid, &status, __WALL | WNOHANG);
  if (got == 0) return;
  if (got < 0 || !WIFSTOPPED(status)) {
    t->gone = got > 0 || errno == ECHILD;
    t->stopped &= !t->gone;
    return;
  }
  if (vt_stop_is_trap(status)) {
    t->stopped = 1;
    return;
  }
  ptrace(PTRACE_CONT, t->tid, NULL, (long)WSTOPSIG(status));
  ptrace(PTRACE_INTERRUPT, t->tid, NULL, NULL);
}

static size_t running(vt_stop_t *stop) {
  size_t n = 0;
  for (size_t i = 0; i < stop->threads_cnt; i++) {
    vt_stop_thread_t *t = &stop->threads[i];
    if (!t->gone) take_stop(t);
    n += !t->stopped && !t->gone;
  }
  return n;
}

/* child_changes waits for a while until something happens to a thread. Returns 0, or -1: nothing has. */
static int child_changes(void) {
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  return sigtimedwait(&child, NULL, &(struct timespec){.tv_nsec = STEP_NS}) == SIGCHLD ? 0 : -1;
}

/* wait_all waits for those that were seized, up to a time. Returns how many still run. */
static size_t wait_all(vt_stop_t *stop, uint64_t until) {
  for (size_t n; (n = running(stop));) {
    if (vt_clock_ns(CLOCK_MONOTONIC) > until) return n;
    child_changes();
  }
  return 0;
}

static void let_go(vt_stop_t *stop) {
  for (size_t i = 0; i < stop->threads_cnt; i++)
    if (stop->threads[i].stopped) ptrace(PTRACE_DETACH, stop->threads[i].tid, NULL, NULL);
}

/* let_others_go: all but those that have not stopped; these are not given up, and stop in the end. */
static void let_others_go(vt_stop_t *stop) {
  size_t kept = 0;
  let_go(stop);
  for (size_t i = 0; i < stop->threads_cnt; i++)
    if (!stop->threads[i].stopped && !stop->threads[i].gone) stop->threads[kept++] = stop->threads[i];
  stop->threads_cnt = kept;
}

/* stop_once returns 0, 1: some do not stop, -1: they may not be stopped (errno). */
static int stop_once(vt_stop_t *stop) {
  uint64_t until = vt_clock_ns(CLOCK_MONOTONIC) + PATIENCE_NS;
  stop->since = vt_clock_ns(CLOCK_MONOTONIC);
  for (int quiet = 0; quiet < 2;) {
    int found = seize(stop);
    if (found < 0) return -1;
    if (wait_all(stop, until)) return 1;
    quiet = found ? 0 : quiet + 1;
  }
  return 0;
}

#if defined(__x86_64__)
static int get(pid_t tid, vt_registers_t *regs) { return ptrace(PTRACE_GETREGS, tid, NULL, regs) ? -1 : 0; }

int vt_stop_set(pid_t tid, vt_registers_t const *regs) { return ptrace(PTRACE_SETREGS, tid, NULL, regs) ? -1 : 0; }
#else
static int get(pid_t tid, vt_registers_t *regs) { return (void)tid, (void)regs, -1; }
int vt_stop_set(pid_t tid, vt_registers_t const *regs) { return (void)tid, (void)regs, -1; }
#endif

static void read_registers(vt_stop_t *stop) {
  size_t kept = 0;
  for (size_t i = 0; i < stop->threads_cnt; i++) {
    vt_stop_thread_t *t = &stop->threads[i];
    if (!t->gone && !get(t->tid, &t->regs)) stop->threads[kept++] = *t;
  }
  stop->threads_cnt = kept;
}

int vt_stop_all(vt_stop_t *stop, pid_t pid, vt_error_t *error) {
  char what[32];
  int state = 1;
  *stop = (vt_stop_t){.pid = pid};
  snprintf(what, sizeof what, "%d", pid);
  for (int tries = 0; state > 0 && tries < TRIES; tries++)
    if ((state = stop_once(stop)) > 0) {
      let_others_go(stop);
      wait_all(stop, vt_clock_ns(CLOCK_MONOTONIC) + PATIENCE_NS);
    }
  if (!state) read_registers(stop);
  if (!state && stop->threads_cnt) return 0;
  if (state > 0)
    vt_error_set(error, what, "a thread of it does not stop", "does it wait for a child of vfork, or a disk? Try again");
  else
    vt_error_set(error, what, state ? strerror(errno) : "it has ended", "it goes on as it was");
  vt_stop_release(stop);
  return -1;
}

uint64_t vt_stop_release(vt_stop_t *stop) {
  let_go(stop);
  free(stop->threads);
  uint64_t ns = vt_clock_ns(CLOCK_MONOTONIC) - stop->since;
  *stop = (vt_stop_t){.pid = stop->pid};
  return ns;
}

int vt_stop_wait(vt_stop_t const *stop, pid_t tid) {
  int status;
  for (;;) {
    pid_t got = waitpid(tid, &status, __WALL | WNOHANG);
    if (got == tid) return WIFSTOPPED(status) ? status : -1;
    if (got < 0 && errno != EINTR) return -1;
    if (child_changes() && is_over(stop->pid, tid)) return -1;
  }
}
