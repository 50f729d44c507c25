/* See mappings.h. */
#include "analyzer/memory/mappings.h"
#include "analyzer/util/mem.h"
#include "analyzer/util/search.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

typedef struct {
  vt_mappings_t out;
  vt_trace_mapping_t const *records;
} run_t;

/* first_after is the index of the first piece that ends behind an address. */
static size_t first_after(vt_mappings_t const *m, uint64_t address) {
  return VT_FIRST_NOT(m->pieces_cnt, i, m->pieces[i].end <= address);
}

static int counts(vt_trace_mapping_t const *r) { return !r->by_allocator && r->prot != PROT_NONE; }

static void insert(vt_mappings_t *m, size_t at, vt_mapped_t piece) {
  VT_PUSH(m->pieces, piece);
  memmove(&m->pieces[at + 1], &m->pieces[at], (m->pieces_cnt - 1 - at) * sizeof piece);
  m->pieces[at] = piece;
}

/* take_out removes [start,end) from whatever was mapped there before `before`. */
static void take_out(run_t *run, uint64_t start, uint64_t end, uint64_t before) {
  vt_mappings_t *m = &run->out;
  size_t i = first_after(m, start), kept = i;
  for (; i < m->pieces_cnt && m->pieces[i].start < end; i++) {
    vt_mapped_t piece = m->pieces[i];
    if (run->records[piece.record].time > before) {
      m->pieces[kept++] = piece;
      continue;
    }
    uint64_t from = piece.start > start ? piece.start : start;
    uint64_t to = piece.end < end ? piece.end : end;
    if (piece.counted) m->mapped_bytes -= to - from;
    if (piece.start < from)
      m->pieces[kept++] = (vt_mapped_t){piece.start, from, piece.record, piece.counted};
    if (to == piece.end) continue;
    vt_mapped_t rest = {to, piece.end, piece.record, piece.counted};
    if (kept > i) { /* it was split in two: the only piece concerned */
      insert(m, kept, rest);
      return;
    }
    m->pieces[kept++] = rest;
  }
  if (kept == i) return;
  memmove(&m->pieces[kept], &m->pieces[i], (m->pieces_cnt - i) * sizeof *m->pieces);
  m->pieces_cnt -= i - kept;
}

static uint64_t page_up(uint64_t sz) { return (sz + 4095) & ~(uint64_t)4095; }

static void add(run_t *run, size_t record, int counted) {
  vt_trace_mapping_t const *r = &run->records[record];
  vt_mappings_t *m = &run->out;
  int is_break = r->api == VT_MAPPING_SBRK || r->api == VT_MAPPING_BRK;
  uint64_t end = r->address + (is_break ? r->size : page_up(r->size));
  if (end <= r->address) return;
  take_out(run, r->address, end, r->time);
  insert(m, first_after(m, r->address), (vt_mapped_t){r->address, end, record, counted});
  if (!counted) return;
  m->mapped_bytes += end - r->address;
  if (m->mapped_bytes <= m->peak_bytes) return;
  m->peak_bytes = m->mapped_bytes;
  m->peak_time = r->time;
}

/* unmap: shmdt names no size. */
static void unmap(run_t *run, vt_trace_mapping_t const *r) {
  vt_mappings_t *m = &run->out;
  uint64_t sz = r->size;
  if (r->api == VT_MAPPING_SHMDT) {
    vt_mapped_t const *piece = vt_mappings_find(m, r->address);
    sz = piece ? piece->end - r->address : 0;
  }
  int is_break = r->api == VT_MAPPING_SBRK || r->api == VT_MAPPING_BRK;
  take_out(run, r->address, r->address + (is_break ? sz : page_up(sz)), r->time);
}

/* remap: what moved keeps the protection it had; the site is that of the latest call. */
static void remap(run_t *run, size_t record) {
  vt_trace_mapping_t const *r = &run->records[record];
  vt_mapped_t const *old = vt_mappings_find(&run->out, r->old_address);
  int counted = old ? old->counted : !r->by_allocator;
  take_out(run, r->old_address, r->old_address + page_up(r->old_size), r->begun);
  add(run, record, counted);
}

typedef struct {
  uint64_t time;
  size_t record;
} order_t;

static int by_time(void const *a, void const *b) {
  order_t const *x = a, *y = b;
  if (x->time != y->time) return x->time < y->time ? -1 : 1;
  return x->record < y->record ? -1 : x->record > y->record;
}

/* ordered is the records in order of time; the caller frees it. */
static order_t *ordered(vt_trace_mapping_t const *records, size_t cnt) {
  order_t *order = vt_mem_new(cnt + 1, sizeof *order);
  for (size_t i = 0; i < cnt; i++) order[i] = (order_t){records[i].time, i};
  qsort(order, cnt, sizeof *order, by_time);
  return order;
}

size_t *vt_mappings_ordered(vt_trace_mapping_t const *records, size_t cnt) {
  order_t *order = ordered(records, cnt);
  size_t *indexes = vt_mem_new(cnt + 1, sizeof *indexes);
  for (size_t i = 0; i < cnt; i++) indexes[i] = order[i].record;
  free(order);
  return indexes;
}

static void apply(run_t *run, size_t record) {
  vt_trace_mapping_t const *r = &run->records[record];
  if (r->op == VT_MAPPING_MAP) add(run, record, counts(r));
  if (r->op == VT_MAPPING_UNMAP) unmap(run, r);
  if (r->op == VT_MAPPING_REMAP) remap(run, record);
}

vt_mappings_t vt_mappings_until(vt_trace_mapping_t const *records, size_t cnt, uint64_t time) {
  run_t run = {.records = records};
  order_t *order = ordered(records, cnt);
  for (size_t i = 0; i < cnt && order[i].time <= time; i++) apply(&run, order[i].record);
  free(order);
  return run.out;
}

void vt_mappings_at(vt_trace_mapping_t const *records, size_t cnt, uint64_t const *times, size_t times_cnt,
                    uint64_t *bytes) {
  run_t run = {.records = records};
  order_t *order = ordered(records, cnt);
  for (size_t t = 0, i = 0; t < times_cnt; t++) {
    while (i < cnt && order[i].time <= times[t]) apply(&run, order[i++].record);
    bytes[t] = run.out.mapped_bytes;
  }
  free(order);
  vt_mappings_free(&run.out);
}

vt_mappings_t vt_mappings_run(vt_trace_mapping_t const *records, size_t cnt) {
  return vt_mappings_until(records, cnt, VT_TIME_NEVER);
}

void vt_mappings_free(vt_mappings_t *m) {
  free(m->pieces);
  *m = (vt_mappings_t){0};
}

vt_mapped_t const *vt_mappings_find(vt_mappings_t const *m, uint64_t address) {
  size_t i = first_after(m, address);
  return i < m->pieces_cnt && m->pieces[i].start <= address ? &m->pieces[i] : NULL;
}
