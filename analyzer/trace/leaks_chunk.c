/* LEAKS chunks: what became of live blocks. See docs/trace-format.md. */
#include "analyzer/trace/reader_private.h"
#include "analyzer/util/search.h"

#define ROOT_MIN_SZ 20 /* bytes of a root in the chunk, at least */

uint32_t vt_leaks_find(vt_trace_leaks_t const *leaks, uint64_t address) {
  uint32_t low = (uint32_t)VT_FIRST_NOT(leaks->cnt, i, leaks->addresses[i] < address);
  return low < leaks->cnt && leaks->addresses[low] == address ? low : VT_NO_LEAK;
}

/* holder_of turns a code into a holder; what does not exist holds nothing. */
static uint32_t holder_of(uint64_t code, uint64_t blocks) {
  if (code & 1) return code / 2 < blocks ? (uint32_t)(code / 2) : VT_NO_LEAK;
  return code && code / 2 <= VT_LEAK_ROOT - 1 ? VT_LEAK_ROOT + (uint32_t)(code / 2 - 1)
                                              : VT_NO_LEAK;
}

static int read_blocks(vt_tables_t *t, vt_cursor_t *c, vt_trace_leaks_t *leaks) {
  uint64_t cnt = vt_cursor_u64(c), address = 0;
  if (cnt > vt_cursor_left(c) / 3 || cnt >= VT_LEAK_ROOT) return -1;
  uint64_t *addresses = vt_tables_own(t, vt_mem_new(cnt + 1, sizeof *addresses));
  uint8_t *classes = vt_tables_own(t, vt_mem_new(cnt + 1, sizeof *classes));
  uint32_t *holders = vt_tables_own(t, vt_mem_new(cnt + 1, sizeof *holders));
  for (uint64_t i = 0; i < cnt; i++) {
    addresses[i] = address += vt_cursor_varint(c);
    classes[i] = vt_cursor_u8(c);
    holders[i] = holder_of(vt_cursor_varint(c), cnt);
  }
  leaks->cnt = (uint32_t)cnt;
  leaks->addresses = addresses;
  leaks->classes = classes;
  leaks->holders = holders;
  return 0;
}

static char const *text_of(vt_tables_t *t, vt_cursor_t *c) {
  uint32_t sz;
  uint8_t const *p = vt_cursor_string(c, &sz);
  return vt_tables_text(t, p, sz);
}

static int read_roots(vt_tables_t *t, vt_cursor_t *c, vt_trace_leaks_t *leaks) {
  uint64_t cnt = vt_cursor_u64(c);
  if (cnt > vt_cursor_left(c) / ROOT_MIN_SZ || cnt >= VT_LEAK_ROOT) return -1;
  vt_trace_root_t *roots = vt_tables_own(t, vt_mem_new(cnt + 1, sizeof *roots));
  for (uint64_t i = 0; i < cnt && !c->bad; i++) {
    roots[i].location = vt_cursor_u64(c);
    roots[i].area = vt_cursor_u64(c);
    roots[i].path = text_of(t, c);
  }
  leaks->root_cnt = (uint32_t)cnt;
  leaks->roots = roots;
  return 0;
}

/* read_leaks is NULL when the payload is damaged. */
static vt_trace_leaks_t *read_leaks(vt_tables_t *t, vt_cursor_t *c) {
  vt_trace_leaks_t *leaks = vt_tables_own(t, vt_mem_new(1, sizeof *leaks));
  leaks->kind = (vt_snapshot_kind_t)vt_cursor_u32(c);
  leaks->flags = vt_cursor_u32(c);
  leaks->why = text_of(t, c);
  return c->bad || read_blocks(t, c, leaks) || read_roots(t, c, leaks) || c->bad ? NULL : leaks;
}

int vt_tables_leaks(vt_reader_t *r, vt_cursor_t *c) {
  vt_trace_leaks_t *leaks = read_leaks(&r->tables, c);
  if (!leaks) return -1;
  r->tables.leaks = leaks;
  return 0;
}

int vt_tables_leaks_at(vt_reader_t *r, vt_cursor_t *c) {
  uint64_t time = vt_cursor_u64(c);
  vt_trace_leaks_t *leaks = read_leaks(&r->tables, c);
  if (!leaks) return -1;
  leaks->time = time; /* converted with all others */
  VT_PUSH(r->tables.leaks_at, leaks);
  return 0;
}

vt_trace_leaks_t const *vt_reader_leaks_at(vt_reader_t const *r, uint64_t time_ns) {
  for (size_t i = 0; i < r->tables.leaks_at_cnt; i++)
    if (r->tables.leaks_at[i]->time == time_ns) return r->tables.leaks_at[i];
  return NULL;
}
