/* See memory_limits.h. Files: kernel, Documentation/admin-guide/cgroup-v2.rst and
 * cgroup-v1/memory.rst. */
#include "analyzer/collector/memory_limits.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ROOM_SHARE 8 /* this part of the limit must stay free */

uint64_t vt_memory_resident(pid_t pid) {
  char path[64];
  unsigned long long total, resident = 0;
  snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
  FILE *file = fopen(path, "re");
  if (!file) return 0;
  if (fscanf(file, "%llu %llu", &total, &resident) != 2) resident = 0;
  fclose(file);
  return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t vt_memory_spare(void) {
  char line[128];
  unsigned long long kib = 0;
  FILE *file = fopen("/proc/meminfo", "re");
  while (file && !kib && fgets(line, sizeof line, file))
    if (sscanf(line, "MemAvailable: %llu", &kib) != 1) kib = 0;
  if (file) fclose(file);
  return kib ? kib * 1024 / 4 : UINT64_MAX;
}

/* number_in reads a number from a file of a group; -1: there is none ("max" is none). */
static int number_in(char const *group, char const *name, uint64_t *out) {
  char path[PATH_MAX];
  unsigned long long value;
  if (snprintf(path, sizeof path, "%s/%s", group, name) >= (int)sizeof path) return -1;
  FILE *file = fopen(path, "re");
  if (!file) return -1;
  int got = fscanf(file, "%llu", &value);
  fclose(file);
  *out = value;
  return got == 1 ? 0 : -1;
}

static int is_near(char const *group, char const *used_name, char const *limit_name) {
  uint64_t used, limit;
  if (number_in(group, used_name, &used) || number_in(group, limit_name, &limit)) return 0;
  return used > limit - limit / ROOM_SHARE;
}

/* near_limit looks at a group and all it lies in; `base` bytes of the path are the mount point. */
static int near_limit(char *group, size_t base, char const *used, char const *limit) {
  for (;;) {
    if (is_near(group, used, limit)) return 1;
    char *slash = strrchr(group + base, '/');
    if (!slash) return 0;
    *slash = '\0';
  }
}

/* One line of /proc/PID/cgroup: number:controllers:path. */
static int line_tight(char *line) {
  static struct {
    char const *controllers, *mount, *used, *limit;
  } const kinds[] = {
      {"", "/sys/fs/cgroup", "memory.current", "memory.max"},
      {"", "/sys/fs/cgroup/unified", "memory.current", "memory.max"},
      {"memory", "/sys/fs/cgroup/memory", "memory.usage_in_bytes", "memory.limit_in_bytes"}};
  char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
  if (!path) return 0;
  *path++ = '\0';
  path[strcspn(path, "\n")] = '\0';
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    char group[PATH_MAX];
    if (strcmp(controllers + 1, kinds[i].controllers)) continue;
    if (snprintf(group, sizeof group, "%s%s", kinds[i].mount, path) >= (int)sizeof group) continue;
    if (near_limit(group, strlen(kinds[i].mount), kinds[i].used, kinds[i].limit)) return 1;
  }
  return 0;
}

int vt_memory_tight(pid_t pid) {
  char path[64], line[PATH_MAX];
  int tight = 0;
  snprintf(path, sizeof path, "/proc/%d/cgroup", (int)pid);
  FILE *file = fopen(path, "re");
  while (file && !tight && fgets(line, sizeof line, file)) tight = line_tight(line);
  if (file) fclose(file);
  return tight;
}
