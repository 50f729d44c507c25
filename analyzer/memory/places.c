/* See places.h. What is known by address lies in layers, each sorted; the upper one that has
   something at an address decides. */
#include "analyzer/memory/places.h"
#include "analyzer/memory/mappings.h"
#include "analyzer/util/kernel.h"
#include "analyzer/util/mem.h"
#include "analyzer/util/search.h"
#include "core/trace/ring.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_ALIGN ((uint64_t)64 << 20) /* HEAP_MAX_SIZE of glibc's malloc/arena.c */
#define CHUNK_HEAD  16

typedef struct {
  uint64_t start, end;
  vt_place_t place;
  size_t record;
  int one_block;
} span_t;

typedef struct {
  span_t *spans;
  size_t spans_cnt, spans_cap;
  size_t at; /* the first that ends behind the address in hand */
} layer_t;

typedef enum {
  LAYER_OWN,
  LAYER_HEAPS,
  LAYER_BLOCKS, /* with a mapping of their own */
  LAYER_MAPPED,
  LAYER_ARENAS,
  LAYER_MODULES,
  LAYERS
} layer_kind_t;

typedef struct {
  vt_places_from_t const *from;
  vt_trace_snapshot_t const *said; /* by the process itself; NULL: nothing */
  uint64_t page;
  vt_mappings_t mappings; /* by calls of the program and its allocator */
  layer_t layers[LAYERS];
  vt_places_t out;
} find_t;

static uint64_t page_down(find_t const *f, uint64_t a) { return a & ~(f->page - 1); }
static uint64_t page_up(find_t const *f, uint64_t a) { return page_down(f, a + f->page - 1); }

static void add(find_t *f, layer_kind_t layer, span_t span) {
  layer_t *l = &f->layers[layer];
  if (span.start < span.end) VT_PUSH(l->spans, span);
}

static int starts_with(char const *text, char const *with) {
  return !strncmp(text, with, strlen(with));
}

static int ends_with(char const *text, char const *with) {
  size_t n = strlen(text), m = strlen(with);
  return n >= m && !strcmp(text + n - m, with);
}

/* first_block is the index of the first block that begins at or behind an address. */
static size_t first_block(find_t const *f, uint64_t address) {
  return VT_FIRST_NOT(f->from->blocks_cnt, i, f->from->blocks[i].start < address);
}

/* in_malloc: may the block lie in memory of malloc? */
static int in_malloc(vt_held_block_t const *b) { return b->heap != VT_HELD_ANNOTATED; }

/* has_block: does a block of such a heap begin in [start,end)? */
static int has_block(find_t const *f, uint64_t start, uint64_t end, vt_held_heap_t heap) {
  for (size_t i = first_block(f, start); i < f->from->blocks_cnt && f->from->blocks[i].start < end; i++)
    if (f->from->blocks[i].heap == heap) return 1;
  return 0;
}

/* inside_block: does the address lie in a block of malloc? */
static int inside_block(find_t const *f, uint64_t address) {
  for (size_t i = first_block(f, address + 1); i-- > 0;) {
    vt_held_block_t const *b = &f->from->blocks[i];
    if (in_malloc(b)) return address - b->start < b->size;
  }
  return 0;
}

static int is_anonymous(vt_trace_area_t const *a) {
  return !(a->flags & (VT_PAGES_SHARED | VT_PAGES_FILE));
}

static int is_guard(vt_trace_area_t const *a) {
  return is_anonymous(a) && !a->name[0] &&
         !(a->flags & (VT_PAGES_READABLE | VT_PAGES_WRITABLE | VT_PAGES_EXECUTABLE));
}

/* ---- what is known by address ---- */

static void add_own(find_t *f) {
  for (uint32_t i = 0; f->said && i < f->said->range_cnt; i++) {
    vt_trace_own_t const *r = &f->said->ranges[i];
    if (r->kind == VT_RANGE_OWN)
      add(f, LAYER_OWN, (span_t){r->start, r->end, VT_PLACE_OWN, VT_NO_RECORD, 0});
  }
}

/* add_heaps: an annotated heap that lies in a block of malloc is part of that. */
static void add_heaps(find_t *f) {
  size_t cnt;
  vt_trace_heap_t const *heaps = vt_reader_heaps(f->from->reader, &cnt);
  for (size_t i = 0; i < cnt && heaps[i].time <= f->from->pages->time; i++) {
    int begins = heaps[i].op == VT_HEAP_CREATE || heaps[i].op == VT_HEAP_ATTACH, ended = 0;
    for (size_t k = i + 1; k < cnt && heaps[k].time <= f->from->pages->time; k++)
      ended |= heaps[k].heap == heaps[i].heap;
    if (!begins || ended || heaps[i].parent || inside_block(f, heaps[i].base)) continue;
    add(f, LAYER_HEAPS,
        (span_t){heaps[i].base, heaps[i].base + heaps[i].size, VT_PLACE_HEAP, VT_NO_RECORD, 0});
  }
}

/* add_pieces: what the program mapped and blocks lie in is memory of an interpreter's allocator, or of one inside
   a module. */
static void add_pieces(find_t *f) {
  size_t cnt;
  vt_trace_mapping_t const *records = vt_reader_mappings(f->from->reader, &cnt);
  for (size_t i = 0; i < f->mappings.pieces_cnt; i++) {
    vt_mapped_t const *piece = &f->mappings.pieces[i];
    vt_place_t place = records[piece->record].by_allocator ? VT_PLACE_ALLOCATOR : VT_PLACE_MAPPED;
    if (place == VT_PLACE_MAPPED && has_block(f, piece->start, piece->end, VT_HELD_INTERPRETER)) {
      place = VT_PLACE_HEAP;
    } else if (place == VT_PLACE_MAPPED && has_block(f, piece->start, piece->end, VT_HELD_MALLOC)) {
      place = VT_PLACE_ALLOCATOR;
      f->out.several = 1;
    }
    add(f, LAYER_MAPPED, (span_t){piece->start, piece->end, place, piece->record, 0});
  }
}

static void add_modules(find_t *f) {
  size_t cnt;
  vt_trace_module_t const *modules = vt_reader_modules(f->from->reader, &cnt);
  for (size_t i = 0; i < cnt; i++) {
    vt_trace_module_t const *m = &modules[i];
    if (m->load_time > f->from->pages->end_time || m->unload_time <= f->from->pages->time) continue;
    vt_place_t place = ends_with(m->path, "/libvaltrace.so") ? VT_PLACE_OWN : VT_PLACE_MODULE;
    add(f, LAYER_MODULES,
        (span_t){page_down(f, m->start), page_up(f, m->end), place, VT_NO_RECORD, 0});
  }
}

static int by_start(void const *a, void const *b) {
  span_t const *x = a, *y = b;
  return x->start < y->start ? -1 : x->start > y->start;
}

static void sort(find_t *f, layer_kind_t layer) {
  layer_t *l = &f->layers[layer];
  if (l->spans_cnt) qsort(l->spans, l->spans_cnt, sizeof *l->spans, by_start);
}

/* ---- what the kernel's list tells ---- */

/* is_arena: does [at, end of the area) look like libc's? Small blocks lie in it, or what is not yet in
   use of the 64 MiB follows. */
static int is_arena(find_t const *f, uint32_t area, uint64_t at) {
  vt_trace_area_t const *a = &f->from->pages->areas[area], *next = a + 1;
  if (area + 1 < f->from->pages->area_cnt && is_guard(next) && next->start == a->end &&
      a->end - at < ARENA_ALIGN && next->end >= at + ARENA_ALIGN)
    return 1;
  uint64_t end = at + ARENA_ALIGN < a->end ? at + ARENA_ALIGN : a->end;
  for (size_t i = first_block(f, at); i < f->from->blocks_cnt && f->from->blocks[i].start < end; i++)
    if (in_malloc(&f->from->blocks[i]) && f->from->blocks[i].start % f->page != CHUNK_HEAD) return 1;
  return 0;
}

/* arena_start is where libc's arenas begin in an area; its end: there is none. */
static uint64_t arena_start(find_t const *f, uint32_t area) {
  vt_trace_area_t const *a = &f->from->pages->areas[area];
  uint64_t at = (a->start + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
  while (at < a->end && (inside_block(f, at) || !is_arena(f, area, at))) at += ARENA_ALIGN;
  return at < a->end ? at : a->end;
}

static int is_thread_stack(find_t const *f, uint32_t area) {
  vt_trace_area_t const *a = &f->from->pages->areas[area];
  return area && a[-1].end == a->start && is_guard(&a[-1]) && a->flags & VT_PAGES_WRITABLE;
}

static int is_shared_memory(char const *name) {
  return starts_with(name, "/dev/shm/") || starts_with(name, "/dev/zero") ||
         starts_with(name, "/memfd:") || starts_with(name, "/SYSV");
}

static vt_place_t place_of_file(vt_trace_area_t const *a) {
  if (vt_kernel_is_file(a->name, VT_RING_FILE)) return VT_PLACE_OWN;
  if (is_shared_memory(a->name)) return VT_PLACE_SHARED;
  return VT_PLACE_FILE;
}

/* base_of is the place of an area as far as no layer knows better. */
static vt_place_t base_of(find_t const *f, uint32_t area) {
  vt_trace_area_t const *a = &f->from->pages->areas[area];
  if (!is_anonymous(a)) return place_of_file(a);
  if (starts_with(a->name, "[stack")) return VT_PLACE_STACK;
  if (starts_with(a->name, "[v")) return VT_PLACE_MODULE; /* vdso */
  if (!strcmp(a->name, "[heap]") && f->out.libc_malloc) return VT_PLACE_ALLOCATOR;
  if (!f->out.libc_malloc && has_block(f, a->start, a->end, VT_HELD_MALLOC))
    return VT_PLACE_ALLOCATOR;
  return is_thread_stack(f, area) ? VT_PLACE_STACK : VT_PLACE_RUNTIME;
}

/* add_libc_maps: outside of arenas libc's malloc gives a large block a mapping of its own. */
static void add_libc_maps(find_t *f) {
  vt_trace_pages_t const *p = f->from->pages;
  for (uint32_t area = 0; area < p->area_cnt && f->out.libc_malloc; area++) {
    vt_trace_area_t const *a = &p->areas[area];
    if (!is_anonymous(a) || a->name[0]) continue;
    uint64_t end = arena_start(f, area);
    add(f, LAYER_ARENAS, (span_t){end, a->end, VT_PLACE_ALLOCATOR, VT_NO_RECORD, 0});
    for (size_t i = first_block(f, a->start); i < f->from->blocks_cnt && f->from->blocks[i].start < end; i++) {
      vt_held_block_t const *b = &f->from->blocks[i];
      if (!in_malloc(b) || vt_mappings_find(&f->mappings, b->start)) continue;
      uint64_t start = page_down(f, b->start - CHUNK_HEAD), stop = page_up(f, b->start + b->size);
      add(f, LAYER_BLOCKS, (span_t){start, stop, VT_PLACE_ALLOCATOR, VT_NO_RECORD, 1});
    }
  }
}

/* ---- putting it together ---- */

/* decide finds what lies at an address and up to where nothing else does. */
static span_t decide(find_t *f, uint64_t at, uint64_t end, vt_place_t base) {
  span_t found = {at, end, base, VT_NO_RECORD, 0};
  for (int layer = 0; layer < LAYERS; layer++) {
    layer_t *l = &f->layers[layer];
    while (l->at < l->spans_cnt && l->spans[l->at].end <= at) l->at++;
    if (l->at == l->spans_cnt) continue;
    span_t const *s = &l->spans[l->at];
    if (s->start > at) {
      if (s->start < found.end) found.end = s->start;
      continue;
    }
    uint64_t stop = s->end < found.end ? s->end : found.end;
    found = (span_t){at, stop, s->place, s->record, s->one_block};
    break;
  }
  return found;
}

/* settle: what the program mapped of files and of shared memory is that. */
static vt_place_t settle(vt_place_t place, vt_trace_area_t const *a) {
  return place == VT_PLACE_MAPPED && !is_anonymous(a) ? place_of_file(a) : place;
}

static void divide_area(find_t *f, uint32_t area) {
  vt_trace_area_t const *a = &f->from->pages->areas[area];
  vt_place_t base = base_of(f, area);
  for (uint64_t at = a->start; at < a->end;) {
    span_t s = decide(f, at, a->end, base);
    vt_placed_t part = {at, s.end, settle(s.place, a), area, s.record, s.one_block};
    VT_PUSH(f->out.parts, part);
    at = s.end;
  }
}

/* said_by is what the process said last of itself. */
static vt_trace_snapshot_t const *said_by(vt_reader_t const *reader) {
  size_t cnt;
  vt_trace_snapshot_t const *all = vt_reader_snapshots(reader, &cnt);
  return cnt ? &all[cnt - 1] : NULL;
}

/* uses_libc: a process that said nothing has libc's malloc unless another one mapped memory. */
static int uses_libc(find_t const *f) {
  size_t cnt;
  vt_trace_mapping_t const *records = vt_reader_mappings(f->from->reader, &cnt);
  if (f->said) return (f->said->flags & VT_SNAPSHOT_LIBC_MALLOC) != 0;
  for (size_t i = 0; i < cnt; i++)
    if (records[i].by_allocator) return 0;
  return 1;
}

/* has_inner_allocator: is an allocator inside a module recorded? Operators new that are there call malloc. */
static int has_inner_allocator(vt_reader_t const *reader) {
  size_t cnt;
  vt_trace_patched_t const *patched = vt_reader_patched(reader, &cnt);
  for (size_t i = 0; i < cnt; i++)
    if (!patched[i].why[0] && !starts_with(patched[i].name, "_Zn") && !starts_with(patched[i].name, "_Zd"))
      return 1;
  return 0;
}

/* knows_all: a forked child has blocks of its parent's that its trace does not tell of. */
static int knows_all(find_t const *f) {
  size_t cnt;
  vt_reader_t const *reader = f->from->reader;
  vt_trace_process_t const *process = vt_reader_process(reader, &cnt);
  if (vt_reader_info(reader)->flags & VT_HEADER_FLAG_MID_LIFE || vt_reader_info(reader)->sample_period)
    return 0;
  for (size_t i = 0; i < cnt; i++)
    if (process[i].kind == VT_PROCESS_FORKED) return 0;
  return !(f->said && f->said->flags & VT_SNAPSHOT_PAUSED) &&
         !vt_reader_integrity(reader)->lost_events &&
         !vt_reader_counter(reader, VT_COUNTER_ALLOCATOR_IN_EXECUTABLE);
}

vt_places_t vt_places_find(vt_places_from_t const *from) {
  find_t f = {.from = from, .said = said_by(from->reader)};
  f.page = vt_reader_info(from->reader)->page_sz;
  f.out.libc_malloc = uses_libc(&f);
  f.out.whole = knows_all(&f);
  f.out.several = has_inner_allocator(from->reader);
  size_t cnt;
  vt_trace_mapping_t const *records = vt_reader_mappings(from->reader, &cnt);
  f.mappings = vt_mappings_until(records, cnt, from->pages->time);
  add_own(&f);
  add_heaps(&f);
  add_libc_maps(&f);
  add_pieces(&f);
  add_modules(&f);
  for (int layer = 0; layer < LAYERS; layer++) sort(&f, (layer_kind_t)layer);
  for (uint32_t area = 0; area < from->pages->area_cnt; area++) divide_area(&f, area);
  for (int layer = 0; layer < LAYERS; layer++) free(f.layers[layer].spans);
  vt_mappings_free(&f.mappings);
  return f.out;
}

void vt_places_free(vt_places_t *places) {
  free(places->parts);
  *places = (vt_places_t){0};
}
