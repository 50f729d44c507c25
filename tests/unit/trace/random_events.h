/* Random events of one stream that look like a program's: stacks that repeat, addresses that are
   reused, reallocs in two halves; and now and then anything at all. Shared by the tests of the codec
   and the reader. */
#ifndef TESTS_UNIT_TRACE_RANDOM_EVENTS_H
#define TESTS_UNIT_TRACE_RANDOM_EVENTS_H

#include "analyzer/trace/event.h"

#include <stdint.h>
#include <string.h>

static uint64_t random_state;
static uint64_t random_u64(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state * 0x2545F4914F6CDD1Du;
}
static uint32_t roll(uint32_t n) { return (uint32_t)(random_u64() >> 33) % n; }

#define RANDOM_LIVE_MAX 512
#define RANDOM_THREADS 1000 /* vt_event_t.thread is less */

typedef struct {
  uint64_t live[RANDOM_LIVE_MAX], released[RANDOM_LIVE_MAX];
  uint32_t live_cnt, released_cnt;
  uint64_t time, top, pending;
  uint32_t tid, stacks; /* stack ids are below `stacks` */
  int done_next;
} random_source_t;

static uint64_t random_address(random_source_t *s) {
  uint32_t how = roll(10);
  if (how < 5 && s->released_cnt) return s->released[--s->released_cnt];
  if (how < 9) return s->top += 16 * (2 + roll(20));
  return random_u64() >> roll(64);
}

static uint64_t random_size(void) {
  return roll(8) ? 16 * (1 + roll(12)) : random_u64() >> roll(64);
}

static void random_alloc(random_source_t *s, vt_event_t *e) {
  e->kind = VT_EVENT_ALLOC;
  e->api = (uint8_t)roll(16);
  e->size = random_size();
  if (!roll(10)) e->align = (uint64_t)1 << roll(40);
  e->address = random_address(s);
  if (s->live_cnt < RANDOM_LIVE_MAX) s->live[s->live_cnt++] = e->address;
}

/* random_live takes a live block, mostly a young one. */
static uint64_t random_live(random_source_t *s) {
  if (!s->live_cnt || !roll(40)) return random_u64() >> 17;
  uint32_t i = roll(3) ? s->live_cnt - 1 : roll(s->live_cnt);
  uint64_t address = s->live[i];
  memmove(&s->live[i], &s->live[i + 1], (--s->live_cnt - i) * sizeof *s->live);
  if (s->released_cnt < RANDOM_LIVE_MAX) s->released[s->released_cnt++] = address;
  return address;
}

static void random_done(random_source_t *s, vt_event_t *e) {
  uint32_t how = roll(4);
  e->kind = VT_EVENT_REALLOC_DONE;
  e->size = how ? random_size() : 0;
  e->address = how == 0 || how == 1 ? 0 : how == 2 ? s->pending : random_address(s);
  s->done_next = 0;
}

static void random_heap(vt_event_t *e) {
  e->kind = (uint8_t)(VT_EVENT_HEAP_ALLOC + roll(3));
  e->heap = roll(5);
  e->address = random_u64() >> roll(64);
  if (e->kind != VT_EVENT_HEAP_ALLOC) return;
  e->size = random_size();
  e->align = roll(3);
  e->tag = random_u64() >> roll(64);
}

static vt_event_t random_event(random_source_t *s) {
  vt_event_t e = {0};
  s->time += roll(50) ? roll(2000) : random_u64() >> (20 + roll(40));
  if (!roll(500)) s->tid = roll(RANDOM_THREADS);
  e.time = s->time;
  e.thread = s->tid;
  e.stack = roll(3) ? roll(8) : roll(s->stacks);
  uint32_t kind = roll(20);
  if (s->done_next && roll(10)) {
    random_done(s, &e);
  } else if (kind < 10) {
    random_alloc(s, &e);
  } else if (kind < 17) {
    e.kind = VT_EVENT_FREE;
    e.api = VT_API_FREE;
    e.address = random_live(s);
  } else if (kind < 19) {
    e.kind = VT_EVENT_REALLOC_INTENT;
    e.api = VT_API_REALLOC;
    e.size = random_size();
    s->pending = e.address = random_live(s);
    s->done_next = 1;
  } else {
    random_heap(&e);
  }
  return e;
}

#endif
