/* Growing containers: a larger block is allocated, the old one copied and freed, again and again,
   as std::vector does without reserve. A step is one of at least four in a row in which the same
   thread makes a block larger by a quarter or more and then frees the one of the step before.
   Threshold: at least 1,000 such steps that copied at least 1 MiB and a tenth of all bytes allocated. */
#include "analyzer/findings/findings.h"

#define STEPS_MIN  1000
#define COPIED_MIN ((uint64_t)1 << 20)

void vt_find_copying(vt_findings_input_t const *input, vt_findings_t *out) {
  for (size_t i = 0; i < input->groups->groups_cnt; i++) {
    vt_evidence_sums_t const *sums = &input->sums[i];
    vt_group_t const *group = &input->groups->groups[i];
    if (group->sum.nested || sums->copies < STEPS_MIN || sums->copied_bytes < COPIED_MIN ||
        10 * sums->copied_bytes < input->totals->allocated_bytes)
      continue;
    vt_finding_t *finding =
        vt_findings_add(out, "copying", group, "hot", (double)sums->copied_bytes);
    vt_finding_say(
        finding,
        "Grows containers by allocating, copying and freeing: %s, %s copied; reserving the "
        "size beforehand needs none.",
        vt_counted(sums->copies, "step").text, vt_bytes_text(sums->copied_bytes).text);
    vt_finding_value(finding, "steps", (double)sums->copies);
    vt_finding_value(finding, "copied_bytes", (double)sums->copied_bytes);
  }
}
