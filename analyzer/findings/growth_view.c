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
  fprintf(term->out, "  %s at the end\n", vt_bytes_text(sums->live_bytes[MOMENTS]).text);
}

static double rate_of(vt_growth_view_t const *view, vt_growth_t const *growth) {
  double ns = (double)(vt_evidence_time(view->evidence, MOMENTS - 1) - view->analysis->from_ns);
  return ns > 0 ? (double)growth->rise / ns * 1e9 : 0;
}

static void text(void *context, vt_term_t const *term) {
  vt_growth_view_t const *view = context;
  size_t limit = view->options->limit ? view->options->limit : ROWS, shown = 0;
  putc('\n', term->out);
  vt_term_styled(term, VT_STYLE_TITLE, "GROWTH: live bytes in time, what grows all the time first");
  putc('\n', term->out);
  for (; shown < view->groups.groups_cnt && shown < limit; shown++) {
    vt_group_t const *group = &view->groups.groups[view->order[shown]];
    vt_evidence_sums_t const *sums = &view->sums[view->order[shown]];
    vt_growth_t growth = vt_growth_of(sums);
    if (!growth.rise) break;
    fprintf(term->out, "\n%3zu. ", shown + 1);
    vt_term_styled(term, VT_STYLE_TITLE, "+%10s", vt_bytes_text(growth.rise).text);
    fprintf(term->out, " %12s/s  %-18s  ", vt_bytes_text((uint64_t)rate_of(view, &growth)).text,
            word_for(&growth));
    vt_text_group_name(term, &group->frame, view->options->by, vt_term_room(term, 53));
    fputs("\n        ", term->out);
    vt_text_place(term, &group->frame, vt_term_room(term, 8));
    putc('\n', term->out);
    text_curve(term, sums);
    if (view->options->by == VT_BY_SITE)
      vt_text_stack(view->analysis, view->options, term, group->sum.node, 0);
  }
  if (!shown) fputs("\n  nothing grew\n", term->out);
}

/* ---- JSON ---- */

static void json_moments(vt_json_t *json, vt_growth_view_t const *view,
                         vt_evidence_sums_t const *sums) {
  vt_json_array(json, "moments");
  for (size_t i = 0; i < VT_EVIDENCE_MOMENTS; i++) {
    vt_json_object_line(json, NULL);
    vt_json_uint(json, "t_ns", vt_evidence_time(view->evidence, i));
    vt_json_uint(json, "live_bytes", sums->live_bytes[i]);
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
    vt_json_double(json, "bytes_per_second", rate_of(view, &growth));
    vt_json_double(json, "bytes_per_allocation", each);
    json_moments(json, view, sums);
    if (view->options->by == VT_BY_SITE)
      vt_json_stack(json, view->analysis, view->options, group->sum.node);
    vt_json_end_object(json);
  }
  vt_json_end_array(json);
}

vt_report_part_t vt_growth_view_make(vt_growth_view_t *view, vt_analysis_t const *analysis,
                                     vt_evidence_t *evidence, vt_report_options_t const *options) {
  *view = (vt_growth_view_t){.analysis = analysis, .options = options, .evidence = evidence};
  view->groups = vt_groups_make(analysis, VT_METRIC_COUNT, options->by);
  view->sums = vt_evidence_by_group(evidence, analysis, &view->groups);
  view->order = vt_mem_new(view->groups.groups_cnt + 1, sizeof *view->order);
  for (uint32_t i = 0; i < view->groups.groups_cnt; i++) view->order[i] = i;
  if (view->groups.groups_cnt)
    qsort_r(view->order, view->groups.groups_cnt, sizeof *view->order, compare, view->sums);
  return (vt_report_part_t){text, json, view};
}
