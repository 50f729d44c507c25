/* Decoder of packed events; hostile input yields fewer or wrong events and nothing worse (codec.h). */
#include "analyzer/trace/codec_private.h"

/* get_difference is put_difference (codec_encode.c) reversed. */
static uint64_t get_difference(vt_cursor_t *c, uint64_t from) {
  uint64_t v = vt_cursor_varint(c);
  uint64_t z = v == 1 ? vt_cursor_varint(c) : v << 4;
  return from + (uint64_t)vt_unzigzag(z);
}

/* Bytes a column of cnt entries can have at most. */
static size_t column_limit(unsigned id, uint32_t cnt) {
  size_t each = id == VT_COLUMN_CODE || id == VT_COLUMN_OP ? 1
                : id == VT_COLUMN_ADDRESS || id == VT_COLUMN_POOL ? 11
                : id == VT_COLUMN_HEAP || id == VT_COLUMN_SAID ? 25
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
  uint64_t directory_sz = (uint64_t)columns * VT_ENTRY_SZ;
  if (directory_sz > vt_cursor_left(in)) return -1;
  vt_cursor_t directory = vt_cursor(vt_cursor_take(in, directory_sz), directory_sz);
  for (unsigned id = 0; id <= VT_COLUMN_MAX; id++) c->cursor[id] = (vt_cursor_t){0};
  for (uint32_t i = 0; i < columns; i++) {
    uint16_t id = vt_cursor_u16(&directory), codec = vt_cursor_u16(&directory);
    uint32_t sz = vt_cursor_u32(&directory), stored = vt_cursor_u32(&directory);
    vt_cursor_u32(&directory);
    uint8_t const *p = vt_cursor_take(in, stored);
    if (!p) return -1;
    if (id < 1 || id > VT_COLUMN_MAX) continue;
    if (open_column(c, id, codec, sz, p, stored, cnt)) return -1;
  }
  return vt_cursor_left(&c->cursor[VT_COLUMN_CODE]) == cnt ? 0 : -1;
}

uint32_t vt_codec_count(uint8_t const *payload, size_t sz) {
  if (sz < VT_DIRECTORY_OFF) return 0;
  uint32_t cnt = vt_load32(payload);
  return cnt <= VT_EVENTS_MAX ? cnt : 0;
}

static inline uint32_t decode_stack(vt_codec_t *c, uint8_t code) {
  switch (code & VT_CODE_STACK_MASK) {
  case VT_CODE_AFTER_TWO: return *vt_model_after_two(&c->model);
  case VT_CODE_AFTER_ONE: return *vt_model_after_one(&c->model);
  default: return (uint32_t)vt_cursor_varint(&c->cursor[VT_COLUMN_STACK]);
  }
}

static inline void decode_op_and_size(vt_codec_t *c, vt_event_t *e, uint8_t code) {
  vt_model_state_t *m = &c->model;
  vt_model_site_t *site = vt_model_site(m, e->stack);
  if (code & VT_CODE_OP) site->op = vt_cursor_u8(&c->cursor[VT_COLUMN_OP]);
  uint8_t kind = site->op & 15;
  e->api = site->op >> 4;
  e->kind = kind == VT_OP_ALLOC_ALIGNED ? VT_EVENT_ALLOC : kind;
  if (!vt_model_has_size(e->kind)) return;
  e->size = code & VT_CODE_SIZE ? vt_cursor_varint(&c->cursor[VT_COLUMN_SIZE])
                               : vt_model_size(m, site, e->kind);
  site->size = e->size;
  if (vt_model_has_align(site->op)) e->align = vt_cursor_varint(&c->cursor[VT_COLUMN_ALIGN]);
}

/* decode_release finds the block that is released; returns its allocation or NONE. */
static inline uint32_t decode_release(vt_codec_t *c, vt_event_t *e, uint8_t code) {
  vt_model_state_t *m = &c->model;
  uint32_t i = m->newest;
  uint64_t back, *base;
  switch (code >> VT_CODE_ADDRESS_SHIFT & 3) {
  case 0: break;
  case 1: i = m->beside; break;
  case 2:
    back = vt_cursor_varint(&c->cursor[VT_COLUMN_ADDRESS]);
    i = back < m->alloc_cnt ? m->alloc_cnt - 1 - (uint32_t)back : VT_MODEL_NONE;
    break;
  default:
    base = vt_model_release_base(m, e);
    e->address = *base = get_difference(&c->cursor[vt_codec_differences(c, e)], *base);
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
    e->address = get_difference(&c->cursor[vt_codec_differences(c, e)], *vt_model_alloc_base(m, e));
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
  vt_model_allocated(&c->model, e, r);
}

static void decode_done(vt_codec_t *c, vt_event_t *e, uint32_t mode) {
  vt_model_state_t *m = &c->model;
  if (!m->intent) return decode_alloc(c, e, mode, 0);
  if (mode == 0) {
    e->address = m->intent_address;
    return vt_model_resized(m, e->size);
  }
  if (mode == 3) {
    vt_cursor_t *in = &c->cursor[vt_codec_differences(c, e)], at = *in;
    if (!get_difference(&at, *vt_model_alloc_base(m, e))) {
      *in = at;
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

static void next_said(vt_codec_t *c) {
  vt_cursor_t *in = &c->cursor[VT_COLUMN_SAID];
  c->said_at = vt_cursor_left(in) ? c->said_at + (uint32_t)vt_cursor_varint(in) : VT_MODEL_NONE;
}

/* An entry that is for no FREE is never reached, nor are those behind it. */
static void decode_said(vt_codec_t *c, vt_event_t *e, uint32_t alloc, uint32_t at) {
  vt_model_site_t *site = vt_model_site(&c->model, e->stack);
  if (alloc == VT_MODEL_NONE) e->size = vt_model_said(site);
  if (at != c->said_at) return;
  vt_cursor_t *in = &c->cursor[VT_COLUMN_SAID];
  uint64_t v = vt_cursor_varint(in);
  e->size = v >> 1;
  if (v & 1) e->align = vt_cursor_varint(in);
  if (alloc == VT_MODEL_NONE) vt_model_says(site, e->size, e->align);
  next_said(c);
}

/* decode_address returns -1 when the kind of the event is none that exists. */
static inline int decode_address(vt_codec_t *c, vt_event_t *e, uint32_t at, uint8_t code) {
  vt_model_state_t *m = &c->model;
  switch (e->kind) {
  case VT_EVENT_ALLOC: decode_alloc(c, e, code >> VT_CODE_ADDRESS_SHIFT & 3, 0); return 0;
  case VT_EVENT_FREE: {
    uint32_t i = decode_release(c, e, code);
    vt_model_released(m, e->address, i);
    if (c->cursor[VT_COLUMN_SAID].p) decode_said(c, e, i, at);
    return 0;
  }
  case VT_EVENT_REALLOC_INTENT: m->intent_alloc = decode_release(c, e, code); return 0;
  case VT_EVENT_REALLOC_DONE: decode_done(c, e, code >> VT_CODE_ADDRESS_SHIFT & 3); return 0;
  case VT_EVENT_HEAP_ALLOC:
  case VT_EVENT_HEAP_FREE:
  case VT_EVENT_HEAP_FREE_INTERIOR: decode_heap(c, e); return 0;
  default: return -1;
  }
}

static int any_bad(vt_codec_t const *c) {
  int bad = 0;
  for (unsigned id = 1; id <= VT_COLUMN_MAX; id++) bad |= c->cursor[id].bad;
  return bad;
}

/* decode_event decodes event number `at` of a code byte; *e has its time and thread. Returns -1 when its kind
   is none that exists. */
static inline int decode_event(vt_codec_t *c, vt_event_t *e, uint32_t at, uint8_t code) {
  e->stack = decode_stack(c, code);
  decode_op_and_size(c, e, code);
  if (decode_address(c, e, at, code)) return -1;
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

/* decode_alone marks the events that the column names. */
static void decode_alone(vt_codec_t *c, vt_event_t *out, uint32_t cnt) {
  vt_cursor_t *in = &c->cursor[VT_COLUMN_ALONE];
  for (uint64_t at = 0; vt_cursor_left(in) && !in->bad; at++) {
    uint64_t more = vt_cursor_varint(in);
    if (at >= cnt || more >= cnt - at)
      in->bad = 1;
    else
      out[at += more].alone = 1;
  }
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
  vt_codec_begin(c, cnt);
  c->model.pools = c->cursor[VT_COLUMN_POOL].p != NULL;
  c->said_at = 0;
  next_said(c);
  uint8_t const *codes = c->cursor[VT_COLUMN_CODE].p;
  uint32_t thread = vt_thread_ids_index(threads, who);
  for (uint32_t i = 0; i < cnt; i++) {
    uint8_t code = codes[i];
    if (__builtin_expect(code & VT_CODE_THREAD_CHANGED, 0))
      thread = vt_thread_ids_index(threads, next_thread(c));
    now += vt_cursor_varint(&c->cursor[VT_COLUMN_TIME]);
    out[i] = (vt_event_t){.time = now << shift, .thread = thread};
    if (decode_event(c, &out[i], i, code) || (careful && any_bad(c))) return i;
  }
  decode_alone(c, out, cnt);
  return any_bad(c) ? 0 : cnt;
}

size_t vt_codec_decode(vt_codec_t *c, uint8_t const *payload, size_t sz, uint32_t shift,
                       vt_thread_ids_t *threads, vt_event_t *out) {
  size_t cnt = decode_all(c, payload, sz, shift, threads, 0, out);
  if (cnt && cnt == vt_codec_count(payload, sz)) return cnt;
  return decode_all(c, payload, sz, shift, threads, 1, out); /* where exactly does it go wrong? */
}
