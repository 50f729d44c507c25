/* A comparison of two analyses for people; see diff.h. */
#include "analyzer/report/changes.h"
#include <math.h>

#define LIMIT       20
#define STACK_LINES 6

/* A value per unit of work; whole ones are exact. */
static vt_number_t number_text(double number, int bytes) {
  vt_number_t out;
  if (number == floor(number) || number >= 1000)
    return bytes ? vt_bytes_text((uint64_t)(number + 0.5))
                 : vt_count_text((uint64_t)(number + 0.5));
  snprintf(out.text, sizeof out.text, bytes ? "%.2f B" : "%.2f", number);
  return out;
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

/* The bounds of a number that is one at most after a pause. */
typedef struct {
  double least, most;
} bounds_t;

/* text_between tells a total that a pause has left between two bounds. */
static void text_between(vt_term_t const *term, char const *label, bounds_t before, bounds_t after, int bytes) {
  char sides[2][48];
  bounds_t const both[] = {before, after};
  for (int i = 0; i < 2; i++)
    snprintf(sides[i], sizeof sides[i], "%s%s", both[i].least < both[i].most ? "≤ " : "", number_text(both[i].most, bytes).text);
  double low = after.least - before.most, high = after.most - before.least;
  vt_term_styled(term, VT_STYLE_FAINT, "  %-13s", label);
  fprintf(term->out, "%*s  ->%*s   between %s%s and %s%s\n", before.least < before.most ? 16 : 14, sides[0],
          after.least < after.most ? 16 : 14, sides[1], low < 0 ? "-" : "+", number_text(fabs(low), bytes).text, high < 0 ? "-" : "+",
          number_text(fabs(high), bytes).text);
}

static bounds_t bounds(vt_diff_t const *diff, int side, uint64_t least, uint64_t most) {
  return (bounds_t){(double)least / diff->per[side], (double)most / diff->per[side]};
}

/* text_bounded tells peak and live: a block that may have been freed while recording was paused counts in both. */
static void text_bounded(vt_diff_t const *diff, vt_term_t const *term, vt_model_totals_t const *a, vt_model_totals_t const *b,
                         int sampled) {
  struct {
    char const *label;
    uint64_t least[2], most[2];
    int bytes;
  } const rows[] = {
      {"peak", {a->peak_at_least, b->peak_at_least}, {a->peak_bytes, b->peak_bytes}, 1},
      {"live", {a->live_bytes - a->unsure_bytes, b->live_bytes - b->unsure_bytes}, {a->live_bytes, b->live_bytes}, 1},
      {"live blocks", {a->live_blocks - a->unsure_blocks, b->live_blocks - b->unsure_blocks}, {a->live_blocks, b->live_blocks}, 0}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    uint64_t const *least = rows[i].least, *most = rows[i].most;
    if (least[0] < most[0] || least[1] < most[1])
      text_between(term, rows[i].label, bounds(diff, 0, least[0], most[0]), bounds(diff, 1, least[1], most[1]), rows[i].bytes);
    else
      text_total(diff, term, rows[i].label, most[0], most[1], rows[i].bytes, sampled);
  }
  if (a->unsure_blocks || b->unsure_blocks || a->peak_at_most || b->peak_at_most)
    fputs("  ≤ at most, and below ≈ about: blocks that may have been freed while recording was paused count\n", term->out);
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
  vt_model_totals_t const a = vt_diff_totals(diff->before), b = vt_diff_totals(diff->after);
  vt_sampled_t const *before = &diff->before->sampled, *after = &diff->after->sampled;
  int sampled = (before->period ? 1 : 0) | (after->period ? 2 : 0);
  int counted = (before->exact ? 0 : sampled & 1) | (after->exact ? 0 : sampled & 2);
  int untold = before->untold || after->untold;
  vt_term_styled(term, VT_STYLE_FAINT, "  %-13s%14s    %14s   %s\n", "", "before", "after",
                 "change (of before)");
  text_total(diff, term, "allocations", a.allocations, b.allocations, 0, counted);
  text_total(diff, term, "allocated", a.allocated_bytes, b.allocated_bytes, 1, counted);
  if (!untold) text_total(diff, term, "temporary", a.temporary, b.temporary, 0, sampled);
  text_bounded(diff, term, &a, &b, sampled);
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

static void text_change(vt_diff_t const *diff, vt_term_t const *term, vt_change_t const *change,
                        vt_by_t by_what) {
  vt_analysis_t const *analysis = change->of ? diff->after : diff->before;
  vt_metric_t metric = diff->metric;
  vt_stack_frame_t top = vt_group_frame(analysis, change->node);
  double by = vt_change_delta(diff, change);
  int bytes = metric < VT_METRIC_COUNT;
  double off = vt_change_error(diff, change);
  char const *about = vt_diff_sampled(diff) || vt_change_unsure(diff, change) ? "≈ " : "";
  vt_term_styled(term, by > 0 ? VT_STYLE_WARNING : VT_STYLE_PLACE, "  %s%c%10s", about, by > 0 ? '+' : '-',
                 number_text(fabs(by), bytes).text);
  if (off > 0)
    fprintf(term->out, " ± %s", number_text(floor(off + 0.5), bytes).text);
  else if (vt_diff_sampled(diff)) /* none of its blocks was recorded */
    fputs(" ± not known", term->out);
  fprintf(term->out, "  %s%s -> %s%s  ", about, vt_count_text(vt_metric_blocks(metric, &change->sums[0])).text, about,
          vt_counted(vt_metric_blocks(metric, &change->sums[1]), "block").text);
  vt_text_group_name(term, &top, by_what, vt_term_room(term, 40));
  if (by_what == VT_BY_LINE && top.file[0]) fprintf(term->out, "  %s:%u", top.file, top.line);
  putc('\n', term->out);
}

static void text_stack(vt_diff_t const *diff, vt_term_t const *term, vt_change_t const *change) {
  vt_analysis_t const *analysis = change->of ? diff->after : diff->before;
  vt_text_stack(analysis, diff->options, term, change->node, STACK_LINES);
}

/* A function, and the stack on which it changed most. */
static void text_function(vt_diff_t const *diff, vt_term_t const *term, vt_changes_found_t const *found,
                          vt_change_t const *function) {
  vt_change_t const *best = &found->sites.changes[function->best];
  text_change(diff, term, function, VT_BY_FUNCTION);
  if (function->sites > 1)
    vt_term_styled(term, VT_STYLE_FAINT, "        stack 1 of %u that changed: %s%c%s\n",
                   function->sites, vt_diff_sampled(diff) ? "≈ " : "", vt_change_delta(diff, best) > 0 ? '+' : '-',
                   number_text(fabs(vt_change_delta(diff, best)), diff->metric < VT_METRIC_COUNT).text);
  text_stack(diff, term, best);
}

static void text_list(vt_diff_t const *diff, vt_term_t const *term, vt_changes_found_t const *found,
                      size_t limit) {
  int functions = !diff->options->by_given;
  vt_changes_t const *all = functions ? &found->functions : &found->sites;
  size_t shown = 0, more = 0;
  for (; shown < all->changes_cnt && shown < limit; shown++) {
    vt_change_t const *change = &all->changes[shown];
    if (vt_change_delta(diff, change) == 0) break;
    if (vt_changes_by_stack(diff->options)) putc('\n', term->out);
    if (functions)
      text_function(diff, term, found, change);
    else
      text_change(diff, term, change, vt_changes_by_stack(diff->options) ? VT_BY_FUNCTION : diff->options->by);
    if (!functions && vt_changes_by_stack(diff->options)) text_stack(diff, term, change);
  }
  if (!shown) fputs("\n  no site changed\n", term->out);
  while (shown + more < all->changes_cnt && vt_change_delta(diff, &all->changes[shown + more]) != 0) more++;
  if (more)
    vt_term_styled(term, VT_STYLE_FAINT, "\n  and %zu more changed (--limit N shows more)\n", more);
}

static void text_warning(vt_term_t const *term, char const *side, char const *what, char const *why) {
  char text[400];
  snprintf(text, sizeof text, "%s: %s%s", side, what, why);
  vt_term_styled(term, VT_STYLE_WARNING, "  ! ");
  vt_term_wrap(term, text, 4);
  putc('\n', term->out);
}

/* Says that a side is not complete, and why, and whether it has what had been allocated before. */
static void text_incomplete(vt_analysis_t const *analysis, vt_term_t const *term, char const *side) {
  vt_completeness_t have = vt_analysis_completeness(analysis);
  if (!have.complete) text_warning(term, side, "the record is incomplete: ", vt_completeness_why(&have).text);
  if (have.mid_life) text_warning(term, side, VT_MID_LIFE_WHY, "");
  if (vt_model_totals(analysis->model)->peak_at_most) text_warning(term, side, VT_PEAK_WHY, "");
  uint64_t unsure = vt_model_totals(analysis->model)->unsure_bytes;
  if (unsure)
    text_warning(term, side, vt_bytes_text(unsure).text, " of what is live may have been freed while recording was paused");
}

void vt_diff_text(vt_diff_t const *diff, vt_term_t const *term) {
  vt_changes_found_t found = vt_changes_find(diff);
  text_incomplete(diff->before, term, "before");
  text_incomplete(diff->after, term, "after");
  text_totals(diff, term);
  text_renamed(&found.pairing, term);
  putc('\n', term->out);
  vt_term_styled(term, VT_STYLE_TITLE, "%s\n", title_of(diff->metric));
  if (!vt_changes_by_stack(diff->options)) putc('\n', term->out);
  text_list(diff, term, &found, diff->options->limit ? diff->options->limit : LIMIT);
  vt_changes_free(&found);
}

vt_diff_values_t vt_diff_values(vt_diff_t const *diff, vt_condition_t const *condition) {
  vt_diff_values_t out;
  int bytes = vt_condition_bytes(condition);
  char sides[2][100];
  for (int side = 0; side < 2; side++) {
    vt_total_t one = vt_condition_total(condition, side ? diff->after : diff->before);
    vt_number_t text = number_text(vt_diff_total(diff, condition, side), bytes);
    vt_number_t off = number_text(floor(one.error / diff->per[side] + 0.5), bytes);
    snprintf(sides[side], sizeof sides[side], "%s%s%s%s%s", one.at_most ? "at most " : "", one.estimated ? "≈ " : "", text.text,
             one.estimated ? " ± " : "", one.estimated ? off.text : "");
  }
  snprintf(out.text, sizeof out.text, "%s -> %s", sides[0], sides[1]);
  return out;
}

void vt_diff_tell(vt_diff_t const *diff, vt_condition_t const *condition, size_t limit,
                  vt_diff_told_t *told, void *context) {
  vt_diff_t one = *diff;
  char text[160];
  one.metric = vt_condition_metric(condition);
  vt_changes_found_t found = vt_changes_find(&one);
  for (size_t i = 0; i < found.sites.changes_cnt && i < limit; i++) {
    vt_change_t const *change = &found.sites.changes[i];
    double by = vt_change_delta(&one, change);
    if (by == 0) break;
    snprintf(text, sizeof text, "%c%s (%s -> %s)", by > 0 ? '+' : '-',
             number_text(fabs(by), one.metric < VT_METRIC_COUNT).text,
             vt_count_text(vt_metric_blocks(one.metric, &change->sums[0])).text,
             vt_counted(vt_metric_blocks(one.metric, &change->sums[1]), "block").text);
    told(context, change->of ? diff->after : diff->before, change->node, text);
  }
  vt_changes_free(&found);
}

void vt_diff_text_failed(vt_diff_t const *diff, vt_condition_t const *condition,
                         vt_term_t const *term) {
  vt_diff_t one = *diff;
  one.metric = vt_condition_metric(condition);
  vt_changes_found_t found = vt_changes_find(&one);
  vt_term_styled(term, VT_STYLE_WARNING, "\nfailed: %s", condition->text);
  fprintf(term->out, ": %s\n", vt_diff_values(diff, condition).text);
  text_list(&one, term, &found, diff->options->limit ? diff->options->limit : VT_CHANGES_FAILED);
  vt_changes_free(&found);
}
