/* See process.h. /proc/PID/pagemap tells of each page whether it is there and whether it is still
   the file's (kernel, Documentation/admin-guide/mm/pagemap.rst). */
#include "analyzer/snapshot/process.h"
#include "analyzer/util/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WINDOW       2048 /* entries of pagemap that are read together */
/* What the kernel tells of pages is 2 MiB for each GiB of addresses, used or not. A sanitizer's shadow
   memory has 20 TiB of them; the largest reservations of others (V8's cage) have one. */
#define ADDRESSES_MAX ((uint64_t)4 << 40)
#define PAGE_HERE    ((uint64_t)1 << 63)
#define PAGE_SWAP    ((uint64_t)1 << 62)
#define PAGE_OF_FILE ((uint64_t)1 << 61) /* or of shared memory */

struct vt_frozen {
  int mem, pagemap;
  vt_areas_t areas;
  uint64_t window[WINDOW];
  uint64_t window_start; /* page number of the first entry */
  uint64_t window_cnt;
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

vt_frozen_t *vt_frozen_open(pid_t pid, char const **why) {
  vt_frozen_t *f = vt_mem_new(1, sizeof *f);
  f->mem = open_of(pid, "mem");
  f->pagemap = f->mem < 0 ? -1 : open_of(pid, "pagemap");
  int read = f->pagemap >= 0 && !read_areas(f, pid);
  if (read && addresses(&f->areas) <= ADDRESSES_MAX) return f;
  *why = read ? "it has reserved more than 4 TiB of addresses, as sanitizers do"
         : errno == EACCES || errno == EPERM ? "its memory may not be read"
                                             : "its memory is gone";
  vt_frozen_close(f);
  return NULL;
}

void vt_frozen_close(vt_frozen_t *f) {
  if (!f) return;
  if (f->mem >= 0) close(f->mem);
  if (f->pagemap >= 0) close(f->pagemap);
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

/* entry is pagemap's word on a page; a page that nothing is known of counts as there. */
static uint64_t entry(vt_frozen_t *f, uint64_t page) {
  if (page - f->window_start >= f->window_cnt) {
    ssize_t n = pread(f->pagemap, f->window, sizeof f->window, (off_t)(page * 8));
    f->window_start = page;
    f->window_cnt = n > 0 ? (uint64_t)n / 8 : 0;
  }
  return page - f->window_start < f->window_cnt ? f->window[page - f->window_start] : PAGE_HERE;
}

/* worth: may the page hold a pointer to a block? `area` is the one it lies in. */
static int worth(vt_frozen_t *f, vt_area_t const *area, uint64_t page) {
  uint64_t e = entry(f, page);
  if (!(e & (PAGE_HERE | PAGE_SWAP)))
    return 0; /* never touched: no pointer of the program's in it */
  return !(area->flags & VT_AREA_PRIVATE && area->flags & VT_AREA_FILE && e & PAGE_OF_FILE);
}

static int next_run(void *context, uint64_t *start, uint64_t *end) {
  vt_frozen_t *f = context;
  uint64_t page = *start / VT_PAGE, stop = (*end + VT_PAGE - 1) / VT_PAGE;
  vt_area_t const *area = NULL;
#define WORTH                                                                                      \
  ((area && page * VT_PAGE < area->end) || (area = vt_areas_find(&f->areas, page * VT_PAGE))       \
       ? worth(f, area, page)                                                                      \
       : 0)
  while (page < stop && !WORTH) page++;
  if (page >= stop) return 0;
  if (page * VT_PAGE > *start) *start = page * VT_PAGE;
  while (page < stop && WORTH) page++;
#undef WORTH
  if (page * VT_PAGE < *end) *end = page * VT_PAGE;
  return 1;
}

vt_memory_t vt_frozen_memory(vt_frozen_t *f) { return (vt_memory_t){read_memory, next_run, f}; }
