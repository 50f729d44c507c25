/* What is common to both kinds of sink: choosing between them, and stopping. */
#include "core/trace/sink_private.h"

_Atomic uint32_t const vt_sink_never_paused;

void vt_sink_stop(vt_sink_t *sink, vt_stopped_t reason) {
  uint32_t none = 0;
  if (atomic_compare_exchange_strong_explicit(&sink->stopped, &none, (uint32_t)reason,
                                              memory_order_relaxed, memory_order_relaxed)) {
    vt_sink_note(sink, VT_COUNTER_STOPPED_TICK, vt_clock_tick(sink->clock));
    vt_sink_note(sink, VT_COUNTER_STOPPED, (uint64_t)reason);
  }
  if (sink->ring)
    atomic_store_explicit(&sink->ring->images[sink->slot].stopped,
                          atomic_load_explicit(&sink->stopped, memory_order_relaxed),
                          memory_order_relaxed);
}

uint8_t *vt_sink_claim(vt_sink_t *sink, uint32_t *index) {
  if (atomic_load_explicit(&sink->stopped, memory_order_relaxed)) return NULL;
  return sink->ring ? vt_sink_claim_ring(sink, index) : vt_sink_claim_file(sink, index);
}

void vt_sink_finish(vt_sink_t *sink, uint8_t *segment, uint32_t index) {
  if (sink->ring) {
    /* Pairs with the collector's acquire load of the state: all records are visible to it. */
    atomic_store_explicit(&sink->ring->state[index], VT_SEGMENT_WORD(sink->slot, VT_SEGMENT_FULL),
                          memory_order_release);
  } else {
    vt_sink_finish_file(sink, segment, index);
  }
}

void vt_sink_forked(vt_sink_t *sink) {
  if (!sink->ring) vt_sink_forked_file(sink);
  sink->counters = NULL;
  sink->seat = NULL; /* it is not inherited */
  atomic_store_explicit(&sink->stalled_ns, 0, memory_order_relaxed);
  atomic_store_explicit(&sink->stopped, 0, memory_order_relaxed);
}

void vt_sink_confine(vt_sink_t *sink, int confined) {
  if (confined && !sink->confined && sink->pieces.base)
    (sink->ring ? vt_sink_confine_ring : vt_sink_confine_file)(sink);
  sink->confined = confined;
}

void vt_sink_unlock(vt_sink_t *sink) { vt_pieces_unlock(&sink->pieces); }

void vt_sink_silence(vt_sink_t *sink, int silent) {
  if (silent && !sink->silent && !sink->ring) vt_sink_reserve_file(sink);
  if (silent && !sink->silent && sink->ring) vt_sink_confine_ring(sink);
  sink->silent = silent;
}
