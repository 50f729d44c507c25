/* The list of findings that each kind adds to; see findings.h. */
#include "analyzer/findings/findings.h"
#include <math.h>
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

#define SURE 3 /* standard errors */

uint64_t vt_finding_least(uint64_t value, double variance) {
  double least = (double)value - SURE * sqrt(variance > 0 ? variance : 0);
  return variance > 0 ? (uint64_t)(least > 0 ? least : 0) : value;
}

uint64_t vt_finding_most(uint64_t value, double variance) {
  return variance > 0 ? value + (uint64_t)(SURE * sqrt(variance)) : value;
}

void vt_finding_error(vt_finding_t *finding, double variance, int bytes) {
  uint64_t error = vt_estimate_error(variance);
  if (!error) return;
  vt_finding_say(finding, " Estimated from a sample: ± %s.", (bytes ? vt_bytes_text(error) : vt_count_text(error)).text);
  vt_finding_value(finding, "standard_error", (double)error);
}

void vt_finding_value(vt_finding_t *finding, char const *name, double value) {
  if (finding->values_cnt < VT_FINDING_VALUES)
    finding->values[finding->values_cnt++] = (vt_finding_value_t){name, value};
}
