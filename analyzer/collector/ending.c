/* See ending.h. */
#include "analyzer/collector/ending.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* Fields of /proc/PID/stat, proc_pid_stat(5). */
#define FIELD_STATE           3
#define FIELD_CHILDREN_FAULTS 11
#define FIELD_START           22
#define FIELD_EXIT_CODE       52

/* zombie_field is a field of an ended process that nobody has waited for; -1: it is not there. */
static long long zombie_field(pid_t pid, int number) {
  char path[32], line[1024] = "";
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  FILE *file = fopen(path, "re");
  if (!file) return -1;
  char *p = fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
  fclose(file);
  if (!p || p[1] != ' ' || p[2] != 'Z') return -1;
  p += 2;
  for (int field = FIELD_STATE; p && field < number; field++) {
    p = strchr(p, ' ');
    if (p) p++;
  }
  return p ? strtoll(p, NULL, 10) : -1;
}

/* struct pidfd_info of linux/pidfd.h, newer than the headers of many systems. */
typedef struct {
  uint64_t mask, cgroup;
  uint32_t ids[11];
  int32_t exit_code;
} pidfd_info_t;
#define PIDFD_INFO_WITH_EXIT ((uint64_t)1 << 3)
#define PIDFD_INFO_REQUEST   _IOWR(0xFF, 11, pidfd_info_t)

int vt_ending_status(pid_t pid, int pidfd, uint64_t start) {
  pidfd_info_t info = {.mask = PIDFD_INFO_WITH_EXIT};
  if (pid > 0 && start && zombie_field(pid, FIELD_START) == (long long)start) {
    long long status = zombie_field(pid, FIELD_EXIT_CODE);
    if (status >= 0) return (int)status;
  }
  if (pidfd >= 0 && ioctl(pidfd, PIDFD_INFO_REQUEST, &info) == 0 &&
      info.mask & PIDFD_INFO_WITH_EXIT)
    return info.exit_code;
  return -1;
}

/* own_peak is the most resident memory this process has had since its exec, in KiB. getrusage tells of
   the time before as well: of the shell, or whatever executed us. */
static long own_peak(void) {
  char line[128];
  long peak = LONG_MAX;
  FILE *file = fopen("/proc/self/status", "re");
  while (file && fgets(line, sizeof line, file)) sscanf(line, "VmHWM: %ld", &peak);
  if (file) fclose(file);
  return peak;
}

pid_t vt_ending_reap(pid_t pid, int options, int *status, uint64_t *peak) {
  struct rusage usage = {0};
  int alone = zombie_field(pid, FIELD_CHILDREN_FAULTS) == 0;
  pid_t got = wait4(pid, status, options, &usage);
  *peak = got == pid && alone && usage.ru_maxrss > own_peak() ? (uint64_t)usage.ru_maxrss << 10 : 0;
  return got;
}
