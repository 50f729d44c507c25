/* Memory outside of malloc: at the highest moment, 8 MiB or more that calls of the program have mapped are
   resident, and at least a quarter of all that is. No view of allocations shows it. The place that has most of
   it is named. */
#include "analyzer/findings/findings.h"
#include "analyzer/util/mem.h"

#include <stdlib.h>

#define MAPPED_MIN ((uint64_t)8 << 20)

/* shares_of adds up what the places have mapped; the caller frees it. */
static uint64_t *shares_of(vt_findings_input_t const *input, vt_captured_t const *m) {
  uint64_t *shares = vt_mem_new(input->residences->holders_cnt + 1, sizeof *shares);
  for (size_t i = 0; i < m->account.mappings_cnt; i++)
    if (m->account.mappings[i].place == VT_PLACE_MAPPED)
      shares[m->mapping_holders[i]] += m->account.mappings[i].resident;
  return shares;
}

static void look(vt_findings_input_t const *input, vt_findings_t *out, size_t t) {
  vt_captured_t const *m = vt_residence_moment(&input->residences->traces[t], VT_MOMENT_HIGHEST);
  if (!m) return;
  uint64_t whole = m->account.resident_bytes, mapped = m->account.by_place[VT_PLACE_MAPPED];
  if (mapped < MAPPED_MIN || 4 * mapped < whole) return;
  uint64_t *shares = shares_of(input, m);
  uint32_t most = 0;
  for (uint32_t h = 1; h < input->residences->holders_cnt; h++)
    if (shares[h] > shares[most]) most = h;
  vt_finding_t *finding = vt_findings_add_holder(input, out, "outside", most, "memory", (double)mapped);
  vt_finding_say(finding, "Has %s", vt_bytes_text(shares[most]).text);
  vt_finding_say(finding, " of %s that the program has mapped by calls of its own and uses", vt_bytes_text(mapped).text);
  vt_finding_say(finding, " at the highest moment, %s of all resident memory: no view of allocations shows it.",
                 vt_percent_text(mapped, whole).text);
  vt_finding_value(finding, "bytes", (double)shares[most]);
  vt_finding_value(finding, "mapped_bytes", (double)mapped);
  vt_finding_value(finding, "resident_bytes", (double)whole);
  free(shares);
}

void vt_find_outside(vt_findings_input_t const *input, vt_findings_t *out) {
  for (size_t t = 0; input->residences && t < input->analysis->trace_cnt; t++) look(input, out, t);
}
