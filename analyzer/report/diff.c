/* A comparison of two analyses for people; see diff.h. */
#include "analyzer/report/changes.h"
#include <limits.h>
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

/* A total: its label, and whether it is of bytes. */
typedef struct {
  char const *label;
  vt_total_name_t name;
  int bytes;
} row_t;

/* text_side prints a number of one side in 14 columns; of an estimate of which nothing was recorded what it is at most. */
static void text_side(vt_diff_t const *diff, vt_term_t const *term, row_t const *row, int side, vt_total_t const *total) {
  int unseen = vt_total_unseen(total);
  double value = (unseen ? total->high : (double)total->value) / diff->per[side];
  char text[48];
  snprintf(text, sizeof text, "%s%s", unseen ? "≤ " : total->estimated ? "≈ " : "", number_text(value, row->bytes).text);
  fprintf(term->out, "%s%*s", side ? "  ->" : "", total->estimated ? 16 : 14, text);
}

static void text_total(vt_diff_t const *diff, vt_term_t const *term, row_t const *row) {
  vt_total_t before = vt_total(diff->before, row->name), after = vt_total(diff->after, row->name);
  int bytes = row->bytes, unseen = vt_total_unseen(&before) || vt_total_unseen(&after);
  double a = (double)before.value / diff->per[0], b = (double)after.value / diff->per[1];
  vt_term_styled(term, VT_STYLE_FAINT, "  %-13s", row->label);
  text_side(diff, term, row, 0, &before);
  text_side(diff, term, row, 1, &after);
  fprintf(term->out, "   %s", !unseen && a != b && (before.estimated || after.estimated) ? "≈ " : "");
  if (unseen)
    fputs("not known\n", term->out);
  else if (a == b)
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

/* text_between tells a total that a pause has left between two bounds. sampled: these are estimates. */
static void text_between(vt_term_t const *term, char const *label, bounds_t before, bounds_t after, int bytes, int sampled) {
  char sides[2][48];
  bounds_t const both[] = {before, after};
  for (int i = 0; i < 2; i++)
    snprintf(sides[i], sizeof sides[i], "%s%s", both[i].least < both[i].most ? "≤ " : "", number_text(both[i].most, bytes).text);
  double low = after.least - before.most, high = after.most - before.least;
  vt_term_styled(term, VT_STYLE_FAINT, "  %-13s", label);
  fprintf(term->out, "%*s  ->%*s   %sbetween %s%s and %s%s\n", before.least < before.most ? 16 : 14, sides[0],
          after.least < after.most ? 16 : 14, sides[1], sampled ? "about " : "", low < 0 ? "-" : "+", number_text(fabs(low), bytes).text, high < 0 ? "-" : "+",
          number_text(fabs(high), bytes).text);
}

static bounds_t bounds(vt_diff_t const *diff, int side, uint64_t least, uint64_t most) {
  return (bounds_t){(double)least / diff->per[side], (double)most / diff->per[side]};
}

/* text_bounded tells peak and live: a block that may have been freed while recording was paused counts in both. */
static void text_bounded(vt_diff_t const *diff, vt_term_t const *term, vt_model_totals_t const *a, vt_model_totals_t const *b) {
  struct {
    row_t row;
    uint64_t least[2], most[2];
  } const rows[] = {
      {{"peak", VT_TOTAL_PEAK, 1}, {a->peak_at_least, b->peak_at_least}, {a->peak_bytes, b->peak_bytes}},
      {{"live", VT_TOTAL_LIVE, 1}, {a->live_bytes - a->unsure_bytes, b->live_bytes - b->unsure_bytes}, {a->live_bytes, b->live_bytes}},
      {{"live blocks", VT_TOTAL_LIVE_BLOCKS, 0}, {a->live_blocks - a->unsure_blocks, b->live_blocks - b->unsure_blocks}, {a->live_blocks, b->live_blocks}}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    uint64_t const *least = rows[i].least, *most = rows[i].most;
    if (least[0] < most[0] || least[1] < most[1])
      text_between(term, rows[i].row.label, bounds(diff, 0, least[0], most[0]), bounds(diff, 1, least[1], most[1]), rows[i].row.bytes,
                   vt_diff_sampled(diff));
    else
      text_total(diff, term, &rows[i].row);
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
  int untold = diff->before->sampled.untold || diff->after->sampled.untold;
  vt_term_styled(term, VT_STYLE_FAINT, "  %-13s%14s    %14s   %s\n", "", "before", "after",
                 "change (of before)");
  text_total(diff, term, &(row_t){"allocations", VT_TOTAL_ALLOCATIONS, 0});
  text_total(diff, term, &(row_t){"allocated", VT_TOTAL_ALLOCATED, 1});
  if (!untold) text_total(diff, term, &(row_t){"temporary", VT_TOTAL_TEMPORARY, 0});
  text_bounded(diff, term, vt_model_totals(diff->before->model), vt_model_totals(diff->after->model));
  if (vt_diff_sampled(diff))
    fputs("  ≈ estimates from a sample of the blocks, ≤ at most where none was recorded; below, ± is the standard error of a change\n", term->out);
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
  if (by_what == VT_BY_LINE && top.file[0]) {
    fputs("  ", term->out);
    vt_term_path(term, top.file, INT_MAX);
    fprintf(term->out, ":%u", top.line);
  }
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
