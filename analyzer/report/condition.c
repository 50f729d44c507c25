/* See condition.h. */
#include "analyzer/report/condition.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef enum {
  LOST,
  LOST_BLOCKS,
  LIVE,
  LIVE_BLOCKS,
  PEAK,
  PEAK_BLOCKS,
  ALLOCATED,
  ALLOCATIONS,
  TEMPORARY,
  FREES,
  REALLOCS
} total_t;

static struct {
  char const *name;
  total_t total;
  vt_metric_t metric;
} const metrics[] = {{"lost", LOST, VT_METRIC_LOST},
                     {"lost-blocks", LOST_BLOCKS, VT_METRIC_LOST},
                     {"live", LIVE, VT_METRIC_LEAKED},
                     {"leaked", LIVE, VT_METRIC_LEAKED},
                     {"live-blocks", LIVE_BLOCKS, VT_METRIC_LEAKED},
                     {"leaked-blocks", LIVE_BLOCKS, VT_METRIC_LEAKED},
                     {"peak", PEAK, VT_METRIC_PEAK},
                     {"peak-blocks", PEAK_BLOCKS, VT_METRIC_PEAK},
                     {"allocated", ALLOCATED, VT_METRIC_ALLOCATED},
                     {"allocations", ALLOCATIONS, VT_METRIC_COUNT},
                     {"count", ALLOCATIONS, VT_METRIC_COUNT},
                     {"temporary", TEMPORARY, VT_METRIC_TEMPORARY},
                     {"frees", FREES, VT_METRIC_COUNT},
                     {"reallocs", REALLOCS, VT_METRIC_REALLOCS}};

static int parse_metric(char const *text, size_t sz, unsigned *metric) {
  for (unsigned i = 0; i < sizeof metrics / sizeof *metrics; i++) {
    if (strlen(metrics[i].name) != sz || memcmp(metrics[i].name, text, sz)) continue;
    *metric = i;
    return 0;
  }
  return -1;
}

/* Returns the bytes read, 0: no operator. */
static size_t parse_operator(char const *text, vt_condition_t *out) {
  static char const *const operators[] = {">", ">=", "<", "<=", "=", "!="};
  size_t sz = strspn(text, "<>=!");
  for (int i = 0; i < 6; i++) {
    if (strlen(operators[i]) != sz || memcmp(operators[i], text, sz)) continue;
    out->comparison = i;
    return sz;
  }
  return 0;
}

/* A number with a suffix; a percent sign makes it one of a change. */
static int parse_number(char const *text, vt_condition_t *out) {
  static char const units[] = "kMGT";
  char *end;
  if (*text == '+' || *text == '-') out->of = VT_CONDITION_CHANGE;
  out->value = strtod(text, &end);
  if (end == text || !isfinite(out->value)) return -1;
  if (!strcmp(end, "%")) {
    out->of = VT_CONDITION_PERCENT;
    return 0;
  }
  char const *unit = *end ? strchr(units, *end == 'K' ? 'k' : *end) : NULL;
  for (char const *u = units; unit && u <= unit; u++) out->value *= 1024;
  if (unit) end++;
  if (*end == 'i') end++;
  if (*end == 'B') end++;
  return *end ? -1 : 0;
}

int vt_condition_parse(char const *text, vt_condition_t *out) {
  size_t name = strcspn(text, " <>=!");
  *out = (vt_condition_t){.text = text};
  if (parse_metric(text, name, &out->metric)) return -1;
  text += name + strspn(text + name, " ");
  size_t sz = parse_operator(text, out);
  text += sz + strspn(text + sz, " ");
  return sz ? parse_number(text, out) : -1;
}

vt_metric_t vt_condition_metric(vt_condition_t const *condition) {
  return metrics[condition->metric].metric;
}

int vt_condition_bytes(vt_condition_t const *condition) {
  total_t total = metrics[condition->metric].total;
  return total == LOST || total == LIVE || total == PEAK || total == ALLOCATED;
}

int vt_condition_of_lost(vt_condition_t const *condition) {
  return vt_condition_metric(condition) == VT_METRIC_LOST;
}

uint64_t vt_condition_total(vt_condition_t const *condition, vt_analysis_t const *analysis) {
  vt_model_totals_t const *totals = vt_model_totals(analysis->model);
  switch (metrics[condition->metric].total) {
  case LOST: return vt_lost_bytes(&analysis->verdict);
  case LOST_BLOCKS: return vt_lost_blocks(&analysis->verdict);
  case LIVE: return totals->live_bytes;
  case LIVE_BLOCKS: return totals->live_blocks;
  case PEAK: return totals->peak_bytes;
  case PEAK_BLOCKS: return totals->peak_blocks;
  case ALLOCATED: return totals->allocated_bytes;
  case ALLOCATIONS: return totals->allocations;
  case TEMPORARY: return totals->temporary;
  case FREES: return totals->frees;
  default: return totals->reallocs;
  }
}

int vt_condition_at_most(vt_condition_t const *condition, vt_analysis_t const *analysis) {
  vt_model_totals_t const *totals = vt_model_totals(analysis->model);
  switch (metrics[condition->metric].total) {
  case LIVE:
  case LIVE_BLOCKS: return totals->unsure_blocks != 0;
  case PEAK:
  case PEAK_BLOCKS: return totals->peak_at_most;
  default: return 0;
  }
}

/* The change in percent; infinite from nothing to something. */
static double percent(double before, double after) {
  if (before == after) return 0;
  return before ? 100 * (after - before) / before : INFINITY;
}

int vt_condition_holds(vt_condition_t const *condition, double before, double after) {
  double value = condition->of == VT_CONDITION_VALUE    ? after
                 : condition->of == VT_CONDITION_CHANGE ? after - before
                                                        : percent(before, after);
  switch (condition->comparison) {
  case VT_ABOVE: return value > condition->value;
  case VT_AT_LEAST: return value >= condition->value;
  case VT_BELOW: return value < condition->value;
  case VT_AT_MOST: return value <= condition->value;
  case VT_EQUAL: return value == condition->value;
  default: return value != condition->value;
  }
}
