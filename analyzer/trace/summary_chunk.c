/* SUMMARY chunks: see summary.h and docs/trace-format.md. */
#include "analyzer/trace/reader_private.h"
#include "analyzer/trace/summary.h"

#include <stdlib.h>

#define HEAPS_MAX 65536

void vt_summary_free(vt_summary_t *s) {
  free(s->threads);
  free(s->cells);
  free(s->blocks);
  *s = (vt_summary_t){0};
}

vt_summary_t const *vt_reader_summary(vt_reader_t const *r) { return r->tables.summary; }

/* tick_of undoes vt_reader_ns: times are written as the clock has them, whose rate becomes known better with time. */
static uint64_t tick_of(vt_reader_t const *r, uint64_t ns) {
  if (!ns || !r->ns_per_tick_32) return r->header.start_tick;
  return r->header.start_tick + (uint64_t)((((unsigned __int128)ns << 32) + r->ns_per_tick_32 - 1) / r->ns_per_tick_32);
}

/* identity is the thread of a place in the reader's table. */
static vt_thread_id_t identity(vt_reader_t const *r, uint32_t index) {
  for (uint32_t id = 0; id < r->known_threads_cnt; id++)
    if (r->known_threads[id].place == index + 1)
      return vt_thread_ids_at((vt_thread_ids_t *)&r->thread_ids, id);
  return (vt_thread_id_t){0};
}

/* ---- writing ---- */

static void put_number(vt_bytes_t *out, uint32_t number) { vt_bytes_varint(out, (uint64_t)(uint32_t)(number + 1)); }

static void put_block(vt_bytes_t *out, vt_reader_t const *r, vt_summary_block_t const *b) {
  vt_bytes_u8(out, (uint8_t)((b->limbo ? 1 : 0) | (b->known ? 2 : 0)));
  vt_bytes_varint(out, b->heap);
  if (b->limbo) {
    vt_bytes_varint(out, b->limbo_thread);
    vt_bytes_varint(out, b->stack);
  }
  if (!b->known) return;
  vt_bytes_varint(out, b->cell);
  vt_bytes_varint(out, b->thread);
  vt_bytes_varint(out, b->address);
  vt_bytes_varint(out, b->size);
  vt_bytes_varint(out, tick_of(r, b->time) - r->header.start_tick);
  vt_bytes_varint(out, b->tag);
}

void vt_summary_encode(vt_summary_t const *s, vt_reader_t const *r, vt_bytes_t *out) {
  vt_bytes_u64(out, s->tick);
  for (int i = 0; i < VT_SUMMARY_TOTALS; i++)
    vt_bytes_u64(out, i == VT_SUMMARY_TOTAL_PEAK_NS ? tick_of(r, s->totals[i]) : s->totals[i]);
  vt_bytes_varint(out, s->threads_cnt);
  for (size_t i = 0; i < s->threads_cnt; i++) {
    vt_thread_id_t who = identity(r, s->threads[i].index);
    vt_bytes_varint(out, who.tid);
    vt_bytes_varint(out, who.number);
    put_number(out, s->threads[i].last_heap);
    vt_bytes_varint(out, s->threads[i].last_address);
  }
  vt_bytes_varint(out, s->cells_cnt);
  for (size_t i = 0; i < s->cells_cnt; i++) {
    put_number(out, s->cells[i].heap);
    vt_bytes_varint(out, s->cells[i].stack);
    for (int c = 0; c < VT_SUMMARY_COUNTERS; c++) vt_bytes_varint(out, s->cells[i].counters[c]);
  }
  vt_bytes_varint(out, s->blocks_cnt);
  for (size_t i = 0; i < s->blocks_cnt; i++) put_block(out, r, &s->blocks[i]);
}

/* ---- reading ---- */

static uint32_t take_u32(vt_cursor_t *c) {
  uint64_t v = vt_cursor_varint(c);
  if (v > UINT32_MAX) c->bad = 1;
  return (uint32_t)v;
}

static uint32_t take_number(vt_cursor_t *c) { return take_u32(c) - 1; }

static vt_summary_block_t take_block(vt_cursor_t *c) {
  uint8_t flags = vt_cursor_u8(c);
  vt_summary_block_t b = {.limbo = flags & 1, .known = flags >> 1 & 1};
  b.heap = take_u32(c);
  if (b.limbo) {
    b.limbo_thread = take_u32(c);
    b.stack = take_u32(c);
  }
  if (!b.known) return b;
  b.cell = take_u32(c);
  b.thread = take_u32(c);
  b.address = vt_cursor_varint(c);
  b.size = vt_cursor_varint(c);
  b.time = vt_cursor_varint(c);
  b.tag = vt_cursor_varint(c);
  return b;
}

static void take_threads(vt_reader_t *r, vt_cursor_t *c, vt_summary_t *s) {
  for (uint64_t n = vt_cursor_varint(c); n && !c->bad; n--) {
    vt_thread_id_t who = {.tid = take_u32(c)};
    who.number = take_u32(c);
    vt_summary_thread_t t = {.last_heap = take_number(c)};
    t.last_address = vt_cursor_varint(c);
    if (c->bad) return;
    t.index = vt_threads_index(r, vt_thread_ids_index(&r->thread_ids, who));
    VT_PUSH(s->threads, t);
  }
}

static void take_cells(vt_reader_t const *r, vt_cursor_t *c, vt_summary_t *s) {
  for (uint64_t n = vt_cursor_varint(c); n && !c->bad; n--) {
    vt_summary_cell_t cell = {.heap = take_number(c)};
    cell.stack = take_u32(c);
    for (int i = 0; i < VT_SUMMARY_COUNTERS; i++) cell.counters[i] = vt_cursor_varint(c);
    if (cell.stack >= r->trie.cnt || (cell.heap != VT_SUMMARY_PYTHON && cell.heap >= HEAPS_MAX)) c->bad = 1;
    if (!c->bad) VT_PUSH(s->cells, cell);
  }
}

/* fits: does what a block refers to exist? */
static int fits(vt_reader_t const *r, vt_summary_t const *s, vt_summary_block_t const *b) {
  if (b->heap >= HEAPS_MAX || b->stack >= r->trie.cnt) return 0;
  if (b->limbo && b->limbo_thread >= s->threads_cnt) return 0;
  return !b->known || (b->cell < s->cells_cnt && b->thread < s->threads_cnt);
}

void vt_tables_convert_summary(vt_reader_t *r) {
  vt_summary_t *s = r->tables.summary;
  if (!s) return;
  s->time = vt_reader_ns(r, s->tick);
  s->totals[VT_SUMMARY_TOTAL_PEAK_NS] = vt_reader_ns(r, s->totals[VT_SUMMARY_TOTAL_PEAK_NS]);
  for (size_t i = 0; i < s->blocks_cnt; i++) s->blocks[i].time = vt_reader_ns(r, r->header.start_tick + s->blocks[i].time);
}

int vt_tables_summary(vt_reader_t *r, vt_cursor_t *c) {
  vt_summary_t *s = vt_mem_new(1, sizeof *s);
  s->tick = vt_cursor_u64(c);
  for (int i = 0; i < VT_SUMMARY_TOTALS; i++) s->totals[i] = vt_cursor_u64(c);
  take_threads(r, c, s);
  take_cells(r, c, s);
  for (uint64_t n = vt_cursor_varint(c); n && !c->bad; n--) {
    vt_summary_block_t b = take_block(c);
    if (!c->bad && !fits(r, s, &b)) c->bad = 1;
    if (!c->bad) VT_PUSH(s->blocks, b);
  }
  if (c->bad || r->tables.summary) {
    vt_summary_free(s);
    free(s);
    return -1;
  }
  r->tables.summary = s;
  return 0;
}
