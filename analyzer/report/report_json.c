/* The report as JSON: schema valtrace-report, version 1 (fields may be added, never change
 * meaning). */
#include <stdlib.h>
#include "analyzer/report/leaks.h"
#include "analyzer/report/nameless.h"
#include "analyzer/memory/mappings.h"
#include "analyzer/report/report.h"
#include "analyzer/trace/stretches.h"
#include "analyzer/report/roots.h"
#include "analyzer/report/totals.h"

/* json_moment tells what a verdict rests on; null: there is none. */
static void json_moment(vt_json_t *json, vt_analysis_t const *analysis, size_t trace) {
  static char const *const moments[] = {"unknown", "exit", "exec", "killed", "request", "peak", "detach"};
  vt_trace_leaks_t const *leaks = vt_leaks_of(analysis, trace);
  if (!leaks || leaks->why[0]) {
    vt_json_null(json, "verdict");
    return;
  }
  vt_json_object_line(json, "verdict");
  vt_json_string(json, "moment", moments[vt_leaks_moment(analysis, trace, leaks)]);
  vt_json_bool(json, "registers_known", !!(leaks->flags & VT_SNAPSHOT_REGISTERS));
  vt_json_end_object(json);
}

static void heap_objects(vt_json_t *json, vt_analysis_t const *analysis, uint32_t trace,
                         size_t most) {
  static char const *const kinds[] = {"libc", "wksp", "alloc", "groove", "custom", "python"};
  size_t cnt;
  vt_model_heap_t const *heaps = vt_model_heaps(analysis->model, &cnt);
  vt_json_array(json, "heaps");
  for (uint32_t i = 0; i < cnt && most; i++) {
    if (heaps[i].trace != trace) continue;
    most--;
    char buffer[32], uuid[33];
    for (int k = 0; k < 16; k++) snprintf(uuid + 2 * k, 3, "%02x", heaps[i].uuid[k]);
    vt_json_object_line(json, NULL);
    vt_json_string(json, "name", vt_analysis_heap_name(analysis, i, buffer));
    vt_json_string(json, "kind", heaps[i].kind < 6 ? kinds[heaps[i].kind] : "custom");
    vt_json_uint(json, "tag", heaps[i].tag);
    vt_json_string(json, "uuid", uuid);
    vt_json_bool(json, "nested", (int)heaps[i].nested);
    vt_json_uint(json, "allocations", heaps[i].allocations);
    vt_json_uint(json, "frees", heaps[i].frees);
    vt_json_uint(json, "unseen_frees", heaps[i].unseen_frees);
    vt_json_uint(json, "live_bytes", heaps[i].live_bytes);
    vt_json_uint(json, "live_blocks", heaps[i].live_blocks);
    vt_json_uint(json, "leaked_bytes", heaps[i].leaked_bytes);
    vt_json_uint(json, "leaked_blocks", heaps[i].leaked_blocks);
    vt_json_end_object(json);
  }
  vt_json_end_array(json);
}

static void command_array(vt_json_t *json, vt_trace_info_t const *info, size_t most) {
  vt_json_array(json, "command");
  for (uint32_t i = 0; i < info->argc && most; i++) {
    size_t sz = strlen(info->argv[i]);
    vt_json_string_max(json, NULL, info->argv[i], sz, most);
    most -= sz < most ? sz : most;
  }
  vt_json_end_array(json);
}

static void trace_objects(vt_json_t *json, vt_analysis_t const *analysis, size_t most) {
  vt_json_array(json, "traces");
  for (uint32_t t = 0; t < analysis->trace_cnt; t++) {
    vt_reader_t const *reader = analysis->readers[t];
    vt_trace_info_t const *info = vt_reader_info(reader);
    size_t threads, modules;
    vt_reader_threads(reader, &threads);
    vt_reader_modules(reader, &modules);
    vt_json_object(json, NULL);
    vt_json_string(json, "path", info->path);
    vt_json_string(json, "program", info->executable);
    vt_json_string(json, "name", info->name);
    command_array(json, info, most);
    vt_json_uint(json, "pid", info->pid);
    vt_json_string(json, "host", info->host);
    vt_json_uint(json, "start_unix_ns", info->start_unix_ns);
    vt_json_uint(json, "duration_ns", vt_reader_end_time(reader));
    vt_json_uint(json, "threads", threads);
    vt_json_uint(json, "modules", modules);
    vt_json_uint(json, "sampled", info->sample_period);
    heap_objects(json, analysis, t, most);
    vt_completeness_t have = vt_completeness(reader);
    vt_json_string(json, "ended", have.ended);
    json_moment(json, analysis, t);
    vt_json_end_object(json);
  }
  vt_json_end_array(json);
}

static void amount(vt_json_t *json, char const *name, vt_verdict_t const *verdict, uint64_t bytes,
                   uint64_t blocks) {
  char key[32];
  for (int i = 0; i < 2; i++) {
    snprintf(key, sizeof key, "%s_%s", name, i ? "blocks" : "bytes");
    if (verdict)
      vt_json_uint(json, key, i ? blocks : bytes);
    else
      vt_json_null(json, key);
  }
}

static void one_kind(vt_json_t *json, char const *name, vt_verdict_t const *verdict,
                     vt_leak_kind_t kind) {
  amount(json, name, verdict, verdict ? verdict->bytes[kind] : 0,
         verdict ? verdict->blocks[kind] : 0);
}

/* What became of live blocks; null without a verdict. */
static void leak_kinds(vt_json_t *json, vt_verdict_t const *verdict) {
  amount(json, "lost", verdict, verdict ? vt_lost_bytes(verdict) : 0,
         verdict ? vt_lost_blocks(verdict) : 0);
  one_kind(json, "possible", verdict, VT_LEAK_POSSIBLE);
  one_kind(json, "reachable", verdict, VT_LEAK_REACHABLE);
  one_kind(json, "unjudged", verdict, VT_LEAK_UNJUDGED);
}

/* mapped_bytes is what the programs' own mappings take at the end, without what is only reserved. */
static uint64_t mapped_bytes(vt_analysis_t const *analysis) {
  uint64_t bytes = 0;
  for (size_t t = 0; t < analysis->trace_cnt; t++) {
    size_t cnt;
    vt_trace_mapping_t const *records = vt_reader_mappings(analysis->readers[t], &cnt);
    vt_mappings_t mappings = vt_mappings_run(records, cnt);
    bytes += mappings.mapped_bytes;
    vt_mappings_free(&mappings);
  }
  return bytes;
}

static void peak_rss(vt_json_t *json, vt_analysis_t const *analysis) {
  int certain;
  uint64_t peak = vt_analysis_peak_rss(analysis, &certain);
  if (peak)
    vt_json_uint(json, "peak_rss_bytes", peak);
  else
    vt_json_null(json, "peak_rss_bytes");
  vt_json_bool(json, "peak_rss_at_least", peak && !certain);
}

/* errors are standard errors of estimates, 0 where it was counted; null of what is not told. */
static void errors(vt_json_t *json, vt_cell_spread_t const *spread, int untold) {
  vt_json_object_line(json, "standard_error");
  vt_json_uint(json, "allocations", vt_estimate_error(spread->allocated.blocks));
  vt_json_uint(json, "allocated_bytes", vt_estimate_error(spread->allocated.bytes));
  vt_json_uint(json, "peak_blocks", vt_estimate_error(spread->peak.blocks));
  vt_json_uint(json, "peak_bytes", vt_estimate_error(spread->peak.bytes));
  vt_json_uint(json, "leaked_blocks", vt_estimate_error(spread->live.blocks));
  vt_json_uint(json, "leaked_bytes", vt_estimate_error(spread->live.bytes));
  vt_json_known(json, "temporary", !untold, vt_estimate_error(spread->temporary.blocks));
  vt_json_known(json, "reallocs", !untold, vt_estimate_error(spread->reallocs.blocks));
  vt_json_uint(json, "cross_thread_frees", vt_estimate_error(spread->foreign.blocks));
  vt_json_end_object(json);
}

void vt_json_bounds(vt_json_t *json, char const *key, vt_analysis_t const *analysis) {
  static struct {
    char const *name;
    vt_total_name_t total;
  } const rows[] = {{"peak_bytes", VT_TOTAL_PEAK}, {"peak_blocks", VT_TOTAL_PEAK_BLOCKS}, {"leaked_bytes", VT_TOTAL_LIVE},
                    {"leaked_blocks", VT_TOTAL_LIVE_BLOCKS}, {"temporary", VT_TOTAL_TEMPORARY}};
  vt_json_object_line(json, key);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    vt_total_t total = vt_total(analysis, rows[i].total);
    vt_json_known(json, rows[i].name, total.known, vt_total_bound(&total));
  }
  vt_json_end_object(json);
}

/* counted are the totals that a sampled trace knows exactly, estimates and null where it does not. */
static void counted(vt_json_t *json, vt_analysis_t const *analysis) {
  vt_model_totals_t const *totals = vt_model_totals(analysis->model);
  vt_sampled_t const *sampled = &analysis->sampled;
  int exact = sampled->period && sampled->exact;
  vt_cell_spread_t spread = {.allocated = totals->allocated_spread, .peak = totals->peak_spread, .live = totals->live_spread,
                             .temporary = totals->temporary_spread, .reallocs = totals->reallocs_spread,
                             .foreign = totals->foreign_spread};
  if (exact) spread.allocated = spread.reallocs = (vt_spread_t){0};
  vt_json_uint(json, "allocations", exact ? sampled->totals.allocations : totals->allocations);
  vt_json_uint(json, "frees", exact ? sampled->totals.frees : totals->frees);
  vt_json_bool(json, "frees_of_others", exact && sampled->frees_of_others);
  vt_json_known(json, "reallocs", exact || !sampled->untold, exact ? sampled->totals.reallocs : totals->reallocs);
  vt_json_uint(json, "allocated_bytes", exact ? sampled->totals.allocated_bytes : totals->allocated_bytes);
  vt_json_uint(json, "sampled", sampled->period);
  if (sampled->period) errors(json, &spread, sampled->untold);
  if (sampled->period) vt_json_bounds(json, "at_most", analysis);
}

static void totals_object(vt_json_t *json, vt_analysis_t const *analysis) {
  vt_model_totals_t const *totals = vt_model_totals(analysis->model);
  vt_json_object(json, "totals");
  counted(json, analysis);
  vt_json_uint(json, "peak_bytes", totals->peak_bytes);
  vt_json_uint(json, "peak_time_ns", totals->peak_time_ns);
  vt_json_uint(json, "peak_blocks", totals->peak_blocks);
  vt_json_bool(json, "peak_at_most", totals->peak_at_most);
  vt_json_uint(json, "peak_at_least_bytes", totals->peak_at_least);
  vt_json_uint(json, "leaked_bytes", totals->live_bytes);
  vt_json_uint(json, "leaked_blocks", totals->live_blocks);
  vt_json_known(json, "temporary", !analysis->sampled.untold, totals->temporary);
  peak_rss(json, analysis);
  if (vt_analysis_knows_mappings(analysis))
    vt_json_uint(json, "mapped_bytes", mapped_bytes(analysis));
  else
    vt_json_null(json, "mapped_bytes");
  vt_json_uint(json, "distinct_stacks", analysis->sites_cnt);
  vt_json_uint(json, "cross_thread_frees", totals->cross_thread_frees);
  leak_kinds(json, analysis->verdicts ? &analysis->verdict : NULL);
  vt_json_end_object(json);
}

/* Where stacks end that have no root, and how many may be wrong outside of generated code. */
static void roots_objects(vt_json_t *json, vt_analysis_t const *analysis) {
  vt_roots_t roots = vt_analysis_roots(analysis);
  vt_json_array(json, "truncated_in");
  for (size_t i = 0; i < roots.cut_cnt; i++) {
    vt_json_object(json, NULL);
    vt_json_string(json, "module", roots.cut[i].module);
    vt_json_uint(json, "allocations", roots.cut[i].allocations);
    vt_json_end_object(json);
  }
  vt_json_end_array(json);
  vt_json_uint(json, "uncertain_allocations", roots.uncertain);
  free(roots.cut);
}

/* hides: does some program have an allocator of this kind (VT_COUNTER_ALLOCATOR_IN_EXECUTABLE)? */
static int hides(vt_analysis_t const *analysis, uint64_t kind) {
  for (size_t t = 0; t < analysis->trace_cnt; t++)
    if (vt_reader_counter(analysis->readers[t], VT_COUNTER_ALLOCATOR_IN_EXECUTABLE) == kind)
      return 1;
  return 0;
}

static uint64_t torn_bytes(vt_analysis_t const *analysis) {
  uint64_t sum = 0;
  for (size_t t = 0; t < analysis->trace_cnt; t++)
    sum += vt_reader_integrity(analysis->readers[t])->torn_bytes;
  return sum;
}

void vt_json_missing(vt_json_t *json, vt_completeness_t const *have) {
  if (have->missing_events == VT_MISSING_UNKNOWN)
    vt_json_null(json, "missing_events");
  else
    vt_json_uint(json, "missing_events", have->missing_events);
  if (have->missing_since == VT_TIME_NEVER)
    vt_json_null(json, "missing_since_ns");
  else
    vt_json_uint(json, "missing_since_ns", have->missing_since);
  vt_json_array(json, "reasons");
  for (size_t i = 0; i < have->reason_cnt; i++) vt_json_string(json, NULL, have->reasons[i]);
  vt_json_end_array(json);
}

static void refused_object(vt_json_t *json, char const *what, char const *reason) {
  vt_json_object(json, NULL);
  vt_json_string(json, "what", what);
  vt_json_string(json, "reason", reason);
  vt_json_end_object(json);
}

/* refused_objects says which functions that allocate, and what of interpreted languages, is not recorded. */
static void refused_objects(vt_json_t *json, vt_analysis_t const *analysis,
                            vt_completeness_t const *have) {
  char what[512];
  size_t cnt;
  vt_json_array(json, "refused");
  for (size_t t = 0; t < analysis->trace_cnt; t++) {
    vt_trace_patched_t const *p = vt_reader_patched(analysis->readers[t], &cnt);
    for (size_t i = 0; i < cnt; i++) {
      if (p[i].flags & VT_PATCHED_RECORDED) continue;
      snprintf(what, sizeof what, "%s in %s", p[i].name, p[i].module);
      refused_object(json, what, p[i].why);
    }
    vt_trace_refusal_t const *refusals = vt_reader_refusals(analysis->readers[t], &cnt);
    for (size_t i = 0; i < cnt; i++) refused_object(json, refusals[i].what, refusals[i].why);
  }
  for (size_t i = 0; i < have->refused_cnt; i++)
    refused_object(json, have->refused[i].what, have->refused[i].reason);
  vt_json_end_array(json);
}

/* stretch_objects says which stretches of the processes' lives are left out; to_ns null: to the end. */
static void stretch_objects(vt_json_t *json, vt_analysis_t const *analysis) {
  static char const *const reasons[] = {"mid-life", "asked", "duration", "size"};
  vt_json_array(json, "not_recorded");
  for (size_t t = 0; t < analysis->trace_cnt; t++) {
    uint64_t shift = vt_analysis_shift(analysis, t);
    size_t cnt;
    vt_stretch_t *stretches = vt_stretches(analysis->readers[t], &cnt);
    for (size_t i = 0; i < cnt; i++) {
      vt_json_object_line(json, NULL);
      vt_json_uint(json, "trace", t);
      vt_json_uint(json, "from_ns", stretches[i].from + shift);
      if (stretches[i].to == VT_TIME_NEVER)
        vt_json_null(json, "to_ns");
      else
        vt_json_uint(json, "to_ns", stretches[i].to + shift);
      vt_json_string(json, "why", stretches[i].why <= VT_PAUSE_SIZE ? reasons[stretches[i].why] : "other");
      vt_json_end_object(json);
    }
    free(stretches);
  }
  vt_json_end_array(json);
}

static void completeness_object(vt_json_t *json, vt_analysis_t const *analysis) {
  vt_completeness_t have = vt_analysis_completeness(analysis);
  vt_model_totals_t const *totals = vt_model_totals(analysis->model);
  vt_json_object(json, "completeness");
  vt_json_bool(json, "complete", have.complete);
  vt_json_uint(json, "dropped_events", have.dropped_events);
  vt_json_missing(json, &have);
  vt_json_uint(json, "truncated_stacks", vt_analysis_counter(analysis, VT_COUNTER_TRUNCATED));
  roots_objects(json, analysis);
  vt_json_uint(json, "unmatched_frees", totals->unmatched_frees);
  vt_json_uint(json, "missed_frees", totals->missed_frees);
  stretch_objects(json, analysis);
  if (analysis->kept_ns)
    vt_json_uint(json, "events_since_ns", analysis->kept_ns);
  else
    vt_json_null(json, "events_since_ns");
  vt_json_uint(json, "unsure_bytes", totals->unsure_bytes);
  vt_json_uint(json, "unsure_blocks", totals->unsure_blocks);
  vt_json_uint(json, "ended_unseen", totals->ended_unseen);
  vt_json_known(json, "unknown_frees", !analysis->sampled.frees_of_others, totals->unknown_frees);
  vt_json_uint(json, "torn_tail_bytes", torn_bytes(analysis));
  vt_json_uint(json, "reordered", totals->reordered);
  refused_objects(json, analysis, &have);
  vt_json_bool(json, "allocator_in_executable", hides(analysis, 1));
  vt_json_bool(json, "allocator_before_shim", hides(analysis, 2));
  vt_json_string(json, "ended", have.ended);
  vt_json_uint(json, "overhead_ns", vt_analysis_counter(analysis, VT_COUNTER_SHIM_NS));
  vt_json_uint(json, "shim_bytes", vt_analysis_counter(analysis, VT_COUNTER_SHIM_BYTES));
  vt_json_uint(json, "unreadable_modules", analysis->unreadable_modules);
  vt_json_nameless(json, analysis);
  vt_json_end_object(json);
}

void vt_json_head(vt_json_t *json, vt_analysis_t const *analysis, char const *view, size_t most) {
  vt_json_string(json, "schema", "valtrace-report");
  vt_json_uint(json, "version", 1);
  vt_json_string(json, "view", view);
  trace_objects(json, analysis, most);
  totals_object(json, analysis);
  completeness_object(json, analysis);
}

void vt_json_frame(vt_json_t *json, vt_stack_frame_t const *frame) {
  vt_json_object_line(json, NULL);
  vt_json_string(json, "function", frame->function);
  vt_json_string(json, "file", frame->file);
  vt_json_uint(json, "line", frame->line);
  vt_json_string(json, "module", frame->module);
  vt_json_uint(json, "offset", frame->offset);
  vt_json_bool(json, "inlined", frame->inlined);
  vt_json_end_object(json);
}

void vt_json_stack(vt_json_t *json, vt_analysis_t const *analysis,
                   vt_report_options_t const *options, uint32_t node) {
  vt_stack_frame_t frames[VT_STACKS_FRAMES_MAX];
  vt_json_array(json, "stack");
  for (uint32_t at = node; at; at = vt_stacks_parent(analysis->stacks, at)) {
    int hide = at == node && !options->keep_allocators;
    size_t cnt = vt_stacks_frames(analysis->stacks, at, hide, frames);
    for (size_t i = 0; i < cnt; i++)
      if (!options->no_inlines || !frames[i].inlined) vt_json_frame(json, &frames[i]);
  }
  vt_json_end_array(json);
}

void vt_json_thread(vt_json_t *json, char const *key, vt_analysis_t const *analysis,
                    uint32_t thread) {
  vt_trace_thread_t info = vt_analysis_thread(analysis, thread);
  char nth[40];
  snprintf(nth, sizeof nth, "%s_nth", key);
  vt_json_uint(json, key, info.tid);
  if (info.nth > 1) vt_json_uint(json, nth, info.nth);
}

void vt_json_counters(vt_json_t *json, vt_site_t const *site) {
  vt_json_uint(json, "allocations", site->allocations);
  vt_json_uint(json, "allocated_bytes", site->allocated_bytes);
  vt_json_known(json, "temporary", !site->untold, site->temporary);
  vt_json_uint(json, "peak_bytes", site->peak_bytes);
  vt_json_uint(json, "peak_blocks", site->peak_blocks);
  vt_json_uint(json, "peak_unsure_bytes", site->peak_unsure_bytes);
  vt_json_uint(json, "leaked_bytes", site->leaked_bytes);
  vt_json_uint(json, "leaked_blocks", site->leaked_blocks);
  vt_json_uint(json, "unsure_bytes", site->unsure_bytes);
  vt_json_uint(json, "unsure_blocks", site->unsure_blocks);
  vt_json_uint(json, "frees", site->frees);
  vt_json_known(json, "reallocs", !site->untold, site->reallocs);
  vt_json_uint(json, "cross_thread_frees", site->cross_thread_frees);
  if (site->sampled) errors(json, &site->spread, site->untold);
}

static void lifetime_object(vt_json_t *json, vt_site_t const *site) {
  int freed = site->lifetimes.min <= site->lifetimes.max;
  vt_json_object_line(json, "lifetime_ns");
  vt_json_uint(json, "min", freed ? site->lifetimes.min : 0);
  vt_json_uint(json, "median", vt_lifetimes_median(&site->lifetimes));
  vt_json_uint(json, "max", site->lifetimes.max);
  if (site->sampled) vt_json_uint(json, "recorded_blocks", site->lifetimes.added);
  vt_json_end_object(json);
}

void vt_json_site(vt_json_t *json, vt_analysis_t const *analysis,
                  vt_report_options_t const *options, vt_site_t const *site, size_t rank) {
  char buffer[32];
  vt_json_object(json, NULL);
  vt_json_uint(json, "rank", rank);
  vt_json_counters(json, site);
  vt_verdict_t const *verdicts = analysis->verdicts;
  vt_verdict_t const *verdict = verdicts ? &verdicts[site - analysis->sites] : NULL;
  vt_json_string(json, "leak_kind", vt_leak_kind_name(verdict));
  leak_kinds(json, verdict);
  if (analysis->kept_ns && !analysis->without_summary)
    vt_json_null(json, "lifetime_ns");
  else
    lifetime_object(json, site);
  vt_json_string(json, "heap", vt_analysis_heap_name(analysis, site->heap, buffer));
  if (site->nested) vt_json_bool(json, "nested", 1);
  vt_json_stack(json, analysis, options, site->node);
  vt_json_end_object(json);
}

void vt_json_group(vt_json_t *json, vt_stack_frame_t const *frame, vt_by_t by) {
  if (by != VT_BY_MODULE) vt_json_string(json, "function", frame->function);
  if (by == VT_BY_LINE) vt_json_string(json, "file", frame->file);
  if (by == VT_BY_LINE) vt_json_uint(json, "line", frame->line);
  vt_json_string(json, "module", frame->module);
}

static void group_objects(vt_json_t *json, vt_analysis_t const *analysis,
                          vt_report_options_t const *options, vt_metric_t metric, vt_by_t by) {
  char buffer[32];
  vt_groups_t groups = vt_groups_make(analysis, metric, by);
  vt_json_array(json, "groups");
  for (size_t i = 0; i < groups.groups_cnt && (!options->limit || i < options->limit); i++) {
    vt_group_t const *group = &groups.groups[i];
    vt_json_object(json, NULL);
    vt_json_uint(json, "rank", i + 1);
    vt_json_group(json, &group->frame, by);
    vt_json_uint(json, "sites", group->site_cnt);
    if (group->sum.nested) { /* its blocks lie in those of another group, and are in no total */
      vt_json_bool(json, "nested", 1);
      vt_json_string(json, "heap", vt_analysis_heap_name(analysis, group->sum.heap, buffer));
    }
    vt_json_counters(json, &group->sum);
    vt_json_end_object(json);
  }
  vt_json_end_array(json);
  vt_groups_free(&groups);
}

void vt_json_sites(vt_json_t *json, vt_analysis_t const *analysis,
                   vt_report_options_t const *options, vt_metric_t metric) {
  if (options->view == VT_VIEW_MODULES)
    group_objects(json, analysis, options, metric, VT_BY_MODULE);
  else if (options->by_given && options->by != VT_BY_SITE)
    group_objects(json, analysis, options, metric, options->by);
  size_t cnt;
  uint32_t *ranked = vt_metric_rank(analysis, metric, &cnt);
  vt_json_array(json, "sites");
  for (size_t i = 0; i < cnt && (!options->limit || i < options->limit); i++)
    vt_json_site(json, analysis, options, &analysis->sites[ranked[i]], i + 1);
  vt_json_end_array(json);
  free(ranked);
}

void vt_json_suppressions(vt_json_t *json, vt_suppressions_t const *suppressions) {
  vt_json_array(json, "suppressions");
  for (size_t i = 0; i < suppressions->items_cnt; i++) {
    vt_json_object_line(json, NULL);
    vt_json_string(json, "pattern", suppressions->items[i].pattern);
    vt_json_bool(json, "default", suppressions->items[i].known);
    vt_json_bool(json, "used", suppressions->items[i].sites != 0);
    vt_json_uint(json, "sites", suppressions->items[i].sites);
    vt_json_uint(json, "blocks", suppressions->items[i].blocks);
    vt_json_uint(json, "bytes", suppressions->items[i].bytes);
    vt_json_end_object(json);
  }
  vt_json_end_array(json);
}

void vt_report_json(vt_analysis_t const *analysis, vt_report_options_t const *options, FILE *out) {
  vt_json_t json = vt_json_start(out);
  vt_json_object(&json, NULL);
  vt_json_head(&json, analysis, vt_view_name(options->view), SIZE_MAX);
  vt_json_tables(&json, analysis, options);
  if (options->part.json) options->part.json(options->part.context, &json);
  if (options->suppressions) vt_json_suppressions(&json, options->suppressions);
  vt_json_sites(&json, analysis, options, options->view == VT_VIEW_LEAKS ? options->leak_kind : vt_view_metric(options->view));
  vt_json_end_object(&json);
  vt_json_finish(&json);
}
