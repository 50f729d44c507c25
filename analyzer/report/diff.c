/* Differences between two analyses; see diff.h. Each side's sites get a key of the names on their
   stacks; equal keys are one change, and changes of one function are put together. */
#include "analyzer/report/diff.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/report/pairing.h"
#include "analyzer/util/mem.h"
#define XXH_INLINE_ALL
#include <xxhash.h>

#define LIMIT       20
#define FAILED      5 /* sites named for a condition that holds */
#define STACK_LINES 6

/* What has one key in both analyses; sums[0] before, [1] after. */
typedef struct {
  XXH128_hash_t key;      /* of the names of its frames: collisions do not occur */
  XXH128_hash_t function; /* of the function it is grouped under */
  vt_site_t sums[2];
  uint32_t node; /* in `of` */
  int of;
  uint32_t sites, best; /* of a function: how many changes it has, and its largest one */
} change_t;

typedef struct {
  change_t *changes;
  size_t changes_cnt, changes_cap;
} changes_t;

/* What changed: sites, or groups of them with --by, and the functions they belong to, each with the
   largest change first. */
typedef struct {
  changes_t sites, functions;
  vt_pairing_t pairing;
} found_t;

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
static int by_stack(vt_report_options_t const *options) {
  return !options->by_given || options->by == VT_BY_SITE;
}

static void set_keys(change_t *change, vt_diff_t const *diff, vt_pairing_t const *pairing) {
  vt_analysis_t const *analysis = change->of ? diff->after : diff->before;
  vt_stack_frame_t frame = vt_group_frame(analysis, change->node);
  XXH3_state_t *state = XXH3_createState();
  XXH3_128bits_reset(state);
  hash_group(state, pairing, &frame, VT_BY_FUNCTION);
  change->function = XXH3_128bits_digest(state);
  XXH3_128bits_reset(state);
  if (by_stack(diff->options))
    hash_stack(state, analysis, change->node, diff, pairing);
  else
    hash_group(state, pairing, &frame, diff->options->by);
  change->key = XXH3_128bits_digest(state);
  XXH3_freeState(state);
}

/* ---- changes ---- */

static double value(vt_diff_t const *diff, change_t const *change, int side) {
  return (double)vt_metric_value(diff->metric, &change->sums[side]) / diff->per[side];
}

static double delta(vt_diff_t const *diff, change_t const *change) {
  return value(diff, change, 1) - value(diff, change, 0);
}

static int is_sampled(vt_diff_t const *diff) { return diff->before->sampled.period || diff->after->sampled.period; }

/* error is the standard error of delta, 0: it is exact. */
static double error(vt_diff_t const *diff, change_t const *change) {
  double variance = 0;
  for (int side = 0; side < 2; side++) {
    vt_spread_t spread = vt_metric_spread(diff->metric, &change->sums[side]);
    double one = diff->metric < VT_METRIC_COUNT ? spread.bytes : spread.blocks;
    variance += one / (diff->per[side] * diff->per[side]);
  }
  return sqrt(variance > 0.25 ? variance : 0);
}

static int compare_keys(void const *a, void const *b) {
  change_t const *x = a, *y = b;
  int order = XXH128_cmp(&x->key, &y->key);
  return order ? order : x->of - y->of;
}

static int compare_deltas(void const *a, void const *b, void *context) {
  double x = fabs(delta(context, a)), y = fabs(delta(context, b));
  return x > y ? -1 : x < y ? 1 : compare_keys(a, b);
}

static void add_sites(changes_t *out, vt_diff_t const *diff, vt_pairing_t const *pairing, int of) {
  vt_analysis_t const *analysis = of ? diff->after : diff->before;
  for (size_t i = 0; i < analysis->sites_cnt; i++) {
    if (analysis->sites[i].nested) continue;
    change_t change = {.of = of, .node = analysis->sites[i].node};
    set_keys(&change, diff, pairing);
    change.sums[of] = analysis->sites[i];
    VT_PUSH(out->changes, change);
  }
}

static void add_change(change_t *sum, change_t const *change) {
  for (int side = 0; side < 2; side++) vt_site_add(&sum->sums[side], &change->sums[side]);
}

/* Makes one of those with equal keys; what stands for them is the last one. */
static void merge_equal(changes_t *all) {
  size_t kept = 0;
  if (all->changes_cnt) qsort(all->changes, all->changes_cnt, sizeof *all->changes, compare_keys);
  for (size_t i = 0; i < all->changes_cnt; i++) {
    change_t *last = kept ? &all->changes[kept - 1] : NULL;
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
static void find_functions(found_t *found, vt_diff_t const *diff) {
  changes_t *out = &found->functions;
  for (uint32_t i = 0; i < found->sites.changes_cnt; i++) {
    change_t change = found->sites.changes[i];
    change.key = change.function;
    change.sites = delta(diff, &change) != 0;
    change.best = i;
    VT_PUSH(out->changes, change);
  }
  if (out->changes_cnt) qsort(out->changes, out->changes_cnt, sizeof *out->changes, compare_keys);
  size_t kept = 0;
  for (size_t i = 0; i < out->changes_cnt; i++) {
    change_t *last = kept ? &out->changes[kept - 1] : NULL;
    change_t *here = &out->changes[i];
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

static found_t find_changes(vt_diff_t const *diff) {
  found_t found = {.pairing = vt_pairing_make(diff->before, diff->after)};
  add_sites(&found.sites, diff, &found.pairing, 0);
  add_sites(&found.sites, diff, &found.pairing, 1);
  merge_equal(&found.sites);
  changes_t *both[] = {&found.sites, &found.functions};
  for (int i = 0; i < 2; i++) {
    if (i) find_functions(&found, diff);
    if (both[i]->changes_cnt)
      qsort_r(both[i]->changes, both[i]->changes_cnt, sizeof *both[i]->changes, compare_deltas,
              (void *)diff);
  }
  return found;
}

static void free_changes(found_t *found) {
  free(found->sites.changes);
  free(found->functions.changes);
  vt_pairing_free(&found->pairing);
}

/* ---- text ---- */

/* A value per unit of work; whole ones are exact. */
static vt_number_t number_text(double number, int bytes) {
  vt_number_t out;
  if (number == floor(number) || number >= 1000)
    return bytes ? vt_bytes_text((uint64_t)(number + 0.5))
                 : vt_count_text((uint64_t)(number + 0.5));
  snprintf(out.text, sizeof out.text, bytes ? "%.2f B" : "%.2f", number);
  return out;
}

/* The totals of a side: of a sampled trace those that were counted, as far as they were. */
static vt_model_totals_t totals_of(vt_analysis_t const *analysis) {
  vt_model_totals_t totals = *vt_model_totals(analysis->model);
  if (!analysis->sampled.period || !analysis->sampled.exact) return totals;
  totals.allocations = analysis->sampled.totals.allocations;
  totals.allocated_bytes = analysis->sampled.totals.allocated_bytes;
  return totals;
}

/* estimated: a set, 1 the number before is an estimate, 2 the one after. */
static void text_total(vt_diff_t const *diff, vt_term_t const *term, char const *label,
                       uint64_t before, uint64_t after, int bytes, int estimated) {
  double a = (double)before / diff->per[0], b = (double)after / diff->per[1];
  vt_term_styled(term, VT_STYLE_FAINT, "  %-13s", label);
  char sides[2][40];
  snprintf(sides[0], sizeof sides[0], "%s%s", estimated & 1 ? "≈ " : "", number_text(a, bytes).text);
  snprintf(sides[1], sizeof sides[1], "%s%s", estimated & 2 ? "≈ " : "", number_text(b, bytes).text);
  fprintf(term->out, "%*s  ->%*s   %s", 14 + 2 * (estimated & 1), sides[0], 14 + (estimated & 2), sides[1],
          estimated && a != b ? "≈ " : "");
  if (a == b)
    fputs("the same\n", term->out);
  else if (a > 0)
    fprintf(term->out, "%s%s (%.1f %%)\n", b < a ? "-" : "+", number_text(fabs(b - a), bytes).text,
            100 * fabs(b - a) / a);
  else
    fprintf(term->out, "+%s (new)\n", number_text(b, bytes).text);
}

/* What the list of sites is about, in the words of the totals. */
static char const *title_of(vt_metric_t metric) {
  switch (metric) {
  case VT_METRIC_LEAKED: return "LIVE: bytes live at the end, the largest change first";
  case VT_METRIC_PEAK:
    return "PEAK: bytes live when the heap was largest, the largest change first";
  case VT_METRIC_COUNT: return "ALLOCATIONS: the largest change first";
  case VT_METRIC_TEMPORARY: return "TEMPORARY: allocations, the largest change first";
  default: return "ALLOCATED: bytes, the largest change first";
  }
}

static void text_totals(vt_diff_t const *diff, vt_term_t const *term) {
  vt_model_totals_t const a = totals_of(diff->before), b = totals_of(diff->after);
  vt_sampled_t const *before = &diff->before->sampled, *after = &diff->after->sampled;
  int sampled = (before->period ? 1 : 0) | (after->period ? 2 : 0);
  int counted = (before->exact ? 0 : sampled & 1) | (after->exact ? 0 : sampled & 2);
  vt_term_styled(term, VT_STYLE_FAINT, "  %-13s%14s    %14s   %s\n", "", "before", "after",
                 "change (of before)");
  text_total(diff, term, "allocations", a.allocations, b.allocations, 0, counted);
  text_total(diff, term, "allocated", a.allocated_bytes, b.allocated_bytes, 1, counted);
  if (!sampled) text_total(diff, term, "temporary", a.temporary, b.temporary, 0, 0);
  text_total(diff, term, "peak", a.peak_bytes, b.peak_bytes, 1, sampled);
  text_total(diff, term, "live", a.live_bytes, b.live_bytes, 1, sampled);
  text_total(diff, term, "live blocks", a.live_blocks, b.live_blocks, 0, sampled);
  if (sampled)
    fputs("  ≈ estimates from a sample of the blocks; below, ± is the standard error of a change\n", term->out);
  if (diff->unit)
    vt_term_styled(term, VT_STYLE_FAINT, "  all of it divided by %s: %.10g before, %.10g after\n",
                   diff->unit, diff->per[0], diff->per[1]);
}

static void text_renamed(vt_pairing_t const *pairing, vt_term_t const *term) {
  for (size_t i = 0; i < pairing->pairs_cnt; i++) {
    fputs("  taken for the same module: ", term->out);
    vt_term_path(term, pairing->pairs[i].before, vt_term_room(term, 56));
    fputs(" and ", term->out);
    vt_term_path(term, pairing->pairs[i].after, vt_term_room(term, 56));
    putc('\n', term->out);
  }
}

static void text_change(vt_diff_t const *diff, vt_term_t const *term, change_t const *change,
                        vt_by_t by_what) {
  vt_analysis_t const *analysis = change->of ? diff->after : diff->before;
  vt_metric_t metric = diff->metric;
  vt_stack_frame_t top = vt_group_frame(analysis, change->node);
  double by = delta(diff, change);
  int bytes = metric < VT_METRIC_COUNT;
  double off = error(diff, change);
  char const *about = is_sampled(diff) ? "≈ " : "";
  vt_term_styled(term, by > 0 ? VT_STYLE_WARNING : VT_STYLE_PLACE, "  %s%c%10s", about, by > 0 ? '+' : '-',
                 number_text(fabs(by), bytes).text);
  if (off > 0)
    fprintf(term->out, " ± %s", number_text(floor(off + 0.5), bytes).text);
  else if (is_sampled(diff)) /* none of its blocks was recorded */
    fputs(" ± not known", term->out);
  fprintf(term->out, "  %s%s -> %s%s  ", about, vt_count_text(vt_metric_blocks(metric, &change->sums[0])).text, about,
          vt_counted(vt_metric_blocks(metric, &change->sums[1]), "block").text);
  vt_text_group_name(term, &top, by_what, vt_term_room(term, 40));
  if (by_what == VT_BY_LINE && top.file[0]) fprintf(term->out, "  %s:%u", top.file, top.line);
  putc('\n', term->out);
}

static void text_stack(vt_diff_t const *diff, vt_term_t const *term, change_t const *change) {
  vt_analysis_t const *analysis = change->of ? diff->after : diff->before;
  vt_text_stack(analysis, diff->options, term, change->node, STACK_LINES);
}

/* A function, and the stack on which it changed most. */
static void text_function(vt_diff_t const *diff, vt_term_t const *term, found_t const *found,
                          change_t const *function) {
  change_t const *best = &found->sites.changes[function->best];
  text_change(diff, term, function, VT_BY_FUNCTION);
  if (function->sites > 1)
    vt_term_styled(term, VT_STYLE_FAINT, "        stack 1 of %u that changed: %s%c%s\n",
                   function->sites, is_sampled(diff) ? "≈ " : "", delta(diff, best) > 0 ? '+' : '-',
                   number_text(fabs(delta(diff, best)), diff->metric < VT_METRIC_COUNT).text);
  text_stack(diff, term, best);
}

static void text_list(vt_diff_t const *diff, vt_term_t const *term, found_t const *found,
                      size_t limit) {
  int functions = !diff->options->by_given;
  changes_t const *all = functions ? &found->functions : &found->sites;
  size_t shown = 0, more = 0;
  for (; shown < all->changes_cnt && shown < limit; shown++) {
    change_t const *change = &all->changes[shown];
    if (delta(diff, change) == 0) break;
    if (by_stack(diff->options)) putc('\n', term->out);
    if (functions)
      text_function(diff, term, found, change);
    else
      text_change(diff, term, change, by_stack(diff->options) ? VT_BY_FUNCTION : diff->options->by);
    if (!functions && by_stack(diff->options)) text_stack(diff, term, change);
  }
  if (!shown) fputs("\n  no site changed\n", term->out);
  while (shown + more < all->changes_cnt && delta(diff, &all->changes[shown + more]) != 0) more++;
  if (more)
    vt_term_styled(term, VT_STYLE_FAINT, "\n  and %zu more changed (--limit N shows more)\n", more);
}

static void text_warning(vt_term_t const *term, char const *side, char const *what, char const *why) {
  char text[200];
  snprintf(text, sizeof text, "%s: %s%s", side, what, why);
  vt_term_styled(term, VT_STYLE_WARNING, "  ! ");
  vt_term_wrap(term, text, 4);
  putc('\n', term->out);
}

/* Says that a side is not complete, and why, and whether it has what had been allocated before. */
static void text_incomplete(vt_analysis_t const *analysis, vt_term_t const *term, char const *side) {
  vt_completeness_t have = vt_analysis_completeness(analysis);
  if (!have.complete) text_warning(term, side, "the record is incomplete: ", have.reasons[0]);
  if (have.mid_life) text_warning(term, side, "recording began in mid-life: what had been allocated before is in no number here", "");
}

void vt_diff_text(vt_diff_t const *diff, vt_term_t const *term) {
  found_t found = find_changes(diff);
  text_incomplete(diff->before, term, "before");
  text_incomplete(diff->after, term, "after");
  text_totals(diff, term);
  text_renamed(&found.pairing, term);
  putc('\n', term->out);
  vt_term_styled(term, VT_STYLE_TITLE, "%s\n", title_of(diff->metric));
  if (!by_stack(diff->options)) putc('\n', term->out);
  text_list(diff, term, &found, diff->options->limit ? diff->options->limit : LIMIT);
  free_changes(&found);
}

static double total(vt_diff_t const *diff, vt_condition_t const *condition, int side) {
  vt_analysis_t const *analysis = side ? diff->after : diff->before;
  return (double)vt_condition_total(condition, analysis) / diff->per[side];
}

vt_diff_values_t vt_diff_values(vt_diff_t const *diff, vt_condition_t const *condition) {
  vt_diff_values_t out;
  int bytes = vt_condition_bytes(condition);
  snprintf(out.text, sizeof out.text, "%s -> %s", number_text(total(diff, condition, 0), bytes).text,
           number_text(total(diff, condition, 1), bytes).text);
  return out;
}

void vt_diff_tell(vt_diff_t const *diff, vt_condition_t const *condition, size_t limit,
                  vt_diff_told_t *told, void *context) {
  vt_diff_t one = *diff;
  char text[160];
  one.metric = vt_condition_metric(condition);
  found_t found = find_changes(&one);
  for (size_t i = 0; i < found.sites.changes_cnt && i < limit; i++) {
    change_t const *change = &found.sites.changes[i];
    double by = delta(&one, change);
    if (by == 0) break;
    snprintf(text, sizeof text, "%c%s (%s -> %s)", by > 0 ? '+' : '-',
             number_text(fabs(by), one.metric < VT_METRIC_COUNT).text,
             vt_count_text(vt_metric_blocks(one.metric, &change->sums[0])).text,
             vt_counted(vt_metric_blocks(one.metric, &change->sums[1]), "block").text);
    told(context, change->of ? diff->after : diff->before, change->node, text);
  }
  free_changes(&found);
}

void vt_diff_text_failed(vt_diff_t const *diff, vt_condition_t const *condition,
                         vt_term_t const *term) {
  vt_diff_t one = *diff;
  one.metric = vt_condition_metric(condition);
  found_t found = find_changes(&one);
  vt_term_styled(term, VT_STYLE_WARNING, "\nfailed: %s", condition->text);
  fprintf(term->out, ": %s\n", vt_diff_values(diff, condition).text);
  text_list(&one, term, &found, diff->options->limit ? diff->options->limit : FAILED);
  free_changes(&found);
}

/* ---- JSON ---- */

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

static void json_values(vt_json_t *json, vt_diff_t const *diff, change_t const *change) {
  vt_site_t const *a = &change->sums[0], *b = &change->sums[1];
  vt_json_int(json, "change",
              (int64_t)(vt_metric_value(diff->metric, b) - vt_metric_value(diff->metric, a)));
  if (diff->unit) vt_json_double(json, "change_per", delta(diff, change));
  json_pair(json, "allocations", a->allocations, b->allocations);
  json_pair(json, "allocated_bytes", a->allocated_bytes, b->allocated_bytes);
  json_known_pair(json, "temporary", !is_sampled(diff), a->temporary, b->temporary);
  double off = error(diff, change);
  if (is_sampled(diff)) vt_json_double(json, "change_standard_error", off > 0 ? off : NAN); /* null: none was recorded */
  json_pair(json, "peak_bytes", a->peak_bytes, b->peak_bytes);
  json_pair(json, "leaked_bytes", a->leaked_bytes, b->leaked_bytes);
  json_pair(json, "leaked_blocks", a->leaked_blocks, b->leaked_blocks);
}

static void json_change(vt_json_t *json, vt_diff_t const *diff, change_t const *change, size_t rank,
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
                      changes_t const *all, size_t limit, int stack, vt_by_t by) {
  vt_json_array(json, name);
  for (size_t i = 0; i < all->changes_cnt && (!limit || i < limit); i++)
    json_change(json, diff, &all->changes[i], i + 1, stack, by);
  vt_json_end_array(json);
}

static void json_changes(vt_json_t *json, vt_diff_t const *diff, found_t const *found,
                         size_t limit) {
  if (!diff->options->by_given)
    json_list(json, diff, "functions", &found->functions, limit, 0, VT_BY_FUNCTION);
  json_list(json, diff, "sites", &found->sites, limit, by_stack(diff->options), diff->options->by);
}

static void json_totals(vt_json_t *json, vt_diff_t const *diff) {
  vt_model_totals_t const a = totals_of(diff->before), b = totals_of(diff->after);
  vt_json_object(json, "totals");
  json_pair(json, "allocations", a.allocations, b.allocations);
  json_pair(json, "allocated_bytes", a.allocated_bytes, b.allocated_bytes);
  json_known_pair(json, "temporary", !is_sampled(diff), a.temporary, b.temporary);
  json_pair(json, "peak_bytes", a.peak_bytes, b.peak_bytes);
  json_pair(json, "leaked_bytes", a.live_bytes, b.live_bytes);
  json_pair(json, "leaked_blocks", a.live_blocks, b.live_blocks);
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
  found_t found = find_changes(&one);
  vt_json_object(json, NULL);
  vt_json_string(json, "condition", condition->text);
  vt_json_double(json, "before", total(diff, condition, 0));
  vt_json_double(json, "after", total(diff, condition, 1));
  json_changes(json, &one, &found, diff->options->limit ? diff->options->limit : FAILED);
  vt_json_end_object(json);
  free_changes(&found);
}

void vt_diff_json(vt_diff_t const *diff, vt_condition_t const *failed, size_t failed_cnt,
                  FILE *out) {
  found_t found = find_changes(diff);
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
  free_changes(&found);
}
