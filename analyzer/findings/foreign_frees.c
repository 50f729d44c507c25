/* Blocks that another thread frees than allocated them: they go through an allocator's slow path,
   and its caches for each thread drift apart. Threshold: at least 10,000 of one function, and a
   tenth of all frees. */
#include "analyzer/findings/findings.h"
#include "analyzer/report/totals.h"

#define BLOCKS_MIN 10000

void vt_find_foreign_frees(vt_findings_input_t const *input, vt_findings_t *out) {
  for (size_t i = 0; i < input->groups->groups_cnt; i++) {
    vt_group_t const *group = &input->groups->groups[i];
    uint64_t cnt = group->sum.cross_thread_frees;
    double variance = group->sum.spread.foreign.blocks;
    uint64_t least = vt_finding_least(cnt, variance);
    if (group->sum.nested || least < BLOCKS_MIN || 10 * least < vt_total(input->analysis, VT_TOTAL_FREES).value) continue;
    vt_finding_t *finding = vt_findings_add(out, "foreign-frees", group, "frees", (double)cnt);
    vt_finding_say(finding, "%s of its %s freed by another thread than allocated them.",
                   vt_count_text(cnt).text, vt_counted(group->sum.allocations, "block").text);
    vt_finding_error(finding, variance, 0);
    vt_finding_value(finding, "blocks", (double)cnt);
    vt_finding_value(finding, "allocations", (double)group->sum.allocations);
  }
}
