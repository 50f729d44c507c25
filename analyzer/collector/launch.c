/* See launch.h. */
#include "analyzer/collector/launch.h"
#include "analyzer/collector/signals.h"
#include "analyzer/util/mem.h"
#include "core/trace/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHIM_NAME "/../lib/libvaltrace.so"

int vt_launch_shim(char *out, size_t cap, vt_error_t *error) {
  char self[PATH_MAX + sizeof SHIM_NAME], resolved[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", self, PATH_MAX - 1);
  self[n > 0 ? n : 0] = '\0';
  char *slash = strrchr(self, '/');
  if (slash) strcpy(slash, SHIM_NAME);
  if (!slash || !realpath(self, resolved) || access(resolved, R_OK)) {
    vt_error_set(error, "libvaltrace.so", "not found beside the command, in ../lib",
                 "run `make`, or keep bin/ and lib/ together");
    return -1;
  }
  if (strpbrk(resolved, " :")) {
    vt_error_set(error, resolved, "LD_PRELOAD cannot name a path with a space or a colon",
                 "move valtrace to another folder");
    return -1;
  }
  if (strlen(resolved) >= cap) return -1;
  strcpy(out, resolved);
  return 0;
}

static void set_number(char const *name, unsigned long value) {
  char text[24];
  snprintf(text, sizeof text, "%lu", value);
  setenv(name, text, 1);
}

static void set_environment(vt_launch_t const *l) {
  char const *old = getenv("LD_PRELOAD");
  size_t cap = strlen(l->shim) + (old ? strlen(old) : 0) + 2;
  char *preload = vt_mem_new(cap, 1);
  snprintf(preload, cap, "%s%s%s", l->shim, old && *old ? ":" : "", old ? old : "");
  setenv("LD_PRELOAD", preload, 1);
  free(preload);
  setenv(VT_RING_ENV, l->ring, 1);
  setenv("VALTRACE_OUTPUT", l->pattern, 1);
  set_number("VALTRACE_FIRST_PID", (unsigned long)getpid());
  if (l->no_free_stacks) setenv("VALTRACE_NO_FREE_STACKS", "1", 1);
  if (l->no_children) setenv("VALTRACE_NO_CHILDREN", "1", 1);
  if (l->max_depth) set_number("VALTRACE_MAX_DEPTH", l->max_depth);
}

/* become is the child's part: it ends in the program, or tells its errno through the pipe. */
static void become(vt_launch_t const *l, int pipe) {
  vt_signals_restore();
  set_environment(l);
  execvp(l->argv[0], l->argv);
  int err = errno;
  ssize_t n = write(pipe, &err, sizeof err);
  _exit(n == sizeof err ? 127 : 125);
}

static pid_t failed(char const *what, int err, int status, int *status_out, vt_error_t *error) {
  vt_error_set(error, what, strerror(err),
               status == 127   ? "check the name and PATH"
               : status == 126 ? "name a program that can be executed"
                               : "try again with fewer processes");
  *status_out = status;
  return -1;
}

pid_t vt_launch(vt_launch_t const *l, int *status, vt_error_t *error) {
  int ends[2], err = 0;
  if (pipe2(ends, O_CLOEXEC)) return failed("pipe", errno, 125, status, error);
  pid_t pid = fork();
  if (pid == 0) become(l, ends[1]);
  close(ends[1]);
  ssize_t n = pid < 0 ? 0 : read(ends[0], &err, sizeof err);
  close(ends[0]);
  if (pid < 0) return failed("fork", errno, 125, status, error);
  if (n == 0) return pid;
  return failed(l->argv[0], err, err == ENOENT ? 127 : 126, status, error);
}
