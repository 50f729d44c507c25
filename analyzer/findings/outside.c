/* Memory outside of malloc: at the highest moment, the calls of one place have mapped 8 MiB or more that are
   resident, and at least a quarter of all that is. No view of allocations shows it. */
#include "analyzer/findings/findings.h"
#include "analyzer/util/mem.h"

#include <stdlib.h>

#define RESIDENT_MIN ((uint64_t)8 << 20)

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
  uint64_t whole = m->account.resident_bytes, *shares = shares_of(input, m);
  for (uint32_t h = 0; h < input->residences->holders_cnt; h++) {
    if (shares[h] < RESIDENT_MIN || 4 * shares[h] < whole) continue;
    vt_finding_t *finding = vt_findings_add_holder(input, out, "outside", h, "memory", (double)shares[h]);
    vt_finding_say(finding, "Has mapped %s that are resident", vt_bytes_text(shares[h]).text);
    vt_finding_say(finding, " at the highest moment, %s of %s: memory that no view of allocations shows.",
                   vt_percent_text(shares[h], whole).text, vt_bytes_text(whole).text);
    vt_finding_value(finding, "resident_bytes", (double)shares[h]);
    vt_finding_value(finding, "all_resident_bytes", (double)whole);
  }
  free(shares);
}

void vt_find_outside(vt_findings_input_t const *input, vt_findings_t *out) {
  for (size_t t = 0; input->residences && t < input->analysis->trace_cnt; t++) look(input, out, t);
}
