/* The slow half of a stream: claiming segments, and records that need more than one word sequence
   (deep stacks, long pauses, epochs, losses). See stream.h for the fast half. */
#include "core/trace/stream.h"

#include <string.h>

/* A stack deeper than this is not repeated at the start of each segment: the segment *continues*.
 */
#define RESTART_DEPTH_MAX 2048

static uint64_t w0_of(vt_kind_t kind, uint32_t push, uint32_t pop, uint64_t dt) {
  return (uint64_t)kind | (uint64_t)push << VT_W0_PUSH_SHIFT | (uint64_t)pop << VT_W0_POP_SHIFT |
         dt << VT_W0_TIME_SHIFT;
}

static size_t room(vt_stream_t const *s) { return (size_t)(s->end - s->cursor); }

static void write_segment_header(vt_stream_t *s, uint64_t base_tick, uint32_t flags) {
  uint8_t *p = s->segment;
  vt_store64(p + VT_SEGMENT_OFF_IMAGE, s->sink->image);
  vt_store64(p + VT_SEGMENT_OFF_BASE_TICK, base_tick);
  int frozen = s->sink->clock == VT_CLOCK_FROZEN; /* then there is no pair to be had */
  vt_store64(p + VT_SEGMENT_OFF_CLOCK_TICK, frozen ? 0 : vt_clock_tick(s->sink->clock));
  vt_store64(p + VT_SEGMENT_OFF_CLOCK_NS, frozen ? 0 : vt_clock_ns(CLOCK_MONOTONIC));
  vt_store32(p + VT_SEGMENT_OFF_PID, s->sink->pid);
  vt_store32(p + VT_SEGMENT_OFF_TID, s->tid);
  vt_store32(p + VT_SEGMENT_OFF_WRITER, s->writer);
  vt_store32(p + VT_CHUNK_OFF_WRITER, s->writer);
  vt_store32(p + VT_SEGMENT_OFF_NUMBER, s->number++);
  vt_store32(p + VT_SEGMENT_OFF_EPOCH, s->epoch);
  vt_store32(p + VT_SEGMENT_OFF_FLAGS, flags);
  vt_store32(p + VT_SEGMENT_OFF_THREAD, s->thread);
  memset(p + VT_SEGMENT_OFF_THREAD + 4, 0, VT_SEGMENT_RECORDS_OFF - VT_SEGMENT_OFF_THREAD - 4);
}

/* next_segment replaces the current segment. Returns 0, or -1 when recording has stopped. */
static int next_segment(vt_stream_t *s, uint64_t tick) {
  vt_stream_finish(s);
  uint32_t index;
  uint8_t *segment = vt_sink_claim(s->sink, &index);
  if (!segment) {
    s->depth = VT_DEPTH_UNKNOWN;
    return -1;
  }
  int continues = s->depth != VT_DEPTH_UNKNOWN && s->depth > RESTART_DEPTH_MAX;
  s->segment = segment;
  s->index = index;
  s->end = segment + VT_SEGMENT_SZ;
  s->last_tick = tick;
  if (!continues) s->epoch = vt_unwind_epoch(); /* what follows was captured just now */
  write_segment_header(s, tick, continues ? VT_SEGMENT_FLAG_CONTINUES : 0);
  vt_stream_commit(s, segment + VT_SEGMENT_RECORDS_OFF);
  if (!continues) {
    s->depth = 0;
    s->cut = 0;
  }
  return 0;
}

/* need makes room for sz bytes. Returns 1 when that took a new segment, 0 when not, -1 on failure.
 */
static int need(vt_stream_t *s, size_t sz, uint64_t tick) {
  if (s->cursor && room(s) >= sz) return 0;
  return next_segment(s, tick) ? -1 : 1;
}

static void put_word_record(vt_stream_t *s, vt_kind_t kind, uint64_t word) {
  vt_store64(s->cursor, w0_of(kind, 0, 0, 0));
  vt_store64(s->cursor + 8, word);
  vt_stream_commit(s, s->cursor + 16);
}

static void put_thread(vt_stream_t *s) {
  put_word_record(s, VT_KIND_THREAD, s->tid | (uint64_t)s->thread << 32);
}

/* forget_stack: the record just written emptied the current stack. */
static void forget_stack(vt_stream_t *s) {
  s->depth = 0;
  s->cut = 0;
}

/* catch_up writes what must precede the next event: an unknown stack, losses, epoch, a long pause. */
static int catch_up(vt_stream_t *s, uint64_t tick) {
  if (need(s, 64, tick) < 0) return -1;
  if (s->depth == VT_DEPTH_UNKNOWN) {
    put_thread(s); /* for its effect on the current stack */
    forget_stack(s);
  }
  if (s->lost) {
    put_word_record(s, VT_KIND_LOST, s->lost);
    s->lost = 0;
    forget_stack(s);
  }
  if (s->epoch != vt_unwind_epoch()) {
    s->epoch = vt_unwind_epoch();
    put_word_record(s, VT_KIND_EPOCH, s->epoch);
    forget_stack(s);
  }
  if (tick - s->last_tick > UINT32_MAX) {
    put_word_record(s, VT_KIND_TIME, tick);
    s->last_tick = tick;
  }
  return 0;
}

/* The stack as it is to be recorded: the capture, or its root end and the mark of a cut. */
typedef struct {
  vt_stack_t const *stack;
  uint32_t depth;
  uint32_t cut;
} shown_t;

static uint64_t shown_pc(shown_t const *v, uint32_t i) {
  return v->cut && i == v->depth - 1 ? VT_ADDRESS_CUT : vt_frame_pc(v->stack, i);
}

static shown_t shown(vt_stream_t *s, vt_stack_t const *stack) {
  if (stack->depth <= s->max_depth) return (shown_t){stack, stack->depth, 0};
  vt_sink_count(s->sink, VT_COUNTER_CUT, 1);
  return (shown_t){stack, s->max_depth + 1, 1};
}

/* common_depth: how many frames of the recorded stack stay. The recorded stack is the previous
   capture's, so `keep` holds for it unless the chain was broken; a cut mark never stays. */
static uint32_t common_depth(vt_stream_t const *s, shown_t const *v, uint32_t chained) {
  if (!chained) return 0;
  uint32_t keep = v->stack->keep;
  uint32_t recorded = s->depth - s->cut;
  uint32_t wanted = v->depth - v->cut;
  if (keep > recorded) keep = recorded;
  return keep < wanted ? keep : wanted;
}

static uint32_t min_u32(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* pop_some shortens the recorded stack to `depth` frames by FRAMES records while a single record's
   field cannot; returns what is left to pop, or VT_DEPTH_UNKNOWN on failure. */
static uint32_t pop_some(vt_stream_t *s, uint32_t depth, uint64_t tick) {
  while (s->depth > depth && s->depth - depth > VT_W0_POP_MAX) {
    if (need(s, 16, tick) < 0) return VT_DEPTH_UNKNOWN;
    if (s->depth <= depth) break; /* a new segment began with an empty stack */
    vt_store64(s->cursor, w0_of(VT_KIND_FRAMES, 0, VT_W0_POP_MAX, 0));
    vt_store64(s->cursor + 8, 0);
    s->depth -= VT_W0_POP_MAX;
    vt_stream_commit(s, s->cursor + 16);
  }
  return s->depth > depth ? s->depth - depth : 0;
}

/* push_frames writes one FRAMES record: pop, then as many frames of v as fit, up to `to`. */
static void push_frames(vt_stream_t *s, shown_t const *v, uint32_t pop, uint32_t to) {
  uint32_t from = s->depth - pop;
  uint32_t n = min_u32(to - from, (uint32_t)(room(s) / 8 - 2));
  vt_store64(s->cursor, w0_of(VT_KIND_FRAMES, 0, pop, 0));
  vt_store64(s->cursor + 8, n);
  for (uint32_t i = 0; i < n; i++) vt_store64(s->cursor + 16 + 8u * i, shown_pc(v, from + i));
  s->depth = from + n;
  vt_stream_commit(s, s->cursor + 16 + 8u * n);
}

/* align_stack brings the recorded stack so near to v that one record can do the rest in the current
   segment beside `extra` bytes. Returns the frames to pop there, or VT_DEPTH_UNKNOWN on failure. */
static uint32_t align_stack(vt_stream_t *s, shown_t const *v, uint32_t keep, size_t extra,
                            uint64_t tick) {
  for (;;) {
    uint32_t pop = pop_some(s, keep, tick);
    if (pop == VT_DEPTH_UNKNOWN) return pop;
    uint32_t base = s->depth - pop;
    uint32_t push = v->depth - base;
    if (push <= VT_W0_PUSH_MAX && s->cursor && room(s) >= extra + 8u * push) return pop;
    int got = need(s, push <= VT_W0_PUSH_MAX ? extra + 8u * push : 512, tick);
    if (got < 0) return VT_DEPTH_UNKNOWN;
    if (got) { /* stack empty now, or unchanged in a segment that continues */
      keep = min_u32(keep, s->depth);
      continue;
    }
    if (push > VT_W0_PUSH_MAX) {
      push_frames(s, v, pop, v->depth - VT_W0_PUSH_MAX);
      keep = s->depth;
    }
  }
}

static void lose(vt_stream_t *s) {
  s->lost++;
  s->depth = VT_DEPTH_UNKNOWN;
  vt_sink_count(s->sink, VT_COUNTER_LOST, 1);
}

static void write_record(vt_stream_t *s, vt_record_t const *r, shown_t const *v, uint32_t pop) {
  uint32_t from = s->depth - pop;
  uint32_t push = v ? v->depth - from : 0;
  uint8_t *p = s->cursor;
  vt_store64(p, r->w0 | w0_of(VT_KIND_NONE, push, v ? pop : 0, r->tick - s->last_tick));
  p += 8;
  for (uint32_t i = 0; i < r->word_cnt; i++, p += 8) vt_store64(p, r->words[i]);
  for (uint32_t i = 0; i < push; i++, p += 8) vt_store64(p, shown_pc(v, from + i));
  if (v) {
    s->depth = v->depth;
    s->cut = v->cut;
  }
  s->last_tick = r->tick;
  vt_stream_commit(s, p);
}

/* prepare makes all ready for a record of `sz` bytes, with a stack if that is not NULL: *v is then the
   stack to be recorded and *pop the frames that the record takes away first. -1: recording has
   stopped. */
static int prepare(vt_stream_t *s, uint64_t tick, size_t sz, vt_stack_t const *stack, shown_t *v,
                   uint32_t *pop) {
  uint32_t recorded = s->depth - s->cut;
  uint32_t chained = s->depth != VT_DEPTH_UNKNOWN && stack &&
                     (recorded == stack->prev_depth ||
                      (s->cut && recorded == s->max_depth && stack->prev_depth > s->max_depth));
  uint32_t before = s->epoch;
  uint64_t lost = s->lost;
  if (catch_up(s, tick)) return -1;
  if (!stack) return need(s, sz, tick) < 0 ? -1 : 0;
  if (s->epoch != before || lost || s->depth == 0) chained = 0;
  *v = shown(s, stack);
  *pop = align_stack(s, v, common_depth(s, v, chained), sz, tick);
  return *pop == VT_DEPTH_UNKNOWN ? -1 : 0;
}

void vt_stream_put_slow(vt_stream_t *s, vt_record_t const *r, vt_stack_t const *stack) {
  shown_t v;
  uint32_t pop = 0;
  if (prepare(s, r->tick, 8u * (1u + r->word_cnt), stack, &v, &pop)) return lose(s);
  write_record(s, r, stack ? &v : NULL, pop);
}

vt_message_t vt_stream_blob_open_at(vt_stream_t *s, uint32_t cap, uint64_t tick,
                                    vt_stack_t const *stack) {
  shown_t v;
  uint32_t pop = 0;
  if (prepare(s, tick, 32 + vt_pad8(cap), stack, &v, &pop)) {
    s->depth = VT_DEPTH_UNKNOWN;
    return (vt_message_t){.overflow = 1};
  }
  push_frames(s, &v, pop, v.depth);
  s->cut = v.cut;
  return (vt_message_t){.data = s->cursor + 16, .cap = (uint32_t)vt_pad8(cap)};
}

vt_message_t vt_stream_blob_open(vt_stream_t *s, uint32_t cap) {
  uint64_t tick = s->cursor ? s->last_tick : vt_clock_tick(s->sink->clock);
  if (need(s, 16 + vt_pad8(cap), tick) < 0) return (vt_message_t){.overflow = 1};
  return (vt_message_t){.data = s->cursor + 16, .cap = (uint32_t)vt_pad8(cap)};
}

void vt_stream_blob_close(vt_stream_t *s, vt_chunk_type_t type, vt_message_t const *m) {
  if (m->overflow) return;
  uint8_t *p = s->cursor;
  vt_store64(p, w0_of(VT_KIND_BLOB, 0, 0, 0));
  vt_store64(p + 8, (uint64_t)type | (uint64_t)m->sz << 32);
  memset(p + 16 + m->sz, 0, vt_pad8(m->sz) - m->sz);
  vt_stream_commit(s, p + 16 + vt_pad8(m->sz));
}

void vt_stream_thread(vt_stream_t *s, uint32_t tid, uint32_t thread) {
  s->tid = tid;
  s->thread = thread;
  s->depth = s->depth == VT_DEPTH_UNKNOWN ? VT_DEPTH_UNKNOWN : 0;
  s->cut = 0;
  if (s->cursor && room(s) >= 16)
    put_thread(s);
  else
    vt_stream_finish(s);
}

int vt_stream_claim(vt_stream_t *s) {
  if (s->cursor || !next_segment(s, vt_clock_tick(s->sink->clock))) return 0;
  lose(s);
  return -1;
}

void vt_stream_finish(vt_stream_t *s) {
  if (!s->cursor) return;
  vt_sink_finish(s->sink, s->segment, s->index);
  s->cursor = s->end = s->segment = NULL;
}

void vt_stream_abandon(vt_stream_t *s) {
  s->cursor = s->end = s->segment = NULL;
  s->depth = VT_DEPTH_UNKNOWN;
  s->cut = 0;
  s->lost = 0;
  s->number = 0;
}
