/* Encoder and decoder of packed events; see codec.h for the idea and codec_model.h for the model.
 */
#include "analyzer/trace/codec.h"
#include "analyzer/trace/codec_model.h"

#include <zstd.h>

#define COLUMN_MAX    VT_COLUMN_THREAD_NUMBER
#define DIRECTORY_OFF 24
#define ENTRY_SZ      16
#define ZSTD_LEVEL    1
/* Columns smaller than this are not worth a frame. */
#define ZSTD_MIN      64

/* CODE bits. */
#define STACK_AFTER_TWO 0u
#define STACK_AFTER_ONE 1u
#define STACK_STORED    2u
#define STACK_MASK      3u
#define OP_STORED       4u
#define SIZE_STORED     8u
#define ADDRESS_SHIFT   4
#define THREAD_CHANGED  64u

struct vt_codec {
  vt_model_state_t model;
  ZSTD_CCtx *compressor;
  ZSTD_DCtx *decompressor;
  size_t event_cap;
  vt_bytes_t column[COLUMN_MAX + 1];
  vt_cursor_t cursor[COLUMN_MAX + 1];
  /* Encoder only: what each address of the chunk was last: index << 1 | is a release. */
  uint64_t *known_address;
  uint32_t *known_value;
  size_t known_sz;
};

vt_codec_t *vt_codec_new(void) {
  vt_codec_t *c = vt_mem_new(1, sizeof *c);
  c->compressor = ZSTD_createCCtx();
  c->decompressor = ZSTD_createDCtx();
  return c;
}

void vt_codec_delete(vt_codec_t *c) {
  if (!c) return;
  for (unsigned i = 0; i <= COLUMN_MAX; i++) vt_bytes_free(&c->column[i]);
  ZSTD_freeCCtx(c->compressor);
  ZSTD_freeDCtx(c->decompressor);
  free(c->model.allocs);
  free(c->model.releases);
  free(c->known_address);
  free(c->known_value);
  free(c);
}

static void prepare(vt_codec_t *c, size_t cnt) {
  if (cnt > c->event_cap) {
    c->event_cap = cnt < 1024 ? 1024 : cnt;
    c->model.allocs = vt_mem_resize(c->model.allocs, c->event_cap, sizeof *c->model.allocs);
    c->model.releases = vt_mem_resize(c->model.releases, c->event_cap, sizeof *c->model.releases);
  }
  vt_model_reset(&c->model);
}

/* An address difference: multiples of 16 are halved in size, others follow a 1. */
static void put_difference(vt_bytes_t *b, uint64_t from, uint64_t to) {
  uint64_t z = vt_zigzag((int64_t)(to - from));
  if (z & 31) {
    vt_bytes_varint(b, 1);
    vt_bytes_varint(b, z);
  } else {
    vt_bytes_varint(b, z >> 4);
  }
}
static uint64_t get_difference(vt_cursor_t *c, uint64_t from) {
  uint64_t v = vt_cursor_varint(c);
  uint64_t z = v == 1 ? vt_cursor_varint(c) : v << 4;
  return from + (uint64_t)vt_unzigzag(z);
}

/* ---- encoder ---- */

static void known_reset(vt_codec_t *c, size_t cnt) {
  size_t sz = 64;
  while (sz < 2 * cnt) sz *= 2;
  if (sz > c->known_sz) {
    c->known_sz = sz;
    c->known_address = vt_mem_resize(c->known_address, sz, sizeof *c->known_address);
    c->known_value = vt_mem_resize(c->known_value, sz, sizeof *c->known_value);
  }
  memset(c->known_value, 0xff, c->known_sz * sizeof *c->known_value);
}

/* known_slot is where the address is, or the free slot where it belongs. */
static inline size_t known_slot(vt_codec_t const *c, uint64_t address) {
  size_t i = (size_t)((address * 0x9E3779B97F4A7C15u) >> 40) & (c->known_sz - 1);
  while (c->known_value[i] != VT_MODEL_NONE && c->known_address[i] != address)
    i = (i + 1) & (c->known_sz - 1);
  return i;
}
static inline void known_set(vt_codec_t *c, size_t slot, uint64_t address, uint32_t value) {
  c->known_address[slot] = address;
  c->known_value[slot] = value;
}

/* encode_release codes which block is released; returns its allocation or NONE. */
static inline uint32_t encode_release(vt_codec_t *c, uint64_t address, size_t slot, uint8_t *code) {
  vt_model_state_t *m = &c->model;
  uint32_t v = c->known_value[slot];
  uint32_t i = v != VT_MODEL_NONE && !(v & 1) ? v >> 1 : VT_MODEL_NONE;
  if (i == VT_MODEL_NONE) {
    *code |= 3u << ADDRESS_SHIFT;
    put_difference(&c->column[VT_COLUMN_ADDRESS], m->last_free, address);
    m->last_free = address;
  } else if (i == m->beside) {
    *code |= 1u << ADDRESS_SHIFT;
  } else if (i != m->newest) {
    *code |= 2u << ADDRESS_SHIFT;
    vt_bytes_varint(&c->column[VT_COLUMN_ADDRESS], m->alloc_cnt - 1 - i);
  }
  return i;
}

/* encode_fresh codes the address of a new block; returns the release it reuses or NONE. moved: it
   is the new block of a realloc, whose mode 0 means something else. */
static inline uint32_t encode_fresh(vt_codec_t *c, vt_event_t const *e, size_t slot, uint32_t moved,
                                    uint8_t *code) {
  vt_model_state_t *m = &c->model;
  uint32_t v = c->known_value[slot];
  uint32_t r = v != VT_MODEL_NONE && v & 1 ? v >> 1 : VT_MODEL_NONE;
  if (r != VT_MODEL_NONE && r == vt_model_reusable(m, vt_model_class(e->size))) {
    *code |= (uint8_t)(moved << ADDRESS_SHIFT);
    return r;
  }
  if (e->address == m->last_end && !moved) {
    *code |= 1u << ADDRESS_SHIFT;
    return VT_MODEL_NONE;
  }
  if (r != VT_MODEL_NONE) {
    *code |= 2u << ADDRESS_SHIFT;
    vt_bytes_varint(&c->column[VT_COLUMN_ADDRESS], m->release_cnt - 1 - r);
    return r;
  }
  *code |= 3u << ADDRESS_SHIFT;
  put_difference(&c->column[VT_COLUMN_ADDRESS], m->last_address, e->address);
  return VT_MODEL_NONE;
}

static inline void encode_alloc(vt_codec_t *c, vt_event_t const *e, uint32_t moved, uint8_t *code) {
  size_t slot = known_slot(c, e->address);
  uint32_t r = encode_fresh(c, e, slot, moved, code);
  vt_model_allocated(&c->model, e->address, e->size, r);
  known_set(c, slot, e->address, (c->model.alloc_cnt - 1) << 1);
}

static inline void note_release(vt_codec_t *c, uint64_t address, size_t slot, uint32_t alloc) {
  vt_model_released(&c->model, address, alloc);
  known_set(c, slot, address, (c->model.release_cnt - 1) << 1 | 1);
}

static inline void encode_free(vt_codec_t *c, vt_event_t const *e, uint8_t *code) {
  size_t slot = known_slot(c, e->address);
  note_release(c, e->address, slot, encode_release(c, e->address, slot, code));
}

static void encode_done(vt_codec_t *c, vt_event_t const *e, uint8_t *code) {
  vt_model_state_t *m = &c->model;
  uint64_t old = m->intent_address;
  if (!m->intent) return encode_alloc(c, e, 0, code);
  if (e->address == old) {
    vt_model_resized(m, e->size);
  } else if (e->address) {
    encode_alloc(c, e, 1, code);
    note_release(c, old, known_slot(c, old), m->intent_alloc);
  } else {
    *code |= 3u << ADDRESS_SHIFT;
    put_difference(&c->column[VT_COLUMN_ADDRESS], m->last_address, 0);
    if (!e->size) note_release(c, old, known_slot(c, old), m->intent_alloc);
  }
}

static void encode_heap(vt_codec_t *c, vt_event_t const *e) {
  vt_bytes_t *b = &c->column[VT_COLUMN_HEAP];
  vt_bytes_varint(b, e->heap);
  vt_bytes_varint(b, e->address);
  if (e->kind == VT_EVENT_HEAP_ALLOC) vt_bytes_varint(b, e->tag);
}

static inline void encode_address(vt_codec_t *c, vt_event_t const *e, uint8_t *code) {
  vt_model_state_t *m = &c->model;
  switch (e->kind) {
  case VT_EVENT_ALLOC: return encode_alloc(c, e, 0, code);
  case VT_EVENT_FREE: return encode_free(c, e, code);
  case VT_EVENT_REALLOC_INTENT:
    m->intent_alloc = encode_release(c, e->address, known_slot(c, e->address), code);
    return;
  case VT_EVENT_REALLOC_DONE: return encode_done(c, e, code);
  default: return encode_heap(c, e);
  }
}

static inline uint8_t op_of(vt_event_t const *e) {
  uint8_t kind = e->kind == VT_EVENT_ALLOC && e->align ? VT_OP_ALLOC_ALIGNED : e->kind;
  return (uint8_t)(kind | e->api << 4);
}

static inline void encode_stack(vt_codec_t *c, uint32_t stack, uint8_t *code) {
  vt_model_state_t *m = &c->model;
  if (*vt_model_after_two(m) == stack) return;
  if (*vt_model_after_one(m) == stack) {
    *code |= STACK_AFTER_ONE;
    return;
  }
  *code |= STACK_STORED;
  vt_bytes_varint(&c->column[VT_COLUMN_STACK], stack);
}

static inline void encode_op_and_size(vt_codec_t *c, vt_event_t const *e, uint8_t *code) {
  vt_model_state_t *m = &c->model;
  vt_model_site_t *site = vt_model_site(m, e->stack);
  uint8_t op = op_of(e);
  if (site->op != op) {
    *code |= OP_STORED;
    vt_bytes_u8(&c->column[VT_COLUMN_OP], op);
    site->op = op;
  }
  if (!vt_model_has_size(e->kind)) return;
  if (e->size != vt_model_size(m, site, e->kind)) {
    *code |= SIZE_STORED;
    vt_bytes_varint(&c->column[VT_COLUMN_SIZE], e->size);
  }
  site->size = e->size;
  if (vt_model_has_align(op)) vt_bytes_varint(&c->column[VT_COLUMN_ALIGN], e->align);
}

static void encode_events(vt_codec_t *c, vt_event_t const *events, size_t cnt, uint32_t shift,
                          vt_thread_ids_t *threads) {
  uint64_t now = events[0].time >> shift;
  uint32_t thread = events[0].thread;
  uint8_t *codes = vt_bytes_room(&c->column[VT_COLUMN_CODE], cnt);
  c->column[VT_COLUMN_CODE].sz = cnt;
  for (size_t i = 0; i < cnt; i++) {
    vt_event_t const *e = &events[i];
    uint8_t code = 0;
    if (e->thread != thread) {
      vt_thread_id_t id = vt_thread_ids_at(threads, thread = e->thread);
      code |= THREAD_CHANGED;
      vt_bytes_varint(&c->column[VT_COLUMN_THREAD], id.tid);
      vt_bytes_varint(&c->column[VT_COLUMN_THREAD_NUMBER], id.number);
    }
    vt_bytes_varint(&c->column[VT_COLUMN_TIME], (e->time >> shift) - now);
    now = e->time >> shift;
    encode_stack(c, e->stack, &code);
    encode_op_and_size(c, e, &code);
    encode_address(c, e, &code);
    vt_model_learn(&c->model, e);
    codes[i] = code;
  }
}

/* put_column appends a column's bytes, compressed when that is smaller, and fills its entry. */
static void put_column(vt_codec_t *c, unsigned id, vt_bytes_t *out, size_t entry) {
  vt_bytes_t const *column = &c->column[id];
  size_t bound = ZSTD_compressBound(column->sz), stored = column->sz;
  uint16_t codec = VT_CODEC_STORED;
  uint8_t *to = vt_bytes_room(out, bound);
  if (column->sz >= ZSTD_MIN) {
    size_t n = ZSTD_compressCCtx(c->compressor, to, bound, column->data, column->sz, ZSTD_LEVEL);
    if (!ZSTD_isError(n) && n < column->sz) {
      codec = VT_CODEC_ZSTD;
      stored = n;
    }
  }
  if (codec == VT_CODEC_STORED) memcpy(to, column->data, column->sz);
  out->sz += stored;
  uint8_t *p = out->data + entry;
  vt_store16(p, (uint16_t)id);
  vt_store16(p + 2, codec);
  vt_store32(p + 4, (uint32_t)column->sz);
  vt_store32(p + 8, (uint32_t)stored);
  vt_store32(p + 12, 0);
}

void vt_codec_encode(vt_codec_t *c, vt_event_t const *events, size_t cnt, uint32_t shift,
                     vt_thread_ids_t *threads, vt_bytes_t *out) {
  uint32_t columns = 0;
  vt_thread_id_t first = vt_thread_ids_at(threads, events[0].thread);
  for (unsigned id = 1; id <= COLUMN_MAX; id++) c->column[id].sz = 0;
  prepare(c, cnt);
  known_reset(c, cnt);
  encode_events(c, events, cnt, shift, threads);
  for (unsigned id = 1; id <= COLUMN_MAX; id++) columns += c->column[id].sz != 0;
  vt_bytes_u32(out, (uint32_t)cnt);
  vt_bytes_u32(out, first.tid);
  vt_bytes_u64(out, events[0].time >> shift);
  vt_bytes_u32(out, columns);
  vt_bytes_u32(out, first.number);
  size_t entry = out->sz;
  vt_bytes_room(out, columns * (size_t)ENTRY_SZ);
  out->sz += columns * (size_t)ENTRY_SZ;
  for (unsigned id = 1; id <= COLUMN_MAX; id++) {
    if (!c->column[id].sz) continue;
    put_column(c, id, out, entry);
    entry += ENTRY_SZ;
  }
}

/* ---- decoder ---- */

/* Bytes a column of cnt entries can have at most. */
static size_t column_limit(unsigned id, uint32_t cnt) {
  size_t each = id == VT_COLUMN_CODE || id == VT_COLUMN_OP ? 1
                : id == VT_COLUMN_ADDRESS                  ? 11
                : id == VT_COLUMN_HEAP                     ? 25
                                                           : VT_VARINT_MAX;
  return each * cnt;
}

/* open_column sets the cursor of a column to its bytes. Returns -1 when they are malformed. */
static int open_column(vt_codec_t *c, unsigned id, uint16_t codec, uint32_t sz, uint8_t const *p,
                       uint32_t stored, uint32_t cnt) {
  if (sz > column_limit(id, cnt) || c->cursor[id].p) return -1;
  if (codec == VT_CODEC_STORED && sz == stored) {
    c->cursor[id] = vt_cursor(p, sz);
    return 0;
  }
  if (codec != VT_CODEC_ZSTD) return -1;
  vt_bytes_t *b = &c->column[id];
  b->sz = 0;
  vt_bytes_room(b, sz + 1);
  if (ZSTD_decompressDCtx(c->decompressor, b->data, sz, p, stored) != sz) return -1;
  c->cursor[id] = vt_cursor(b->data, sz);
  return 0;
}

static int open_columns(vt_codec_t *c, vt_cursor_t *in, uint32_t columns, uint32_t cnt) {
  uint64_t directory_sz = (uint64_t)columns * ENTRY_SZ;
  if (directory_sz > vt_cursor_left(in)) return -1;
  vt_cursor_t directory = vt_cursor(vt_cursor_take(in, directory_sz), directory_sz);
  for (unsigned id = 0; id <= COLUMN_MAX; id++) c->cursor[id] = (vt_cursor_t){0};
  for (uint32_t i = 0; i < columns; i++) {
    uint16_t id = vt_cursor_u16(&directory), codec = vt_cursor_u16(&directory);
    uint32_t sz = vt_cursor_u32(&directory), stored = vt_cursor_u32(&directory);
    vt_cursor_u32(&directory);
    uint8_t const *p = vt_cursor_take(in, stored);
    if (!p) return -1;
    if (id < 1 || id > COLUMN_MAX) continue;
    if (open_column(c, id, codec, sz, p, stored, cnt)) return -1;
  }
  return vt_cursor_left(&c->cursor[VT_COLUMN_CODE]) == cnt ? 0 : -1;
}

uint32_t vt_codec_count(uint8_t const *payload, size_t sz) {
  if (sz < DIRECTORY_OFF) return 0;
  uint32_t cnt = vt_load32(payload);
  return cnt <= VT_EVENTS_MAX ? cnt : 0;
}

static inline uint32_t decode_stack(vt_codec_t *c, uint8_t code) {
  switch (code & STACK_MASK) {
  case STACK_AFTER_TWO: return *vt_model_after_two(&c->model);
  case STACK_AFTER_ONE: return *vt_model_after_one(&c->model);
  default: return (uint32_t)vt_cursor_varint(&c->cursor[VT_COLUMN_STACK]);
  }
}

static inline void decode_op_and_size(vt_codec_t *c, vt_event_t *e, uint8_t code) {
  vt_model_state_t *m = &c->model;
  vt_model_site_t *site = vt_model_site(m, e->stack);
  if (code & OP_STORED) site->op = vt_cursor_u8(&c->cursor[VT_COLUMN_OP]);
  uint8_t kind = site->op & 15;
  e->api = site->op >> 4;
  e->kind = kind == VT_OP_ALLOC_ALIGNED ? VT_EVENT_ALLOC : kind;
  if (!vt_model_has_size(e->kind)) return;
  e->size = code & SIZE_STORED ? vt_cursor_varint(&c->cursor[VT_COLUMN_SIZE])
                               : vt_model_size(m, site, e->kind);
  site->size = e->size;
  if (vt_model_has_align(site->op)) e->align = vt_cursor_varint(&c->cursor[VT_COLUMN_ALIGN]);
}

/* decode_release finds the block that is released; returns its allocation or NONE. */
static inline uint32_t decode_release(vt_codec_t *c, vt_event_t *e, uint8_t code) {
  vt_model_state_t *m = &c->model;
  uint32_t i = m->newest;
  uint64_t back;
  switch (code >> ADDRESS_SHIFT & 3) {
  case 0: break;
  case 1: i = m->beside; break;
  case 2:
    back = vt_cursor_varint(&c->cursor[VT_COLUMN_ADDRESS]);
    i = back < m->alloc_cnt ? m->alloc_cnt - 1 - (uint32_t)back : VT_MODEL_NONE;
    break;
  default:
    e->address = m->last_free = get_difference(&c->cursor[VT_COLUMN_ADDRESS], m->last_free);
    return VT_MODEL_NONE;
  }
  if (i == VT_MODEL_NONE || m->allocs[i].released) { /* no encoder writes this */
    c->cursor[VT_COLUMN_ADDRESS].bad = 1;
    return VT_MODEL_NONE;
  }
  e->address = m->allocs[i].address;
  return i;
}

/* decode_fresh finds the address of a new block; returns the release it reuses or NONE. */
static inline uint32_t decode_fresh(vt_codec_t *c, vt_event_t *e, uint32_t mode, uint32_t moved) {
  vt_model_state_t *m = &c->model;
  uint32_t r = VT_MODEL_NONE;
  if (mode == moved) {
    r = vt_model_reusable(m, vt_model_class(e->size));
  } else if (mode == 1) {
    e->address = m->last_end;
    return r;
  } else if (mode == 2) {
    uint64_t back = vt_cursor_varint(&c->cursor[VT_COLUMN_ADDRESS]);
    if (back < m->release_cnt) r = m->release_cnt - 1 - (uint32_t)back;
  } else {
    e->address = get_difference(&c->cursor[VT_COLUMN_ADDRESS], m->last_address);
    return r;
  }
  if (r == VT_MODEL_NONE)
    c->cursor[VT_COLUMN_ADDRESS].bad = 1;
  else
    e->address = m->releases[r].address;
  return r;
}

static inline void decode_alloc(vt_codec_t *c, vt_event_t *e, uint32_t mode, uint32_t moved) {
  uint32_t r = decode_fresh(c, e, mode, moved);
  vt_model_allocated(&c->model, e->address, e->size, r);
}

static void decode_done(vt_codec_t *c, vt_event_t *e, uint32_t mode) {
  vt_model_state_t *m = &c->model;
  if (!m->intent) return decode_alloc(c, e, mode, 0);
  if (mode == 0) {
    e->address = m->intent_address;
    return vt_model_resized(m, e->size);
  }
  if (mode == 3) {
    vt_cursor_t at = c->cursor[VT_COLUMN_ADDRESS];
    if (!get_difference(&at, m->last_address)) {
      c->cursor[VT_COLUMN_ADDRESS] = at;
      if (!e->size) vt_model_released(m, m->intent_address, m->intent_alloc);
      return;
    }
  }
  decode_alloc(c, e, mode, 1);
  vt_model_released(m, m->intent_address, m->intent_alloc);
}

static void decode_heap(vt_codec_t *c, vt_event_t *e) {
  vt_cursor_t *in = &c->cursor[VT_COLUMN_HEAP];
  e->heap = (uint32_t)vt_cursor_varint(in);
  e->address = vt_cursor_varint(in);
  if (e->kind == VT_EVENT_HEAP_ALLOC) e->tag = vt_cursor_varint(in);
}

/* decode_address returns -1 when the kind of the event is none that exists. */
static inline int decode_address(vt_codec_t *c, vt_event_t *e, uint8_t code) {
  vt_model_state_t *m = &c->model;
  switch (e->kind) {
  case VT_EVENT_ALLOC: decode_alloc(c, e, code >> ADDRESS_SHIFT & 3, 0); return 0;
  case VT_EVENT_FREE: {
    uint32_t i = decode_release(c, e, code);
    vt_model_released(m, e->address, i);
    return 0;
  }
  case VT_EVENT_REALLOC_INTENT: m->intent_alloc = decode_release(c, e, code); return 0;
  case VT_EVENT_REALLOC_DONE: decode_done(c, e, code >> ADDRESS_SHIFT & 3); return 0;
  case VT_EVENT_HEAP_ALLOC:
  case VT_EVENT_HEAP_FREE:
  case VT_EVENT_HEAP_FREE_INTERIOR: decode_heap(c, e); return 0;
  default: return -1;
  }
}

static int any_bad(vt_codec_t const *c) {
  int bad = 0;
  for (unsigned id = 1; id <= COLUMN_MAX; id++) bad |= c->cursor[id].bad;
  return bad;
}

/* decode_event decodes the event of a code byte; *e has its time and thread. Returns -1 when its kind
   is none that exists. */
static inline int decode_event(vt_codec_t *c, vt_event_t *e, uint8_t code) {
  e->stack = decode_stack(c, code);
  decode_op_and_size(c, e, code);
  if (decode_address(c, e, code)) return -1;
  vt_model_learn(&c->model, e);
  return 0;
}

/* next_thread: older writers have no numbers. */
static vt_thread_id_t next_thread(vt_codec_t *c) {
  vt_thread_id_t id = {.tid = (uint32_t)vt_cursor_varint(&c->cursor[VT_COLUMN_THREAD])};
  if (c->cursor[VT_COLUMN_THREAD_NUMBER].p)
    id.number = (uint32_t)vt_cursor_varint(&c->cursor[VT_COLUMN_THREAD_NUMBER]);
  return id;
}

/* decode_all decodes all events; returns how many it did before it saw that one is malformed.
   Unless `careful` it looks only at the end whether a column was too short or an address named
   nothing: nothing worse than wrong events can come of that. */
static inline size_t decode_all(vt_codec_t *c, uint8_t const *payload, size_t sz, uint32_t shift,
                                vt_thread_ids_t *threads, int careful, vt_event_t *out) {
  uint32_t cnt = vt_codec_count(payload, sz);
  vt_cursor_t in = vt_cursor(payload, sz);
  vt_cursor_u32(&in);
  vt_thread_id_t who = {.tid = vt_cursor_u32(&in)};
  uint64_t now = vt_cursor_u64(&in);
  uint32_t columns = vt_cursor_u32(&in);
  who.number = vt_cursor_u32(&in);
  if (!cnt || open_columns(c, &in, columns, cnt)) return 0;
  prepare(c, cnt);
  uint8_t const *codes = c->cursor[VT_COLUMN_CODE].p;
  uint32_t thread = vt_thread_ids_index(threads, who);
  for (uint32_t i = 0; i < cnt; i++) {
    uint8_t code = codes[i];
    if (__builtin_expect(code & THREAD_CHANGED, 0))
      thread = vt_thread_ids_index(threads, next_thread(c));
    now += vt_cursor_varint(&c->cursor[VT_COLUMN_TIME]);
    out[i] = (vt_event_t){.time = now << shift, .thread = thread};
    if (decode_event(c, &out[i], code) || (careful && any_bad(c))) return i;
  }
  return any_bad(c) ? 0 : cnt;
}

size_t vt_codec_decode(vt_codec_t *c, uint8_t const *payload, size_t sz, uint32_t shift,
                       vt_thread_ids_t *threads, vt_event_t *out) {
  size_t cnt = decode_all(c, payload, sz, shift, threads, 0, out);
  if (cnt && cnt == vt_codec_count(payload, sz)) return cnt;
  return decode_all(c, payload, sz, shift, threads, 1, out); /* where exactly does it go wrong? */
}
