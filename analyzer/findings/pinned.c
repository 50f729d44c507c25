/* Pinned pages: at the end, live blocks of one place keep pages of which little is in use. At least
   4 MiB of them, and a tenth of the resident memory, are in no live block, and so is three quarters of what the
   place holds. */
#include "analyzer/findings/findings.h"

#define REST_MIN ((uint64_t)4 << 20)

static void look(vt_findings_input_t const *input, vt_findings_t *out, uint32_t page_sz,
                 vt_captured_t const *end, uint32_t holder) {
  vt_pins_t const *pins = &end->pins[holder];
  uint64_t held = pins->pages * page_sz;
  if (pins->rest_bytes < REST_MIN || 10 * pins->rest_bytes < end->account.resident_bytes ||
      4 * pins->rest_bytes < 3 * held)
    return;
  vt_finding_t *finding = vt_findings_add_holder(input, out, "pinned", holder, "pages", (double)pins->rest_bytes);
  vt_finding_say(finding, "Keeps %s of pages resident with %s", vt_bytes_text(held).text,
                 vt_bytes_text(pins->resident_bytes).text);
  vt_finding_say(finding, " in %s at the end: what was freed beside them cannot be given back.",
                 vt_counted(pins->blocks, "block").text);
  vt_finding_value(finding, "held_bytes", (double)held);
  vt_finding_value(finding, "bytes", (double)pins->resident_bytes);
  vt_finding_value(finding, "blocks", (double)pins->blocks);
  vt_finding_value(finding, "rest_bytes", (double)pins->rest_bytes);
}

void vt_find_pinned(vt_findings_input_t const *input, vt_findings_t *out) {
  for (size_t t = 0; input->residences && t < input->analysis->trace_cnt; t++) {
    vt_captured_t const *end = vt_residence_moment(&input->residences->traces[t], VT_MOMENT_END);
    uint32_t page_sz = vt_reader_info(input->analysis->readers[t])->page_sz;
    for (uint32_t h = 0; end && h < end->pins_cnt; h++) look(input, out, page_sz, end, h);
  }
}
