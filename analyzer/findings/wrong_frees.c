/* Wrong frees: of addresses where nothing is live (freed already, or never allocated), and by a
   function of another family than the block was allocated by, or with another size or alignment. Threshold: one. */
#include "analyzer/findings/findings.h"

/* Of a block whose malloc the compiler has made part of its caller a free is no error; where all frees of a program
   may be such, none is a finding (report and its view say so). */
static void unmatched(vt_findings_input_t const *input, vt_findings_t *out) {
  uint64_t cnt = input->totals->unmatched_frees;
  vt_unseen_t unseen = vt_analysis_unseen(input->analysis, VT_ALL_TRACES);
  if (!cnt || unseen == VT_UNSEEN_INLINED) return;
  vt_finding_t *finding = vt_findings_add(out, "wrong-free", NULL, "mismatches", (double)cnt);
  vt_finding_say(finding, "%s of an address where no block was live: freed twice, or never allocated%s%s.",
                 vt_counted(cnt, "free").text, unseen ? "; " : "", vt_unseen_text(unseen));
  vt_finding_value(finding, "frees", (double)cnt);
}

void vt_find_wrong_frees(vt_findings_input_t const *input, vt_findings_t *out) {
  unmatched(input, out);
  for (size_t i = 0; i < input->groups->groups_cnt; i++) {
    uint64_t cnt = input->sums[i].mismatched;
    vt_group_t const *group = &input->groups->groups[i];
    if (!cnt || group->sum.nested) continue;
    vt_finding_t *finding = vt_findings_add(out, "mismatch", group, "mismatches", (double)cnt);
    vt_finding_say(finding,
                   "%s freed by a function that does not fit the one that allocated (malloc/free, "
                   "new/delete, new[]/delete[]), or deleted with a wrong size or alignment.",
                   vt_counted(cnt, "block").text);
    vt_finding_error(finding, input->sums[i].mismatched_variance, 0);
    vt_finding_value(finding, "blocks", (double)cnt);
  }
}
