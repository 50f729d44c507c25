/* The streaming JSON writer; see json.h. */
#include "analyzer/report/json.h"
#include <inttypes.h>
#include <stdlib.h>
#include <math.h>
#include <string.h>
#include "analyzer/util/mem.h"

vt_json_t vt_json_start(FILE *out) { return (vt_json_t){.out = out, .first = 1}; }

void vt_json_finish(vt_json_t *json) { putc('\n', json->out); }

size_t vt_json_utf8_sz(char const *bytes, size_t sz) {
  unsigned char const *p = (unsigned char const *)bytes;
  static struct {
    unsigned char mask, lead;
    uint32_t min;
  } const forms[] = {{0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
  if (p[0] < 0x80) return 1;
  for (size_t i = 0; i < 3; i++) {
    if ((p[0] & forms[i].mask) != forms[i].lead) continue;
    if (sz < i + 2) return 0;
    uint32_t code = p[0] & (unsigned char)~forms[i].mask;
    for (size_t k = 1; k < i + 2; k++) {
      if ((p[k] & 0xc0) != 0x80) return 0;
      code = code << 6 | (p[k] & 0x3f);
    }
    int valid = code >= forms[i].min && code < 0x110000 && (code < 0xd800 || code > 0xdfff);
    return valid ? i + 2 : 0;
  }
  return 0;
}

char *vt_json_utf8(char const *p, size_t sz, size_t *valid_sz) {
  char *valid = vt_mem_new(3 * sz + 1, 1);
  size_t used = 0;
  for (size_t i = 0, n; i < sz; i += n ? n : 1) {
    n = vt_json_utf8_sz(p + i, sz - i);
    memcpy(valid + used, n ? p + i : "\ufffd", n ? n : 3);
    used += n ? n : 3;
  }
  if (valid_sz) *valid_sz = used;
  return valid;
}

static void escape_ascii(FILE *out, unsigned char c) {
  if (c == '"' || c == '\\')
    fprintf(out, "\\%c", c);
  else if (c == '\n')
    fputs("\\n", out);
  else if (c == '\t')
    fputs("\\t", out);
  else if (c == '\r')
    fputs("\\r", out);
  else
    fprintf(out, "\\u%04x", c);
}

/* plain_sz: how many bytes from p on stand for themselves; nearly all of a document do. */
static size_t plain_sz(char const *p, size_t sz) {
  size_t n = 0;
  while (n < sz && p[n] >= 0x20 && p[n] < 0x7f && p[n] != '"' && p[n] != '\\') n++;
  return n;
}

void vt_json_escape(FILE *out, char const *p, size_t sz) {
  putc('"', out);
  for (size_t i = 0; i < sz;) {
    size_t plain = plain_sz(p + i, sz - i);
    if (plain) fwrite(p + i, 1, plain, out);
    i += plain;
    if (i == sz) break;
    size_t n = vt_json_utf8_sz(p + i, sz - i);
    if (n == 0)
      fputs("\\ufffd", out);
    else if (n == 1)
      escape_ascii(out, (unsigned char)p[i]);
    else
      fwrite(p + i, 1, n, out);
    i += n ? n : 1;
  }
  putc('"', out);
}

static void line_break(vt_json_t *json) {
  if (json->inline_depth && json->depth >= json->inline_depth) {
    if (!json->first) putc(' ', json->out);
    return;
  }
  if (!json->depth) return;
  putc('\n', json->out);
  for (int i = 0; i < json->depth; i++) fputs("  ", json->out);
}

static void begin(vt_json_t *json, char const *key) {
  if (!json->first) putc(',', json->out);
  line_break(json);
  json->first = 0;
  if (!key) return;
  vt_json_escape(json->out, key, strlen(key));
  fputs(": ", json->out);
}

static void open_scope(vt_json_t *json, char const *key, char bracket) {
  begin(json, key);
  putc(bracket, json->out);
  json->depth++;
  json->first = 1;
}

static void close_scope(vt_json_t *json, char bracket) {
  int empty = json->first, was_inline = json->inline_depth && json->depth >= json->inline_depth;
  json->depth--;
  json->first = 1;
  if (!empty && !was_inline) {
    putc('\n', json->out);
    for (int i = 0; i < json->depth; i++) fputs("  ", json->out);
  }
  if (json->inline_depth > json->depth) json->inline_depth = 0;
  putc(bracket, json->out);
  json->first = 0;
}

void vt_json_object(vt_json_t *json, char const *key) { open_scope(json, key, '{'); }
void vt_json_array(vt_json_t *json, char const *key) { open_scope(json, key, '['); }
void vt_json_end_object(vt_json_t *json) { close_scope(json, '}'); }
void vt_json_end_array(vt_json_t *json) { close_scope(json, ']'); }

void vt_json_object_line(vt_json_t *json, char const *key) {
  open_scope(json, key, '{');
  if (!json->inline_depth) json->inline_depth = json->depth;
}

void vt_json_uint(vt_json_t *json, char const *key, uint64_t value) {
  begin(json, key);
  fprintf(json->out, "%" PRIu64, value);
}

void vt_json_int(vt_json_t *json, char const *key, int64_t value) {
  begin(json, key);
  fprintf(json->out, "%" PRId64, value);
}

void vt_json_double(vt_json_t *json, char const *key, double value) {
  char text[32];
  int digits = 15;
  do snprintf(text, sizeof text, "%.*g", digits, value);
  while (digits++ < 17 && strtod(text, NULL) != value);
  begin(json, key);
  fputs(isfinite(value) ? text : "null", json->out);
}

void vt_json_bool(vt_json_t *json, char const *key, int value) {
  begin(json, key);
  fputs(value ? "true" : "false", json->out);
}

void vt_json_null(vt_json_t *json, char const *key) {
  begin(json, key);
  fputs("null", json->out);
}

void vt_json_known(vt_json_t *json, char const *key, int known, uint64_t value) {
  if (known)
    vt_json_uint(json, key, value);
  else
    vt_json_null(json, key);
}

void vt_json_ms(vt_json_t *json, char const *key, uint64_t ns) {
  begin(json, key);
  fprintf(json->out, "%" PRIu64 ".%06" PRIu64, ns / 1000000, ns % 1000000);
}

void vt_json_string_sz(vt_json_t *json, char const *key, char const *value, size_t sz) {
  begin(json, key);
  vt_json_escape(json->out, value, sz);
}

void vt_json_string(vt_json_t *json, char const *key, char const *value) {
  vt_json_string_sz(json, key, value, strlen(value));
}

size_t vt_json_cut(char const *text, size_t sz, size_t max) {
  if (sz <= max) return sz;
  while (max && ((unsigned char)text[max] & 0xc0) == 0x80) max--;
  return max;
}

void vt_json_string_max(vt_json_t *json, char const *key, char const *value, size_t sz,
                        size_t max) {
  size_t cut = vt_json_cut(value, sz, max);
  if (cut == sz) {
    vt_json_string_sz(json, key, value, sz);
    return;
  }
  char text[cut + sizeof "…"];
  memcpy(text, value, cut);
  memcpy(text + cut, "…", sizeof "…");
  vt_json_string(json, key, text);
}

void vt_json_text_or_null(vt_json_t *json, char const *key, char const *value) {
  if (*value)
    vt_json_string(json, key, value);
  else
    vt_json_null(json, key);
}
