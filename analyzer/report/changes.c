/* See changes.h. */
#include "analyzer/report/changes.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/util/mem.h"

/* ---- keys ---- */

static void hash_text(XXH3_state_t *state, char const *text) {
  XXH3_128bits_update(state, text, strlen(text) + 1);
}

/* A function is its name, wherever it lies; code without a name is a place in a module. */
static void hash_function(XXH3_state_t *state, vt_pairing_t const *pairing,
                          vt_stack_frame_t const *frame) {
  hash_text(state, frame->function);
  if (frame->function[0]) return;
  hash_text(state, vt_pairing_name(pairing, frame->module));
  XXH3_128bits_update(state, &frame->offset, sizeof frame->offset);
}

static void hash_stack(XXH3_state_t *state, vt_analysis_t const *analysis, uint32_t node,
                       vt_diff_t const *diff, vt_pairing_t const *pairing) {
  vt_stack_frame_t frames[VT_STACKS_FRAMES_MAX];
  vt_report_options_t const *options = diff->options;
  for (uint32_t at = node; at; at = vt_stacks_parent(analysis->stacks, at)) {
    int hide = at == node && !options->keep_allocators;
    size_t cnt = vt_stacks_frames(analysis->stacks, at, hide, frames);
    for (size_t i = 0; i < cnt; i++)
      if (!options->no_inlines || !frames[i].inlined) hash_function(state, pairing, &frames[i]);
  }
}

static void hash_group(XXH3_state_t *state, vt_pairing_t const *pairing,
                       vt_stack_frame_t const *frame, vt_by_t by) {
  if (by == VT_BY_MODULE) {
    hash_text(state, vt_pairing_name(pairing, frame->module));
    return;
  }
  hash_function(state, pairing, frame);
  if (by == VT_BY_FUNCTION) return;
  char const *slash = strrchr(frame->file, '/');
  hash_text(state, slash ? slash + 1 : frame->file);
  XXH3_128bits_update(state, &frame->line, sizeof frame->line);
}

/* Are whole stacks compared? */
int vt_changes_by_stack(vt_report_options_t const *options) {
  return !options->by_given || options->by == VT_BY_SITE;
}

static void set_keys(vt_change_t *change, vt_diff_t const *diff, vt_pairing_t const *pairing) {
  vt_analysis_t const *analysis = change->of ? diff->after : diff->before;
  vt_stack_frame_t frame = vt_group_frame(analysis, change->node);
  XXH3_state_t *state = XXH3_createState();
  XXH3_128bits_reset(state);
  hash_group(state, pairing, &frame, VT_BY_FUNCTION);
  change->function = XXH3_128bits_digest(state);
  XXH3_128bits_reset(state);
  if (vt_changes_by_stack(diff->options))
    hash_stack(state, analysis, change->node, diff, pairing);
  else
    hash_group(state, pairing, &frame, diff->options->by);
  change->key = XXH3_128bits_digest(state);
  XXH3_freeState(state);
}

/* ---- changes ---- */

static double value(vt_diff_t const *diff, vt_change_t const *change, int side) {
  return (double)vt_metric_value(diff->metric, &change->sums[side]) / diff->per[side];
}

double vt_change_delta(vt_diff_t const *diff, vt_change_t const *change) {
  return value(diff, change, 1) - value(diff, change, 0);
}

/* is_unsure: does a pause leave open how much of it there was? */
int vt_change_unsure(vt_diff_t const *diff, vt_change_t const *change) {
  return vt_metric_unsure(diff->metric, &change->sums[0]) || vt_metric_unsure(diff->metric, &change->sums[1]);
}

int vt_diff_sampled(vt_diff_t const *diff) { return diff->before->sampled.period || diff->after->sampled.period; }

/* error is the standard error of delta, 0: it is exact. */
double vt_change_error(vt_diff_t const *diff, vt_change_t const *change) {
  double variance = 0;
  for (int side = 0; side < 2; side++) {
    vt_spread_t spread = vt_metric_spread(diff->metric, &change->sums[side]);
    double one = diff->metric < VT_METRIC_COUNT ? spread.bytes : spread.blocks;
    variance += one / (diff->per[side] * diff->per[side]);
  }
  return sqrt(variance > 0.25 ? variance : 0);
}

static int compare_keys(void const *a, void const *b) {
  vt_change_t const *x = a, *y = b;
  int order = XXH128_cmp(&x->key, &y->key);
  return order ? order : x->of - y->of;
}

static int compare_deltas(void const *a, void const *b, void *context) {
  double x = fabs(vt_change_delta(context, a)), y = fabs(vt_change_delta(context, b));
  return x > y ? -1 : x < y ? 1 : compare_keys(a, b);
}

static void add_sites(vt_changes_t *out, vt_diff_t const *diff, vt_pairing_t const *pairing, int of) {
  vt_analysis_t const *analysis = of ? diff->after : diff->before;
  for (size_t i = 0; i < analysis->sites_cnt; i++) {
    if (analysis->sites[i].nested) continue;
    vt_change_t change = {.of = of, .node = analysis->sites[i].node};
    set_keys(&change, diff, pairing);
    change.sums[of] = analysis->sites[i];
    VT_PUSH(out->changes, change);
  }
}

static void add_change(vt_change_t *sum, vt_change_t const *change) {
  for (int side = 0; side < 2; side++) vt_site_add(&sum->sums[side], &change->sums[side]);
}

/* Makes one of those with equal keys; what stands for them is the last one. */
static void merge_equal(vt_changes_t *all) {
  size_t kept = 0;
  if (all->changes_cnt) qsort(all->changes, all->changes_cnt, sizeof *all->changes, compare_keys);
  for (size_t i = 0; i < all->changes_cnt; i++) {
    vt_change_t *last = kept ? &all->changes[kept - 1] : NULL;
    if (!last || XXH128_cmp(&last->key, &all->changes[i].key)) {
      all->changes[kept++] = all->changes[i];
      continue;
    }
    add_change(last, &all->changes[i]);
    last->node = all->changes[i].node;
    last->of = all->changes[i].of;
  }
  all->changes_cnt = kept;
}

/* What stands for a function is its largest change; those are in order already. */
static void find_functions(vt_changes_found_t *found, vt_diff_t const *diff) {
  vt_changes_t *out = &found->functions;
  for (uint32_t i = 0; i < found->sites.changes_cnt; i++) {
    vt_change_t change = found->sites.changes[i];
    change.key = change.function;
    change.sites = vt_change_delta(diff, &change) != 0;
    change.best = i;
    VT_PUSH(out->changes, change);
  }
  if (out->changes_cnt) qsort(out->changes, out->changes_cnt, sizeof *out->changes, compare_keys);
  size_t kept = 0;
  for (size_t i = 0; i < out->changes_cnt; i++) {
    vt_change_t *last = kept ? &out->changes[kept - 1] : NULL;
    vt_change_t *here = &out->changes[i];
    if (!last || XXH128_cmp(&last->key, &here->key)) {
      out->changes[kept++] = *here;
      continue;
    }
    add_change(last, here);
    last->sites += here->sites;
    if (here->best < last->best) {
      last->best = here->best;
      last->node = here->node;
      last->of = here->of;
    }
  }
  out->changes_cnt = kept;
}

vt_changes_found_t vt_changes_find(vt_diff_t const *diff) {
  vt_changes_found_t found = {.pairing = vt_pairing_make(diff->before, diff->after)};
  add_sites(&found.sites, diff, &found.pairing, 0);
  add_sites(&found.sites, diff, &found.pairing, 1);
  merge_equal(&found.sites);
  vt_changes_t *both[] = {&found.sites, &found.functions};
  for (int i = 0; i < 2; i++) {
    if (i) find_functions(&found, diff);
    if (both[i]->changes_cnt)
      qsort_r(both[i]->changes, both[i]->changes_cnt, sizeof *both[i]->changes, compare_deltas,
              (void *)diff);
  }
  return found;
}

void vt_changes_free(vt_changes_found_t *found) {
  free(found->sites.changes);
  free(found->functions.changes);
  vt_pairing_free(&found->pairing);
}

/* ---- totals ---- */

vt_model_totals_t vt_diff_totals(vt_analysis_t const *analysis) {
  vt_model_totals_t totals = *vt_model_totals(analysis->model);
  if (!analysis->sampled.period || !analysis->sampled.exact) return totals;
  totals.allocations = analysis->sampled.totals.allocations;
  totals.allocated_bytes = analysis->sampled.totals.allocated_bytes;
  return totals;
}

double vt_diff_total(vt_diff_t const *diff, vt_condition_t const *condition, int side) {
  vt_analysis_t const *analysis = side ? diff->after : diff->before;
  return (double)vt_condition_total(condition, analysis).value / diff->per[side];
}
