/* Growing byte buffers and varints: what all encoders and decoders of the trace format build on.

   A decoder works on a vt_cursor_t, which never reads past its end: after a failed read `bad` is
   set and every further read gives zero, so that callers check once, at the end. */
#ifndef VT_ANALYZER_TRACE_BYTES_H
#define VT_ANALYZER_TRACE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/util/mem.h"
#include "valtrace/trace_format.h"

#define VT_VARINT_MAX 10

typedef struct {
  uint8_t *data;
  size_t sz;
  size_t cap;
} vt_bytes_t;

/* vt_bytes_room makes room for `more` bytes and returns where they go. */
static inline uint8_t *vt_bytes_room(vt_bytes_t *b, size_t more) {
  if (b->cap - b->sz < more) {
    while (b->cap - b->sz < more) b->cap = b->cap ? 2 * b->cap : 256;
    b->data = vt_mem_resize(b->data, b->cap, 1);
  }
  return b->data + b->sz;
}

static inline void vt_bytes_put(vt_bytes_t *b, void const *p, size_t sz) {
  uint8_t *to = vt_bytes_room(b, sz);
  if (sz) memcpy(to, p, sz);
  b->sz += sz;
}

static inline void vt_bytes_u8(vt_bytes_t *b, uint8_t v) {
  *vt_bytes_room(b, 1) = v;
  b->sz++;
}
static inline void vt_bytes_u16(vt_bytes_t *b, uint16_t v) {
  vt_store16(vt_bytes_room(b, 2), v);
  b->sz += 2;
}
static inline void vt_bytes_u32(vt_bytes_t *b, uint32_t v) {
  vt_store32(vt_bytes_room(b, 4), v);
  b->sz += 4;
}
static inline void vt_bytes_u64(vt_bytes_t *b, uint64_t v) {
  vt_store64(vt_bytes_room(b, 8), v);
  b->sz += 8;
}
static inline void vt_bytes_string(vt_bytes_t *b, void const *p, size_t sz) {
  vt_bytes_u32(b, (uint32_t)sz);
  vt_bytes_put(b, p, sz);
}

static inline void vt_bytes_varint(vt_bytes_t *b, uint64_t v) {
  uint8_t *p = vt_bytes_room(b, VT_VARINT_MAX);
  size_t n = 0;
  while (v >= 128) {
    p[n++] = (uint8_t)(v | 128);
    v >>= 7;
  }
  p[n++] = (uint8_t)v;
  b->sz += n;
}

static inline void vt_bytes_free(vt_bytes_t *b) {
  free(b->data);
  *b = (vt_bytes_t){0};
}

typedef struct {
  uint8_t const *p;
  uint8_t const *end;
  int bad;
} vt_cursor_t;

static inline vt_cursor_t vt_cursor(void const *p, size_t sz) {
  return (vt_cursor_t){p, (uint8_t const *)p + sz, 0};
}
static inline size_t vt_cursor_left(vt_cursor_t const *c) { return (size_t)(c->end - c->p); }

/* vt_cursor_take is the next sz bytes, or NULL. */
static inline uint8_t const *vt_cursor_take(vt_cursor_t *c, size_t sz) {
  if (vt_cursor_left(c) < sz) {
    c->bad = 1;
    c->p = c->end;
    return NULL;
  }
  uint8_t const *p = c->p;
  c->p += sz;
  return p;
}
static inline uint8_t vt_cursor_u8(vt_cursor_t *c) {
  uint8_t const *p = vt_cursor_take(c, 1);
  return p ? *p : 0;
}
static inline uint16_t vt_cursor_u16(vt_cursor_t *c) {
  uint8_t const *p = vt_cursor_take(c, 2);
  return p ? vt_load16(p) : 0;
}
static inline uint32_t vt_cursor_u32(vt_cursor_t *c) {
  uint8_t const *p = vt_cursor_take(c, 4);
  return p ? vt_load32(p) : 0;
}
static inline uint64_t vt_cursor_u64(vt_cursor_t *c) {
  uint8_t const *p = vt_cursor_take(c, 8);
  return p ? vt_load64(p) : 0;
}
/* vt_cursor_string is a length-prefixed string; NULL with *sz 0 when it is cut. */
static inline uint8_t const *vt_cursor_string(vt_cursor_t *c, uint32_t *sz) {
  *sz = vt_cursor_u32(c);
  uint8_t const *p = vt_cursor_take(c, *sz);
  if (!p) *sz = 0;
  return p;
}

static inline uint64_t vt_cursor_varint_slow(vt_cursor_t *c) {
  uint64_t v = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (c->p == c->end) break;
    uint8_t b = *c->p++;
    v |= (uint64_t)(b & 127) << shift;
    if (b < 128) return v;
  }
  c->bad = 1;
  c->p = c->end;
  return 0;
}
static inline uint64_t vt_cursor_varint(vt_cursor_t *c) {
  if (__builtin_expect(c->p < c->end && *c->p < 128, 1)) return *c->p++;
  return vt_cursor_varint_slow(c);
}

#endif
