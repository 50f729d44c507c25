/* Packing; see pack.h. Level 4 of zlib: the usual 6 takes three times as long for 5 percent less. */
#include "analyzer/page/pack.h"
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "analyzer/util/mem.h"

#define LEVEL 4

void vt_page_put(vt_page_pack_t *pack, uint64_t value) {
  for (; value >= 0x80; value >>= 7) {
    uint8_t low = (uint8_t)(value | 0x80);
    VT_PUSH(pack->bytes, low);
  }
  uint8_t last = (uint8_t)value;
  VT_PUSH(pack->bytes, last);
}

void vt_page_put_bytes(vt_page_pack_t *pack, void const *from, size_t sz) {
  for (size_t i = 0; i < sz; i++) VT_PUSH(pack->bytes, ((uint8_t const *)from)[i]);
}

static char *base64(uint8_t const *from, size_t sz) {
  static char const digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  char *text = vt_mem_new(sz / 3 * 4 + 8, 1), *end = text;
  for (size_t i = 0; i < sz; i += 3) {
    size_t left = sz - i;
    uint32_t bits = (uint32_t)from[i] << 16;
    if (left > 1) bits |= (uint32_t)from[i + 1] << 8;
    if (left > 2) bits |= from[i + 2];
    for (unsigned k = 0; k < 4; k++) *end++ = k <= left ? digits[bits >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

char *vt_page_packed(vt_page_pack_t const *pack) {
  uLongf sz = compressBound(pack->bytes_cnt);
  uint8_t *small = vt_mem_new(sz, 1);
  compress2(small, &sz, pack->bytes, pack->bytes_cnt, LEVEL); /* cannot fail: there is room */
  char *text = base64(small, sz);
  free(small);
  return text;
}
