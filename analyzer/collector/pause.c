/* See pause.h. */
#include "analyzer/collector/pause.h"
#include "analyzer/util/mem.h"

static uint64_t now(vt_pauses_t const *p) { return vt_clock_tick_ordered((vt_clock_kind_t)p->ring->clock); }

int vt_pauses_on(vt_pauses_t const *p) { return p->spans_cnt && p->spans[p->spans_cnt - 1].to == UINT64_MAX; }

/* Bits of the words: who pauses. */
#define OF_RUN   1u
#define OF_IMAGE 2u

/* Sequentially consistent: the clock is read before the first word is set, or after the last one. */
static void set_words(vt_pauses_t const *p, int on) {
  for (uint32_t slot = 0; slot < VT_RING_IMAGES; slot++) {
    _Atomic uint32_t *word = &p->ring->images[slot].paused;
    on ? atomic_fetch_or(word, OF_RUN) : atomic_fetch_and(word, ~OF_RUN);
  }
}

void vt_pauses_begin(vt_pauses_t *p, vt_pause_t why, uint64_t from) {
  if (vt_pauses_on(p)) return;
  vt_pause_span_t span = {.from = from == VT_PAUSE_NOW ? now(p) : from, .to = UINT64_MAX, .why = why};
  VT_PUSH(p->spans, span);
  set_words(p, 1);
}

void vt_pauses_end(vt_pauses_t *p) {
  if (!vt_pauses_on(p)) return;
  set_words(p, 0);
  p->spans[p->spans_cnt - 1].to = now(p);
}

/* An image that began in a pause is paused from its beginning; one that began later has no part in it. */
void vt_pauses_mark(vt_pauses_t const *p, vt_image_t *image) {
  for (; image->pauses_said < 2 * p->spans_cnt; image->pauses_said++) {
    vt_pause_span_t const *span = &p->spans[image->pauses_said / 2];
    int ends = (int)(image->pauses_said % 2);
    if (ends && span->to == UINT64_MAX) return;
    if (span->to < image->start_tick) continue;
    if (ends)
      vt_image_process(image, span->to, VT_PROCESS_RESUMED, 0);
    else
      vt_image_process(image, span->from > image->start_tick ? span->from : image->start_tick, VT_PROCESS_PAUSED,
                       span->why);
  }
}

uint64_t vt_pauses_close(vt_pauses_t const *p, uint32_t slot) {
  uint64_t tick = now(p);
  atomic_fetch_or(&p->ring->images[slot].paused, OF_IMAGE);
  return tick;
}

void vt_pauses_reset(vt_pauses_t const *p, uint32_t slot) {
  atomic_store(&p->ring->images[slot].paused, vt_pauses_on(p) ? OF_RUN : 0);
}
