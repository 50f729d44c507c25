/* Bounded reading of unwind tables. A cursor turns bad instead of running over its end, so that
   parsers check once, at their end, and a damaged table costs a frame but never a crash. */
#include "core/trace/unwind_impl.h"

static uint32_t has(vt_bytes_t *b, uint64_t sz) {
  if ((uint64_t)(b->end - b->p) < sz) b->bad = 1;
  return !b->bad;
}

uint64_t vt_bytes_uint(vt_bytes_t *b, uint32_t sz) {
  uint64_t value = 0;
  if (!has(b, sz)) return 0;
  for (uint32_t i = 0; i < sz; i++) value |= (uint64_t)b->p[i] << 8 * i;
  b->p += sz;
  return value;
}

int64_t vt_bytes_sint(vt_bytes_t *b, uint32_t sz) {
  uint32_t shift = 64 - 8 * sz;
  return (int64_t)(vt_bytes_uint(b, sz) << shift) >> shift;
}

uint64_t vt_bytes_uleb(vt_bytes_t *b) {
  uint64_t value = 0;
  for (uint32_t shift = 0; has(b, 1); shift += 7) {
    uint8_t byte = *b->p++;
    if (shift < 64) value |= (uint64_t)(byte & 0x7F) << shift;
    if (!(byte & 0x80)) break;
  }
  return value;
}

int64_t vt_bytes_sleb(vt_bytes_t *b) {
  uint64_t value = 0;
  for (uint32_t shift = 0; has(b, 1);) {
    uint8_t byte = *b->p++;
    if (shift < 64) value |= (uint64_t)(byte & 0x7F) << shift;
    shift += 7;
    if (byte & 0x80) continue;
    if ((byte & 0x40) && shift < 64) value |= ~(uint64_t)0 << shift;
    break;
  }
  return (int64_t)value;
}

void vt_bytes_skip(vt_bytes_t *b, uint64_t sz) {
  if (has(b, sz)) b->p += sz;
}
