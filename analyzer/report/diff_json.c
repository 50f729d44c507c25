/* A comparison of two analyses for machines; see diff.h. */
#include "analyzer/report/changes.h"
#include <math.h>

static void json_pair(vt_json_t *json, char const *name, uint64_t before, uint64_t after) {
  char key[64];
  snprintf(key, sizeof key, "%s_before", name);
  vt_json_uint(json, key, before);
  snprintf(key, sizeof key, "%s_after", name);
  vt_json_uint(json, key, after);
}

static void json_known_pair(vt_json_t *json, char const *name, int known, uint64_t before, uint64_t after) {
  char key[64];
  snprintf(key, sizeof key, "%s_before", name);
  vt_json_known(json, key, known, before);
  snprintf(key, sizeof key, "%s_after", name);
  vt_json_known(json, key, known, after);
}

static void json_completeness(vt_json_t *json, vt_analysis_t const *analysis, char const *key) {
  vt_completeness_t have = vt_analysis_completeness(analysis);
  vt_json_object(json, key);
  vt_json_bool(json, "complete", have.complete);
  vt_json_string(json, "ended", have.ended);
  vt_json_missing(json, &have);
  vt_json_end_object(json);
}

static void json_values(vt_json_t *json, vt_diff_t const *diff, vt_change_t const *change) {
  vt_site_t const *a = &change->sums[0], *b = &change->sums[1];
  vt_json_int(json, "change",
              (int64_t)(vt_metric_value(diff->metric, b) - vt_metric_value(diff->metric, a)));
  if (diff->unit) vt_json_double(json, "change_per", vt_change_delta(diff, change));
  json_pair(json, "allocations", a->allocations, b->allocations);
  json_pair(json, "allocated_bytes", a->allocated_bytes, b->allocated_bytes);
  json_known_pair(json, "temporary", !a->untold && !b->untold, a->temporary, b->temporary);
  double off = vt_change_error(diff, change);
  if (vt_diff_sampled(diff)) vt_json_double(json, "change_standard_error", off > 0 ? off : NAN); /* null: none was recorded */
  json_pair(json, "peak_bytes", a->peak_bytes, b->peak_bytes);
  json_pair(json, "peak_unsure_bytes", a->peak_unsure_bytes, b->peak_unsure_bytes);
  json_pair(json, "leaked_bytes", a->leaked_bytes, b->leaked_bytes);
  json_pair(json, "leaked_blocks", a->leaked_blocks, b->leaked_blocks);
  json_pair(json, "unsure_bytes", a->unsure_bytes, b->unsure_bytes);
}

static void json_change(vt_json_t *json, vt_diff_t const *diff, vt_change_t const *change, size_t rank,
                        int stack, vt_by_t by) {
  vt_analysis_t const *analysis = change->of ? diff->after : diff->before;
  vt_json_object(json, NULL);
  vt_json_uint(json, "rank", rank);
  json_values(json, diff, change);
  if (stack)
    vt_json_stack(json, analysis, diff->options, change->node);
  else {
    vt_stack_frame_t frame = vt_group_frame(analysis, change->node);
    vt_json_group(json, &frame, by);
  }
  vt_json_end_object(json);
}

static void json_list(vt_json_t *json, vt_diff_t const *diff, char const *name,
                      vt_changes_t const *all, size_t limit, int stack, vt_by_t by) {
  vt_json_array(json, name);
  for (size_t i = 0; i < all->changes_cnt && (!limit || i < limit); i++)
    json_change(json, diff, &all->changes[i], i + 1, stack, by);
  vt_json_end_array(json);
}

static void json_changes(vt_json_t *json, vt_diff_t const *diff, vt_changes_found_t const *found,
                         size_t limit) {
  if (!diff->options->by_given)
    json_list(json, diff, "functions", &found->functions, limit, 0, VT_BY_FUNCTION);
  json_list(json, diff, "sites", &found->sites, limit, vt_changes_by_stack(diff->options), diff->options->by);
}

static void json_totals(vt_json_t *json, vt_diff_t const *diff) {
  vt_model_totals_t const a = vt_diff_totals(diff->before), b = vt_diff_totals(diff->after);
  vt_json_object(json, "totals");
  json_pair(json, "allocations", a.allocations, b.allocations);
  json_pair(json, "allocated_bytes", a.allocated_bytes, b.allocated_bytes);
  json_known_pair(json, "temporary", !diff->before->sampled.untold && !diff->after->sampled.untold, a.temporary, b.temporary);
  json_pair(json, "peak_bytes", a.peak_bytes, b.peak_bytes);
  json_pair(json, "peak_at_least_bytes", a.peak_at_least, b.peak_at_least);
  json_pair(json, "leaked_bytes", a.live_bytes, b.live_bytes);
  json_pair(json, "leaked_blocks", a.live_blocks, b.live_blocks);
  json_pair(json, "unsure_bytes", a.unsure_bytes, b.unsure_bytes);
  if (diff->before->sampled.period) vt_json_bounds(json, "at_most_before", diff->before);
  if (diff->after->sampled.period) vt_json_bounds(json, "at_most_after", diff->after);
  vt_json_end_object(json);
}

static void json_per(vt_json_t *json, vt_diff_t const *diff) {
  vt_json_object_line(json, "per");
  vt_json_string(json, "unit", diff->unit);
  vt_json_double(json, "before", diff->per[0]);
  vt_json_double(json, "after", diff->per[1]);
  vt_json_end_object(json);
}

static void json_renamed(vt_json_t *json, vt_pairing_t const *pairing) {
  vt_json_array(json, "renamed");
  for (size_t i = 0; i < pairing->pairs_cnt; i++) {
    vt_json_object_line(json, NULL);
    vt_json_string(json, "before", pairing->pairs[i].before);
    vt_json_string(json, "after", pairing->pairs[i].after);
    vt_json_end_object(json);
  }
  vt_json_end_array(json);
}

static void json_failed(vt_json_t *json, vt_diff_t const *diff, vt_condition_t const *condition) {
  vt_diff_t one = *diff;
  one.metric = vt_condition_metric(condition);
  vt_changes_found_t found = vt_changes_find(&one);
  vt_json_object(json, NULL);
  vt_json_string(json, "condition", condition->text);
  vt_json_double(json, "before", vt_diff_total(diff, condition, 0));
  vt_json_double(json, "after", vt_diff_total(diff, condition, 1));
  json_changes(json, &one, &found, diff->options->limit ? diff->options->limit : VT_CHANGES_FAILED);
  vt_json_end_object(json);
  vt_changes_free(&found);
}

void vt_diff_json(vt_diff_t const *diff, vt_condition_t const *failed, size_t failed_cnt,
                  FILE *out) {
  vt_changes_found_t found = vt_changes_find(diff);
  vt_json_t json = vt_json_start(out);
  vt_json_object(&json, NULL);
  vt_json_string(&json, "schema", "valtrace-diff");
  vt_json_uint(&json, "version", 1);
  vt_json_string(&json, "metric", vt_metric_name(diff->metric));
  if (diff->unit) json_per(&json, diff);
  json_renamed(&json, &found.pairing);
  json_pair(&json, "sampled", diff->before->sampled.period, diff->after->sampled.period);
  json_totals(&json, diff);
  json_completeness(&json, diff->before, "completeness_before");
  json_completeness(&json, diff->after, "completeness_after");
  if (failed) vt_json_array(&json, "failed");
  for (size_t i = 0; i < failed_cnt; i++) json_failed(&json, diff, &failed[i]);
  if (failed) vt_json_end_array(&json);
  json_changes(&json, diff, &found, diff->options->limit);
  vt_json_end_object(&json);
  vt_json_finish(&json);
  vt_changes_free(&found);
}
