/* Churn: blocks that live so briefly that they need not be on the heap. Threshold: at least 10,000
   blocks of one function that live no longer than 1 ms or are temporary, and a tenth of all
   allocations. */
#include "analyzer/findings/findings.h"
#include "analyzer/report/totals.h"

#define BLOCKS_MIN 10000

void vt_find_churn(vt_findings_input_t const *input, vt_findings_t *out) {
  for (size_t i = 0; i < input->groups->groups_cnt; i++) {
    vt_evidence_sums_t const *sums = &input->sums[i];
    vt_group_t const *group = &input->groups->groups[i];
    uint64_t temporary = group->sum.temporary, frees = group->sum.frees;
    uint64_t brief = sums->brief > temporary ? sums->brief : temporary;
    double variance = sums->brief > temporary ? sums->brief_variance : group->sum.spread.temporary.blocks;
    uint64_t least = vt_finding_least(brief, variance);
    if (group->sum.nested || least < BLOCKS_MIN || 10 * least < vt_total(input->analysis, VT_TOTAL_ALLOCATIONS).value)
      continue;
    vt_finding_t *finding = vt_findings_add(out, "churn", group, "temporary", (double)brief);
    vt_finding_say(
        finding, "Allocates %s (%s of all) that are freed soon: after %s on average, %s ",
        vt_counted(group->sum.allocations, "block").text,
        vt_percent_text(group->sum.allocations, input->totals->allocations).text, /* both estimated, if one is */
        vt_time_text(frees ? (uint64_t)(sums->lifetime_ns / (double)frees) : 0).text, vt_count_text(sums->brief).text);
    vt_finding_say(finding, "within 1 ms, %s before anything else was allocated.",
                   vt_count_text(temporary).text);
    vt_finding_error(finding, variance, 0);
    vt_finding_value(finding, "allocations", (double)group->sum.allocations);
    vt_finding_value(finding, "brief", (double)sums->brief);
    vt_finding_value(finding, "temporary", (double)temporary);
    vt_finding_value(finding, "mean_lifetime_ns",
                     frees ? sums->lifetime_ns / (double)frees : 0);
  }
}
