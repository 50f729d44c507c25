/* Asking each kind in turn; see findings.h. */
#include <stdlib.h>
#include "analyzer/findings/findings.h"

#define EACH 3 /* findings of one kind: the rest of its evidence is a view */

/* The most urgent first: what is wrong, what grows, what costs memory, what costs time. */
static struct {
  void (*find)(vt_findings_input_t const *, vt_findings_t *);
  int all_blocks; /* it rests on the order, the place or the fate of all of them: of a sample it is not looked for */
} const kinds[] = {{vt_find_wrong_frees, 0}, {vt_find_lost, 1},      {vt_find_growing, 0}, {vt_find_peak, 0},
                   {vt_find_pinned, 1},      {vt_find_untouched, 1}, {vt_find_outside, 1}, {vt_find_creeping, 1},
                   {vt_find_copying, 1},     {vt_find_churn, 0},     {vt_find_foreign_frees, 0}};

static int compare_weights(void const *a, void const *b) {
  vt_finding_t const *x = a, *y = b;
  return x->weight > y->weight ? -1 : x->weight < y->weight;
}

/* What findings rest on is the events. */
static char const *why_none(vt_analysis_t const *analysis) {
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
    if (!kinds[i].all_blocks || !analysis->sampled.period) kinds[i].find(&input, &out);
    size_t cnt = out.findings_cnt - from;
    if (cnt) qsort(out.findings + from, cnt, sizeof *out.findings, compare_weights);
    if (cnt > EACH) out.findings_cnt = from + EACH;
  }
  free(sums);
  vt_groups_free(&groups);
  return out;
}
