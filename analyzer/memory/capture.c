/* See capture.h. /proc/PID/smaps tells how much, pagemap which pages; mappings of which nothing is
   resident or swapped are listed, too: what lies between others tells what they are. */
#include "analyzer/memory/capture.h"
#include "analyzer/memory/pagemap.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TRIES 3  /* at a process that changes while it is looked at */
#define OFF   64 /* this part of what is resident may differ between the two files */
#define ADDRESSES_END ((uint64_t)1 << 47) /* behind it: vsyscall, which has no pages of the process */

/* A mapping as smaps lists it, sizes in KiB. */
typedef struct {
  uint64_t start, end;
  uint64_t resident, anonymous, swapped, huge;
  uint32_t flags;
  char *name; /* owned */
} area_t;

typedef struct {
  int pagemap;
  vt_bytes_t *out;
  uint64_t last; /* where the mapping before ended */
  vt_bytes_t runs;
  uint64_t runs_cnt, run_end, there; /* of the mapping in hand; there: KiB */
  uint32_t areas;
  uint64_t resident, off; /* KiB in all; of these, not the same in both files */
} capture_t;

static int open_of(pid_t pid, char const *name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
  return open(path, O_RDONLY | O_CLOEXEC);
}

static void add_run(void *context, vt_page_run_t const *run) {
  capture_t *c = context;
  vt_bytes_varint(&c->runs, (run->start - c->run_end) / VT_PAGEMAP_PAGE);
  vt_bytes_varint(&c->runs, (run->end - run->start) / VT_PAGEMAP_PAGE << 1 | (uint64_t)run->swapped);
  c->run_end = run->end;
  c->runs_cnt++;
  if (!run->swapped) c->there += (run->end - run->start) >> 10;
}

/* find_runs: memory of huge pages that the program reserved is not part of what is resident. */
static void find_runs(capture_t *c, area_t *a) {
  c->runs.sz = 0;
  c->runs_cnt = c->there = 0;
  c->run_end = a->start;
  if (!a->resident && !a->swapped) return;
  if (a->huge || vt_pagemap_runs(c->pagemap, a->start, a->end, add_run, c))
    a->flags |= VT_PAGES_RUNS_UNKNOWN;
}

static uint64_t at_most(uint64_t v, uint64_t limit) { return v < limit ? v : limit; }

/* find_rest: the kernel lists some mappings at a time, and whole again one that grew meanwhile over the place where it
   had stopped. What lies behind that place is left of it. */
static void find_rest(capture_t *c, area_t *a) {
  int again = a->start < c->last;
  if (again) a->start = c->last;
  find_runs(c, a);
  if (!again) return;
  a->resident = at_most(a->resident, a->flags & VT_PAGES_RUNS_UNKNOWN ? (a->end - a->start) >> 10 : c->there);
  a->anonymous = at_most(a->anonymous, a->resident);
  a->swapped = at_most(a->swapped, ((a->end - a->start) >> 10) - a->resident);
}

static void put_area(capture_t *c, area_t *a) {
  if (!a->name || a->end > ADDRESSES_END || a->end <= c->last) return;
  find_rest(c, a);
  vt_bytes_varint(c->out, (a->start - c->last) / VT_PAGEMAP_PAGE);
  vt_bytes_varint(c->out, (a->end - a->start) / VT_PAGEMAP_PAGE);
  vt_bytes_u8(c->out, (uint8_t)a->flags);
  vt_bytes_string(c->out, a->name, strlen(a->name));
  vt_bytes_varint(c->out, a->resident);
  vt_bytes_varint(c->out, a->anonymous);
  vt_bytes_varint(c->out, a->swapped);
  vt_bytes_varint(c->out, c->runs_cnt);
  vt_bytes_put(c->out, c->runs.data, c->runs.sz);
  c->resident += a->resident;
  c->off += a->resident > c->there ? a->resident - c->there : c->there - a->resident;
  c->last = a->end;
  c->areas++;
}

/* head_of takes the line that a mapping begins with; 0: it is another one. */
static int head_of(char *line, area_t *a) {
  unsigned long long start, end, inode;
  char perms[8];
  int path_at = 0;
  if (sscanf(line, "%llx-%llx %7s %*s %*s %llu %n", &start, &end, perms, &inode, &path_at) < 4)
    return 0;
  line[strcspn(line, "\n")] = '\0';
  char const *path = path_at && path_at < (int)strlen(line) ? line + path_at : "";
  *a = (area_t){.start = start, .end = end, .name = vt_mem_copy(path, strlen(path))};
  if (perms[0] == 'r') a->flags |= VT_PAGES_READABLE;
  if (perms[1] == 'w') a->flags |= VT_PAGES_WRITABLE;
  if (perms[2] == 'x') a->flags |= VT_PAGES_EXECUTABLE;
  if (perms[3] == 's') a->flags |= VT_PAGES_SHARED;
  if (inode) a->flags |= VT_PAGES_FILE;
  return 1;
}

static void size_of(char const *line, area_t *a) {
  unsigned long long kib;
  switch (line[0]) { /* most lines are about something else */
  case 'R':
    if (sscanf(line, "Rss: %llu", &kib) == 1) a->resident = kib;
    break;
  case 'A':
    if (sscanf(line, "Anonymous: %llu", &kib) == 1) a->anonymous = kib;
    break;
  case 'S':
    if (sscanf(line, "Swap: %llu", &kib) == 1) a->swapped = kib;
    if (sscanf(line, "Shared_Hugetlb: %llu", &kib) == 1) a->huge += kib;
    break;
  case 'P':
    if (sscanf(line, "Private_Hugetlb: %llu", &kib) == 1) a->huge += kib;
    break;
  }
}

/* A line that begins a mapping begins with a lower-case hexadecimal digit, no other one does. */
static int begins(char const *line) {
  return (line[0] >= '0' && line[0] <= '9') || (line[0] >= 'a' && line[0] <= 'f');
}

static void put_areas(capture_t *c, FILE *smaps) {
  area_t area = {0};
  char *line = NULL;
  size_t cap = 0;
  while (getline(&line, &cap, smaps) > 0) {
    area_t next;
    if (!begins(line) || !head_of(line, &next)) {
      size_of(line, &area);
      continue;
    }
    put_area(c, &area);
    free(area.name);
    area = next;
  }
  put_area(c, &area);
  free(area.name);
  free(line);
}

/* take appends a capture and says how far the two files are apart; 0 areas: there is none. */
static capture_t take(pid_t pid, uint32_t kind, vt_clock_kind_t clock, vt_bytes_t *out) {
  capture_t c = {.pagemap = open_of(pid, "pagemap"), .out = out};
  int fd = c.pagemap < 0 ? -1 : open_of(pid, "smaps");
  FILE *smaps = fd < 0 ? NULL : fdopen(fd, "r");
  size_t begin = out->sz;
  if (smaps) {
    vt_bytes_u64(out, vt_clock_tick(clock));
    vt_bytes_u64(out, 0);
    vt_bytes_u32(out, kind);
    vt_bytes_u32(out, 0);
    put_areas(&c, smaps);
    vt_store64(out->data + begin + VT_PAGES_OFF_END, vt_clock_tick(clock));
    vt_store32(out->data + begin + VT_PAGES_OFF_AREAS, c.areas);
    fclose(smaps);
  }
  if (c.pagemap >= 0) close(c.pagemap);
  vt_bytes_free(&c.runs);
  return c;
}

int vt_capture_take(pid_t pid, uint32_t kind, vt_clock_kind_t clock, vt_bytes_t *out) {
  size_t begin = out->sz;
  for (int tries = 1;; tries++) {
    out->sz = begin;
    capture_t c = take(pid, kind, clock, out);
    if (!c.areas) break;
    if (tries == TRIES || c.off <= c.resident / OFF) return 0;
  }
  out->sz = begin;
  return -1;
}
