/* See account.h. Where libc's malloc is at work, a block has a header of 8 bytes and is a multiple of 16
   bytes, 32 at least; what is left between two of them and smaller than that cannot be free (malloc/malloc.c
   of glibc: request2size, MINSIZE). Which of the free pages malloc_trim gives back: mtrim and
   systrim there. */
#include "analyzer/memory/account.h"
#include "analyzer/util/mem.h"

#include <stdlib.h>

#define HEAD_SZ      8
#define CHUNK_MIN    32
#define CHUNK_ALIGN  16
#define FREE_HEAD_SZ 48 /* sizeof (struct malloc_chunk): stays where the rest of a free chunk goes */

typedef struct {
  vt_places_from_t const *from;
  vt_account_t out;
  uint64_t page;
} sum_t;

static uint64_t overlap(uint64_t a, uint64_t a_end, uint64_t b, uint64_t b_end) {
  uint64_t start = a > b ? a : b, end = a_end < b_end ? a_end : b_end;
  return start < end ? end - start : 0;
}

static int is_of(vt_place_t place, vt_held_block_t const *b) {
  return (place == VT_PLACE_HEAP && b->heap != VT_HELD_MALLOC) ||
         (place == VT_PLACE_ALLOCATOR && b->heap != VT_HELD_ANNOTATED);
}

/* ---- which part is each resident page in? ---- */

static void add_resident(sum_t *s, uint64_t start, uint64_t end, size_t part) {
  VT_PUSH(s->out.resident, ((vt_resident_t){start, end, part}));
  s->out.by_place[s->out.places.parts[part].place] += end - start;
}

/* add_area goes through the runs of an area, whose parts begin at *part. */
static void add_area(sum_t *s, uint32_t area, size_t *part) {
  vt_trace_area_t const *a = &s->from->pages->areas[area];
  vt_placed_t const *parts = s->out.places.parts;
  uint64_t explained = 0;
  for (uint32_t i = 0; i < a->run_cnt; i++) {
    vt_trace_run_t const *run = &a->runs[i];
    if (run->swapped) continue;
    explained += run->end - run->start;
    for (uint64_t at = run->start; at < run->end;) {
      while (parts[*part].end <= at) ++*part;
      uint64_t end = run->end < parts[*part].end ? run->end : parts[*part].end;
      add_resident(s, at, end, *part);
      at = end;
    }
  }
  while (*part < s->out.places.parts_cnt && parts[*part].area == area) ++*part;
  s->out.resident_bytes += a->resident_bytes;
  if (a->resident_bytes > explained) s->out.unexplained_bytes += a->resident_bytes - explained;
}

/* ---- the allocator's memory ---- */

/* extent_of is what a block of libc's malloc occupies; next: the block behind it, NULL: none. */
static vt_trace_run_t extent_of(vt_held_block_t const *b, vt_held_block_t const *next) {
  uint64_t chunk = (b->size + HEAD_SZ + CHUNK_ALIGN - 1) & ~(uint64_t)(CHUNK_ALIGN - 1);
  vt_trace_run_t e = {b->start - HEAD_SZ, b->start - HEAD_SZ + (chunk < CHUNK_MIN ? CHUNK_MIN : chunk), 0};
  uint64_t behind = next ? next->start - HEAD_SZ : UINT64_MAX;
  if (behind < e.end || behind - e.end < CHUNK_MIN) e.end = behind;
  return e;
}

/* add_blocks adds up what of live blocks lies in resident pages of their kind of memory. */
static void add_blocks(sum_t *s) {
  vt_held_block_t const *blocks = s->from->blocks;
  size_t first = 0;
  for (size_t r = 0; r < s->out.resident_cnt; r++) {
    vt_resident_t const *run = &s->out.resident[r];
    vt_place_t place = s->out.places.parts[run->part].place;
    while (first < s->from->blocks_cnt && blocks[first].start + blocks[first].size <= run->start) first++;
    for (size_t i = first; i < s->from->blocks_cnt && blocks[i].start < run->end; i++) {
      if (!is_of(place, &blocks[i])) continue;
      uint64_t here = overlap(blocks[i].start, blocks[i].start + blocks[i].size, run->start, run->end);
      *(place == VT_PLACE_HEAP ? &s->out.heap_blocks_bytes : &s->out.blocks_bytes) += here;
    }
  }
}

/* A part of the allocator's memory, gone through from its start. */
typedef struct {
  vt_placed_t const *part;
  size_t block;    /* the first that begins in it */
  size_t resident; /* the first run that ends behind what has been gone through */
} walk_t;

/* resident_in is how much of [start,end) is there; what is asked for ascends. */
static uint64_t resident_in(sum_t const *s, walk_t *w, uint64_t start, uint64_t end) {
  vt_resident_t const *runs = s->out.resident;
  uint64_t sum = 0;
  while (w->resident < s->out.resident_cnt && runs[w->resident].end <= start) w->resident++;
  for (size_t r = w->resident; r < s->out.resident_cnt && runs[r].start < end; r++)
    sum += overlap(runs[r].start, runs[r].end, start, end);
  return sum;
}

/* add_gap: free memory of the allocator. The top of an arena but the first stays with it. */
static void add_gap(sum_t *s, walk_t *w, uint64_t start, uint64_t end) {
  vt_trace_area_t const *area = &s->from->pages->areas[w->part->area];
  if (start >= end) return;
  s->out.free_bytes += resident_in(s, w, start, end);
  if (end == w->part->end && !area->name[0]) return;
  uint64_t first = start == w->part->start ? start + s->page : start - HEAD_SZ + FREE_HEAD_SZ;
  uint64_t from = (first + s->page - 1) & ~(s->page - 1), to = end & ~(s->page - 1);
  if (from < to) s->out.trim_bytes += resident_in(s, w, from, to);
}

static void walk_part(sum_t *s, walk_t *w) {
  vt_placed_t const *part = w->part;
  uint64_t at = part->start;
  if (part->one_block) return;
  for (; w->block < s->from->blocks_cnt && s->from->blocks[w->block].start < part->end; w->block++) {
    vt_held_block_t const *b = &s->from->blocks[w->block], *next = b + 1;
    if (b->start < part->start || b->heap == VT_HELD_ANNOTATED) continue;
    int last = w->block + 1 == s->from->blocks_cnt || next->start >= part->end;
    vt_trace_run_t e = extent_of(b, last ? NULL : next);
    if (e.start > b->start) e.start = b->start; /* no process has a block there */
    if (e.start > at) add_gap(s, w, at, e.start);
    if (e.end > at) at = e.end;
  }
  if (at < part->end) add_gap(s, w, at, part->end);
}

/* divide tells free memory from what live blocks occupy beyond what was asked for. */
static void divide(sum_t *s) {
  walk_t w = {0};
  s->out.sampled = vt_reader_info(s->from->reader)->sample_period != 0;
  s->out.divided = !s->out.sampled && s->out.places.libc_malloc && s->out.places.whole && !s->out.places.several;
  if (!s->out.divided) return;
  for (size_t i = 0; i < s->out.places.parts_cnt; i++) {
    w.part = &s->out.places.parts[i];
    if (w.part->place == VT_PLACE_ALLOCATOR) walk_part(s, &w);
  }
  s->out.overhead_bytes = s->out.by_place[VT_PLACE_ALLOCATOR] - s->out.blocks_bytes - s->out.free_bytes;
}

/* ---- mappings by the program ---- */

static int by_record(void const *a, void const *b) {
  vt_account_mapping_t const *x = a, *y = b;
  if (x->record != y->record) return x->record < y->record ? -1 : 1;
  return (int)x->place - (int)y->place;
}

/* join makes one of the entries of each record and place. */
static void join(vt_account_t *out) {
  size_t kept = 0;
  if (out->mappings) qsort(out->mappings, out->mappings_cnt, sizeof *out->mappings, by_record);
  for (size_t i = 0; i < out->mappings_cnt; i++) {
    vt_account_mapping_t const *m = &out->mappings[i];
    if (kept && !by_record(&out->mappings[kept - 1], m)) {
      out->mappings[kept - 1].bytes += m->bytes;
      out->mappings[kept - 1].resident += m->resident;
    } else {
      out->mappings[kept++] = *m;
    }
  }
  out->mappings_cnt = kept;
}

static void add_mappings(sum_t *s) {
  vt_account_t *out = &s->out;
  size_t r = 0;
  for (size_t i = 0; i < out->places.parts_cnt; i++) {
    vt_placed_t const *part = &out->places.parts[i];
    vt_account_mapping_t m = {part->record, part->place, part->end - part->start, 0};
    for (; r < out->resident_cnt && out->resident[r].part == i; r++)
      m.resident += out->resident[r].end - out->resident[r].start;
    if (part->record != VT_NO_RECORD && part->place != VT_PLACE_ALLOCATOR) VT_PUSH(out->mappings, m);
  }
  join(out);
}

vt_account_t vt_account_make(vt_places_from_t const *from) {
  sum_t s = {.from = from, .page = vt_reader_info(from->reader)->page_sz};
  size_t part = 0;
  s.out.pages = from->pages;
  s.out.places = vt_places_find(from);
  for (uint32_t area = 0; area < from->pages->area_cnt; area++) add_area(&s, area, &part);
  add_blocks(&s);
  divide(&s);
  add_mappings(&s);
  return s.out;
}

void vt_account_free(vt_account_t *account) {
  vt_places_free(&account->places);
  free(account->resident);
  free(account->mappings);
  *account = (vt_account_t){0};
}
