/* See condition.h. */
#include "analyzer/report/condition.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct {
  char const *name;
  vt_total_name_t total;
  vt_metric_t metric;
} const metrics[] = {{"lost", VT_TOTAL_LOST, VT_METRIC_LOST},
                     {"lost-blocks", VT_TOTAL_LOST_BLOCKS, VT_METRIC_LOST},
                     {"live", VT_TOTAL_LIVE, VT_METRIC_LEAKED},
                     {"leaked", VT_TOTAL_LIVE, VT_METRIC_LEAKED},
                     {"live-blocks", VT_TOTAL_LIVE_BLOCKS, VT_METRIC_LEAKED},
                     {"leaked-blocks", VT_TOTAL_LIVE_BLOCKS, VT_METRIC_LEAKED},
                     {"peak", VT_TOTAL_PEAK, VT_METRIC_PEAK},
                     {"peak-blocks", VT_TOTAL_PEAK_BLOCKS, VT_METRIC_PEAK},
                     {"allocated", VT_TOTAL_ALLOCATED, VT_METRIC_ALLOCATED},
                     {"allocations", VT_TOTAL_ALLOCATIONS, VT_METRIC_COUNT},
                     {"count", VT_TOTAL_ALLOCATIONS, VT_METRIC_COUNT},
                     {"temporary", VT_TOTAL_TEMPORARY, VT_METRIC_TEMPORARY},
                     {"frees", VT_TOTAL_FREES, VT_METRIC_COUNT},
                     {"reallocs", VT_TOTAL_REALLOCS, VT_METRIC_REALLOCS}};

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
  vt_total_name_t total = metrics[condition->metric].total;
  return total == VT_TOTAL_LOST || total == VT_TOTAL_LIVE || total == VT_TOTAL_PEAK || total == VT_TOTAL_ALLOCATED;
}

int vt_condition_of_lost(vt_condition_t const *condition) {
  return vt_condition_metric(condition) == VT_METRIC_LOST;
}

vt_total_t vt_condition_total(vt_condition_t const *condition, vt_analysis_t const *analysis) {
  return vt_total(analysis, metrics[condition->metric].total);
}

int vt_condition_at_most(vt_condition_t const *condition, vt_analysis_t const *analysis) {
  return vt_condition_total(condition, analysis).at_most;
}

/* The change in percent; infinite from nothing to something. */
static double percent(double before, double after) {
  if (before == after) return 0;
  return before ? 100 * (after - before) / before : INFINITY;
}

static double value_of(vt_condition_t const *condition, double before, double after) {
  return condition->of == VT_CONDITION_VALUE    ? after
         : condition->of == VT_CONDITION_CHANGE ? after - before
                                                : percent(before, after);
}

static vt_holds_t opposite(vt_holds_t holds) {
  return holds == VT_HOLDS_NOT ? VT_HOLDS : holds == VT_HOLDS ? VT_HOLDS_NOT : VT_HOLDS_UNKNOWN;
}

/* equal: is a value of which it is known that it lies between these the one that is asked for? */
static vt_holds_t equal(double low, double high, double wanted) {
  if (wanted < low || wanted > high) return VT_HOLDS_NOT;
  return low == high ? VT_HOLDS : VT_HOLDS_UNKNOWN;
}

vt_holds_t vt_condition_holds(vt_condition_t const *condition, vt_range_t before, vt_range_t after) {
  double low = value_of(condition, before.high, after.low), high = value_of(condition, before.low, after.high);
  double wanted = condition->value;
  switch (condition->comparison) {
  case VT_ABOVE: return low > wanted ? VT_HOLDS : high > wanted ? VT_HOLDS_UNKNOWN : VT_HOLDS_NOT;
  case VT_AT_LEAST: return low >= wanted ? VT_HOLDS : high >= wanted ? VT_HOLDS_UNKNOWN : VT_HOLDS_NOT;
  case VT_BELOW: return high < wanted ? VT_HOLDS : low < wanted ? VT_HOLDS_UNKNOWN : VT_HOLDS_NOT;
  case VT_AT_MOST: return high <= wanted ? VT_HOLDS : low <= wanted ? VT_HOLDS_UNKNOWN : VT_HOLDS_NOT;
  case VT_EQUAL: return equal(low, high, wanted);
  default: return opposite(equal(low, high, wanted));
  }
}
