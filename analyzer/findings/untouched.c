/* Capacity that is reserved and not used: at the end, 8 MiB or more of the live blocks of one place, and at
   least half of them, have never been touched (or were given back to the system). It costs no memory yet,
   but address space, and what the program counts as used. */
#include "analyzer/findings/findings.h"

#define UNTOUCHED_MIN ((uint64_t)8 << 20)

static void look(vt_findings_input_t const *input, vt_findings_t *out, vt_captured_t const *end,
                 uint32_t holder) {
  vt_pins_t const *pins = &end->pins[holder];
  if (pins->untouched_bytes < UNTOUCHED_MIN || 2 * pins->untouched_bytes < pins->bytes) return;
  vt_finding_t *finding =
      vt_findings_add_holder(input, out, "untouched", holder, "pages", (double)pins->untouched_bytes);
  vt_finding_say(finding, "Has %s", vt_bytes_text(pins->bytes).text);
  vt_finding_say(finding, " in %s at the end, of which %s were never touched.",
                 vt_counted(pins->blocks, "block").text, vt_bytes_text(pins->untouched_bytes).text);
  vt_finding_value(finding, "bytes", (double)pins->bytes);
  vt_finding_value(finding, "blocks", (double)pins->blocks);
  vt_finding_value(finding, "untouched_bytes", (double)pins->untouched_bytes);
}

void vt_find_untouched(vt_findings_input_t const *input, vt_findings_t *out) {
  for (size_t t = 0; input->residences && t < input->analysis->trace_cnt; t++) {
    vt_captured_t const *end = vt_residence_moment(&input->residences->traces[t], VT_MOMENT_END);
    for (uint32_t h = 0; end && h < end->pins_cnt; h++) look(input, out, end, h);
  }
}
