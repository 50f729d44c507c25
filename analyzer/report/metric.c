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

static int compare_u64(uint64_t a, uint64_t b) { return a < b ? -1 : a > b; }

static int compare_values(vt_metric_t metric, vt_site_t const *x, vt_site_t const *y) {
  int order = compare_u64(vt_metric_value(metric, y), vt_metric_value(metric, x));
  return order ? order : compare_u64(y->allocated_bytes, x->allocated_bytes);
}

/* A site with what it is ranked by: sorting these does not look into the sites again. */
typedef struct {
  uint64_t value, allocated_bytes;
  uint32_t site;
} ranked_t;

static int compare_ranked(void const *a, void const *b) {
  ranked_t const *x = a, *y = b;
  int order = compare_u64(y->value, x->value);
  if (!order) order = compare_u64(y->allocated_bytes, x->allocated_bytes);
  return order ? order : compare_u64(x->site, y->site);
}

uint32_t *vt_metric_rank(vt_analysis_t const *analysis, vt_metric_t metric, size_t *cnt) {
  ranked_t *order = vt_mem_new(analysis->sites_cnt + 1, sizeof *order);
  *cnt = 0;
  for (size_t i = 0; i < analysis->sites_cnt; i++) {
    vt_site_t const *site = &analysis->sites[i];
    if (vt_metric_blocks(metric, site))
      order[(*cnt)++] =
          (ranked_t){vt_metric_value(metric, site), site->allocated_bytes, (uint32_t)i};
  }
  qsort(order, *cnt, sizeof *order, compare_ranked);
  uint32_t *ranked = vt_mem_new(*cnt + 1, sizeof *ranked);
  for (size_t i = 0; i < *cnt; i++) ranked[i] = order[i].site;
  free(order);
  return ranked;
}

vt_stack_frame_t vt_group_frame(vt_analysis_t const *analysis, uint32_t node) {
  vt_stack_frame_t frames[VT_STACKS_FRAMES_MAX],
      first = {.function = "[no stack]", .file = "", .module = ""};
  int first_known = 0;
  for (uint32_t at = node; at; at = vt_stacks_parent(analysis->stacks, at)) {
    size_t cnt = vt_stacks_frames(analysis->stacks, at, at == node, frames);
    for (size_t i = 0; i < cnt; i++) {
      if (analysis->no_inlines && frames[i].inlined) continue;
      if (!frames[i].runtime) return frames[i];
      if (!first_known) first = frames[i];
      first_known = 1;
    }
  }
  return first;
}

/* ---- groups ---- */

/* Sites of equal keys are one group. Strings are interned: equal ones have one address; an empty one
   is NULL. */
typedef struct {
  char const *module, *function, *file;
  uint64_t where; /* tells unknown functions and, by site, sites apart */
  uint32_t line, nested_heap; /* heap + 1; 0: not nested */
} group_key_t;
_Static_assert(sizeof(group_key_t) == 40, "keys are compared as bytes");

static char const *known(char const *string) { return string[0] ? string : NULL; }

static group_key_t key_of(vt_by_t by, vt_site_t const *site, uint32_t number,
                    vt_stack_frame_t const *frame) {
  group_key_t key = {.nested_heap = site->nested ? site->heap + 1u : 0};
  if (by == VT_BY_SITE) {
    key.where = number;
    return key;
  }
  key.module = known(frame->module);
  if (by == VT_BY_MODULE) return key;
  key.function = known(frame->function);
  if (!key.function) key.where = frame->offset;
  if (by == VT_BY_FUNCTION) return key;
  key.file = known(frame->file);
  key.line = frame->line;
  return key;
}

/* Groups found so far: an open-addressing table of their keys. */
typedef struct {
  group_key_t *keys;     /* by group */
  uint32_t *slots; /* group + 1; 0: free */
  size_t mask;
} index_t;

/* The slot of the group with this key, or the free one where it belongs. */
static uint32_t *find_group(index_t const *index, group_key_t const *key) {
  uint64_t words[sizeof *key / 8], hash = 0;
  memcpy(words, key, sizeof words);
  for (size_t i = 0; i < sizeof words / 8; i++)
    hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15u, hash ^= hash >> 29;
  size_t at = hash & index->mask;
  while (index->slots[at] && memcmp(&index->keys[index->slots[at] - 1], key, sizeof *key))
    at = (at + 1) & index->mask;
  return &index->slots[at];
}

static int compare_groups(void const *a, void const *b, void *context) {
  vt_group_t const *x = a, *y = b;
  int order = compare_values(*(vt_metric_t *)context, &x->sum, &y->sum);
  return order ? order : compare_u64(x->sites[0], y->sites[0]);
}

/* Fills out->groups, and group_of: by rank, the group of the site. */
static void find_groups(vt_analysis_t const *analysis, vt_by_t by, size_t cnt, uint32_t *group_of,
                        vt_groups_t *out) {
  index_t index = {.keys = vt_mem_new(cnt + 1, sizeof *index.keys), .mask = 1};
  while (index.mask < 2 * cnt) index.mask = 2 * index.mask + 1;
  index.slots = vt_mem_new(index.mask + 1, sizeof *index.slots);
  for (size_t i = 0; i < cnt; i++) {
    vt_site_t const *site = &analysis->sites[out->ranked[i]];
    vt_stack_frame_t frame = vt_group_frame(analysis, site->node);
    group_key_t key = key_of(by, site, out->ranked[i], &frame);
    uint32_t *slot = find_group(&index, &key);
    if (!*slot) {
      index.keys[out->cnt] = key;
      out->groups[out->cnt] = (vt_group_t){.frame = frame};
      out->groups[out->cnt].sum =
          (vt_site_t){.heap = site->heap, .nested = site->nested, .node = site->node};
      *slot = (uint32_t)++out->cnt;
    }
    group_of[i] = *slot - 1;
    out->groups[group_of[i]].site_cnt++;
    vt_site_add(&out->groups[group_of[i]].sum, site);
  }
  free(index.keys);
  free(index.slots);
}

/* Puts the sites of each group side by side, in order of rank. */
static void gather_sites(vt_groups_t *out, size_t cnt, uint32_t const *group_of) {
  uint32_t *gathered = vt_mem_new(cnt + 1, sizeof *gathered);
  size_t *next = vt_mem_new(out->cnt + 1, sizeof *next);
  for (size_t g = 0; g < out->cnt; g++) {
    out->groups[g].sites = gathered + next[g];
    next[g + 1] = next[g] + out->groups[g].site_cnt;
  }
  for (size_t i = 0; i < cnt; i++) gathered[next[group_of[i]]++] = out->ranked[i];
  free(next);
  free(out->ranked);
  out->ranked = gathered;
}

vt_groups_t vt_groups_make(vt_analysis_t const *analysis, vt_metric_t metric, vt_by_t by) {
  vt_groups_t out = {0};
  size_t cnt;
  out.ranked = vt_metric_rank(analysis, metric, &cnt);
  out.groups = vt_mem_new(cnt + 1, sizeof *out.groups);
  uint32_t *group_of = vt_mem_new(cnt + 1, sizeof *group_of);
  find_groups(analysis, by, cnt, group_of, &out);
  gather_sites(&out, cnt, group_of);
  free(group_of);
  qsort_r(out.groups, out.cnt, sizeof *out.groups, compare_groups, &metric);
  return out;
}

void vt_groups_free(vt_groups_t *groups) {
  free(groups->groups);
  free(groups->ranked);
}
