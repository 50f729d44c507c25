/* See resident.h. The kernel tells of runs of pages (ioctl PAGEMAP_SCAN), or of each page (kernel,
   Documentation/admin-guide/mm/pagemap.rst). Either way a stretch of an area is learned at a time, and remembered. */
#include "analyzer/snapshot/resident.h"
#include "analyzer/util/mem.h"
#include "analyzer/util/search.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define RUNS    1024
#define ENTRIES (2 * RUNS) /* pages that are asked for together; every other one may begin a run */

#define PAGE_HERE    ((uint64_t)1 << 63)
#define PAGE_SWAP    ((uint64_t)1 << 62)
#define PAGE_OF_FILE ((uint64_t)1 << 61) /* or of shared memory */

/* struct page_region and pm_scan_arg of linux/fs.h, newer than the headers of many systems. */
typedef struct {
  uint64_t start, end, categories;
} region_t;
typedef struct {
  uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
  uint64_t inverted, mask, any_of, returned;
} scan_arg_t;
#define SCAN_REQUEST _IOWR('f', 16, scan_arg_t)
#define SCAN_FILE    ((uint64_t)1 << 2)
#define SCAN_HERE    ((uint64_t)1 << 3)
#define SCAN_SWAP    ((uint64_t)1 << 4)
#define SCAN_ZERO    ((uint64_t)1 << 5)

struct vt_resident {
  int fd, of_shared;
  int slow; /* there is no PAGEMAP_SCAN */
  uint64_t from, to; /* what is known */
  struct {
    uint64_t start, end;
  } runs[RUNS]; /* of pages worth reading in it */
  size_t cnt;
  union {
    region_t regions[RUNS];
    uint64_t entries[ENTRIES];
  } buffer;
};

vt_resident_t *vt_resident_new(int pagemap, int of_shared) {
  vt_resident_t *r = vt_mem_new(1, sizeof *r);
  r->fd = pagemap;
  r->of_shared = of_shared;
  return r;
}

void vt_resident_delete(vt_resident_t *r) {
  if (r) close(r->fd);
  if (r && r->of_shared >= 0) close(r->of_shared);
  free(r);
}

/* has_files: pages that are still the file's hold no pointer. */
static int has_files(vt_area_t const *a) {
  return a->flags & VT_AREA_PRIVATE && a->flags & VT_AREA_FILE;
}

static int pagemap_of(vt_resident_t const *r, vt_area_t const *a) {
  return a->flags & VT_AREA_PRIVATE || r->of_shared < 0 ? r->fd : r->of_shared;
}

static void add_run(vt_resident_t *r, uint64_t start, uint64_t end) {
  if (r->cnt && r->runs[r->cnt - 1].end == start)
    r->runs[r->cnt - 1].end = end;
  else {
    r->runs[r->cnt].start = start;
    r->runs[r->cnt++].end = end;
  }
}

/* learn_runs returns -1 when the kernel does not know the question. */
static int learn_runs(vt_resident_t *r, vt_area_t const *a, uint64_t from) {
  scan_arg_t arg = {.size = sizeof arg,
                    .start = from,
                    .end = a->end,
                    .vec = (uint64_t)r->buffer.regions,
                    .vec_len = RUNS,
                    .any_of = SCAN_HERE | SCAN_SWAP,
                    .returned = SCAN_HERE | SCAN_SWAP | SCAN_FILE | SCAN_ZERO};
  int n = ioctl(pagemap_of(r, a), SCAN_REQUEST, &arg);
  if (n < 0 || arg.walk_end <= from) return -1;
  for (int i = 0; i < n; i++) {
    region_t const *region = &r->buffer.regions[i];
    int as_in_file = has_files(a) && region->categories & SCAN_FILE;
    if (!as_in_file && !(region->categories & SCAN_ZERO)) add_run(r, region->start, region->end);
  }
  r->to = arg.walk_end;
  return 0;
}

/* A page that nothing is known of counts as there. */
static void learn_pages(vt_resident_t *r, vt_area_t const *a, uint64_t from) {
  uint64_t wanted = (a->end - from) / VT_PAGE;
  ssize_t sz = pread(pagemap_of(r, a), r->buffer.entries, wanted < ENTRIES ? wanted * 8 : sizeof r->buffer.entries,
                     (off_t)(from / VT_PAGE * 8));
  size_t cnt = sz > 0 ? (size_t)sz / 8 : 0;
  if (!cnt) add_run(r, from, from + VT_PAGE);
  for (size_t i = 0; i < cnt; i++) {
    uint64_t e = r->buffer.entries[i], page = from + i * VT_PAGE;
    if (!(e & (PAGE_HERE | PAGE_SWAP)) || (has_files(a) && e & PAGE_OF_FILE)) continue;
    add_run(r, page, page + VT_PAGE);
  }
  r->to = from + (cnt ? cnt : 1) * VT_PAGE;
}

static void learn(vt_resident_t *r, vt_area_t const *a, uint64_t from) {
  r->from = from;
  r->cnt = 0;
  if (!r->slow && learn_runs(r, a, from)) r->slow = 1;
  if (r->slow) learn_pages(r, a, from);
}

int vt_resident_quick(vt_resident_t *r, vt_areas_t const *areas) {
  if (areas->areas_cnt) learn(r, &areas->areas[0], areas->areas[0].start);
  return !r->slow;
}

/* run_in_known is the first run in what is known that ends behind an address; cnt: none. */
static size_t run_in_known(vt_resident_t const *r, uint64_t address) {
  return VT_FIRST_NOT(r->cnt, i, r->runs[i].end <= address);
}

/* find is the run at or behind *at, which it moves; 0: none before `end`. */
static int find(vt_resident_t *r, vt_areas_t const *areas, uint64_t *at, uint64_t end, uint64_t *run_end) {
  while (*at < end) {
    if (*at < r->from || *at >= r->to) {
      vt_area_t const *a = vt_areas_from(areas, *at);
      if (!a || a->start >= end) return 0;
      if (*at < a->start) *at = a->start;
      learn(r, a, *at & ~(VT_PAGE - 1));
    }
    size_t i = run_in_known(r, *at);
    if (i < r->cnt) {
      if (*at < r->runs[i].start) *at = r->runs[i].start;
      *run_end = r->runs[i].end;
      return *at < end;
    }
    *at = r->to;
  }
  return 0;
}

int vt_resident_next(vt_resident_t *r, vt_areas_t const *areas, uint64_t *start, uint64_t *end) {
  uint64_t run_end, more, next;
  if (!find(r, areas, start, *end, &run_end)) return 0;
  for (next = run_end; next < *end && find(r, areas, &next, *end, &more) && next == run_end; next = more)
    run_end = more;
  if (run_end < *end) *end = run_end;
  return 1;
}
