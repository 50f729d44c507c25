/* Embedded symbols: reading SYMBOLS chunks. The writing side is in symbol_writer.c. */
#include "analyzer/trace/reader_private.h"

#define FRAMES_MAX 256

typedef struct {
  void (*found)(void *, uint32_t, uint64_t, vt_trace_symbol_t const *, size_t);
  void *context;
  char const **strings;
  uint32_t string_cnt;
  uint32_t module_cnt;
  uint32_t *index_of; /* module id -> index in the table */
} visit_t;

static char const *string_at(visit_t const *v, uint32_t i) {
  return i < v->string_cnt ? v->strings[i] : "";
}

/* skip_symbols moves the cursor over `cnt` symbols to the strings. */
static void skip_symbols(vt_cursor_t *c, uint32_t cnt) {
  while (cnt-- && !c->bad) {
    vt_cursor_take(c, 12);
    vt_cursor_take(c, 12 * (size_t)vt_cursor_u16(c));
  }
}

static void read_strings(visit_t *v, vt_cursor_t *c) {
  uint32_t cnt = vt_cursor_u32(c);
  if (cnt > vt_cursor_left(c) / 4) c->bad = 1;
  if (c->bad) return;
  v->strings = vt_mem_new((size_t)cnt + 1, sizeof *v->strings);
  for (; v->string_cnt < cnt && !c->bad; v->string_cnt++) {
    uint32_t sz;
    uint8_t const *p = vt_cursor_string(c, &sz);
    v->strings[v->string_cnt] = vt_mem_copy(p ? p : (uint8_t const *)"", sz);
  }
}

static void visit(visit_t *v, vt_cursor_t *c, uint32_t cnt) {
  vt_trace_symbol_t frames[FRAMES_MAX];
  while (cnt--) {
    uint32_t id = vt_cursor_u32(c);
    uint64_t offset = vt_cursor_u64(c);
    uint16_t frame_cnt = vt_cursor_u16(c);
    for (uint32_t i = 0; i < frame_cnt; i++) {
      uint32_t function = vt_cursor_u32(c), file = vt_cursor_u32(c), line = vt_cursor_u32(c);
      if (i < FRAMES_MAX)
        frames[i] = (vt_trace_symbol_t){string_at(v, function), string_at(v, file), line};
    }
    if (c->bad) return;
    if (id < v->module_cnt && v->index_of[id] != VT_NO_MODULE)
      v->found(v->context, v->index_of[id], offset, frames,
               frame_cnt < FRAMES_MAX ? frame_cnt : FRAMES_MAX);
  }
}

static void visit_payload(visit_t *v, uint8_t const *p, size_t sz) {
  vt_cursor_t c = vt_cursor(p, sz);
  uint32_t cnt = vt_cursor_u32(&c);
  vt_cursor_t symbols = c;
  skip_symbols(&c, cnt);
  read_strings(v, &c);
  if (!c.bad) visit(v, &symbols, cnt);
  for (uint32_t i = 0; i < v->string_cnt; i++) free((char *)v->strings[i]);
  free(v->strings);
  v->strings = NULL;
  v->string_cnt = 0;
}

static void index_modules(visit_t *v, vt_tables_t const *t) {
  for (size_t i = 0; i < t->modules_cnt; i++)
    if (t->modules[i].id >= v->module_cnt && t->modules[i].id < ((uint32_t)1 << 20))
      v->module_cnt = t->modules[i].id + 1;
  v->index_of = vt_mem_new((size_t)v->module_cnt + 1, sizeof *v->index_of);
  memset(v->index_of, 0xff, v->module_cnt * sizeof *v->index_of);
  for (size_t i = 0; i < t->modules_cnt; i++)
    if (t->modules[i].id < v->module_cnt) v->index_of[t->modules[i].id] = (uint32_t)i;
}

void vt_reader_symbols(vt_reader_t const *r,
                       void (*found)(void *, uint32_t, uint64_t, vt_trace_symbol_t const *, size_t),
                       void *context) {
  visit_t v = {.found = found, .context = context};
  vt_bytes_t stored = {0}, unpacked = {0};
  index_modules(&v, &r->tables);
  for (size_t i = 0; i < r->symbol_chunks_cnt; i++) {
    vt_chunk_t c;
    uint8_t const *p;
    size_t sz;
    if (vt_chunk_header(r, r->symbol_chunks[i], &c) || vt_chunk_payload(r, &c, &stored)) continue;
    if (vt_chunk_unpack(&c, &stored, &unpacked, &p, &sz) == 0) visit_payload(&v, p, sz);
  }
  vt_bytes_free(&stored);
  vt_bytes_free(&unpacked);
  free(v.index_of);
}
