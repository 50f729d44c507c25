/* Ranking and grouping of sites; see metric.h. */
#include "analyzer/report/metric.h"
#include <stdlib.h>
#include <string.h>
#include "analyzer/util/mem.h"

static char const *const names[] = {"leaked",   "peak",      "allocated", "lost",
                                    "definite", "indirect",  "possible",  "reachable",
                                    "count",    "temporary", "reallocs"};

char const *vt_metric_name(vt_metric_t metric) { return names[metric]; }

int vt_metric_by_name(char const *name) {
  if (!strcmp(name, "live")) return VT_METRIC_LEAKED; /* "leaked" is the old name */
  for (int i = 0; i < (int)(sizeof names / sizeof *names); i++)
    if ((i < VT_METRIC_LOST || i >= VT_METRIC_COUNT) && !strcmp(name, names[i])) return i;
  return -1;
}

int vt_metric_by_leak_kind(char const *name) {
  if (!strcmp(name, "live")) return VT_METRIC_LEAKED;
  for (int i = VT_METRIC_LOST; i < VT_METRIC_COUNT; i++)
    if (!strcmp(name, names[i])) return i;
  return -1;
}

static vt_leak_kind_t kind_of(vt_metric_t metric) {
  return metric == VT_METRIC_DEFINITE   ? VT_LEAK_DEFINITE
         : metric == VT_METRIC_INDIRECT ? VT_LEAK_INDIRECT
         : metric == VT_METRIC_POSSIBLE ? VT_LEAK_POSSIBLE
                                        : VT_LEAK_REACHABLE;
}

uint64_t vt_metric_bytes(vt_metric_t metric, vt_site_t const *site) {
  switch (metric) {
  case VT_METRIC_LEAKED: return site->leaked_bytes;
  case VT_METRIC_LOST: return site->lost_bytes;
  case VT_METRIC_DEFINITE:
  case VT_METRIC_INDIRECT:
  case VT_METRIC_POSSIBLE:
  case VT_METRIC_REACHABLE: return site->kinds.bytes[kind_of(metric)];
  case VT_METRIC_PEAK: return site->peak_bytes;
  case VT_METRIC_TEMPORARY: return site->temporary_bytes;
  case VT_METRIC_REALLOCS: return site->realloc_old_bytes;
  default: return site->allocated_bytes;
  }
}

uint64_t vt_metric_blocks(vt_metric_t metric, vt_site_t const *site) {
  switch (metric) {
  case VT_METRIC_LEAKED: return site->leaked_blocks;
  case VT_METRIC_LOST: return site->lost_blocks;
  case VT_METRIC_DEFINITE:
  case VT_METRIC_INDIRECT:
  case VT_METRIC_POSSIBLE:
  case VT_METRIC_REACHABLE: return site->kinds.blocks[kind_of(metric)];
  case VT_METRIC_PEAK: return site->peak_blocks;
  case VT_METRIC_TEMPORARY: return site->temporary;
  case VT_METRIC_REALLOCS: return site->reallocs;
  default: return site->allocations;
  }
}

uint64_t vt_metric_unsure(vt_metric_t metric, vt_site_t const *site) {
  return metric == VT_METRIC_LEAKED ? site->unsure_bytes : metric == VT_METRIC_PEAK ? site->peak_unsure_bytes : 0;
}

vt_spread_t vt_metric_spread(vt_metric_t metric, vt_site_t const *site) {
  switch (metric) {
  case VT_METRIC_LEAKED: return site->spread.live;
  case VT_METRIC_PEAK: return site->spread.peak;
  case VT_METRIC_TEMPORARY: return site->spread.temporary;
  case VT_METRIC_REALLOCS: return (vt_spread_t){.blocks = site->spread.reallocs.blocks};
  default: return site->spread.allocated;
  }
}

uint64_t vt_metric_value(vt_metric_t metric, vt_site_t const *site) {
  return metric < VT_METRIC_COUNT ? vt_metric_bytes(metric, site) : vt_metric_blocks(metric, site);
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
  vt_stack_frame_t frames[VT_STACKS_FRAMES_MAX];
  uint32_t owner = vt_stacks_owner(analysis->stacks, node, analysis->no_inlines);
  size_t cnt = node ? vt_stacks_frames(analysis->stacks, owner ? owner : node, 1, frames) : 0;
  for (size_t i = 0; i < cnt; i++) {
    if (analysis->no_inlines && frames[i].inlined) continue;
    if (!owner || !frames[i].runtime) return frames[i];
  }
  return (vt_stack_frame_t){.function = "[no stack]", .file = "", .module = ""};
}

/* ---- groups ---- */

#define NO_GROUP UINT32_MAX

/* Sites of equal keys are one group. Strings are interned: equal ones have one address; an empty
   one is NULL. */
typedef struct {
  char const *module, *function, *file;
  uint64_t where;             /* tells unknown functions and, by site, sites apart */
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

/* An open-addressing table of the keys. */
struct vt_group_index {
  group_key_t *keys; /* by group */
  size_t keys_cnt, keys_cap;
  uint32_t *slots; /* group + 1; 0: free */
  size_t mask;
};

vt_group_index_t *vt_group_index_new(size_t most) {
  vt_group_index_t *index = vt_mem_new(1, sizeof *index);
  index->mask = 1;
  while (index->mask < 2 * most) index->mask = 2 * index->mask + 1;
  index->slots = vt_mem_new(index->mask + 1, sizeof *index->slots);
  return index;
}

void vt_group_index_delete(vt_group_index_t *index) {
  if (!index) return;
  free(index->keys);
  free(index->slots);
  free(index);
}

/* The number of the group with this key, a new one if need be. */
static uint32_t number_of(vt_group_index_t *index, group_key_t const *key) {
  uint64_t words[sizeof *key / 8], hash = 0;
  memcpy(words, key, sizeof words);
  for (size_t i = 0; i < sizeof words / 8; i++)
    hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15u, hash ^= hash >> 29;
  size_t at = hash & index->mask;
  while (index->slots[at] && memcmp(&index->keys[index->slots[at] - 1], key, sizeof *key))
    at = (at + 1) & index->mask;
  if (!index->slots[at]) {
    VT_PUSH(index->keys, *key);
    index->slots[at] = (uint32_t)index->keys_cnt;
  }
  return index->slots[at] - 1;
}

uint32_t vt_group_index_line(vt_group_index_t *index, vt_stack_frame_t const *frame) {
  group_key_t key = key_of(VT_BY_LINE, &(vt_site_t){0}, 0, frame);
  return number_of(index, &key);
}

/* Groups found so far. */
typedef struct {
  vt_group_index_t *numbers;
  uint32_t *of_place; /* by place of vt_stacks_owner: group + 1 of sites that are not nested */
} index_t;

/* The group of a site, a new one if need be. Sites with the same owner have the same one, so that
   names are looked at once for each place and not for each stack. */
static uint32_t group_of(vt_analysis_t const *analysis, vt_by_t by, index_t *index, uint32_t number,
                         vt_groups_t *out) {
  vt_site_t const *site = &analysis->sites[number];
  uint32_t owner = by == VT_BY_SITE || site->nested ? 0 : site->owner;
  if (owner && index->of_place[owner]) return index->of_place[owner] - 1;
  vt_stack_frame_t frame = vt_group_frame(analysis, site->node);
  group_key_t key = key_of(by, site, number, &frame);
  uint32_t group = number_of(index->numbers, &key);
  if (group == out->groups_cnt) VT_PUSH(out->groups, ((vt_group_t){.best = number, .sum.nested = site->nested}));
  if (owner) index->of_place[owner] = group + 1;
  return group;
}

/* Fills out->groups, and of: by site its group, NO_GROUP if it has nothing of the metric. */
static void find_groups(vt_analysis_t const *analysis, vt_metric_t metric, vt_by_t by, uint32_t *of,
                        vt_groups_t *out) {
  size_t cnt = analysis->sites_cnt;
  index_t index = {.numbers = vt_group_index_new(cnt)};
  index.of_place = vt_mem_new(vt_stacks_places_cnt(analysis->stacks), sizeof *index.of_place);
  for (uint32_t i = 0; i < cnt; i++) {
    vt_site_t const *site = &analysis->sites[i];
    of[i] = NO_GROUP;
    if (!vt_metric_blocks(metric, site)) continue;
    of[i] = group_of(analysis, by, &index, i, out);
    vt_group_t *group = &out->groups[of[i]];
    if (compare_values(metric, site, &analysis->sites[group->best]) < 0) group->best = i;
    group->site_cnt++;
    vt_site_add(&group->sum, site);
    if (!site->nested) out->whole += vt_metric_value(metric, site);
  }
  vt_group_index_delete(index.numbers);
  free(index.of_place);
}

/* Puts the sites of each group side by side. */
static void gather_sites(vt_analysis_t const *analysis, uint32_t const *of, vt_groups_t *out) {
  size_t sum = 0;
  out->sites = vt_mem_new(analysis->sites_cnt + 1, sizeof *out->sites);
  for (size_t g = 0; g < out->groups_cnt; g++) {
    out->groups[g].sites = out->sites + sum;
    sum += out->groups[g].site_cnt;
    out->groups[g].site_cnt = 0;
  }
  for (uint32_t i = 0; i < analysis->sites_cnt; i++) {
    if (of[i] == NO_GROUP) continue;
    vt_group_t *group = &out->groups[of[i]];
    group->sites[group->site_cnt++] = i;
  }
}

static int compare_groups(void const *a, void const *b, void *context) {
  vt_group_t const *x = a, *y = b;
  int order = compare_values(*(vt_metric_t *)context, &x->sum, &y->sum);
  return order ? order : compare_u64(x->best, y->best);
}

vt_groups_t vt_groups_make(vt_analysis_t const *analysis, vt_metric_t metric, vt_by_t by) {
  vt_groups_t out = {0};
  uint32_t *of = vt_mem_new(analysis->sites_cnt + 1, sizeof *of);
  find_groups(analysis, metric, by, of, &out);
  gather_sites(analysis, of, &out);
  free(of);
  for (size_t g = 0; g < out.groups_cnt; g++) {
    vt_site_t const *best = &analysis->sites[out.groups[g].best];
    out.groups[g].frame = vt_group_frame(analysis, best->node);
    out.groups[g].sum.heap = best->heap;
    out.groups[g].sum.node = best->node;
  }
  if (out.groups_cnt)
    qsort_r(out.groups, out.groups_cnt, sizeof *out.groups, compare_groups, &metric);
  return out;
}

void vt_group_rank(vt_analysis_t const *analysis, vt_metric_t metric, vt_group_t const *group,
                   size_t n) {
  uint32_t *sites = group->sites;
  for (size_t i = 0; i < n && i < group->site_cnt; i++) {
    size_t best = i;
    for (size_t k = i + 1; k < group->site_cnt; k++) {
      int order = compare_values(metric, &analysis->sites[sites[k]], &analysis->sites[sites[best]]);
      if (order < 0 || (!order && sites[k] < sites[best])) best = k;
    }
    uint32_t site = sites[i];
    sites[i] = sites[best];
    sites[best] = site;
  }
}

void vt_groups_free(vt_groups_t *groups) {
  free(groups->groups);
  free(groups->sites);
}
