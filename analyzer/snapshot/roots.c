/* See roots.h. First everything is gathered that is no root, then the rest of each mapping is one.
 */
#include "analyzer/snapshot/roots.h"
#include "analyzer/snapshot/glibc.h"
#include "analyzer/snapshot/segments.h"
#include "analyzer/util/kernel.h"
#include "analyzer/util/mem.h"
#include "analyzer/util/search.h"
#include "core/trace/ring.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
  vt_roots_from_t const *from;
  vt_span_t *no; /* that is no root; sorted and disjoint after `settle` */
  size_t no_cnt, no_cap;
  vt_roots_t out;
} find_t;

static void exclude(find_t *f, uint64_t start, uint64_t end) {
  if (start < end) VT_PUSH(f->no, ((vt_span_t){start, end}));
}

static int is_anonymous(vt_area_t const *a) {
  return a->flags & VT_AREA_PRIVATE && !(a->flags & VT_AREA_FILE);
}

static int libc_malloc(find_t const *f) {
  return (f->from->snapshot->flags & VT_SNAPSHOT_LIBC_MALLOC) != 0;
}

/* exclude_but_mapped excludes an area of the allocator except for what the program mapped in it:
   the kernel joins neighbours. */
static void exclude_but_mapped(find_t *f, uint64_t start, uint64_t end) {
  vt_mappings_t const *m = f->from->mappings;
  for (size_t i = 0; i < m->pieces_cnt && start < end; i++) {
    vt_mapped_t const *piece = &m->pieces[i];
    if (piece->end <= start || f->from->records[piece->record].by_allocator) continue;
    if (piece->start >= end) break;
    exclude(f, start, piece->start);
    start = piece->end;
  }
  exclude(f, start, end);
}

/* ---- the allocator's ---- */

/* exclude_arenas looks where there is memory: an area may be of many TiB that were never touched. */
static void exclude_arenas(find_t *f, vt_area_t const *a) {
  vt_memory_t const *m = f->from->memory;
  vt_span_t span;
  uint64_t mask = VT_GLIBC_ARENA_ALIGN - 1, at = a->start, end = a->end;
  for (; m->next_run(m->context, &at, &end); end = a->end) {
    int aligned = !(at & mask) && !vt_mappings_find(f->from->mappings, at);
    if (aligned && vt_glibc_arena(m, at, &span)) exclude(f, span.start, span.end);
    at = (at | mask) + 1;
    if (at >= a->end) return;
  }
}

static void exclude_main_arena(find_t *f, vt_area_t const *a) {
  vt_span_t span;
  if (strstr(a->path, "/libc.so.6") && a->flags & VT_AREA_WRITABLE &&
      vt_glibc_main_arena(f->from->memory, a->start, a->end, &span))
    exclude(f, span.start, span.end);
}

static void exclude_libc_heap(find_t *f, vt_area_t const *a) {
  if (!strcmp(a->path, "[heap]"))
    exclude_but_mapped(f, a->start, a->end);
  else if (is_anonymous(a) && a->flags & VT_AREA_WRITABLE)
    exclude_arenas(f, a);
}

static int by_start(void const *a, void const *b) {
  vt_span_t const *x = a, *y = b;
  return x->start < y->start ? -1 : x->start > y->start;
}

/* settle sorts what is excluded and joins what overlaps. */
static void settle(find_t *f) {
  if (f->no) qsort(f->no, f->no_cnt, sizeof *f->no, by_start);
  size_t kept = 0;
  for (size_t i = 0; i < f->no_cnt; i++) {
    if (kept && f->no[i].start <= f->no[kept - 1].end) {
      if (f->no[i].end > f->no[kept - 1].end) f->no[kept - 1].end = f->no[i].end;
      continue;
    }
    f->no[kept++] = f->no[i];
  }
  f->no_cnt = kept;
}

/* excluded_end is where what is excluded at an address ends; the address itself if nothing is. */
static uint64_t excluded_end(find_t const *f, uint64_t address) {
  size_t low = VT_FIRST_NOT(f->no_cnt, i, f->no[i].end <= address);
  return low < f->no_cnt && f->no[low].start <= address ? f->no[low].end : address;
}

/* exclude_mapped_blocks: libc's malloc gives large blocks, which lie outside of all arenas, a
   mapping each. */
static void exclude_mapped_blocks(find_t *f) {
  vt_live_t const *live = f->from->live;
  vt_span_t *found = NULL, span;
  size_t found_cnt = 0, found_cap = 0;
  for (uint32_t i = 0; i < live->cnt;) {
    vt_live_block_t const *b = &live->blocks[i];
    uint64_t end = excluded_end(f, b->start);
    if (end == b->start) {
      if (vt_glibc_mapped(f->from->memory, b->start, b->size, &span)) VT_PUSH(found, span);
      i++;
      continue;
    }
    uint32_t next = vt_live_first(live, end);
    if (next < live->cnt && live->blocks[next].start < end) next++;
    i = next > i ? next : i + 1;
  }
  for (size_t i = 0; i < found_cnt; i++) exclude(f, found[i].start, found[i].end);
  free(found);
}

static int has_block(vt_live_t const *live, uint64_t start, uint64_t end) {
  uint32_t i = vt_live_first(live, start);
  return i < live->cnt && live->blocks[i].start < end;
}

/* exclude_heap_of_others: what another allocator than libc's has mapped, and what it got in a way
   that nobody saw. */
static void exclude_heap_of_others(find_t *f) {
  vt_mappings_t const *m = f->from->mappings;
  for (size_t i = 0; i < m->pieces_cnt; i++)
    if (f->from->records[m->pieces[i].record].by_allocator)
      exclude(f, m->pieces[i].start, m->pieces[i].end);
  for (size_t i = 0; i < f->from->areas->areas_cnt; i++) {
    vt_area_t const *a = &f->from->areas->areas[i];
    int heap = is_anonymous(a) && strcmp(a->path, "[stack]");
    if (heap && has_block(f->from->live, a->start, a->end)) exclude_but_mapped(f, a->start, a->end);
  }
}

/* exclude_part: what lies in a free chunk is left from before, and a known block that seems to be there stays one; what lies
   beside a module's data is the file's. */
static void exclude_part(void *context, uint64_t start, uint64_t end) { exclude(context, start, end); }

static void exclude_heap(find_t *f) {
  if (!libc_malloc(f)) {
    exclude_heap_of_others(f);
    return;
  }
  for (size_t i = 0; i < f->from->areas->areas_cnt; i++) {
    exclude_main_arena(f, &f->from->areas->areas[i]);
    if (!f->from->mid_life) exclude_libc_heap(f, &f->from->areas->areas[i]);
  }
  if (f->from->mid_life && f->from->chunks) vt_chunks_walk(f->from->chunks, exclude_part, f);
  if (f->from->mid_life) return;
  settle(f);
  exclude_mapped_blocks(f);
}

/* ---- the shim's, and what is nobody's ---- */

static void exclude_said(find_t *f) {
  vt_trace_snapshot_t const *s = f->from->snapshot;
  for (uint32_t i = 0; i < s->range_cnt; i++) {
    vt_trace_own_t const *r = &s->ranges[i];
    int own = r->kind == VT_RANGE_OWN || (r->kind == VT_RANGE_MALLOC && !libc_malloc(f));
    if (own) exclude(f, r->start, r->end);
  }
}

static int starts_with(char const *text, char const *with) {
  return !strncmp(text, with, strlen(with));
}

/* is_foreign: devices, whose reading may have effects; the kernel's pages; the ring. */
static int is_foreign(vt_area_t const *a) {
  if (vt_kernel_is_file(a->path, VT_RING_FILE)) return 1;
  if (starts_with(a->path, "/dev/"))
    return !starts_with(a->path, "/dev/shm/") && !starts_with(a->path, "/dev/zero");
  return !strcmp(a->path, "[vvar]") || !strcmp(a->path, "[vdso]") ||
         !strcmp(a->path, "[vsyscall]") || starts_with(a->path, "[vvar_");
}

static void exclude_beside_data(find_t *f) {
  vt_areas_t const *areas = f->from->areas;
  for (vt_area_t const *a = areas->areas; a < areas->areas + areas->areas_cnt; a++)
    if (a == areas->areas || strcmp(a->path, a[-1].path)) vt_segments_beside(f->from->memory, areas, a, exclude_part, f);
}

/* exclude_unused_stack: what is below the stack pointer of the thread that ended the process. */
static void exclude_unused_stack(find_t *f) {
  vt_area_t const *a = vt_areas_find(f->from->areas, f->from->snapshot->sp);
  if (a && is_anonymous(a) && vt_live_find(f->from->live, f->from->snapshot->sp) == VT_NO_BLOCK)
    exclude(f, a->start, f->from->snapshot->sp);
}

/* ---- the rest ---- */

static void add(find_t *f, uint64_t start, uint64_t end, size_t area) {
  vt_area_t const *a = &f->from->areas->areas[area];
  int code = is_anonymous(a) && a->flags & VT_AREA_EXECUTABLE;
  vt_root_t root = {start, end, (uint32_t)area, code};
  if (start < end) VT_PUSH(f->out.roots, root);
}

static void add_rest_of(find_t *f, size_t area) {
  vt_area_t const *a = &f->from->areas->areas[area];
  uint64_t start = a->start;
  for (size_t i = 0; i < f->no_cnt && start < a->end; i++) {
    if (f->no[i].end <= start) continue;
    if (f->no[i].start >= a->end) break;
    add(f, start, f->no[i].start, area);
    start = f->no[i].end;
  }
  add(f, start, a->end, area);
}

static size_t area_of(find_t const *f, uint64_t address) {
  vt_area_t const *a = vt_areas_find(f->from->areas, address);
  return a ? (size_t)(a - f->from->areas->areas) : SIZE_MAX;
}

/* add_said: blocks from before the allocator was known are not recorded, so their arena is a root;
   a stack within a block is one from its pointer up. */
static void add_said(find_t *f) {
  vt_trace_snapshot_t const *s = f->from->snapshot;
  for (uint32_t i = 0; i < s->range_cnt; i++) {
    size_t area = area_of(f, s->ranges[i].start);
    if (s->ranges[i].kind == VT_RANGE_BOOT && area != SIZE_MAX)
      add(f, s->ranges[i].start, s->ranges[i].end, area);
  }
  uint32_t block = vt_live_find(f->from->live, s->sp);
  size_t area = area_of(f, s->sp);
  if (block == VT_NO_BLOCK || area == SIZE_MAX) return;
  vt_live_block_t const *b = &f->from->live->blocks[block];
  add(f, s->sp, b->start + b->size, area);
}

vt_roots_t vt_roots_find(vt_roots_from_t const *from) {
  find_t f = {.from = from};
  exclude_heap(&f);
  exclude_said(&f);
  exclude_unused_stack(&f);
  exclude_beside_data(&f);
  settle(&f);
  for (size_t i = 0; i < from->areas->areas_cnt; i++)
    if (!is_foreign(&from->areas->areas[i])) add_rest_of(&f, i);
  add_said(&f);
  free(f.no);
  return f.out;
}

void vt_roots_free(vt_roots_t *roots) {
  free(roots->roots);
  *roots = (vt_roots_t){0};
}
