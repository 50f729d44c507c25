/* See process.h. */
#include "analyzer/snapshot/process.h"
#include "analyzer/snapshot/resident.h"
#include "analyzer/util/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where the kernel tells of pages one by one, it is 2 MiB for each GiB of addresses, used or not. A sanitizer's
   shadow memory has 20 TiB of them; the largest reservations of others (V8's cage) have one. */
#define ADDRESSES_MAX ((uint64_t)4 << 40)

struct vt_frozen {
  int mem;
  vt_resident_t *resident;
  vt_areas_t areas;
};

static int open_of(pid_t pid, char const *name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
  return open(path, O_RDONLY | O_CLOEXEC);
}

/* add_area takes one line of /proc/PID/maps. */
static void add_area(vt_areas_t *areas, char *line) {
  unsigned long long start, end, inode;
  char perms[8];
  int path_at = 0;
  if (sscanf(line, "%llx-%llx %7s %*s %*s %llu %n", &start, &end, perms, &inode, &path_at) < 4)
    return;
  line[strcspn(line, "\n")] = '\0';
  char const *path = path_at && path_at < (int)strlen(line) ? line + path_at : "";
  vt_area_t a = {.start = start, .end = end, .path = vt_mem_copy(path, strlen(path))};
  if (perms[3] == 'p') a.flags |= VT_AREA_PRIVATE;
  if (perms[2] == 'x') a.flags |= VT_AREA_EXECUTABLE;
  if (perms[1] == 'w') a.flags |= VT_AREA_WRITABLE;
  if (inode) a.flags |= VT_AREA_FILE;
  VT_PUSH(areas->areas, a);
}

static int read_areas(vt_frozen_t *f, pid_t pid) {
  char *line = NULL;
  size_t cap = 0;
  int fd = open_of(pid, "maps");
  FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
  if (!file) return -1;
  while (getline(&line, &cap, file) > 0) add_area(&f->areas, line);
  free(line);
  fclose(file);
  return f->areas.areas_cnt ? 0 : -1;
}

static uint64_t addresses(vt_areas_t const *areas) {
  uint64_t sum = 0;
  for (size_t i = 0; i < areas->areas_cnt; i++) sum += areas->areas[i].end - areas->areas[i].start;
  return sum;
}

/* can_be_looked_through: in time. */
static int can_be_looked_through(vt_frozen_t *f) {
  return addresses(&f->areas) <= ADDRESSES_MAX || vt_resident_quick(f->resident, &f->areas);
}

vt_frozen_t *vt_frozen_open(pid_t pid, pid_t living, char const **why) {
  vt_frozen_t *f = vt_mem_new(1, sizeof *f);
  f->mem = open_of(pid, "mem");
  int pagemap = f->mem < 0 ? -1 : open_of(pid, "pagemap");
  if (pagemap >= 0) f->resident = vt_resident_new(pagemap, living ? open_of(living, "pagemap") : -1);
  int read = f->resident && !read_areas(f, pid);
  if (read && can_be_looked_through(f)) return f;
  *why = read ? "it has reserved more than 4 TiB of addresses, as sanitizers do"
         : errno == EACCES || errno == EPERM ? "its memory may not be read"
                                             : "its memory is gone";
  vt_frozen_close(f);
  return NULL;
}

void vt_frozen_close(vt_frozen_t *f) {
  if (!f) return;
  if (f->mem >= 0) close(f->mem);
  vt_resident_delete(f->resident);
  for (size_t i = 0; i < f->areas.areas_cnt; i++) free((char *)f->areas.areas[i].path);
  free(f->areas.areas);
  free(f);
}

vt_areas_t const *vt_frozen_areas(vt_frozen_t const *f) { return &f->areas; }

static int read_memory(void *context, uint64_t address, void *buffer, size_t sz) {
  vt_frozen_t const *f = context;
  char *p = buffer;
  while (sz) {
    ssize_t n = pread(f->mem, p, sz, (off_t)address);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return -1;
    p += n;
    address += (uint64_t)n;
    sz -= (size_t)n;
  }
  return 0;
}

static int next_run(void *context, uint64_t *start, uint64_t *end) {
  vt_frozen_t *f = context;
  return vt_resident_next(f->resident, &f->areas, start, end);
}

vt_memory_t vt_frozen_memory(vt_frozen_t *f) { return (vt_memory_t){read_memory, next_run, f}; }
