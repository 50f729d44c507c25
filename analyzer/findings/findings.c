/* The list of findings that each kind adds to; see findings.h. */
#include "analyzer/findings/findings.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/util/mem.h"

void vt_findings_free(vt_findings_t *findings) { free(findings->findings); }

vt_finding_t *vt_findings_add(vt_findings_t *out, char const *kind, vt_group_t const *group,
                              char const *see, double weight) {
  vt_finding_t finding = {.kind = kind, .site = VT_FINDING_NO_SITE, .see = see, .weight = weight};
  if (group) {
    finding.site = group->best;
    finding.frame = group->frame;
    finding.has_frame = 1;
  }
  VT_PUSH(out->findings, finding);
  return &out->findings[out->findings_cnt - 1];
}

/* site_of is the first site that a holder's stack is one of. */
static uint32_t site_of(vt_analysis_t const *analysis, uint32_t node) {
  for (size_t i = 0; i < analysis->sites_cnt && node; i++)
    if (analysis->sites[i].node == node && !analysis->sites[i].nested) return (uint32_t)i;
  return VT_FINDING_NO_SITE;
}

vt_finding_t *vt_findings_add_holder(vt_findings_input_t const *input, vt_findings_t *out, char const *kind,
                                     uint32_t holder, char const *see, double weight) {
  uint32_t node = input->residences->holders[holder].node;
  vt_finding_t *finding = vt_findings_add(out, kind, NULL, see, weight);
  finding->site = site_of(input->analysis, node);
  finding->frame = vt_group_frame(input->analysis, node);
  finding->has_frame = node != 0;
  return finding;
}

void vt_finding_say(vt_finding_t *finding, char const *format, ...) {
  size_t used = strlen(finding->text);
  va_list args;
  va_start(args, format);
  vsnprintf(finding->text + used, sizeof finding->text - used, format, args);
  va_end(args);
}

void vt_finding_value(vt_finding_t *finding, char const *name, double value) {
  if (finding->values_cnt < VT_FINDING_VALUES)
    finding->values[finding->values_cnt++] = (vt_finding_value_t){name, value};
}
