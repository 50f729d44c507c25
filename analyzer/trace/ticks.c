/* The clock of a trace: how many ticks make a second, from pairs of two clocks. */
#include "analyzer/trace/reader_private.h"

/* Calibration pairs nearer than this say less than the header's estimate. */
#define CLOCK_SPAN_MIN_NS 10000000u

void vt_ticks_pair(vt_reader_t *r, uint64_t tick, uint64_t ns) {
  if (!tick) return;
  if (!r->clock_first[0] || tick < r->clock_first[0]) {
    r->clock_first[0] = tick;
    r->clock_first[1] = ns;
  }
  if (tick > r->clock_last[0]) {
    r->clock_last[0] = tick;
    r->clock_last[1] = ns;
  }
}

void vt_ticks_settle(vt_reader_t *r) {
  uint64_t hz = r->header.tick_hz;
  uint64_t ticks = r->clock_last[0] - r->clock_first[0], ns = r->clock_last[1] - r->clock_first[1];
  if (r->clock_last[1] > r->clock_first[1] && ns >= CLOCK_SPAN_MIN_NS) {
    uint64_t better = (uint64_t)((unsigned __int128)ticks * 1000000000u / ns);
    if (better > hz - hz / 8 && better < hz + hz / 8) hz = better;
  }
  r->info.tick_hz = hz;
  r->ns_per_tick_32 = (uint64_t)(((unsigned __int128)1000000000u << 32) / hz);
  if (!r->ns_per_tick_32) r->ns_per_tick_32 = 1;
}
