/* See pins.h. Blocks come by address, so pages do, too: a page is settled when the first block behind it
   has come. Pages that lie within one block need no such care. */
#include "analyzer/memory/pins.h"
#include "analyzer/util/mem.h"

#include <stdlib.h>

/* Runs by address, and the first that ends behind what was asked for last. */
typedef struct {
  vt_trace_run_t *runs;
  size_t runs_cnt, runs_cap;
  size_t at;
} cursor_t;

typedef struct {
  vt_places_from_t const *from;
  vt_account_t const *account;
  vt_pins_t *out;
  uint64_t page_sz;
  cursor_t resident, of_pages, swapped, known; /* known: where blocks may lie and what is there is known */
  uint64_t page;                               /* in hand */
  uint64_t page_bytes;                         /* of live blocks on it */
  uint32_t *keys;                              /* on it, each once */
  size_t keys_cnt, keys_cap;
} pin_t;

static void add_run(cursor_t *c, uint64_t start, uint64_t end) {
  if (c->runs_cnt && c->runs[c->runs_cnt - 1].end == start)
    c->runs[c->runs_cnt - 1].end = end;
  else
    VT_PUSH(c->runs, ((vt_trace_run_t){start, end, 0}));
}

/* within is how much of [start,end) is in the runs; starts ascend from call to call. */
static uint64_t within(cursor_t *c, uint64_t start, uint64_t end) {
  uint64_t sum = 0;
  while (c->at < c->runs_cnt && c->runs[c->at].end <= start) c->at++;
  for (size_t i = c->at; i < c->runs_cnt && c->runs[i].start < end; i++) {
    uint64_t from = c->runs[i].start > start ? c->runs[i].start : start;
    uint64_t to = c->runs[i].end < end ? c->runs[i].end : end;
    sum += to - from;
  }
  return sum;
}

static int holds_blocks(vt_place_t place) {
  return place == VT_PLACE_ALLOCATOR || place == VT_PLACE_HEAP;
}

static void gather(pin_t *p) {
  vt_account_t const *a = p->account;
  for (size_t i = 0; i < a->resident_cnt; i++) {
    if (!holds_blocks(a->places.parts[a->resident[i].part].place)) continue;
    add_run(&p->resident, a->resident[i].start, a->resident[i].end);
    add_run(&p->of_pages, a->resident[i].start, a->resident[i].end);
  }
  for (size_t i = 0; i < a->places.parts_cnt; i++) {
    vt_placed_t const *part = &a->places.parts[i];
    int known = !(p->from->pages->areas[part->area].flags & VT_PAGES_RUNS_UNKNOWN);
    if (holds_blocks(part->place) && known) add_run(&p->known, part->start, part->end);
  }
  for (uint32_t i = 0; i < p->from->pages->area_cnt; i++)
    for (uint32_t k = 0; k < p->from->pages->areas[i].run_cnt; k++) {
      vt_trace_run_t const *run = &p->from->pages->areas[i].runs[k];
      if (run->swapped) add_run(&p->swapped, run->start, run->end);
    }
}

/* settle_page counts the page in hand for all that have blocks on it. */
static void settle_page(pin_t *p) {
  int there = p->keys_cnt && within(&p->of_pages, p->page, p->page + p->page_sz);
  for (size_t i = 0; i < p->keys_cnt && there; i++) {
    vt_pins_t *pins = &p->out[p->keys[i]];
    pins->pages++;
    pins->alone += p->keys_cnt == 1;
    pins->rest_bytes += p->page_sz > p->page_bytes ? p->page_sz - p->page_bytes : 0;
  }
  p->keys_cnt = 0;
  p->page_bytes = 0;
}

static void on_page(pin_t *p, uint64_t page, uint32_t key, uint64_t bytes) {
  size_t i = 0;
  if (page != p->page) settle_page(p);
  p->page = page;
  p->page_bytes += bytes;
  while (i < p->keys_cnt && p->keys[i] != key) i++;
  if (i == p->keys_cnt) VT_PUSH(p->keys, key);
}

/* hold_pages: the first and the last page may be shared with other blocks. */
static void hold_pages(pin_t *p, vt_held_block_t const *b) {
  uint64_t end = b->start + (b->size ? b->size : 1), mask = ~(p->page_sz - 1);
  uint64_t first = b->start & mask, last = (end - 1) & mask;
  if (first == last) {
    on_page(p, first, b->key, b->size);
    return;
  }
  on_page(p, first, b->key, first + p->page_sz - b->start);
  settle_page(p);
  uint64_t inside = within(&p->of_pages, first + p->page_sz, last) / p->page_sz;
  p->out[b->key].pages += inside;
  p->out[b->key].alone += inside;
  on_page(p, last, b->key, end - last);
}

/* part_of is what so many of a block's bytes stand for. */
static uint64_t part_of(vt_held_block_t const *b, uint64_t bytes) {
  return bytes ? (uint64_t)((unsigned __int128)bytes * b->share.bytes / b->size) : 0;
}

static void add_variances(pin_t const *p, vt_pins_t *pins, uint64_t size, uint64_t resident, uint64_t untouched) {
  uint64_t period = vt_reader_info(p->from->reader)->sample_period;
  double each = period ? vt_estimate_spread(period, size).blocks : 0;
  pins->resident_variance += each * (double)resident * (double)resident;
  pins->untouched_variance += each * (double)untouched * (double)untouched;
}

static void add_block(pin_t *p, vt_held_block_t const *b) {
  vt_pins_t *pins = &p->out[b->key];
  uint64_t end = b->start + b->size;
  if (within(&p->known, b->start, end) != b->size) return;
  uint64_t resident = within(&p->resident, b->start, end);
  uint64_t swapped = within(&p->swapped, b->start, end);
  pins->blocks += b->share.blocks;
  pins->bytes += b->share.bytes;
  pins->resident_bytes += part_of(b, resident);
  pins->swapped_bytes += part_of(b, swapped);
  pins->untouched_bytes += b->share.bytes - part_of(b, resident) - part_of(b, swapped);
  add_variances(p, pins, b->size, resident, b->size - resident - swapped);
  hold_pages(p, b);
}

vt_pins_t *vt_pins_make(vt_places_from_t const *from, vt_account_t const *account, size_t keys) {
  pin_t p = {.from = from,
             .account = account,
             .out = vt_mem_new(keys + 1, sizeof *p.out),
             .page_sz = vt_reader_info(from->reader)->page_sz};
  gather(&p);
  for (size_t i = 0; i < from->blocks_cnt; i++) add_block(&p, &from->blocks[i]);
  settle_page(&p);
  free(p.resident.runs);
  free(p.of_pages.runs);
  free(p.swapped.runs);
  free(p.known.runs);
  free(p.keys);
  return p.out;
}
