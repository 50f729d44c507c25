/* Differences between two analyses; see diff.h. */
#include "analyzer/report/diff.h"
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/util/mem.h"
#define XXH_INLINE_ALL
#include <xxhash.h>

#define LIMIT        20
#define FRAMES_SHOWN 6

/* A stack in both analyses; sites[0] before, [1] after. */
typedef struct {
  XXH128_hash_t key; /* of the names of its frames: collisions do not occur */
  vt_site_t sums[2];
  uint32_t node; /* in `of` */
  int of;
} change_t;

typedef struct {
  change_t *changes;
  size_t changes_cnt, changes_cap;
} changes_t;

static XXH128_hash_t key_of(vt_analysis_t const *analysis, vt_site_t const *site) {
  vt_stack_frame_t frames[VT_STACKS_FRAMES_MAX];
  char buffer[300];
  XXH3_state_t *state = XXH3_createState();
  XXH3_128bits_reset(state);
  for (uint32_t at = site->node; at; at = vt_stacks_parent(analysis->stacks, at)) {
    size_t cnt = vt_stacks_frames(analysis->stacks, at, at == site->node, frames);
    for (size_t i = 0; i < cnt; i++) {
      char const *slash = strrchr(frames[i].module, '/');
      char const *module = slash ? slash + 1 : frames[i].module;
      char const *name = vt_frame_name(&frames[i], buffer, sizeof buffer);
      XXH3_128bits_update(state, name, strlen(name) + 1);
      XXH3_128bits_update(state, module, strlen(module) + 1);
    }
  }
  XXH3_128bits_update(state, &site->nested, sizeof site->nested);
  XXH128_hash_t key = XXH3_128bits_digest(state);
  XXH3_freeState(state);
  return key;
}

static int compare_keys(void const *a, void const *b) {
  change_t const *x = a, *y = b;
  int order = XXH128_cmp(&x->key, &y->key);
  return order ? order : x->of - y->of;
}

static int64_t delta(vt_metric_t metric, change_t const *change) {
  return (int64_t)(vt_metric_value(metric, &change->sums[1]) -
                   vt_metric_value(metric, &change->sums[0]));
}

static int compare_deltas(void const *a, void const *b, void *context) {
  vt_metric_t metric = *(vt_metric_t *)context;
  uint64_t x = (uint64_t)llabs(delta(metric, a)), y = (uint64_t)llabs(delta(metric, b));
  return x > y ? -1 : x < y ? 1 : compare_keys(a, b);
}

static void add_sites(changes_t *out, vt_analysis_t const *analysis, int of) {
  for (size_t i = 0; i < analysis->sites_cnt; i++) {
    if (analysis->sites[i].nested) continue;
    change_t change = {.key = key_of(analysis, &analysis->sites[i]), .of = of};
    change.node = analysis->sites[i].node;
    change.sums[of] = analysis->sites[i];
    VT_PUSH(out->changes, change);
  }
}

static changes_t find_changes(vt_diff_t const *diff) {
  changes_t all = {0};
  add_sites(&all, diff->before, 0);
  add_sites(&all, diff->after, 1);
  if (all.changes_cnt) qsort(all.changes, all.changes_cnt, sizeof *all.changes, compare_keys);
  size_t kept = 0;
  for (size_t i = 0; i < all.changes_cnt; i++) {
    change_t *last = kept ? &all.changes[kept - 1] : NULL;
    if (!last || XXH128_cmp(&last->key, &all.changes[i].key)) {
      all.changes[kept++] = all.changes[i];
      continue;
    }
    int of = all.changes[i].of;
    vt_site_t one = all.changes[i].sums[of];
    vt_site_add(&last->sums[of], &one);
    last->node = all.changes[i].node;
    last->of = of;
  }
  all.changes_cnt = kept;
  vt_metric_t metric = diff->metric;
  if (kept) qsort_r(all.changes, kept, sizeof *all.changes, compare_deltas, &metric);
  return all;
}

/* ---- text ---- */

static void text_total(vt_term_t const *term, char const *label, uint64_t before, uint64_t after,
                       int bytes) {
  uint64_t change = after > before ? after - before : before - after;
  vt_term_styled(term, VT_STYLE_FAINT, "  %-13s", label);
  fprintf(term->out, "%14s  ->%14s   %s%s (%s)\n",
          bytes ? vt_bytes_text(before).text : vt_count_text(before).text,
          bytes ? vt_bytes_text(after).text : vt_count_text(after).text, after < before ? "-" : "+",
          bytes ? vt_bytes_text(change).text : vt_count_text(change).text,
          vt_percent_text(change, before).text);
}

static void text_totals(vt_diff_t const *diff, vt_term_t const *term) {
  vt_model_totals_t const *a = vt_model_totals(diff->before->model);
  vt_model_totals_t const *b = vt_model_totals(diff->after->model);
  text_total(term, "allocations", a->allocations, b->allocations, 0);
  text_total(term, "allocated", a->allocated_bytes, b->allocated_bytes, 1);
  text_total(term, "temporary", a->temporary, b->temporary, 0);
  text_total(term, "peak", a->peak_bytes, b->peak_bytes, 1);
  text_total(term, "live at end", a->live_bytes, b->live_bytes, 1);
  text_total(term, "blocks at end", a->live_blocks, b->live_blocks, 0);
}

static void text_change(vt_diff_t const *diff, vt_term_t const *term, change_t const *change) {
  vt_analysis_t const *analysis = change->of ? diff->after : diff->before;
  vt_metric_t metric = diff->metric;
  vt_stack_frame_t frames[FRAMES_SHOWN], top = vt_group_frame(analysis, change->node);
  char buffer[300];
  int64_t by = delta(metric, change);
  int blocks = metric == VT_METRIC_COUNT || metric == VT_METRIC_TEMPORARY;
  uint64_t size = (uint64_t)llabs(by);
  fputs("\n  ", term->out);
  vt_term_styled(term, by > 0 ? VT_STYLE_WARNING : VT_STYLE_PLACE, "%c%10s", by > 0 ? '+' : '-',
                 blocks ? vt_count_text(size).text : vt_bytes_text(size).text);
  fprintf(term->out, "  %s -> %s blocks  ",
          vt_count_text(vt_metric_blocks(metric, &change->sums[0])).text,
          vt_count_text(vt_metric_blocks(metric, &change->sums[1])).text);
  vt_term_text(term, vt_frame_name(&top, buffer, sizeof buffer),
               term->width == INT_MAX ? 200 : term->width - 40);
  putc('\n', term->out);
  size_t cnt = vt_stacks_expand(analysis->stacks, change->node, 1, 0, frames, FRAMES_SHOWN);
  for (size_t i = 0; i < cnt; i++) {
    fputs("        ", term->out);
    vt_term_text(term, vt_frame_name(&frames[i], buffer, sizeof buffer), 80);
    if (frames[i].file[0])
      vt_term_styled(term, VT_STYLE_FAINT, "  %s:%u", frames[i].file, frames[i].line);
    putc('\n', term->out);
  }
}

void vt_diff_text(vt_diff_t const *diff, vt_term_t const *term) {
  changes_t all = find_changes(diff);
  size_t limit = diff->limit ? diff->limit : LIMIT, shown = 0;
  text_totals(diff, term);
  for (; shown < all.changes_cnt && shown < limit; shown++) {
    if (!delta(diff->metric, &all.changes[shown])) break;
    text_change(diff, term, &all.changes[shown]);
  }
  if (!shown) fputs("\n  no site changed\n", term->out);
  free(all.changes);
}

/* ---- JSON ---- */

static void json_pair(vt_json_t *json, char const *name, uint64_t before, uint64_t after) {
  char key[64];
  snprintf(key, sizeof key, "%s_before", name);
  vt_json_uint(json, key, before);
  snprintf(key, sizeof key, "%s_after", name);
  vt_json_uint(json, key, after);
}

static void json_change(vt_json_t *json, vt_diff_t const *diff, change_t const *change,
                        size_t rank) {
  vt_analysis_t const *analysis = change->of ? diff->after : diff->before;
  vt_stack_frame_t frames[VT_STACKS_FRAMES_MAX];
  vt_site_t const *a = &change->sums[0], *b = &change->sums[1];
  vt_json_object(json, NULL);
  vt_json_uint(json, "rank", rank);
  vt_json_int(json, "change", delta(diff->metric, change));
  json_pair(json, "allocations", a->allocations, b->allocations);
  json_pair(json, "allocated_bytes", a->allocated_bytes, b->allocated_bytes);
  json_pair(json, "temporary", a->temporary, b->temporary);
  json_pair(json, "peak_bytes", a->peak_bytes, b->peak_bytes);
  json_pair(json, "leaked_bytes", a->leaked_bytes, b->leaked_bytes);
  json_pair(json, "leaked_blocks", a->leaked_blocks, b->leaked_blocks);
  vt_json_array(json, "stack");
  for (uint32_t at = change->node; at; at = vt_stacks_parent(analysis->stacks, at)) {
    size_t cnt = vt_stacks_frames(analysis->stacks, at, at == change->node, frames);
    for (size_t i = 0; i < cnt; i++) vt_json_frame(json, &frames[i]);
  }
  vt_json_end_array(json);
  vt_json_end_object(json);
}

void vt_diff_json(vt_diff_t const *diff, FILE *out) {
  changes_t all = find_changes(diff);
  vt_model_totals_t const *a = vt_model_totals(diff->before->model);
  vt_model_totals_t const *b = vt_model_totals(diff->after->model);
  vt_json_t json = vt_json_start(out);
  vt_json_object(&json, NULL);
  vt_json_string(&json, "schema", "valtrace-diff");
  vt_json_uint(&json, "version", 1);
  vt_json_object(&json, "totals");
  json_pair(&json, "allocations", a->allocations, b->allocations);
  json_pair(&json, "allocated_bytes", a->allocated_bytes, b->allocated_bytes);
  json_pair(&json, "temporary", a->temporary, b->temporary);
  json_pair(&json, "peak_bytes", a->peak_bytes, b->peak_bytes);
  json_pair(&json, "leaked_bytes", a->live_bytes, b->live_bytes);
  json_pair(&json, "leaked_blocks", a->live_blocks, b->live_blocks);
  vt_json_end_object(&json);
  vt_json_array(&json, "sites");
  for (size_t i = 0; i < all.changes_cnt && (!diff->limit || i < diff->limit); i++)
    json_change(&json, diff, &all.changes[i], i + 1);
  vt_json_end_array(&json);
  vt_json_end_object(&json);
  vt_json_finish(&json);
  free(all.changes);
}
