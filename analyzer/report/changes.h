/* What changed between two analyses: sites, or groups of them, and the functions they belong to. Each side's sites get a
   key of the names on their stacks; equal keys are one change, and changes of one function are put together. What the text
   and the JSON of a comparison share. */
#ifndef VT_ANALYZER_REPORT_CHANGES_H
#define VT_ANALYZER_REPORT_CHANGES_H

#include "analyzer/report/diff.h"
#include "analyzer/report/pairing.h"
#define XXH_INLINE_ALL
#include <xxhash.h>

#define VT_CHANGES_FAILED 5 /* sites named for a condition that holds */

/* What has one key in both analyses; sums[0] before, [1] after. */
typedef struct {
  XXH128_hash_t key;      /* of the names of its frames: collisions do not occur */
  XXH128_hash_t function; /* of the function it is grouped under */
  vt_site_t sums[2];
  uint32_t node; /* in `of` */
  int of;
  uint32_t sites, best; /* of a function: how many changes it has, and its largest one */
} vt_change_t;

typedef struct {
  vt_change_t *changes;
  size_t changes_cnt, changes_cap;
} vt_changes_t;

/* What changed: sites, or groups of them with --by, and the functions they belong to, each with the
   largest change first. */
typedef struct {
  vt_changes_t sites, functions;
  vt_pairing_t pairing;
} vt_changes_found_t;

/* vt_changes_find compares by diff->metric; the caller frees it with vt_changes_free. */
vt_changes_found_t vt_changes_find(vt_diff_t const *diff);
void vt_changes_free(vt_changes_found_t *found);

/* Are whole stacks compared? */
int vt_changes_by_stack(vt_report_options_t const *options);

/* How much more there is of the metric afterwards, per unit of work; its standard error, 0: it is exact; whether a pause leaves
   open how much of it there was. */
double vt_change_delta(vt_diff_t const *diff, vt_change_t const *change);
double vt_change_error(vt_diff_t const *diff, vt_change_t const *change);
int vt_change_unsure(vt_diff_t const *diff, vt_change_t const *change);

/* Is one of the sides a sample? */
int vt_diff_sampled(vt_diff_t const *diff);

/* The totals of a side: of a sampled trace those that were counted, as far as they were. */
vt_model_totals_t vt_diff_totals(vt_analysis_t const *analysis);

/* The total that a condition is about, before (side 0) or after (1), per unit of work. */
double vt_diff_total(vt_diff_t const *diff, vt_condition_t const *condition, int side);

#endif
