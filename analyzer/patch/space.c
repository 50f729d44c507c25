/* See space.h. */
#include "analyzer/patch/space.h"
#include "analyzer/util/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOWEST    UINT64_C(0x10000) /* vm.mmap_min_addr */
#define REACH     (UINT64_C(0x7fffffff) - 4096)
#define HEAP_ROOM (UINT64_C(1) << 30) /* a gap behind the heap that size is not missed */
#define AWAY      (UINT64_C(1) << 28) /* from where the kernel maps next: the highest gap's upper end (mmap(2)) */
#define WIDE      (2 * AWAY)          /* a gap in which that is possible */

static int parse(vt_space_part_t *part, char *line) {
  char perms[8];
  int path_at = 0;
  if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %*s %*s %n", &part->start, &part->end, perms,
             &part->offset, &path_at) < 4)
    return -1;
  line[strcspn(line, "\n")] = '\0';
  part->executable = perms[2] == 'x';
  part->path = vt_mem_copy(line + path_at, strlen(line + path_at));
  return 0;
}

int vt_space_read(vt_space_t *space, pid_t pid) {
  char path[64], *line = NULL;
  size_t cap = 0;
  vt_space_part_t part;
  *space = (vt_space_t){0};
  snprintf(path, sizeof path, "/proc/%d/maps", pid);
  FILE *file = fopen(path, "re");
  if (!file) return -1;
  while (getline(&line, &cap, file) > 0)
    if (!parse(&part, line)) VT_PUSH(space->parts, part);
  free(line);
  fclose(file);
  return space->parts_cnt ? 0 : -1;
}

void vt_space_free(vt_space_t *space) {
  for (size_t i = 0; i < space->parts_cnt; i++) free(space->parts[i].path);
  free(space->parts);
  *space = (vt_space_t){0};
}

/* A module's parts follow each other; another copy of it begins at its file's beginning again. */
vt_space_part_t const *vt_space_module(vt_space_t const *space, size_t *i, int *has_code) {
  vt_space_part_t const *p = space->parts, *end = p + space->parts_cnt, *first;
  for (p += *i; p < end && p->path[0] != '/'; p++) continue;
  if (p == end) return NULL;
  first = p;
  *has_code = 0;
  do *has_code |= p->executable;
  while (++p < end && p->offset && !strcmp(p->path, first->path));
  *i = (size_t)(p - space->parts);
  return first;
}

static void insert(vt_space_t *space, size_t i, uint64_t start, uint64_t end) {
  vt_space_part_t part = {.start = start, .end = end, .taken = 1, .path = vt_mem_copy("", 0)};
  VT_PUSH(space->parts, part);
  memmove(space->parts + i + 1, space->parts + i, (space->parts_cnt - 1 - i) * sizeof part);
  space->parts[i] = part;
}

static uint64_t apart(uint64_t a, uint64_t b) { return a > b ? a - b : b - a; }

static uint64_t farthest(uint64_t at, uint64_t end, uint64_t low, uint64_t high) {
  uint64_t far = apart(at, low) > apart(end, high) ? apart(at, low) : apart(end, high);
  if (apart(at, high) > far) far = apart(at, high);
  return apart(end, low) > far ? apart(end, low) : far;
}

/* end_in is up to where room may be taken in the gap below part i; 0: nowhere. In a wide gap that is away from its upper
   end, or beside what was taken before. */
static uint64_t end_in(vt_space_t const *space, size_t i, uint64_t sz, int wide) {
  vt_space_part_t const *above = &space->parts[i], *below = i ? above - 1 : NULL;
  uint64_t from = below ? below->end : LOWEST, gap = above->start > from ? above->start - from : 0;
  if (gap < (wide ? WIDE + sz : sz) || !strcmp(above->path, "[stack]")) return 0;
  if (below && !strcmp(below->path, "[heap]") && gap < HEAP_ROOM) return 0;
  return wide && !above->taken ? above->start - AWAY : above->start;
}

/* find returns the end of the nearest room, 0: there is none, and in *best below which part it is. */
static uint64_t find(vt_space_t const *space, uint64_t low, uint64_t high, uint64_t sz, int wide, size_t *best) {
  uint64_t nearest = REACH, found = 0;
  for (size_t i = 0; i < space->parts_cnt; i++) {
    uint64_t end = end_in(space, i, sz, wide), far = end ? farthest(end - sz, end, low, high) : REACH;
    if (far >= nearest) continue;
    nearest = far;
    found = end;
    *best = i;
  }
  return found;
}

uint64_t vt_space_room(vt_space_t *space, uint64_t low, uint64_t high, uint64_t sz) {
  size_t i = 0;
  uint64_t end = find(space, low, high, sz, 1, &i);
  if (!end) end = find(space, low, high, sz, 0, &i);
  if (!end) return 0;
  insert(space, i, end - sz, end);
  return end - sz;
}
