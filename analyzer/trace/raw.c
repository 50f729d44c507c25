/* See raw.h. */
#include "analyzer/trace/raw.h"

#define DEPTH_MAX    ((uint32_t)1 << 24)
#define ADDRESS_MASK (((uint64_t)1 << VT_W1_ADDRESS_BITS) - 1)

/* Words after w0 by kind, without push; wide ones, BLOB and FRAMES are handled apart. */
static uint8_t const word_cnt[16] = {
    [VT_KIND_ALLOC] = 1,        [VT_KIND_FREE] = 1,      [VT_KIND_REALLOC_INTENT] = 2,
    [VT_KIND_REALLOC_DONE] = 2, [VT_KIND_FRAMES] = 1,    [VT_KIND_TIME] = 1,
    [VT_KIND_THREAD] = 1,       [VT_KIND_EPOCH] = 1,     [VT_KIND_BLOB] = 1,
    [VT_KIND_HEAP_ALLOC] = 5,   [VT_KIND_HEAP_FREE] = 2, [VT_KIND_LOST] = 1,
    [VT_KIND_DELETE] = 1};

void vt_raw_stream_fini(vt_raw_stream_t *s) {
  free(s->nodes);
  *s = (vt_raw_stream_t){0};
}

void vt_raw_begin(vt_raw_stream_t *s, uint8_t const *segment) {
  uint32_t flags = vt_load32(segment + VT_SEGMENT_OFF_FLAGS);
  uint32_t number = vt_load32(segment + VT_SEGMENT_OFF_NUMBER);
  uint64_t tick = vt_load64(segment + VT_SEGMENT_OFF_BASE_TICK);
  uint32_t epoch = vt_load32(segment + VT_SEGMENT_OFF_EPOCH);
  int goes_on = flags & VT_SEGMENT_FLAG_CONTINUES && s->known && number == s->segment + 1 &&
                epoch == s->epoch;
  if (!goes_on) s->depth = 0;
  s->who = (vt_thread_id_t){vt_load32(segment + VT_SEGMENT_OFF_TID),
                            vt_load32(segment + VT_SEGMENT_OFF_THREAD)};
  s->thread = UINT32_MAX;
  s->epoch = epoch;
  if (tick > s->tick) s->tick = tick;
  s->segment = number;
  s->known = 1;
}

static void grow_nodes(vt_raw_stream_t *s, uint32_t more) {
  uint32_t cap = s->cap ? s->cap : 256;
  while (cap < s->depth + more + 1) cap *= 2;
  s->nodes = vt_mem_resize(s->nodes, cap, sizeof *s->nodes);
  s->cap = cap;
}

/* change_stack removes `pop` nodes and adds `push` addresses. Popping more than there is empties
   the stack: a segment that *continues* from a lost one does that. Returns -1 when it grows too
   deep. */
static inline int change_stack(vt_raw_stream_t *s, vt_trie_t *trie, uint32_t pop, uint32_t push,
                               uint8_t const *addresses) {
  if (__builtin_expect(s->depth + push + 1 > s->cap, 0)) {
    if (push > DEPTH_MAX || s->depth + push > DEPTH_MAX) return -1;
    grow_nodes(s, push);
  }
  if (__builtin_expect(!s->depth, 0)) {
    s->nodes[0] = vt_trie_child(trie, 0, s->epoch);
    s->depth = 1;
  }
  s->depth = pop < s->depth ? s->depth - pop : 1;
  uint32_t node = s->nodes[s->depth - 1];
  for (uint32_t i = 0; i < push; i++) {
    node = vt_trie_child(trie, node, vt_load64(addresses + 8 * (size_t)i));
    s->nodes[s->depth++] = node;
  }
  return 0;
}

/* stack_id is the id of the current stack; an empty one is no stack. */
static inline uint32_t stack_id(vt_raw_stream_t const *s) {
  return s->depth > 1 ? s->nodes[s->depth - 1] : 0;
}

static void fill_heap_event(vt_event_t *e, uint8_t const *words, uint64_t w0) {
  e->heap = (uint32_t)vt_load64(words);
  e->address = vt_load64(words + 8);
  if (e->kind == VT_EVENT_HEAP_ALLOC) {
    e->size = vt_load64(words + 16);
    e->align = vt_load64(words + 24);
    e->tag = vt_load64(words + 32);
  } else {
    if (w0 & VT_W0_WIDE) e->kind = VT_EVENT_HEAP_FREE_INTERIOR;
    e->alone = (vt_load64(words) & VT_W1_HEAP_ALONE) != 0;
  }
}

static void fill_event(vt_event_t *e, uint8_t const *words, uint64_t w0) {
  uint64_t w1 = vt_load64(words);
  if (e->kind == VT_EVENT_HEAP_ALLOC || e->kind == VT_EVENT_HEAP_FREE) return fill_heap_event(e, words, w0);
  int is_delete = e->kind == VT_KIND_DELETE, sized = e->kind == VT_EVENT_ALLOC || is_delete;
  if (is_delete) e->kind = VT_EVENT_FREE;
  e->address = w1;
  if (sized && !(w0 & VT_W0_WIDE)) {
    e->address = w1 & ADDRESS_MASK;
    e->size = w1 >> VT_W1_ADDRESS_BITS;
  } else if (sized) {
    e->size = vt_load64(words + 8);
    e->align = vt_load64(words + 16);
    e->alone = is_delete && e->align & VT_W3_DELETE_ALONE;
    if (is_delete) e->align &= ~VT_W3_DELETE_ALONE;
  } else {
    if (e->kind != VT_EVENT_FREE) e->size = vt_load64(words + 8);
    e->alone = (w0 & VT_W0_WIDE) != 0;
  }
}

static int is_event(unsigned kind) {
  return (kind >= VT_KIND_ALLOC && kind <= VT_KIND_REALLOC_DONE) || kind == VT_KIND_HEAP_ALLOC ||
         kind == VT_KIND_HEAP_FREE || kind == VT_KIND_DELETE;
}

/* state_record does what a record that is no event says. Returns -1 when it is malformed. */
static int state_record(vt_raw_stream_t *s, vt_raw_sink_t *sink, unsigned kind, uint64_t w1,
                        uint8_t const *words) {
  switch (kind) {
  case VT_KIND_TIME:
    if (w1 > s->tick) s->tick = w1;
    return 0;
  case VT_KIND_THREAD:
    s->who = (vt_thread_id_t){(uint32_t)w1, (uint32_t)(w1 >> 32)};
    s->thread = UINT32_MAX;
    s->depth = 0;
    return 0;
  case VT_KIND_EPOCH:
    s->epoch = (uint32_t)w1;
    s->depth = 0;
    return 0;
  case VT_KIND_BLOB:
    if (sink->message)
      sink->message(sink->context, (uint16_t)w1, stack_id(s), words + 8, (uint32_t)(w1 >> 32));
    return 0;
  case VT_KIND_LOST:
    sink->lost += w1;
    s->depth = 0;
    return 0;
  default: return kind == VT_KIND_FRAMES ? 0 : -1;
  }
}

/* record_words is the number of words of a record without w0, or -1 when it does not fit in `left`.
 */
static int64_t record_words(uint64_t w0, uint8_t const *words, size_t left, uint32_t *push) {
  unsigned kind = w0 & 15;
  uint64_t n = word_cnt[kind];
  if ((kind == VT_KIND_ALLOC || kind == VT_KIND_DELETE) && w0 & VT_W0_WIDE) n = 3;
  if (!n || n * 8 > left) return -1;
  *push = (uint32_t)(w0 >> VT_W0_PUSH_SHIFT) & VT_W0_PUSH_MAX;
  if (kind == VT_KIND_FRAMES) {
    uint64_t frames = vt_load64(words);
    if (frames > left / 8) return -1;
    *push = (uint32_t)frames;
  } else if (kind == VT_KIND_BLOB) {
    n += (vt_load64(words) >> 32) / 8 + ((vt_load64(words) >> 32) % 8 != 0);
    *push = 0;
  }
  return (n + *push) * 8 > left ? -1 : (int64_t)n;
}

/* one_record decodes the record at w0's words. Returns 1 for an event, 0 for none, -1 malformed. */
static inline int one_record(vt_raw_stream_t *s, vt_raw_sink_t *sink, uint64_t w0,
                             uint8_t const *words, int64_t n, uint32_t push, vt_event_t *e) {
  unsigned kind = w0 & 15;
  uint32_t pop = (uint32_t)(w0 >> VT_W0_POP_SHIFT) & VT_W0_POP_MAX;
  s->tick += w0 >> VT_W0_TIME_SHIFT;
  if (!is_event(kind)) {
    if (kind == VT_KIND_FRAMES) return change_stack(s, sink->trie, pop, push, words + 8);
    return state_record(s, sink, kind, vt_load64(words), words);
  }
  int bare = (kind == VT_KIND_FREE || kind == VT_KIND_DELETE) && sink->no_free_stacks;
  if (!bare && change_stack(s, sink->trie, pop, push, words + 8 * n)) return -1;
  if (__builtin_expect(s->thread == UINT32_MAX, 0))
    s->thread = vt_thread_ids_index(sink->threads, s->who);
  *e = (vt_event_t){.time = s->tick,
                    .stack = bare ? 0 : stack_id(s),
                    .thread = s->thread,
                    .kind = (uint8_t)kind,
                    .api = (uint8_t)(w0 >> VT_W0_API_SHIFT & 15)};
  fill_event(e, words, w0);
  return 1;
}

size_t vt_raw_decode(vt_raw_stream_t *s, vt_raw_sink_t *sink, uint8_t const *segment, uint32_t *at,
                     uint32_t committed, vt_event_t *events, size_t cap) {
  uint8_t const *base = segment + VT_SEGMENT_RECORDS_OFF;
  size_t cnt = 0;
  if (committed > VT_SEGMENT_RECORDS_MAX) committed = VT_SEGMENT_RECORDS_MAX;
  while (cnt < cap && *at + 16 <= committed) {
    uint64_t w0 = vt_load64(base + *at);
    uint8_t const *words = base + *at + 8;
    uint32_t push;
    int64_t n = record_words(w0, words, committed - *at - 8, &push);
    int got = n < 0 ? -1 : one_record(s, sink, w0, words, n, push, &events[cnt]);
    if (got < 0) {
      sink->bad++;
      *at = committed;
      return cnt;
    }
    cnt += (size_t)got;
    *at += 8u + 8u * ((uint32_t)n + push);
  }
  if (*at + 16 > committed && *at < committed) *at = committed;
  return cnt;
}
