/* Encoder of packed events: what the model did not foresee goes into the columns (codec.h). */
#include "analyzer/trace/codec_private.h"

#define ZSTD_LEVEL 1
/* Columns smaller than this are not worth a frame. */
#define ZSTD_MIN 64

/* An event's address as a difference: multiples of 16 are halved in size, others follow a 1. */
static void put_difference(vt_codec_t *c, vt_event_t const *e, uint64_t from) {
  vt_bytes_t *b = &c->column[vt_codec_differences(c, e)];
  uint64_t z = vt_zigzag((int64_t)(e->address - from));
  if (z & 31) {
    vt_bytes_varint(b, 1);
    vt_bytes_varint(b, z);
  } else {
    vt_bytes_varint(b, z >> 4);
  }
}

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
static inline uint32_t encode_release(vt_codec_t *c, vt_event_t const *e, size_t slot, uint8_t *code) {
  vt_model_state_t *m = &c->model;
  uint32_t v = c->known_value[slot];
  uint32_t i = v != VT_MODEL_NONE && !(v & 1) ? v >> 1 : VT_MODEL_NONE;
  if (i == VT_MODEL_NONE) {
    *code |= 3u << VT_CODE_ADDRESS_SHIFT;
    uint64_t *base = vt_model_release_base(m, e);
    put_difference(c, e, *base);
    *base = e->address;
  } else if (i == m->beside) {
    *code |= 1u << VT_CODE_ADDRESS_SHIFT;
  } else if (i != m->newest) {
    *code |= 2u << VT_CODE_ADDRESS_SHIFT;
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
    *code |= (uint8_t)(moved << VT_CODE_ADDRESS_SHIFT);
    return r;
  }
  if (e->address == m->last_end && !moved) {
    *code |= 1u << VT_CODE_ADDRESS_SHIFT;
    return VT_MODEL_NONE;
  }
  if (r != VT_MODEL_NONE) {
    *code |= 2u << VT_CODE_ADDRESS_SHIFT;
    vt_bytes_varint(&c->column[VT_COLUMN_ADDRESS], m->release_cnt - 1 - r);
    return r;
  }
  *code |= 3u << VT_CODE_ADDRESS_SHIFT;
  put_difference(c, e, *vt_model_alloc_base(m, e));
  return VT_MODEL_NONE;
}

/* Inlined in both its callers: a call for each allocation is 4 % of the encoder. */
static inline __attribute__((always_inline)) void encode_alloc(vt_codec_t *c, vt_event_t const *e, uint32_t moved, uint8_t *code) {
  size_t slot = known_slot(c, e->address);
  uint32_t r = encode_fresh(c, e, slot, moved, code);
  c->alloc_size[c->model.alloc_cnt] = e->align ? VT_ALIGNED : e->size;
  vt_model_allocated(&c->model, e, r);
  known_set(c, slot, e->address, (c->model.alloc_cnt - 1) << 1);
}

static inline void note_release(vt_codec_t *c, uint64_t address, size_t slot, uint32_t alloc) {
  vt_model_released(&c->model, address, alloc);
  known_set(c, slot, address, (c->model.release_cnt - 1) << 1 | 1);
}

/* Is there nothing to say of what a delete was told? */
static inline int is_expected(vt_codec_t const *c, vt_event_t const *e, uint32_t alloc, vt_model_site_t const *site) {
  if (e->align) return 0;
  if (alloc != VT_MODEL_NONE) return !e->size || c->alloc_size[alloc] == e->size;
  return e->size <= UINT32_MAX && (e->size == site->said || site->changes >= VT_MODEL_CHANGES);
}

static inline void encode_said(vt_codec_t *c, vt_event_t const *e, uint32_t alloc, uint32_t at) {
  vt_model_site_t *site = vt_model_site(&c->model, e->stack);
  if (is_expected(c, e, alloc, site)) return;
  vt_bytes_t *b = &c->column[VT_COLUMN_SAID];
  vt_bytes_varint(b, at - c->said_at);
  vt_bytes_varint(b, e->size << 1 | (e->align != 0));
  if (e->align) vt_bytes_varint(b, e->align);
  if (alloc == VT_MODEL_NONE) vt_model_says(site, e->size, e->align);
  c->said_at = at;
}

static inline void encode_free(vt_codec_t *c, vt_event_t const *e, uint32_t at, uint8_t *code) {
  size_t slot = known_slot(c, e->address);
  uint32_t alloc = encode_release(c, e, slot, code);
  encode_said(c, e, alloc, at);
  note_release(c, e->address, slot, alloc);
}

static void encode_done(vt_codec_t *c, vt_event_t const *e, uint8_t *code) {
  vt_model_state_t *m = &c->model;
  uint64_t old = m->intent_address;
  if (!m->intent) return encode_alloc(c, e, 0, code);
  if (e->address == old) {
    vt_model_resized(m, e->size);
    if (m->intent_alloc != VT_MODEL_NONE) c->alloc_size[m->intent_alloc] = e->size;
  } else if (e->address) {
    encode_alloc(c, e, 1, code);
    note_release(c, old, known_slot(c, old), m->intent_alloc);
  } else {
    *code |= 3u << VT_CODE_ADDRESS_SHIFT;
    put_difference(c, e, *vt_model_alloc_base(m, e));
    if (!e->size) note_release(c, old, known_slot(c, old), m->intent_alloc);
  }
}

static void encode_heap(vt_codec_t *c, vt_event_t const *e) {
  vt_bytes_t *b = &c->column[VT_COLUMN_HEAP];
  vt_bytes_varint(b, e->heap);
  vt_bytes_varint(b, e->address);
  if (e->kind == VT_EVENT_HEAP_ALLOC) vt_bytes_varint(b, e->tag);
}

static inline void encode_address(vt_codec_t *c, vt_event_t const *e, uint32_t at, uint8_t *code) {
  vt_model_state_t *m = &c->model;
  switch (e->kind) {
  case VT_EVENT_ALLOC: return encode_alloc(c, e, 0, code);
  case VT_EVENT_FREE: return encode_free(c, e, at, code);
  case VT_EVENT_REALLOC_INTENT:
    m->intent_alloc = encode_release(c, e, known_slot(c, e->address), code);
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
    *code |= VT_CODE_AFTER_ONE;
    return;
  }
  *code |= VT_CODE_STACK;
  vt_bytes_varint(&c->column[VT_COLUMN_STACK], stack);
}

static inline void encode_op_and_size(vt_codec_t *c, vt_event_t const *e, uint8_t *code) {
  vt_model_state_t *m = &c->model;
  vt_model_site_t *site = vt_model_site(m, e->stack);
  uint8_t op = op_of(e);
  if (site->op != op) {
    *code |= VT_CODE_OP;
    vt_bytes_u8(&c->column[VT_COLUMN_OP], op);
    site->op = op;
  }
  if (!vt_model_has_size(e->kind)) return;
  if (e->size != vt_model_size(m, site, e->kind)) {
    *code |= VT_CODE_SIZE;
    vt_bytes_varint(&c->column[VT_COLUMN_SIZE], e->size);
  }
  site->size = e->size;
  if (vt_model_has_align(op)) vt_bytes_varint(&c->column[VT_COLUMN_ALIGN], e->align);
}

static void encode_events(vt_codec_t *c, vt_event_t const *events, size_t cnt, uint32_t shift,
                          vt_thread_ids_t *threads) {
  uint64_t now = events[0].time >> shift;
  uint32_t thread = events[0].thread;
  size_t alone = 0; /* the event behind the last that was */
  uint8_t *codes = vt_bytes_room(&c->column[VT_COLUMN_CODE], cnt);
  c->said_at = 0;
  c->column[VT_COLUMN_CODE].sz = cnt;
  for (size_t i = 0; i < cnt; i++) {
    vt_event_t const *e = &events[i];
    uint8_t code = 0;
    if (e->thread != thread) {
      vt_thread_id_t id = vt_thread_ids_at(threads, thread = e->thread);
      code |= VT_CODE_THREAD_CHANGED;
      vt_bytes_varint(&c->column[VT_COLUMN_THREAD], id.tid);
      vt_bytes_varint(&c->column[VT_COLUMN_THREAD_NUMBER], id.number);
    }
    vt_bytes_varint(&c->column[VT_COLUMN_TIME], (e->time >> shift) - now);
    now = e->time >> shift;
    encode_stack(c, e->stack, &code);
    encode_op_and_size(c, e, &code);
    encode_address(c, e, (uint32_t)i, &code);
    if (e->alone) {
      vt_bytes_varint(&c->column[VT_COLUMN_ALONE], i - alone);
      alone = i + 1;
    }
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

uint64_t vt_codec_encode(vt_codec_t *c, vt_event_t const *events, size_t cnt, uint32_t shift,
                         vt_thread_ids_t *threads, vt_bytes_t *out) {
  uint32_t columns = 0;
  vt_thread_id_t first = vt_thread_ids_at(threads, events[0].thread);
  for (unsigned id = 1; id <= VT_COLUMN_MAX; id++) c->column[id].sz = 0;
  vt_codec_begin(c, cnt);
  c->model.pools = 1;
  known_reset(c, cnt);
  encode_events(c, events, cnt, shift, threads);
  for (unsigned id = 1; id <= VT_COLUMN_MAX; id++) columns += c->column[id].sz != 0;
  vt_bytes_u32(out, (uint32_t)cnt);
  vt_bytes_u32(out, first.tid);
  vt_bytes_u64(out, events[0].time >> shift);
  vt_bytes_u32(out, columns);
  vt_bytes_u32(out, first.number);
  size_t entry = out->sz;
  vt_bytes_room(out, columns * (size_t)VT_ENTRY_SZ);
  out->sz += columns * (size_t)VT_ENTRY_SZ;
  for (unsigned id = 1; id <= VT_COLUMN_MAX; id++) {
    if (!c->column[id].sz) continue;
    put_column(c, id, out, entry);
    entry += VT_ENTRY_SZ;
  }
  return c->column[VT_COLUMN_POOL].sz ? VT_REQUIRED_POOLS : 0;
}
