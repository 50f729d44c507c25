/* See kernel.h. */
#include "analyzer/util/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

static char const *const folders[] = {"/dev/shm", "/run", "/tmp"};
#define FOLDERS (sizeof folders / sizeof folders[0])

/* hidden_file makes a file below `folder` and takes its name away. */
static int hidden_file(char const *folder, char const *name, int cloexec) {
  char path[64];
  snprintf(path, sizeof path, "%s/%s-XXXXXX", folder, name);
  int fd = mkostemp(path, cloexec ? O_CLOEXEC : 0);
  if (fd >= 0) unlink(path);
  return fd;
}

int vt_kernel_file(char const *name, int cloexec) {
  int fd = memfd_create(name, cloexec ? MFD_CLOEXEC : 0);
  for (size_t i = 0; i < FOLDERS && fd < 0; i++) fd = hidden_file(folders[i], name, cloexec);
  return fd;
}

int vt_kernel_is_file(char const *path, char const *name) {
  size_t sz = strlen(name);
  if (!strncmp(path, "/memfd:", 7)) return !strncmp(path + 7, name, sz);
  for (size_t i = 0; i < FOLDERS; i++) {
    size_t at = strlen(folders[i]);
    if (!strncmp(path, folders[i], at) && path[at] == '/' && !strncmp(path + at + 1, name, sz) &&
        path[at + 1 + sz] == '-' && !strchr(path + at + 1, '/'))
      return 1; /* not what lies in a folder of such a name */
  }
  return 0;
}

int vt_kernel_random(uint64_t *out) {
  if (getrandom(out, sizeof *out, 0) == (ssize_t)sizeof *out) return 0;
  int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t n = read(fd, out, sizeof *out);
  close(fd);
  return n == (ssize_t)sizeof *out ? 0 : -1;
}

int vt_kernel_process(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

void vt_kernel_kill(int process, pid_t pid) {
  if (process >= 0)
    syscall(SYS_pidfd_send_signal, process, SIGKILL, NULL, 0);
  else
    kill(pid, SIGKILL);
}
