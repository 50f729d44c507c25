/* Building messages (docs/trace-format.md, "Messages") in a buffer of fixed size.

   Writing past the capacity sets `overflow` and writes nothing more; no allocation, no locale. */
#ifndef VT_CORE_TRACE_MESSAGE_H
#define VT_CORE_TRACE_MESSAGE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "valtrace/trace_format.h"

typedef struct {
  uint8_t *data;
  uint32_t cap;
  uint32_t sz;
  int overflow;
} vt_message_t;

static inline void vt_message_bytes(vt_message_t *m, void const *bytes, size_t sz) {
  if (m->overflow || sz > m->cap - m->sz) {
    m->overflow = 1;
    return;
  }
  memcpy(m->data + m->sz, bytes, sz);
  m->sz += (uint32_t)sz;
}
static inline void vt_message_u32(vt_message_t *m, uint32_t v) {
  uint8_t b[4];
  vt_store32(b, v);
  vt_message_bytes(m, b, sizeof b);
}
static inline void vt_message_u64(vt_message_t *m, uint64_t v) {
  uint8_t b[8];
  vt_store64(b, v);
  vt_message_bytes(m, b, sizeof b);
}
static inline void vt_message_string(vt_message_t *m, void const *s, size_t len) {
  vt_message_u32(m, (uint32_t)len);
  vt_message_bytes(m, s, len);
}

#endif
