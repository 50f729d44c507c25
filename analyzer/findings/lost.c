/* Lost blocks: nothing in the process points to them any more, so a snapshot says. Threshold: one
   byte or block, of those that run-time libraries do not keep by design. Without a verdict nothing
   is said. */
#include "analyzer/findings/findings.h"

/* What is lost of a group, but for known sites. */
static void lost_of(vt_findings_input_t const *input, vt_group_t const *group, uint64_t *bytes,
                    uint64_t *blocks) {
  for (size_t i = 0; i < group->site_cnt; i++) {
    uint32_t site = group->sites[i];
    if (input->known && input->known[site]) continue;
    *bytes += vt_lost_bytes(&input->analysis->verdicts[site]);
    *blocks += vt_lost_blocks(&input->analysis->verdicts[site]);
  }
}

void vt_find_lost(vt_findings_input_t const *input, vt_findings_t *out) {
  for (size_t i = 0; input->analysis->verdicts && i < input->groups->groups_cnt; i++) {
    vt_group_t const *group = &input->groups->groups[i];
    uint64_t bytes = 0, blocks = 0;
    if (group->sum.nested) continue;
    lost_of(input, group, &bytes, &blocks);
    if (!blocks) continue;
    vt_finding_t *finding = vt_findings_add(out, "lost", group, "leaks", (double)bytes);
    vt_finding_say(finding, "%s in %s lost: nothing points to %s any more.",
                   vt_bytes_text(bytes).text, vt_counted(blocks, "block").text,
                   blocks == 1 ? "it" : "them");
    vt_finding_value(finding, "bytes", (double)bytes);
    vt_finding_value(finding, "blocks", (double)blocks);
  }
}
