/* JIT chunks: names of generated code. See docs/trace-format.md. */
#include "analyzer/trace/reader_private.h"
#include "analyzer/util/search.h"

#define ENTRY_MIN_SZ 28 /* bytes of an entry in the chunk, at least */

int vt_tables_jit(vt_reader_t *r, vt_cursor_t *c) {
  uint32_t cnt = vt_cursor_u32(c);
  if (c->bad || cnt > vt_cursor_left(c) / ENTRY_MIN_SZ) return -1;
  while (cnt-- && !c->bad) {
    uint32_t sz;
    vt_trace_jit_t entry = {.time = vt_reader_ns(r, vt_cursor_u64(c))};
    entry.address = vt_cursor_u64(c);
    entry.size = vt_cursor_u64(c);
    uint8_t const *name = vt_cursor_string(c, &sz);
    if (c->bad || entry.size > UINT64_MAX - entry.address) return -1;
    entry.name = vt_tables_text(&r->tables, name, sz);
    VT_PUSH(r->tables.jit, entry);
  }
  return 0;
}

static int by_address(void const *a, void const *b) {
  vt_trace_jit_t const *x = a, *y = b;
  if (x->address != y->address) return x->address < y->address ? -1 : 1;
  return x->time < y->time ? -1 : x->time > y->time;
}

void vt_tables_sort_jit(vt_reader_t *r) {
  vt_trace_jit_t *jit = r->tables.jit;
  uint64_t max_end = 0;
  if (r->tables.jit_cnt) qsort(jit, r->tables.jit_cnt, sizeof *jit, by_address);
  for (size_t i = 0; i < r->tables.jit_cnt; i++) {
    uint64_t end = jit[i].address + jit[i].size;
    if (end > max_end) max_end = end;
    jit[i].max_end = max_end;
  }
}

vt_trace_jit_t const *vt_reader_jit(vt_reader_t const *r, size_t *cnt) {
  *cnt = r->tables.jit_cnt;
  return r->tables.jit;
}

/* first_behind is the index of the first entry that begins behind the address. */
static size_t first_behind(vt_tables_t const *t, uint64_t address) {
  return VT_FIRST_NOT(t->jit_cnt, i, t->jit[i].address <= address);
}

static int is_among(char const *name, char const **names, size_t cnt) {
  while (cnt--)
    if (!strcmp(names[cnt], name)) return 1;
  return 0;
}

/* Who says that everything overlaps is not believed. */
#define OVERLAPS_MAX 4096

size_t vt_reader_jit_at(vt_reader_t const *r, uint64_t address, char const **names, size_t max) {
  vt_trace_jit_t const *jit = r->tables.jit;
  size_t cnt = 0, looks = 0;
  for (size_t i = first_behind(&r->tables, address); i-- && jit[i].max_end > address;) {
    if (++looks > OVERLAPS_MAX) return 0;
    if (address - jit[i].address >= jit[i].size || cnt == max || is_among(jit[i].name, names, cnt))
      continue;
    names[cnt++] = jit[i].name;
  }
  return cnt;
}
