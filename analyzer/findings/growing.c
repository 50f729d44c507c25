/* A site that grows with time: its live bytes rise again and again until the end, and do not
   settle. The curve is looked at in 32 moments of equal distance, without the last, at which a
   program may have freed everything. It grows when

   - it rose by at least 16 KiB and 2 % of the peak of all;
   - it rose in at least two thirds of the steps from one moment to the next after it began;
   - no single step is more than a third of the rise (then it went up once);
   - the second half of that time has at least a quarter of the rise (else it has settled, as a
   cache does).

   Where recording was paused, what may have been freed meanwhile is taken for freed at the end of the rise and for live
   before: what is left has grown whatever happened in the pauses. */
#include "analyzer/findings/findings.h"

#define MOMENTS   (VT_EVIDENCE_MOMENTS - 1)
#define RISE_MIN  16384
#define STEPS_MIN 8 /* fewer tell nothing */

static uint64_t over(uint64_t more, uint64_t less) { return more > less ? more - less : 0; }

vt_growth_t vt_growth_of(vt_evidence_sums_t const *sums) {
  vt_growth_t g = {0};
  size_t first = 0, middle;
  uint64_t const *live = sums->live_bytes;
  while (first < MOMENTS && !sums->allocations[first]) first++;
  if (first == MOMENTS) return g;
  middle = (first + MOMENTS) / 2;
  g.first = live[first];
  g.last = live[MOMENTS - 1];
  g.last_sure = g.last - sums->unsure_bytes[MOMENTS - 1];
  g.rise = over(g.last, g.first);
  g.sure_rise = over(g.last_sure, g.first);
  g.variance = sums->live_variance[first] + sums->live_variance[MOMENTS - 1];
  g.late_rise = over(g.last, live[middle]);
  g.allocations = sums->allocations[MOMENTS - 1] - sums->allocations[first];
  for (size_t i = first + 1; i < MOMENTS; i++) {
    if (live[i] <= live[i - 1]) continue;
    g.rises++;
    if (live[i] - live[i - 1] > g.largest_step) g.largest_step = live[i] - live[i - 1];
  }
  size_t steps = MOMENTS - 1 - first;
  g.grows = steps >= STEPS_MIN && vt_finding_least(g.sure_rise, g.variance) >= RISE_MIN && 3 * g.rises >= 2 * steps &&
            3 * g.largest_step <= g.sure_rise && 4 * over(g.last_sure, live[middle]) >= g.sure_rise;
  return g;
}

void vt_find_growing(vt_findings_input_t const *input, vt_findings_t *out) {
  double seconds = (double)(input->end_ns - input->start_ns) / 1e9;
  for (size_t i = 0; i < input->groups->groups_cnt; i++) {
    vt_group_t const *group = &input->groups->groups[i];
    vt_growth_t growth = vt_growth_of(&input->sums[i]);
    if (group->sum.nested || !growth.grows || 50 * vt_finding_least(growth.sure_rise, growth.variance) < input->totals->peak_bytes)
      continue;
    double rate = (double)growth.sure_rise / seconds / MOMENTS * VT_EVIDENCE_MOMENTS;
    double each = growth.allocations ? (double)growth.sure_rise / (double)growth.allocations : 0;
    vt_finding_t *finding = vt_findings_add(out, "growing", group, "growth", (double)growth.sure_rise);
    char const *least = growth.last_sure < growth.last ? "at least " : "";
    vt_finding_say(
        finding, "Grows all the time: from %s to %s%s, %s/s, %s for each of its allocations.",
        vt_bytes_text(growth.first).text, least, vt_bytes_text(growth.last_sure).text,
        vt_bytes_text((uint64_t)(rate + 0.5)).text, vt_bytes_text((uint64_t)(each + 0.5)).text);
    vt_finding_error(finding, growth.variance, 1);
    vt_finding_value(finding, "first_bytes", (double)growth.first);
    vt_finding_value(finding, "last_bytes", (double)growth.last_sure);
    vt_finding_value(finding, "bytes_per_second", rate);
    vt_finding_value(finding, "bytes_per_allocation", each);
  }
}
