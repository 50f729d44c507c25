/* Asking each kind in turn; see findings.h. */
#include "analyzer/findings/findings.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/util/mem.h"

#define EACH 3 /* findings of one kind: the rest of its evidence is a view */

/* The most urgent first: what is wrong, what grows, what costs memory, what costs time. */
static void (*const kinds[])(vt_findings_input_t const *, vt_findings_t *) = {
    vt_find_wrong_frees, vt_find_lost,      vt_find_growing,  vt_find_peak,
    vt_find_pinned,      vt_find_untouched, vt_find_outside,  vt_find_creeping,
    vt_find_copying,     vt_find_churn,     vt_find_foreign_frees};

static int compare_weights(void const *a, void const *b) {
  vt_finding_t const *x = a, *y = b;
  return x->weight > y->weight ? -1 : x->weight < y->weight;
}

/* What findings rest on is all events. */
static char const *why_none(vt_analysis_t const *analysis) {
  if (analysis->sampled.period) return VT_SAMPLED_WHY;
  return analysis->kept_ns && !analysis->without_summary ? "of older events only the sum is kept (--keep)" : NULL;
}

vt_findings_t vt_findings_make(vt_analysis_t const *analysis, vt_evidence_t *evidence,
                               uint8_t const *known, vt_residences_t const *residences) {
  vt_findings_t out = {.none_why = why_none(analysis)};
  if (out.none_why) return out;
  vt_groups_t groups = vt_groups_make(analysis, VT_METRIC_COUNT, VT_BY_LINE);
  vt_evidence_sums_t *sums = vt_evidence_by_group(evidence, analysis, &groups);
  vt_findings_input_t input = {.analysis = analysis,
                               .totals = vt_model_totals(analysis->model),
                               .groups = &groups,
                               .sums = sums,
                               .live = vt_evidence_live(evidence),
                               .start_ns = analysis->from_ns,
                               .end_ns = vt_evidence_time(evidence, VT_EVIDENCE_MOMENTS - 1),
                               .known = known,
                               .residences = residences};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    size_t from = out.findings_cnt;
    kinds[i](&input, &out);
    size_t cnt = out.findings_cnt - from;
    if (cnt) qsort(out.findings + from, cnt, sizeof *out.findings, compare_weights);
    if (cnt > EACH) out.findings_cnt = from + EACH;
  }
  free(sums);
  vt_groups_free(&groups);
  return out;
}

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
