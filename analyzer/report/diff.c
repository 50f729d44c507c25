/* Differences between two analyses; see diff.h. */
#include "analyzer/report/diff.h"
#include <inttypes.h>
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

static void hash_text(XXH3_state_t *state, char const *text) {
  XXH3_128bits_update(state, text, strlen(text) + 1);
}

static void hash_module(XXH3_state_t *state, vt_stack_frame_t const *frame) {
  char const *slash = strrchr(frame->module, '/');
  hash_text(state, slash ? slash + 1 : frame->module);
}

static void hash_stack(XXH3_state_t *state, vt_analysis_t const *analysis, uint32_t node,
                       vt_report_options_t const *options) {
  vt_stack_frame_t frames[VT_STACKS_FRAMES_MAX];
  char buffer[300];
  for (uint32_t at = node; at; at = vt_stacks_parent(analysis->stacks, at)) {
    int hide = at == node && !options->keep_allocators;
    size_t cnt = vt_stacks_frames(analysis->stacks, at, hide, frames);
    for (size_t i = 0; i < cnt; i++) {
      if (options->no_inlines && frames[i].inlined) continue;
      hash_text(state, vt_frame_name(&frames[i], buffer, sizeof buffer));
      hash_module(state, &frames[i]);
    }
  }
}

static void hash_group(XXH3_state_t *state, vt_stack_frame_t const *frame, vt_by_t by) {
  char buffer[300];
  hash_module(state, frame);
  if (by == VT_BY_MODULE) return;
  hash_text(state, vt_frame_name(frame, buffer, sizeof buffer));
  if (by == VT_BY_FUNCTION) return;
  hash_text(state, frame->file);
  XXH3_128bits_update(state, &frame->line, sizeof frame->line);
}

/* Are whole stacks compared? */
static int by_stack(vt_report_options_t const *options) {
  return !options->by_given || options->by == VT_BY_SITE;
}

static XXH128_hash_t key_of(vt_analysis_t const *analysis, vt_site_t const *site,
                            vt_report_options_t const *options) {
  XXH3_state_t *state = XXH3_createState();
  XXH3_128bits_reset(state);
  if (by_stack(options))
    hash_stack(state, analysis, site->node, options);
  else {
    vt_stack_frame_t frame = vt_group_frame(analysis, site->node);
    hash_group(state, &frame, options->by);
  }
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

static void add_sites(changes_t *out, vt_analysis_t const *analysis, int of,
                      vt_report_options_t const *options) {
  for (size_t i = 0; i < analysis->sites_cnt; i++) {
    if (analysis->sites[i].nested) continue;
    change_t change = {.key = key_of(analysis, &analysis->sites[i], options), .of = of};
    change.node = analysis->sites[i].node;
    change.sums[of] = analysis->sites[i];
    VT_PUSH(out->changes, change);
  }
}

static changes_t find_changes(vt_diff_t const *diff) {
  changes_t all = {0};
  add_sites(&all, diff->before, 0, diff->options);
  add_sites(&all, diff->after, 1, diff->options);
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
  fprintf(term->out, "%14s  ->%14s   ",
          bytes ? vt_bytes_text(before).text : vt_count_text(before).text,
          bytes ? vt_bytes_text(after).text : vt_count_text(after).text);
  if (!change)
    fputs("the same\n", term->out);
  else
    fprintf(term->out, "%s%s (%s)\n", after < before ? "-" : "+",
            bytes ? vt_bytes_text(change).text : vt_count_text(change).text,
            before ? vt_percent_text(change, before).text : "new");
}

/* What the list of sites is about, in the words of the totals. */
static char const *title_of(vt_metric_t metric) {
  switch (metric) {
  case VT_METRIC_LEAKED: return "LEAKED: bytes live at the end, the largest change first";
  case VT_METRIC_PEAK:
    return "PEAK: bytes live when the heap was largest, the largest change first";
  case VT_METRIC_COUNT: return "ALLOCATIONS: the largest change first";
  case VT_METRIC_TEMPORARY: return "TEMPORARY: allocations, the largest change first";
  default: return "ALLOCATED: bytes, the largest change first";
  }
}

static void text_totals(vt_diff_t const *diff, vt_term_t const *term) {
  vt_model_totals_t const *a = vt_model_totals(diff->before->model);
  vt_model_totals_t const *b = vt_model_totals(diff->after->model);
  vt_term_styled(term, VT_STYLE_FAINT, "  %-13s%14s    %14s   %s\n", "", "before", "after",
                 "change (of before)");
  text_total(term, "allocations", a->allocations, b->allocations, 0);
  text_total(term, "allocated", a->allocated_bytes, b->allocated_bytes, 1);
  text_total(term, "temporary", a->temporary, b->temporary, 0);
  text_total(term, "peak", a->peak_bytes, b->peak_bytes, 1);
  text_total(term, "leaked", a->live_bytes, b->live_bytes, 1);
  text_total(term, "leaked blocks", a->live_blocks, b->live_blocks, 0);
}

/* The frames of a change, the innermost ones. */
static void text_stack(vt_diff_t const *diff, vt_term_t const *term, vt_analysis_t const *analysis,
                       uint32_t node) {
  vt_stack_frame_t frames[FRAMES_SHOWN];
  vt_report_options_t const *options = diff->options;
  size_t cnt = vt_stacks_expand(analysis->stacks, node, !options->keep_allocators,
                                options->no_inlines, frames, FRAMES_SHOWN);
  for (size_t i = 0; i < cnt; i++) vt_text_frame(term, &frames[i]);
}

static void text_change(vt_diff_t const *diff, vt_term_t const *term, change_t const *change) {
  vt_analysis_t const *analysis = change->of ? diff->after : diff->before;
  vt_metric_t metric = diff->metric;
  vt_stack_frame_t top = vt_group_frame(analysis, change->node);
  vt_by_t by_what = by_stack(diff->options) ? VT_BY_FUNCTION : diff->options->by;
  int64_t by = delta(metric, change);
  int blocks = metric == VT_METRIC_COUNT || metric == VT_METRIC_TEMPORARY;
  uint64_t size = (uint64_t)llabs(by);
  fputs(by_stack(diff->options) ? "\n  " : "  ", term->out);
  vt_term_styled(term, by > 0 ? VT_STYLE_WARNING : VT_STYLE_PLACE, "%c%10s", by > 0 ? '+' : '-',
                 blocks ? vt_count_text(size).text : vt_bytes_text(size).text);
  fprintf(term->out, "  %s -> %s blocks  ",
          vt_count_text(vt_metric_blocks(metric, &change->sums[0])).text,
          vt_count_text(vt_metric_blocks(metric, &change->sums[1])).text);
  vt_text_group_name(term, &top, by_what, vt_term_room(term, 40));
  if (by_what == VT_BY_LINE && top.file[0]) fprintf(term->out, "  %s:%u", top.file, top.line);
  putc('\n', term->out);
  if (by_stack(diff->options)) text_stack(diff, term, analysis, change->node);
}

void vt_diff_text(vt_diff_t const *diff, vt_term_t const *term) {
  changes_t all = find_changes(diff);
  size_t limit = diff->options->limit ? diff->options->limit : LIMIT, shown = 0;
  text_totals(diff, term);
  putc('\n', term->out);
  vt_term_styled(term, VT_STYLE_TITLE, "%s\n", title_of(diff->metric));
  if (!by_stack(diff->options)) putc('\n', term->out);
  for (; shown < all.changes_cnt && shown < limit; shown++) {
    if (!delta(diff->metric, &all.changes[shown])) break;
    text_change(diff, term, &all.changes[shown]);
  }
  if (!shown) fputs("\n  no site changed\n", term->out);
  size_t more = 0;
  while (shown + more < all.changes_cnt && delta(diff->metric, &all.changes[shown + more])) more++;
  if (more)
    vt_term_styled(term, VT_STYLE_FAINT, "\n  and %zu more changed (--limit N shows more)\n", more);
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
  if (by_stack(diff->options))
    vt_json_stack(json, analysis, diff->options, change->node);
  else {
    vt_stack_frame_t frame = vt_group_frame(analysis, change->node);
    vt_json_group(json, &frame, diff->options->by);
  }
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
  for (size_t i = 0; i < all.changes_cnt && (!diff->options->limit || i < diff->options->limit);
       i++)
    json_change(&json, diff, &all.changes[i], i + 1);
  vt_json_end_array(&json);
  vt_json_end_object(&json);
  vt_json_finish(&json);
  free(all.changes);
}
