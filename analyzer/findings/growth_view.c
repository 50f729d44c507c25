/* See growth_view.h. */
#include "analyzer/findings/growth_view.h"
#include <stdlib.h>
#include "analyzer/util/mem.h"

#define ROWS    20 /* of text, unless --limit says how many */
#define MOMENTS (VT_EVIDENCE_MOMENTS - 1)

static int compare(void const *a, void const *b, void *context) {
  vt_evidence_sums_t const *sums = context;
  uint32_t x = *(uint32_t const *)a, y = *(uint32_t const *)b;
  vt_growth_t gx = vt_growth_of(&sums[x]), gy = vt_growth_of(&sums[y]);
  if (gx.grows != gy.grows) return gx.grows ? -1 : 1;
  if (gx.rise != gy.rise) return gx.rise > gy.rise ? -1 : 1;
  return x < y ? -1 : 1;
}

void vt_growth_view_free(vt_growth_view_t *view) {
  vt_groups_free(&view->groups);
  free(view->sums);
  free(view->order);
}

/* ---- text ---- */

static char const *word_for(vt_growth_t const *growth) {
  if (growth->grows) return "grows all the time";
  if (growth->last_sure < growth->last) return "not known"; /* the curve is at most so high, after pauses */
  if (growth->variance > 0 && !vt_finding_least(growth->rise, growth->variance)) return "within its error";
  if (growth->last < growth->first) return "shrinks";
  if (!growth->rise) return "constant";
  if (3 * growth->largest_step > growth->rise) return "went up once";
  return 4 * growth->late_rise < growth->rise ? "has settled" : "goes up and down";
}

/* The curve as a row of small bars. */
static void text_curve(vt_term_t const *term, vt_evidence_sums_t const *sums) {
  static char const *const bars[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  uint64_t most = 1;
  for (int i = 0; i < VT_EVIDENCE_MOMENTS; i++)
    if (sums->live_bytes[i] > most) most = sums->live_bytes[i];
  fputs("        ", term->out);
  for (int i = 0; i < VT_EVIDENCE_MOMENTS; i++) {
    unsigned height = (unsigned)((double)sums->live_bytes[i] / (double)most * 8 + 0.999);
    fputs(bars[height > 8 ? 8 : height], term->out);
  }
  fprintf(term->out, "  %s%s at the end\n", sums->unsure_bytes[MOMENTS] ? "at most " : "", vt_bytes_text(sums->live_bytes[MOMENTS]).text);
}

static double rate_of(vt_growth_view_t const *view, vt_growth_t const *growth) {
  double ns = (double)(vt_evidence_time(view->evidence, MOMENTS - 1) - view->analysis->from_ns);
  return ns > 0 ? (double)growth->rise / ns * 1e9 : 0;
}

static int is_sampled(vt_growth_view_t const *view) { return view->analysis->sampled.period != 0; }

static void text_rise(vt_growth_view_t const *view, vt_term_t const *term, vt_growth_t const *growth) {
  if (is_sampled(view))
    vt_term_styled(term, VT_STYLE_TITLE, "+ %s", vt_bytes_estimate(growth->rise, vt_estimate_error(growth->variance)).text);
  else
    vt_term_styled(term, VT_STYLE_TITLE, "+%10s", vt_bytes_text(growth->rise).text);
}

/* say_estimates: the curves have no room to say it themselves. */
static void say_estimates(vt_growth_view_t const *view, vt_term_t const *term) {
  if (is_sampled(view)) fputs("≈ estimates from a sample of the blocks\n", term->out);
}

static void text(void *context, vt_term_t const *term) {
  vt_growth_view_t const *view = context;
  size_t limit = view->options->limit ? view->options->limit : ROWS, shown = 0;
  putc('\n', term->out);
  vt_term_styled(term, VT_STYLE_TITLE, "GROWTH: live bytes in time, what grows all the time first");
  putc('\n', term->out);
  say_estimates(view, term);
  for (; shown < view->groups.groups_cnt && shown < limit; shown++) {
    vt_group_t const *group = &view->groups.groups[view->order[shown]];
    vt_evidence_sums_t const *sums = &view->sums[view->order[shown]];
    vt_growth_t growth = vt_growth_of(sums);
    if (!growth.rise) break;
    fprintf(term->out, "\n%3zu. ", shown + 1);
    text_rise(view, term, &growth);
    fprintf(term->out, " %12s/s  %-18s  ", vt_bytes_text((uint64_t)rate_of(view, &growth)).text,
            word_for(&growth));
    vt_text_group_name(term, &group->frame, view->options->by, vt_term_room(term, 53));
    fputs(vt_text_has_place(&group->frame) ? "\n        " : "", term->out);
    vt_text_place(term, &group->frame, vt_term_room(term, 8));
    putc('\n', term->out);
    text_curve(term, sums);
    if (view->options->by == VT_BY_SITE)
      vt_text_stack(view->analysis, view->options, term, group->sum.node, 0);
  }
  if (!shown) fputs("\n  nothing grew\n", term->out);
}

/* ---- time by group ---- */

#define BANDS   10
#define COLUMNS 3 /* bands whose numbers fit a line of 80 columns */

/* The most that was live of a group at a moment. */
static uint64_t most_of(vt_evidence_sums_t const *sums) {
  uint64_t most = 0;
  for (int i = 0; i < VT_EVIDENCE_MOMENTS; i++)
    if (sums->live_bytes[i] > most) most = sums->live_bytes[i];
  return most;
}

static int compare_most(void const *a, void const *b, void *context) {
  vt_evidence_sums_t const *sums = context;
  uint32_t x = *(uint32_t const *)a, y = *(uint32_t const *)b;
  uint64_t mx = most_of(&sums[x]), my = most_of(&sums[y]);
  return mx != my ? (mx > my ? -1 : 1) : x < y ? -1 : 1;
}

/* The groups from `first` on as one. */
static vt_evidence_sums_t sum_from(vt_growth_view_t const *view, size_t first) {
  vt_evidence_sums_t rest = {.brief = 0};
  for (size_t i = first; i < view->groups.groups_cnt; i++) {
    vt_evidence_sums_t const *sums = &view->sums[view->order[i]];
    for (size_t k = 0; k < VT_EVIDENCE_MOMENTS; k++) {
      rest.live_bytes[k] += sums->live_bytes[k];
      rest.unsure_bytes[k] += sums->unsure_bytes[k];
      rest.live_variance[k] += sums->live_variance[k];
      rest.live_blocks[k] += sums->live_blocks[k];
      rest.allocations[k] += sums->allocations[k];
    }
  }
  return rest;
}

static size_t bands_of(vt_growth_view_t const *view, size_t otherwise) {
  size_t bands = view->options->limit ? view->options->limit : otherwise;
  return bands < view->groups.groups_cnt ? bands : view->groups.groups_cnt;
}

static void text_moments(vt_growth_view_t const *view, vt_term_t const *term, size_t bands) {
  vt_evidence_sums_t rest = sum_from(view, bands);
  fprintf(term->out, "\n%10s", "until");
  for (size_t i = 0; i < bands; i++) fprintf(term->out, " %11c", (int)('A' + i));
  fprintf(term->out, " %11s %11s\n", "the rest", "all");
  for (size_t k = 0; k < VT_EVIDENCE_MOMENTS; k++) {
    uint64_t sum = rest.live_bytes[k];
    fprintf(term->out, "%10s", vt_time_text(vt_evidence_time(view->evidence, k)).text);
    for (size_t i = 0; i < bands; i++) {
      uint64_t live = view->sums[view->order[i]].live_bytes[k];
      sum += live;
      fprintf(term->out, " %11s", vt_bytes_text(live).text);
    }
    fprintf(term->out, " %11s %11s\n", vt_bytes_text(rest.live_bytes[k]).text,
            vt_bytes_text(sum).text);
  }
}

static void text_bands(void *context, vt_term_t const *term) {
  vt_growth_view_t const *view = context;
  size_t bands = bands_of(view, BANDS), shown = bands < COLUMNS ? bands : COLUMNS;
  putc('\n', term->out);
  vt_term_styled(term, VT_STYLE_TITLE, "TIMELINE: live bytes, what had most of them first");
  putc('\n', term->out);
  say_estimates(view, term);
  for (size_t i = 0; i < bands; i++) {
    vt_group_t const *group = &view->groups.groups[view->order[i]];
    fprintf(term->out, "\n  %c  ", i < shown ? (int)('A' + i) : ' ');
    vt_text_group_name(term, &group->frame, view->options->by, vt_term_room(term, 40));
    vt_text_behind(term, &group->frame, 32);
    putc('\n', term->out);
    text_curve(term, &view->sums[view->order[i]]);
  }
  text_moments(view, term, shown);
}

/* ---- JSON ---- */

static void json_moments(vt_json_t *json, vt_growth_view_t const *view,
                         vt_evidence_sums_t const *sums) {
  vt_json_array(json, "moments");
  for (size_t i = 0; i < VT_EVIDENCE_MOMENTS; i++) {
    vt_json_object_line(json, NULL);
    vt_json_uint(json, "t_ns", vt_evidence_time(view->evidence, i));
    vt_json_uint(json, "live_bytes", sums->live_bytes[i]);
    if (is_sampled(view)) vt_json_uint(json, "live_bytes_error", vt_estimate_error(sums->live_variance[i]));
    vt_json_uint(json, "unsure_bytes", sums->unsure_bytes[i]);
    vt_json_uint(json, "live_blocks", sums->live_blocks[i]);
    vt_json_uint(json, "allocations", sums->allocations[i]);
    vt_json_end_object(json);
  }
  vt_json_end_array(json);
}

static void json(void *context, vt_json_t *json) {
  vt_growth_view_t const *view = context;
  size_t limit = view->options->limit ? view->options->limit : SIZE_MAX;
  vt_json_array(json, "growth");
  for (size_t i = 0; i < view->groups.groups_cnt && i < limit; i++) {
    vt_group_t const *group = &view->groups.groups[view->order[i]];
    vt_evidence_sums_t const *sums = &view->sums[view->order[i]];
    vt_growth_t growth = vt_growth_of(sums);
    double each = growth.allocations ? (double)growth.rise / (double)growth.allocations : 0;
    vt_json_object(json, NULL);
    vt_json_uint(json, "rank", i + 1);
    vt_json_group(json, &group->frame,
                  view->options->by == VT_BY_SITE ? VT_BY_LINE : view->options->by);
    vt_json_bool(json, "grows", growth.grows);
    vt_json_uint(json, "first_bytes", growth.first);
    vt_json_uint(json, "last_bytes", growth.last);
    vt_json_uint(json, "last_at_least_bytes", growth.last_sure);
    if (is_sampled(view)) vt_json_uint(json, "standard_error", vt_estimate_error(growth.variance));
    vt_json_double(json, "bytes_per_second", rate_of(view, &growth));
    vt_json_double(json, "bytes_per_allocation", each);
    json_moments(json, view, sums);
    if (view->options->by == VT_BY_SITE)
      vt_json_stack(json, view->analysis, view->options, group->sum.node);
    vt_json_end_object(json);
  }
  vt_json_end_array(json);
}

static void json_bands(void *context, vt_json_t *json) {
  vt_growth_view_t const *view = context;
  size_t bands = bands_of(view, view->groups.groups_cnt);
  vt_evidence_sums_t rest = sum_from(view, bands);
  vt_json_object(json, "timeline_by");
  vt_json_array(json, "groups");
  for (size_t i = 0; i < bands; i++) {
    vt_group_t const *group = &view->groups.groups[view->order[i]];
    vt_json_object(json, NULL);
    vt_json_uint(json, "rank", i + 1);
    vt_json_group(json, &group->frame,
                  view->options->by == VT_BY_SITE ? VT_BY_LINE : view->options->by);
    json_moments(json, view, &view->sums[view->order[i]]);
    vt_json_end_object(json);
  }
  vt_json_end_array(json);
  vt_json_object(json, "rest");
  json_moments(json, view, &rest);
  vt_json_end_object(json);
  vt_json_end_object(json);
}

vt_report_part_t vt_growth_view_make(vt_growth_view_t *view, vt_analysis_t const *analysis,
                                     vt_evidence_t *evidence, vt_report_options_t const *options) {
  *view = (vt_growth_view_t){.analysis = analysis, .options = options, .evidence = evidence};
  view->groups = vt_groups_make(analysis, VT_METRIC_COUNT, options->by);
  view->sums = vt_evidence_by_group(evidence, analysis, &view->groups);
  view->order = vt_mem_new(view->groups.groups_cnt + 1, sizeof *view->order);
  for (uint32_t i = 0; i < view->groups.groups_cnt; i++) view->order[i] = i;
  int bands = options->view == VT_VIEW_TIMELINE;
  if (view->groups.groups_cnt)
    qsort_r(view->order, view->groups.groups_cnt, sizeof *view->order,
            bands ? compare_most : compare, view->sums);
  return bands ? (vt_report_part_t){text_bands, json_bands, view}
               : (vt_report_part_t){text, json, view};
}

/* ---- what is still reachable ---- */

#define REACHABLE_SHOWN 5

static void text_reachable(void *context, vt_term_t const *term) {
  vt_growth_view_t const *view = context;
  size_t shown = 0;
  for (size_t i = 0; i < view->groups.groups_cnt && shown < REACHABLE_SHOWN; i++) {
    vt_group_t const *group = &view->groups.groups[view->order[i]];
    vt_growth_t growth = vt_growth_of(&view->sums[view->order[i]]);
    uint64_t reachable = group->sum.kinds.bytes[VT_LEAK_REACHABLE];
    if (!growth.grows) break;
    if (!reachable) continue;
    if (!shown++) fputs("\nOf it grows all the time (report growth shows the curve)\n", term->out);
    fprintf(term->out, "  %10s reachable, +%s  ", vt_bytes_text(reachable).text, vt_bytes_text(growth.rise).text);
    vt_text_group_name(term, &group->frame, view->options->by, vt_term_room(term, 40));
    putc('\n', term->out);
  }
  if (!shown && view->analysis->verdict.blocks[VT_LEAK_REACHABLE])
    fputs("None of it grows all the time.\n", term->out);
}

vt_report_part_t vt_growth_view_reachable(vt_growth_view_t *view, vt_analysis_t const *analysis,
                                          vt_evidence_t *evidence, vt_report_options_t const *options) {
  vt_growth_view_make(view, analysis, evidence, options);
  return (vt_report_part_t){text_reachable, NULL, view};
}
