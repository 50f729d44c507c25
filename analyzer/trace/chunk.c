/* One chunk of a file: its header, its payload, and whether that is as it was written. */
#include "analyzer/trace/reader_private.h"

#include <unistd.h>
#include <zstd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

/* Payloads of chunks other than events: a bound for what one compressed chunk may grow to. */
#define UNPACKED_MAX ((uint64_t)1 << 30)

int vt_chunk_read(vt_reader_t const *r, void *to, size_t sz, uint64_t off) {
  uint8_t *p = to;
  while (sz) {
    ssize_t n = pread(r->fd, p, sz, (off_t)off);
    if (n <= 0) return -1;
    p += n;
    off += (uint64_t)n;
    sz -= (size_t)n;
  }
  return 0;
}

int vt_chunk_header(vt_reader_t const *r, uint64_t off, vt_chunk_t *c) {
  uint8_t h[VT_CHUNK_HEADER_SZ];
  if (off + VT_CHUNK_HEADER_SZ > r->file_sz || vt_chunk_read(r, h, sizeof h, off)) return -1;
  if (vt_load32(h) != VT_CHUNK_MAGIC) return -1;
  *c = (vt_chunk_t){.off = off,
                    .sz = vt_load64(h + VT_CHUNK_OFF_SZ),
                    .type = vt_load16(h + VT_CHUNK_OFF_TYPE),
                    .flags = vt_load16(h + VT_CHUNK_OFF_FLAGS),
                    .seq = vt_load32(h + VT_CHUNK_OFF_SEQ),
                    .writer = vt_load32(h + VT_CHUNK_OFF_WRITER),
                    .checksum = vt_load64(h + VT_CHUNK_OFF_CHECKSUM)};
  memcpy(c->header, h, sizeof c->header);
  if (c->sz > VT_CHUNK_PAYLOAD_MAX) return -1;
  return off + VT_CHUNK_HEADER_SZ + c->sz > r->file_sz ? -1 : 0;
}

static int checksum_holds(vt_chunk_t const *c, uint8_t const *payload, size_t sz) {
  XXH64_state_t hash;
  XXH64_reset(&hash, 0);
  XXH64_update(&hash, c->header, sizeof c->header);
  XXH64_update(&hash, payload, sz);
  return XXH64_digest(&hash) == c->checksum;
}

int vt_chunk_payload(vt_reader_t const *r, vt_chunk_t const *c, vt_bytes_t *b) {
  b->sz = 0;
  vt_bytes_room(b, c->sz + 1);
  if (vt_chunk_read(r, b->data, c->sz, c->off + VT_CHUNK_HEADER_SZ)) return -1;
  b->sz = c->sz;
  if (c->type == VT_CHUNK_COUNTERS && c->flags & VT_CHUNK_FLAG_OPEN) return 0;
  return checksum_holds(c, b->data, b->sz) ? 0 : -1;
}

int vt_chunk_unpack(vt_chunk_t const *c, vt_bytes_t const *b, vt_bytes_t *to, uint8_t const **p,
                   size_t *sz) {
  *p = b->data;
  *sz = b->sz;
  if (!(c->flags & VT_CHUNK_FLAG_ZSTD)) return 0;
  unsigned long long whole = ZSTD_getFrameContentSize(b->data, b->sz);
  if (whole == ZSTD_CONTENTSIZE_ERROR || whole == ZSTD_CONTENTSIZE_UNKNOWN || whole > UNPACKED_MAX)
    return -1;
  to->sz = 0;
  vt_bytes_room(to, whole + 1);
  if (ZSTD_decompress(to->data, whole, b->data, b->sz) != whole) return -1;
  to->sz = whole;
  *p = to->data;
  *sz = whole;
  return 0;
}

int vt_chunk_segment(vt_reader_t const *r, vt_chunk_t const *c, vt_bytes_t *b, uint32_t *committed) {
  b->sz = 0;
  vt_bytes_room(b, VT_SEGMENT_SZ);
  if (c->sz != VT_SEGMENT_SZ - VT_CHUNK_HEADER_SZ) return -1;
  if (vt_chunk_read(r, b->data, VT_SEGMENT_SZ, c->off)) return -1;
  uint64_t used = vt_load64(b->data + VT_SEGMENT_OFF_COMMITTED);
  if (used > VT_SEGMENT_RECORDS_MAX) return -1;
  *committed = (uint32_t)used;
  if (c->flags & VT_CHUNK_FLAG_OPEN) return 0;
  size_t covered = VT_SEGMENT_RECORDS_OFF - VT_CHUNK_HEADER_SZ + (size_t)used;
  return checksum_holds(c, b->data + VT_CHUNK_HEADER_SZ, covered) ? 0 : -1;
}
