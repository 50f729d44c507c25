/* Ranking and grouping of sites; see metric.h. */
#include "analyzer/report/metric.h"
#include <stdlib.h>
#include <string.h>
#include "analyzer/util/mem.h"

static char const *const names[] = {"leaked", "peak",      "allocated",
                                    "count",  "temporary", "reallocs"};

char const *vt_metric_name(vt_metric_t metric) { return names[metric]; }

int vt_metric_by_name(char const *name) {
  for (int i = 0; i < (int)(sizeof names / sizeof *names); i++)
    if (!strcmp(name, names[i])) return i;
  return -1;
}

uint64_t vt_metric_bytes(vt_metric_t metric, vt_site_t const *site) {
  switch (metric) {
  case VT_METRIC_LEAKED: return site->leaked_bytes;
  case VT_METRIC_PEAK: return site->peak_bytes;
  case VT_METRIC_TEMPORARY: return site->temporary_bytes;
  case VT_METRIC_REALLOCS: return site->realloc_old_bytes;
  default: return site->allocated_bytes;
  }
}

uint64_t vt_metric_blocks(vt_metric_t metric, vt_site_t const *site) {
  switch (metric) {
  case VT_METRIC_LEAKED: return site->leaked_blocks;
  case VT_METRIC_PEAK: return site->peak_blocks;
  case VT_METRIC_TEMPORARY: return site->temporary;
  case VT_METRIC_REALLOCS: return site->reallocs;
  default: return site->allocations;
  }
}

uint64_t vt_metric_value(vt_metric_t metric, vt_site_t const *site) {
  int by_bytes =
      metric == VT_METRIC_LEAKED || metric == VT_METRIC_PEAK || metric == VT_METRIC_ALLOCATED;
  return by_bytes ? vt_metric_bytes(metric, site) : vt_metric_blocks(metric, site);
}

typedef struct {
  vt_analysis_t const *analysis;
  vt_metric_t metric;
} order_t;

static int compare_values(vt_metric_t metric, vt_site_t const *x, vt_site_t const *y) {
  uint64_t a = vt_metric_value(metric, x), b = vt_metric_value(metric, y);
  if (a != b) return a > b ? -1 : 1;
  if (x->allocated_bytes != y->allocated_bytes)
    return x->allocated_bytes > y->allocated_bytes ? -1 : 1;
  return 0;
}

static int compare_sites(void const *a, void const *b, void *context) {
  order_t const *order = context;
  uint32_t x = *(uint32_t const *)a, y = *(uint32_t const *)b;
  int by_value =
      compare_values(order->metric, &order->analysis->sites[x], &order->analysis->sites[y]);
  return by_value ? by_value : x < y ? -1 : 1;
}

uint32_t *vt_metric_rank(vt_analysis_t const *analysis, vt_metric_t metric, size_t *cnt) {
  uint32_t *ranked = vt_mem_new(analysis->sites_cnt ? analysis->sites_cnt : 1, sizeof *ranked);
  *cnt = 0;
  for (size_t i = 0; i < analysis->sites_cnt; i++)
    if (vt_metric_blocks(metric, &analysis->sites[i])) ranked[(*cnt)++] = (uint32_t)i;
  order_t order = {analysis, metric};
  qsort_r(ranked, *cnt, sizeof *ranked, compare_sites, &order);
  return ranked;
}

vt_stack_frame_t vt_group_frame(vt_analysis_t const *analysis, uint32_t node) {
  vt_stack_frame_t frames[VT_STACKS_FRAMES_MAX],
      first = {.function = "[no stack]", .file = "", .module = ""};
  for (uint32_t at = node; at; at = vt_stacks_parent(analysis->stacks, at)) {
    size_t cnt = vt_stacks_frames(analysis->stacks, at, at == node, frames);
    if (at == node && cnt) first = frames[0];
    for (size_t i = 0; i < cnt; i++)
      if (!frames[i].runtime) return frames[i];
  }
  return first;
}

/* ---- groups ---- */

typedef struct {
  vt_stack_frame_t frame;
  uint32_t site;
  uint32_t rank;
} member_t;

typedef struct {
  vt_analysis_t const *analysis;
  vt_by_t by;
} grouping_t;

static int compare_u64(uint64_t a, uint64_t b) { return a < b ? -1 : a > b; }

/* Do two sites belong together? Unknown functions are told apart by their address. */
static int compare_keys(grouping_t const *grouping, member_t const *x, member_t const *y) {
  vt_site_t const *a = &grouping->analysis->sites[x->site],
                  *b = &grouping->analysis->sites[y->site];
  int order = compare_u64(a->nested ? a->heap + 1u : 0, b->nested ? b->heap + 1u : 0);
  if (order) return order;
  if (grouping->by == VT_BY_SITE) return compare_u64(x->site, y->site);
  order = strcmp(x->frame.module, y->frame.module);
  if (order || grouping->by == VT_BY_MODULE) return order;
  order = strcmp(x->frame.function, y->frame.function);
  if (!order && !x->frame.function[0]) order = compare_u64(x->frame.offset, y->frame.offset);
  if (order || grouping->by == VT_BY_FUNCTION) return order;
  order = strcmp(x->frame.file, y->frame.file);
  return order ? order : compare_u64(x->frame.line, y->frame.line);
}

static int compare_members(void const *a, void const *b, void *context) {
  member_t const *x = a, *y = b;
  int order = compare_keys(context, x, y);
  return order ? order : compare_u64(x->rank, y->rank);
}

static int compare_groups(void const *a, void const *b, void *context) {
  vt_group_t const *x = a, *y = b;
  int order = compare_values(*(vt_metric_t *)context, &x->sum, &y->sum);
  return order ? order : compare_u64(x->sites[0], y->sites[0]);
}

vt_groups_t vt_groups_make(vt_analysis_t const *analysis, vt_metric_t metric, vt_by_t by) {
  vt_groups_t out = {0};
  size_t cnt;
  out.ranked = vt_metric_rank(analysis, metric, &cnt);
  member_t *members = vt_mem_new(cnt + 1, sizeof *members);
  out.groups = vt_mem_new(cnt + 1, sizeof *out.groups);
  for (size_t i = 0; i < cnt; i++)
    members[i] = (member_t){vt_group_frame(analysis, analysis->sites[out.ranked[i]].node),
                            out.ranked[i], (uint32_t)i};
  grouping_t grouping = {analysis, by};
  qsort_r(members, cnt, sizeof *members, compare_members, &grouping);
  for (size_t i = 0; i < cnt; i++) {
    vt_site_t const *site = &analysis->sites[members[i].site];
    out.ranked[i] = members[i].site;
    if (!i || compare_keys(&grouping, &members[i - 1], &members[i])) {
      vt_group_t group = {.frame = members[i].frame, .sites = &out.ranked[i]};
      group.sum = (vt_site_t){.heap = site->heap, .nested = site->nested, .node = site->node};
      out.groups[out.cnt++] = group;
    }
    out.groups[out.cnt - 1].site_cnt++;
    vt_site_add(&out.groups[out.cnt - 1].sum, site);
  }
  free(members);
  qsort_r(out.groups, out.cnt, sizeof *out.groups, compare_groups, &metric);
  return out;
}

void vt_groups_free(vt_groups_t *groups) {
  free(groups->groups);
  free(groups->ranked);
}
