/* Creeping realloc: blocks that are enlarged in many small steps, each by less than an eighth.
   Threshold: at least 100 steps that had to copy at least 1 MiB in all, and eight times the largest
   block they came to. Doubling would need the logarithm of that. */
#include <math.h>
#include "analyzer/findings/findings.h"

#define STEPS_MIN  100
#define COPIED_MIN ((uint64_t)1 << 20)

void vt_find_creeping(vt_findings_input_t const *input, vt_findings_t *out) {
  for (size_t i = 0; i < input->groups->groups_cnt; i++) {
    vt_evidence_sums_t const *sums = &input->sums[i];
    vt_group_t const *group = &input->groups->groups[i];
    if (group->sum.nested || sums->creeps < STEPS_MIN || sums->creep_moved < COPIED_MIN ||
        sums->creep_moved < 8 * sums->creep_max)
      continue;
    double low = sums->creep_min ? (double)sums->creep_min : 1;
    uint64_t doublings = (uint64_t)ceil(log2((double)sums->creep_max / low));
    vt_finding_t *finding =
        vt_findings_add(out, "creeping", group, "reallocs", (double)sums->creep_moved);
    vt_finding_say(
        finding,
        "Enlarges by realloc, %s more each time: %s, %s copied; doubling needs %s for each "
        "block.",
        vt_bytes_text(sums->creep_bytes / sums->creeps).text, vt_counted(sums->creeps, "step").text,
        vt_bytes_text(sums->creep_moved).text, vt_count_text(doublings).text);
    vt_finding_value(finding, "steps", (double)sums->creeps);
    vt_finding_value(finding, "bytes_per_step", (double)sums->creep_bytes / (double)sums->creeps);
    vt_finding_value(finding, "copied_bytes", (double)sums->creep_moved);
    vt_finding_value(finding, "doublings", (double)doublings);
  }
}
