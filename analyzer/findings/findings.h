/* Findings: what is wrong, where, and what to look at next, as ranked sentences computed from an
   analysis. Each kind has a file of its own with its threshold, its evidence and its sentence;
   docs/findings.md has the thresholds for users. Nothing is said without evidence. */
#ifndef VT_ANALYZER_FINDINGS_FINDINGS_H
#define VT_ANALYZER_FINDINGS_FINDINGS_H

#include "analyzer/findings/evidence.h"
#include "analyzer/report/report.h"
#include "analyzer/report/residence.h"

/* One number of a finding, by the key it has in JSON. */
typedef struct {
  char const *name;
  double value;
} vt_finding_value_t;
#define VT_FINDING_VALUES 8

typedef struct {
  char const *kind;
  char text[480];         /* a sentence or two, without the site */
  uint32_t site;          /* of the analysis; VT_FINDING_NO_SITE */
  vt_stack_frame_t frame; /* the user's code it is about, if has_frame: it has a site, or maps memory */
  int has_frame;
  vt_finding_value_t values[VT_FINDING_VALUES];
  size_t values_cnt;
  char const *see; /* the view that shows the evidence */
  double weight;   /* within its kind */
} vt_finding_t;
#define VT_FINDING_NO_SITE UINT32_MAX

typedef struct {
  vt_finding_t *findings; /* the most urgent kind first, then by weight */
  size_t findings_cnt, findings_cap;
  char const *none_why; /* why none were looked for; NULL: they were */
} vt_findings_t;

/* Looks for everything. The evidence is what the analysis was opened with; known: sites (by number)
   whose live blocks run-time libraries keep by design, NULL for none; residences: of the analysis without a pass,
   NULL for none. */
vt_findings_t vt_findings_make(vt_analysis_t const *analysis, vt_evidence_t *evidence,
                               uint8_t const *known, vt_residences_t const *residences);
void vt_findings_free(vt_findings_t *findings);

/* ---- for the kinds ---- */

/* What they look at. */
typedef struct {
  vt_analysis_t const *analysis;
  vt_model_totals_t const *totals;
  vt_groups_t const *groups;      /* all sites by line, nested heaps apart */
  vt_evidence_sums_t const *sums; /* by group */
  uint64_t const *live;           /* at each moment */
  uint64_t start_ns, end_ns;
  uint8_t const *known;
  vt_residences_t const *residences; /* NULL: nothing is known of pages */
} vt_findings_input_t;

/* A new finding about a group (NULL: about all of it), to be given a text. */
vt_finding_t *vt_findings_add(vt_findings_t *out, char const *kind, vt_group_t const *group,
                              char const *see, double weight);
/* The same about a holder of memory. */
vt_finding_t *vt_findings_add_holder(vt_findings_input_t const *input, vt_findings_t *out, char const *kind,
                                     uint32_t holder, char const *see, double weight);
__attribute__((format(printf, 2, 3))) void vt_finding_say(vt_finding_t *finding, char const *format,
                                                          ...);
void vt_finding_value(vt_finding_t *finding, char const *name, double value);

/* Of a sampled trace a finding is made only if the error leaves no doubt: what is certain of an estimate, at least and
   at most, is compared with the thresholds. variance 0: it was counted. */
uint64_t vt_finding_least(uint64_t value, double variance);
uint64_t vt_finding_most(uint64_t value, double variance);
/* Says, and tells in JSON, the standard error of the number that the finding is about; nothing of one that was counted. */
void vt_finding_error(vt_finding_t *finding, double variance, int bytes);

void vt_find_wrong_frees(vt_findings_input_t const *input, vt_findings_t *out);
void vt_find_lost(vt_findings_input_t const *input, vt_findings_t *out);
void vt_find_growing(vt_findings_input_t const *input, vt_findings_t *out);
void vt_find_peak(vt_findings_input_t const *input, vt_findings_t *out);
void vt_find_creeping(vt_findings_input_t const *input, vt_findings_t *out);
void vt_find_copying(vt_findings_input_t const *input, vt_findings_t *out);
void vt_find_churn(vt_findings_input_t const *input, vt_findings_t *out);
void vt_find_foreign_frees(vt_findings_input_t const *input, vt_findings_t *out);
void vt_find_pinned(vt_findings_input_t const *input, vt_findings_t *out);
void vt_find_untouched(vt_findings_input_t const *input, vt_findings_t *out);
void vt_find_outside(vt_findings_input_t const *input, vt_findings_t *out);

/* How the live bytes of a group went on: see growing.c. */
typedef struct {
  uint64_t first, last; /* at the first moment and the last but one, at most, … */
  uint64_t last_sure;   /* … and at least, as it may have been freed while recording was paused */
  double variance; /* of the rise, in a sampled trace */
  uint64_t rise, late_rise, largest_step;
  uint64_t sure_rise;   /* of the rise, what is sure after pauses; else all of it */
  unsigned rises;       /* moments at which there was more than at the one before */
  uint64_t allocations; /* while it rose */
  int grows;
} vt_growth_t;
vt_growth_t vt_growth_of(vt_evidence_sums_t const *sums);

#endif
