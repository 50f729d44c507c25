/* What makes the peak. A spike: a peak of at least 1 MiB, of which more than half was live at no
   more than a quarter of 32 moments, so that a machine of half the size would do for most of the
   time. A peak maker: one place has at least half of a peak of 8 MiB or more, spike or not. */
#include "analyzer/findings/findings.h"
#include <stdlib.h>
#include <string.h>

#define SPIKE_MIN ((uint64_t)1 << 20)
#define MAKER_MIN ((uint64_t)8 << 20)

static int compare_u64(void const *a, void const *b) {
  uint64_t x = *(uint64_t const *)a, y = *(uint64_t const *)b;
  return x < y ? -1 : x > y;
}

static uint64_t median(uint64_t const *values) {
  uint64_t sorted[VT_EVIDENCE_MOMENTS];
  memcpy(sorted, values, sizeof sorted);
  qsort(sorted, VT_EVIDENCE_MOMENTS, sizeof *sorted, compare_u64);
  return sorted[VT_EVIDENCE_MOMENTS / 2];
}

/* At how many moments more than half of the peak was live. */
static size_t above_half(uint64_t const *live, uint64_t peak) {
  size_t cnt = 0;
  for (size_t i = 0; i < VT_EVIDENCE_MOMENTS; i++) cnt += live[i] > peak / 2;
  return cnt;
}

/* The group with most of the peak; NULL: none. */
static vt_group_t const *main_maker(vt_groups_t const *groups) {
  vt_group_t const *best = NULL;
  for (size_t i = 0; i < groups->groups_cnt; i++) {
    vt_group_t const *group = &groups->groups[i];
    if (!group->sum.nested && group->sum.peak_bytes &&
        (!best || group->sum.peak_bytes > best->sum.peak_bytes))
      best = group;
  }
  return best;
}

void vt_find_peak(vt_findings_input_t const *input, vt_findings_t *out) {
  uint64_t peak = input->totals->peak_bytes, usual = median(input->live);
  vt_group_t const *group = main_maker(input->groups);
  double of_all = input->totals->peak_spread.bytes, of_group = group ? group->sum.spread.peak.bytes : 0;
  int spike = !input->analysis->sampled.period && !input->totals->peak_at_most && peak >= SPIKE_MIN && 4 * above_half(input->live, peak) <= VT_EVIDENCE_MOMENTS;
  uint64_t sure = group ? group->sum.peak_bytes - group->sum.peak_unsure_bytes : 0; /* it has so much after pauses, too */
  int maker = group && vt_finding_least(input->totals->peak_at_least, of_all) >= MAKER_MIN &&
              2 * vt_finding_least(sure, of_group) >= vt_finding_most(peak, of_all);
  if (!group || (!spike && !maker)) return;
  vt_finding_t *finding =
      vt_findings_add(out, spike ? "spike" : "peak", group, "peak", (double)peak);
  vt_finding_say(finding, "Has %s%s of the peak of %s%s at %s", sure < group->sum.peak_bytes ? "at least " : "",
                 vt_percent_text(sure, peak).text, input->totals->peak_at_most ? "at most " : "", vt_bytes_text(peak).text,
                 vt_time_text(input->totals->peak_time_ns).text);
  if (spike)
    vt_finding_say(finding, ", a spike: half of the time no more than %s is live.",
                   vt_bytes_text(usual).text);
  else
    vt_finding_say(finding, ".");
  vt_finding_error(finding, of_group, 1);
  vt_finding_value(finding, "peak_bytes", (double)peak);
  vt_finding_value(finding, "median_bytes", (double)usual);
  vt_finding_value(finding, "bytes", (double)sure);
}
