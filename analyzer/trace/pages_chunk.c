/* PAGES chunks: a process's mappings and which of their pages are there. See docs/trace-format.md. */
#include "analyzer/trace/reader_private.h"

#define AREA_MIN_SZ   11 /* bytes of a mapping in the chunk, at least */
#define RUN_MIN_SZ    2
#define ADDRESSES_END ((uint64_t)1 << 47)
#define KIB           1024

/* read_run takes the run behind *at, in a mapping that ends at `end`. */
static int read_run(vt_cursor_t *c, uint64_t *at, uint64_t end, uint64_t page, vt_trace_run_t *run) {
  uint64_t gap = vt_cursor_varint(c), pages = vt_cursor_varint(c);
  uint64_t left = (end - *at) / page;
  if (c->bad || gap > left || pages / 2 > left - gap) return -1;
  run->start = *at + gap * page;
  run->end = *at = run->start + pages / 2 * page;
  run->swapped = pages & 1;
  return 0;
}

static int read_runs(vt_reader_t *r, vt_cursor_t *c, vt_trace_area_t *a) {
  uint64_t cnt = vt_cursor_varint(c), at = a->start;
  if (c->bad || cnt > vt_cursor_left(c) / RUN_MIN_SZ) return -1;
  vt_trace_run_t *runs = vt_tables_own(&r->tables, vt_mem_new(cnt + 1, sizeof *runs));
  for (uint64_t i = 0; i < cnt; i++)
    if (read_run(c, &at, a->end, r->header.page_sz, &runs[i])) return -1;
  a->run_cnt = (uint32_t)cnt;
  a->runs = runs;
  return 0;
}

/* read_area takes the mapping behind *at. */
static int read_area(vt_reader_t *r, vt_cursor_t *c, uint64_t *at, vt_trace_area_t *a) {
  uint32_t sz;
  uint64_t page = r->header.page_sz, left = (ADDRESSES_END - *at) / page;
  uint64_t gap = vt_cursor_varint(c), pages = vt_cursor_varint(c);
  if (c->bad || gap > left || pages > left - gap) return -1;
  a->start = *at + gap * page;
  a->end = *at = a->start + pages * page;
  a->flags = vt_cursor_u8(c);
  uint8_t const *name = vt_cursor_string(c, &sz);
  a->name = vt_tables_text(&r->tables, name, sz);
  uint64_t kib[] = {vt_cursor_varint(c), vt_cursor_varint(c), vt_cursor_varint(c)};
  for (int i = 0; i < 3; i++)
    if (kib[i] > ADDRESSES_END / KIB) return -1;
  a->resident_bytes = kib[0] * KIB;
  a->anonymous_bytes = kib[1] * KIB;
  a->swapped_bytes = kib[2] * KIB;
  return read_runs(r, c, a);
}

/* insert keeps the table in order of time; chunks come nearly sorted. */
static void insert(vt_tables_t *t, vt_trace_pages_t const *pages) {
  VT_PUSH(t->pages, *pages);
  for (size_t i = t->pages_cnt - 1; i && t->pages[i - 1].time > pages->time; i--) {
    t->pages[i] = t->pages[i - 1];
    t->pages[i - 1] = *pages;
  }
}

int vt_tables_pages(vt_reader_t *r, vt_cursor_t *c) {
  uint64_t at = 0;
  uint32_t page = r->header.page_sz;
  vt_trace_pages_t p = {.time = vt_reader_ns(r, vt_cursor_u64(c))};
  p.end_time = vt_reader_ns(r, vt_cursor_u64(c));
  p.kind = vt_cursor_u32(c);
  p.area_cnt = vt_cursor_u32(c);
  if (c->bad || page < 512 || page & (page - 1) || p.area_cnt > vt_cursor_left(c) / AREA_MIN_SZ)
    return -1;
  vt_trace_area_t *areas = vt_tables_own(&r->tables, vt_mem_new((size_t)p.area_cnt + 1, sizeof *areas));
  for (uint32_t i = 0; i < p.area_cnt; i++) {
    if (read_area(r, c, &at, &areas[i])) return -1;
    p.resident_bytes += areas[i].resident_bytes;
    p.swapped_bytes += areas[i].swapped_bytes;
  }
  p.areas = areas;
  insert(&r->tables, &p);
  return 0;
}
