/* Code objects: what is said of one when it is seen for the first time. */
#include "core/trace/frames/codes.h"
#include "core/trace/frames/python.h"
#include "core/trace/message.h"
#include "core/trace/unwind_impl.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define OBJECT_TYPE  8  /* of every object */
#define OBJECT_SIZE  16 /* of those of variable size */
#define TEXT_LENGTH  16
#define TEXT_STATE   32
#define BYTES_DATA   32
#define NAME_MAX_SZ  4096      /* of a name as it is recorded */
#define LINES_MAX_SZ (1 << 24) /* a larger table is damage */
#define PART_SZ      16384     /* of a line table in one message */
#define TEXT_KIND(state)       ((state) >> 2 & 7)
#define TEXT_IS_COMPACT(state) ((state) >> 5 & 1)
#define TEXT_IS_ASCII(state)   ((state) >> 6 & 1)

int vt_python_readable(uint64_t at, uint64_t sz) {
  return at >= VT_PROBE_PAGE && at < (uint64_t)INT64_MAX - VT_PROBE_PAGE && vt_arch_readable(at) &&
         vt_arch_readable(at + sz - 1);
}

static int large_readable(uint64_t at, uint64_t sz) {
  for (uint64_t done = 0; done < sz; done += VT_PROBE_PAGE)
    if (!vt_python_readable(at + done, sz - done < VT_PROBE_PAGE ? sz - done : VT_PROBE_PAGE))
      return 0;
  return 1;
}

/* A piece of text or bytes of the interpreter's. */
typedef struct {
  uint64_t at, cnt;
  uint32_t width; /* bytes a character; 0: bytes */
} piece_t;

typedef struct {
  piece_t file, name, qualname, lines;
  uint32_t first_line;
} description_t;

/* text_of finds the characters of a string object; 0: it is none whose text lies in itself. */
static int text_of(uint64_t object, int asks, piece_t *out) {
  vt_python_layout_t const *l = vt_python.layout;
  if (asks && !vt_python_readable(object, l->compact)) return 0;
  if (!object || vt_load(object + OBJECT_TYPE) != vt_python.text_type) return 0;
  uint32_t state = (uint32_t)vt_load(object + TEXT_STATE);
  uint32_t width = TEXT_KIND(state);
  if (!TEXT_IS_COMPACT(state) || (width != 1 && width != 2 && width != 4)) return 0;
  *out = (piece_t){object + (TEXT_IS_ASCII(state) ? l->ascii : l->compact),
                   vt_load(object + TEXT_LENGTH), width};
  if (out->cnt > NAME_MAX_SZ) out->cnt = NAME_MAX_SZ;
  return !asks || large_readable(out->at, out->cnt * width);
}

static int bytes_of(uint64_t object, int asks, piece_t *out) {
  if (asks && !vt_python_readable(object, BYTES_DATA)) return 0;
  if (!object || vt_load(object + OBJECT_TYPE) != vt_python.bytes_type) return 0;
  *out = (piece_t){object + BYTES_DATA, vt_load(object + OBJECT_SIZE), 0};
  return out->cnt <= LINES_MAX_SZ && (!asks || large_readable(out->at, out->cnt));
}

static int describe(uint64_t code, int asks, description_t *d) {
  vt_python_layout_t const *l = vt_python.layout;
  d->first_line = (uint32_t)vt_load(code + l->first_line);
  return text_of(vt_load(code + l->file), asks, &d->file) &&
         text_of(vt_load(code + l->name), asks, &d->name) &&
         text_of(vt_load(code + (l->qualname ? l->qualname : l->name)), asks, &d->qualname) &&
         bytes_of(vt_load(code + l->lines), asks, &d->lines);
}

static uint64_t hash_piece(piece_t const *piece, uint64_t seed) {
  return XXH64((void const *)piece->at, piece->cnt * (piece->width ? piece->width : 1),
               seed + piece->width);
}

static uint64_t content_of(description_t const *d) {
  uint64_t h = hash_piece(&d->file, d->first_line);
  return hash_piece(&d->lines, hash_piece(&d->qualname, hash_piece(&d->name, h)));
}

/* print_of tells codes apart that have the same address one after the other. */
static uint32_t print_of(uint64_t code) {
  vt_python_layout_t const *l = vt_python.layout;
  uint64_t h = vt_load(code + l->file) * 31 + vt_load(code + l->name);
  h = h * 31 + vt_load(code + l->lines);
  return (uint32_t)((h * 31 + (uint32_t)vt_load(code + l->first_line)) * 0x9e3779b97f4a7c15u >> 32);
}

static void put_utf8(vt_message_t *m, uint32_t c) {
  uint8_t b[4];
  uint32_t n = 0;
  if (c < 0x80) {
    b[n++] = (uint8_t)c;
  } else if (c < 0x800) {
    b[n++] = (uint8_t)(0xc0 | c >> 6);
  } else if (c < 0x10000) {
    b[n++] = (uint8_t)(0xe0 | c >> 12);
    b[n++] = (uint8_t)(0x80 | (c >> 6 & 63));
  } else {
    b[n++] = (uint8_t)(0xf0 | (c >> 18 & 7));
    b[n++] = (uint8_t)(0x80 | (c >> 12 & 63));
    b[n++] = (uint8_t)(0x80 | (c >> 6 & 63));
  }
  if (c >= 0x80) b[n++] = (uint8_t)(0x80 | (c & 63));
  vt_message_bytes(m, b, n);
}

static void put_text(vt_message_t *m, piece_t const *piece) {
  uint32_t at = m->sz;
  vt_message_u32(m, 0); /* the length, when it is known */
  for (uint64_t i = 0; i < piece->cnt && m->sz - at < NAME_MAX_SZ; i++) {
    uint8_t const *p = (uint8_t const *)piece->at + i * piece->width;
    put_utf8(m, piece->width == 1 ? *p : piece->width == 2 ? vt_load16(p) : vt_load32(p));
  }
  if (!m->overflow) vt_store32(m->data + at, m->sz - at - 4);
}

/* put_part writes one message; the first has everything but the further parts of the line table. */
static void put_part(vt_stream_t *s, uint32_t id, description_t const *d, uint32_t part) {
  uint64_t from = (uint64_t)part * PART_SZ, left = d->lines.cnt - from;
  piece_t const none = {0};
  vt_message_t m = vt_stream_blob_open(s, 3 * (NAME_MAX_SZ + 8) + PART_SZ + 64);
  vt_message_u32(&m, 0); /* the size of what follows */
  vt_message_u32(&m, VT_VFRAMES_CODE);
  vt_message_u32(&m, VT_LANGUAGE_PYTHON);
  vt_message_u32(&m, id);
  vt_message_u32(&m, vt_python.layout->table);
  vt_message_u32(&m, d->first_line);
  vt_message_u32(&m, part);
  put_text(&m, part ? &none : &d->name);
  put_text(&m, part ? &none : &d->qualname);
  put_text(&m, part ? &none : &d->file);
  vt_message_string(&m, (void const *)(d->lines.at + from), left < PART_SZ ? left : PART_SZ);
  if (!m.overflow) vt_store32(m.data, m.sz - 4);
  vt_stream_blob_close(s, VT_CHUNK_VFRAMES, &m);
}

static void put_description(vt_stream_t *s, uint32_t id, description_t const *d) {
  for (uint32_t part = 0; !part || (uint64_t)part * PART_SZ < d->lines.cnt; part++)
    put_part(s, id, d, part);
}

/* first_sight: an object that is not known as a code: is it one? */
static uint32_t first_sight(vt_stream_t *s, uint64_t code, uint32_t print, int asks) {
  description_t d;
  int is_new;
  if (vt_load(code + OBJECT_TYPE) != vt_python.code_type || !describe(code, asks, &d)) return 0;
  uint32_t id = vt_codes_add(code, print, content_of(&d), &is_new);
  if (is_new) put_description(s, id, &d);
  return id;
}

/* address_of: 0 if the instruction is none of the code's. */
static inline uint64_t address_of(uint32_t id, uint64_t code, uint64_t instr) {
  vt_python_layout_t const *l = vt_python.layout;
  int64_t unit = (int64_t)instr;
  if (l->instructions) {
    unit = (int64_t)(instr - code - l->instructions) / 2;
    if (unit < -1 || (uint64_t)(unit + 1) > vt_load(code + OBJECT_SIZE)) return 0;
  }
  return vt_virtual_address(VT_LANGUAGE_PYTHON, id, unit < 0 ? UINT32_MAX : (uint32_t)unit);
}

uint64_t vt_python_pc(vt_stream_t *s, uint64_t code, uint64_t instr, int asks) {
  if (asks && (code & 7 || !vt_python_readable(code, vt_python.layout->code_sz))) return 0;
  uint32_t print = print_of(code), id = vt_codes_find(code, print);
  if (!id) id = first_sight(s, code, print, asks);
  return id ? address_of(id, code, instr) : 0;
}

uint64_t vt_python_pc_moved(uint64_t pc, uint64_t code, uint64_t instr) {
  return address_of((uint32_t)(pc >> VT_VIRTUAL_CODE_SHIFT), code, instr);
}
