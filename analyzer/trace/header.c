/* See header.h. */
#include "analyzer/trace/header.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define NOT_A_TRACE "give a file that valtrace has written"
#define DAMAGED     "take a copy that is intact; nothing can be read without the header"

static uint32_t fail(vt_error_t *error, char const *path, char const *why, char const *advice) {
  vt_error_set(error, path, why, advice);
  return 0;
}

/* unknown_bit is the lowest required feature this reader does not know, or -1. */
static int unknown_bit(uint64_t required) {
  uint64_t unknown = required & ~VT_REQUIRED_KNOWN;
  return unknown ? __builtin_ctzll(unknown) : -1;
}

static void parse_fields(vt_header_t *h, uint8_t const *p) {
  *h = (vt_header_t){.required = vt_load64(p + VT_HEADER_OFF_REQUIRED),
                     .optional = vt_load64(p + VT_HEADER_OFF_OPTIONAL),
                     .writer_version = vt_load16(p + VT_HEADER_OFF_WRITER),
                     .arch = vt_load16(p + VT_HEADER_OFF_ARCH),
                     .endian = p[VT_HEADER_OFF_ENDIAN],
                     .pointer_sz = p[VT_HEADER_OFF_POINTER_SZ],
                     .page_sz = vt_load32(p + VT_HEADER_OFF_PAGE_SZ),
                     .pid = vt_load32(p + VT_HEADER_OFF_PID),
                     .ppid = vt_load32(p + VT_HEADER_OFF_PPID),
                     .image = vt_load64(p + VT_HEADER_OFF_IMAGE),
                     .tick_hz = vt_load64(p + VT_HEADER_OFF_TICK_HZ),
                     .start_tick = vt_load64(p + VT_HEADER_OFF_START_TICK),
                     .start_unix_ns = vt_load64(p + VT_HEADER_OFF_START_UNIX_NS),
                     .sample_period = vt_load64(p + VT_HEADER_OFF_SAMPLE_PERIOD),
                     .flags = vt_load32(p + VT_HEADER_OFF_FLAGS),
                     .time_shift = vt_load32(p + VT_HEADER_OFF_TIME_SHIFT)};
}

static int parse_strings(vt_header_t *h, uint8_t const *p, uint32_t sz) {
  vt_cursor_t c = vt_cursor(p + VT_HEADER_OFF_STRINGS, sz - 8 - VT_HEADER_OFF_STRINGS);
  h->host = (char const *)vt_cursor_string(&c, &h->host_sz);
  h->executable = (char const *)vt_cursor_string(&c, &h->executable_sz);
  h->command = (char const *)vt_cursor_string(&c, &h->command_sz);
  if (c.bad) return -1;
  if (c.end - c.p >= 4) h->started = (char const *)vt_cursor_string(&c, &h->started_sz);
  return 0;
}

uint32_t vt_header_parse(vt_header_t *h, char const *path, uint8_t const *p, size_t sz,
                         vt_error_t *error) {
  if (sz < VT_MAGIC_SZ || memcmp(p, VT_MAGIC, VT_MAGIC_SZ))
    return fail(error, path, sz ? "not a valtrace trace" : "the file is empty", NOT_A_TRACE);
  if (sz < VT_HEADER_OFF_STRINGS) return fail(error, path, "the header is cut short", DAMAGED);
  uint16_t min_reader = vt_load16(p + VT_HEADER_OFF_MIN_READER);
  if (min_reader > VT_FORMAT_VERSION) {
    vt_error_setf(error, path, "use a newer valtrace", "needs a reader of format version %u",
                  min_reader);
    return 0;
  }
  int bit = unknown_bit(vt_load64(p + VT_HEADER_OFF_REQUIRED));
  if (bit >= 0) {
    vt_error_setf(error, path, "use a newer valtrace", "needs feature bit %d, unknown here", bit);
    return 0;
  }
  uint32_t header_sz = vt_load32(p + VT_HEADER_OFF_SZ);
  if (header_sz < VT_HEADER_OFF_STRINGS + 20 || header_sz > VT_HEADER_MAX || header_sz % 8)
    return fail(error, path, "the header's size is impossible", DAMAGED);
  if (header_sz > sz) return fail(error, path, "the header is cut short", DAMAGED);
  if (XXH64(p, header_sz - 8, 0) != vt_load64(p + header_sz - 8))
    return fail(error, path, "the header's checksum is wrong", DAMAGED);
  parse_fields(h, p);
  int sampled = (h->required & VT_REQUIRED_SAMPLED) != 0;
  if (!h->tick_hz || sampled != (h->sample_period != 0) || h->time_shift > 32 || parse_strings(h, p, header_sz))
    return fail(error, path, "the header has impossible values", DAMAGED);
  return header_sz;
}

void vt_header_encode(vt_header_t const *h, vt_bytes_t *out) {
  size_t start = out->sz;
  vt_bytes_put(out, VT_MAGIC, VT_MAGIC_SZ);
  vt_bytes_u16(out, 1);
  vt_bytes_u16(out, VT_FORMAT_VERSION);
  vt_bytes_u32(out, 0);
  vt_bytes_u64(out, h->required);
  vt_bytes_u64(out, h->optional);
  vt_bytes_u16(out, h->arch);
  vt_bytes_u8(out, h->endian);
  vt_bytes_u8(out, h->pointer_sz);
  vt_bytes_u32(out, h->page_sz);
  vt_bytes_u32(out, h->pid);
  vt_bytes_u32(out, h->ppid);
  vt_bytes_u64(out, h->image);
  vt_bytes_u64(out, h->tick_hz);
  vt_bytes_u64(out, h->start_tick);
  vt_bytes_u64(out, h->start_unix_ns);
  vt_bytes_u64(out, h->sample_period);
  vt_bytes_u32(out, h->flags);
  vt_bytes_u32(out, h->time_shift);
  vt_bytes_string(out, h->host, h->host_sz);
  vt_bytes_string(out, h->executable, h->executable_sz);
  vt_bytes_string(out, h->command, h->command_sz);
  vt_bytes_string(out, h->started, h->started_sz);
  while ((out->sz - start) % 8) vt_bytes_u8(out, 0);
  vt_store32(out->data + start + VT_HEADER_OFF_SZ, (uint32_t)(out->sz - start + 8));
  vt_bytes_u64(out, XXH64(out->data + start, out->sz - start, 0));
}
