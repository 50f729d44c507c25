/* See totals.h. */
#include "analyzer/report/totals.h"
#include <math.h>

#define SURE   3 /* standard errors */
#define CHOSEN 3 /* more, of what was chosen as the highest of many estimates: of a million, 5.3 */
#define MISSED 7 /* periods: exp(-7) is 0.0009 */

vt_total_t vt_total_of(uint64_t value, double variance, uint64_t period) {
  vt_total_t out = {.value = value, .known = 1, .low = (double)value, .high = (double)value};
  if (!period) return out;
  out.estimated = 1;
  out.error = sqrt(variance > 0 ? variance : 0);
  out.low -= SURE * out.error;
  if (out.low < 0) out.low = 0;
  out.high += SURE * out.error + MISSED * (double)period;
  return out;
}

/* peak: the highest of many estimates is too high. */
static vt_total_t peak(vt_total_t out) {
  out.low -= CHOSEN * out.error;
  if (out.low < 0) out.low = 0;
  return out;
}

/* What is lost is known by a snapshot, or when nothing is live at all. */
static vt_total_t lost(vt_analysis_t const *analysis, uint64_t value) {
  vt_total_t out = vt_total_of(value, 0, 0);
  int empty = !analysis->sampled.period && !vt_model_totals(analysis->model)->live_blocks;
  out.known = analysis->verdicts || empty;
  return out;
}

static vt_total_t at_most(vt_total_t total, int is) {
  total.at_most = is;
  return total;
}

/* counted: of a sample the number that was counted, if it was. */
static vt_total_t counted(vt_analysis_t const *analysis, uint64_t exact, uint64_t estimate, double variance) {
  vt_sampled_t const *sampled = &analysis->sampled;
  if (sampled->period && sampled->exact) return vt_total_of(exact, 0, 0);
  return vt_total_of(estimate, variance, sampled->period);
}

/* told: a sample of an older version does not know it. */
static vt_total_t told(vt_analysis_t const *analysis, vt_total_t total) {
  total.known = !total.estimated || !analysis->sampled.untold;
  return total;
}

/* part: of a sample whose `whole` was counted, no more than that. */
static vt_total_t part(vt_analysis_t const *analysis, vt_total_t total, uint64_t whole) {
  if (!analysis->sampled.period || !analysis->sampled.exact) return total;
  if (!whole) return vt_total_of(0, 0, 0);
  if (total.high > (double)whole) total.high = (double)whole;
  if (total.low > (double)whole) total.low = (double)whole;
  return total;
}

int vt_total_unseen(vt_total_t const *total) { return total->estimated && !total->value; }

uint64_t vt_total_bound(vt_total_t const *total) { return (uint64_t)(total->high + 0.5); }

static vt_total_t total_of(vt_analysis_t const *analysis, vt_total_name_t name) {
  vt_model_totals_t const *t = vt_model_totals(analysis->model);
  vt_trace_exact_t const *exact = &analysis->sampled.totals;
  uint64_t period = analysis->sampled.period;
  switch (name) {
  case VT_TOTAL_LOST: return lost(analysis, vt_lost_bytes(&analysis->verdict));
  case VT_TOTAL_LOST_BLOCKS: return lost(analysis, vt_lost_blocks(&analysis->verdict));
  case VT_TOTAL_LIVE: return at_most(vt_total_of(t->live_bytes, t->live_spread.bytes, period), t->unsure_blocks != 0);
  case VT_TOTAL_LIVE_BLOCKS: return at_most(vt_total_of(t->live_blocks, t->live_spread.blocks, period), t->unsure_blocks != 0);
  case VT_TOTAL_PEAK: return at_most(peak(vt_total_of(t->peak_bytes, t->peak_spread.bytes, period)), t->peak_at_most);
  case VT_TOTAL_PEAK_BLOCKS: return at_most(peak(vt_total_of(t->peak_blocks, t->peak_spread.blocks, period)), t->peak_at_most);
  case VT_TOTAL_ALLOCATED: return counted(analysis, exact->allocated_bytes, t->allocated_bytes, t->allocated_spread.bytes);
  case VT_TOTAL_ALLOCATIONS: return counted(analysis, exact->allocations, t->allocations, t->allocated_spread.blocks);
  case VT_TOTAL_TEMPORARY: return told(analysis, vt_total_of(t->temporary, t->temporary_spread.blocks, period));
  case VT_TOTAL_FREES:
    return counted(analysis, exact->frees, t->frees, t->allocated_spread.blocks); /* at most: most of them are freed */
  default: return told(analysis, counted(analysis, exact->reallocs, t->reallocs, t->reallocs_spread.blocks));
  }
}

vt_total_t vt_total(vt_analysis_t const *analysis, vt_total_name_t name) {
  vt_trace_exact_t const *exact = &analysis->sampled.totals;
  vt_total_t total = total_of(analysis, name);
  switch (name) {
  case VT_TOTAL_LIVE:
  case VT_TOTAL_PEAK: return part(analysis, total, exact->allocated_bytes);
  case VT_TOTAL_LIVE_BLOCKS:
  case VT_TOTAL_PEAK_BLOCKS:
  case VT_TOTAL_TEMPORARY: return part(analysis, total, exact->allocations);
  default: return total;
  }
}
