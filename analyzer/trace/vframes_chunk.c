/* VFRAMES chunks: what virtual addresses stand for, and what of a language is not recorded. See
   docs/trace-format.md. */
#include "analyzer/trace/reader_private.h"
#include "analyzer/util/search.h"

#define HEAD_SZ 4 /* of each entry: its size */

/* lower is where the code of a number is among the codes, or belongs. */
static size_t lower(vt_tables_t const *t, uint32_t id) {
  if (t->codes_cnt && t->codes[t->codes_cnt - 1].id < id) return t->codes_cnt; /* most come in order */
  return VT_FIRST_NOT(t->codes_cnt, i, t->codes[i].id < id);
}

vt_trace_code_t const *vt_reader_code(vt_reader_t const *r, uint64_t pc) {
  uint32_t id = (uint32_t)(pc >> VT_VIRTUAL_CODE_SHIFT);
  size_t at = lower(&r->tables, id);
  return at < r->tables.codes_cnt && r->tables.codes[at].id == id ? &r->tables.codes[at] : NULL;
}

/* add_part appends a further part of the line table. */
static void add_part(vt_tables_t *t, uint32_t id, uint8_t const *more, uint32_t sz) {
  size_t at = lower(t, id);
  if (at == t->codes_cnt || t->codes[at].id != id) return;
  vt_trace_code_t *code = &t->codes[at];
  uint8_t *lines = vt_tables_own(t, vt_mem_new((size_t)code->lines_sz + sz + 1, 1));
  memcpy(lines, code->lines, code->lines_sz);
  memcpy(lines + code->lines_sz, more, sz);
  code->lines = lines;
  code->lines_sz += sz;
}

static void add_code(vt_tables_t *t, vt_trace_code_t const *code) {
  size_t at = lower(t, code->id);
  if (at < t->codes_cnt && t->codes[at].id == code->id) return;
  VT_PUSH(t->codes, *code);
  memmove(t->codes + at + 1, t->codes + at, (t->codes_cnt - 1 - at) * sizeof *code);
  t->codes[at] = *code;
}

static char *text(vt_tables_t *t, vt_cursor_t *c) {
  uint32_t sz;
  uint8_t const *p = vt_cursor_string(c, &sz);
  return vt_tables_text(t, p, sz);
}

static int code(vt_tables_t *t, vt_cursor_t *c, uint32_t language) {
  vt_trace_code_t code = {.language = language, .id = vt_cursor_u32(c)};
  code.table = vt_cursor_u32(c);
  code.first_line = vt_cursor_u32(c);
  uint32_t part = vt_cursor_u32(c);
  code.name = text(t, c);
  code.qualname = text(t, c);
  code.file = text(t, c);
  uint8_t const *lines = vt_cursor_string(c, &code.lines_sz);
  if (c->bad) return -1;
  if (part) return add_part(t, code.id, lines, code.lines_sz), 0;
  code.lines = (uint8_t const *)vt_tables_text(t, lines, code.lines_sz);
  add_code(t, &code);
  return 0;
}

static int refusal(vt_tables_t *t, vt_cursor_t *c, uint32_t language) {
  vt_trace_refusal_t refusal = {.language = language, .what = text(t, c)};
  refusal.why = text(t, c);
  if (c->bad) return -1;
  VT_PUSH(t->refusals, refusal);
  return 0;
}

static int entry(vt_tables_t *t, vt_cursor_t *c) {
  uint32_t kind = vt_cursor_u32(c), language = vt_cursor_u32(c);
  if (kind == VT_VFRAMES_CODE) return code(t, c, language);
  return kind == VT_VFRAMES_REFUSED ? refusal(t, c, language) : 0;
}

int vt_tables_vframes(vt_reader_t *r, vt_cursor_t *c) {
  while (vt_cursor_left(c) >= HEAD_SZ) {
    uint32_t sz;
    uint8_t const *p = vt_cursor_string(c, &sz);
    if (c->bad) return -1;
    vt_cursor_t inner = vt_cursor(p, sz);
    if (entry(&r->tables, &inner) || inner.bad) return -1;
  }
  return 0;
}
