/* Running an analysis; see analysis.h. A filter by function, module or lifetime needs a pass of its
   own first, because what it asks for is only known after the events. */
#include "analyzer/report/analysis.h"
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/report/leaks.h"
#include "analyzer/report/merge.h"
#include "analyzer/report/selection.h"
#include "analyzer/report/sites.h"
#include "analyzer/trace/folder.h"
#include "analyzer/trace/summary.h"
#include "analyzer/util/mem.h"

/* ---- filters ---- */

typedef struct {
  vt_analysis_t *analysis;
  vt_filter_t const *filter;
} choice_t;

static int want_heap(choice_t const *choice, uint32_t heap) {
  char buffer[32];
  char const *name = vt_analysis_heap_name(choice->analysis, heap, buffer);
  return !choice->filter->heap || !fnmatch(choice->filter->heap, name, 0);
}

static int want_cell(void *context, uint32_t trace, uint32_t heap, uint32_t stack) {
  choice_t const *choice = context;
  uint8_t **matches = choice->analysis->matches;
  if (matches && !matches[trace][stack]) return 0;
  return want_heap(choice, heap);
}

static int want_thread(void *context, uint32_t trace, uint32_t index) {
  choice_t const *choice = context;
  size_t cnt;
  vt_trace_thread_t const *threads = vt_reader_threads(choice->analysis->readers[trace], &cnt);
  if (!choice->filter->thread) return 1;
  return index < cnt && vt_trace_thread_matches(&threads[index], choice->filter->thread);
}

static int model_options(vt_analysis_t const *analysis, vt_analysis_options_t const *options,
                         choice_t *choice, vt_model_options_t *out, vt_error_t *error) {
  vt_filter_t const *filter = &options->filter;
  *out = (vt_model_options_t){.lifetimes = options->lifetimes,
                              .sizes = options->sizes,
                              .timeline = options->timeline,
                              .threads = options->threads,
                              .min_size = filter->min_size,
                              .size_end = filter->size_end,
                              .min_lifetime = filter->min_lifetime,
                              .lifetime_end = filter->lifetime_end,
                              .watch = options->watch,
                              .context = choice};
  if (filter->heap || filter->function || filter->module) out->want_cell = want_cell;
  out->count_nested = filter->heap && !strpbrk(filter->heap, "*?["); /* one heap: nothing twice */
  if (filter->thread) out->want_thread = want_thread;
  char const *to = filter->at ? filter->at : filter->to, *end = filter->at ? "--at" : "--to";
  if (vt_selection_moment(analysis, "--from", filter->from, &out->from_ns, error) ||
      vt_selection_moment(analysis, end, to, &out->to_ns, error))
    return -1;
  if (to && out->to_ns < UINT64_MAX) out->to_ns++; /* the moment itself belongs to it */
  if (!to || out->from_ns < out->to_ns) return 0;
  char what[300];
  snprintf(what, sizeof what, "--from %.100s %s %.100s", filter->from, end, to);
  vt_error_set(error, what, "an empty span of time", "let it end after it begins");
  return -1;
}

/* ---- passes ---- */

static void run_pass(vt_analysis_t *analysis, vt_model_t *model) {
  uint64_t *shifts = vt_mem_new(analysis->trace_cnt, sizeof *shifts);
  analysis->model = model;
  for (size_t i = 0; i < analysis->trace_cnt; i++) {
    shifts[i] = vt_analysis_shift(analysis, i);
    vt_model_add_trace(model, shifts[i]);
    vt_completeness_t have = vt_completeness(analysis->readers[i]);
    if (!have.complete && have.missing_since != VT_TIME_NEVER)
      vt_model_partial(model, (uint32_t)i, have.missing_since);
    if (vt_reader_info(analysis->readers[i])->flags & VT_HEADER_FLAG_MID_LIFE)
      vt_model_partial(model, (uint32_t)i, 0); /* what is older is not known, and its end no error */
    vt_merge_declare(model, (uint32_t)i, analysis->readers[i]);
    if (analysis->without_summary)
      vt_model_partial(model, (uint32_t)i, 0); /* older blocks are not known */
    else
      vt_merge_resume(model, (uint32_t)i, analysis->readers[i]);
  }
  vt_merge_run(model, analysis->readers, shifts, analysis->trace_cnt);
  free(shifts);
}

/* Brings the stacks that have cells into analysis->stacks and looks up their functions. */
static void use_mappings(vt_reader_t const *reader, uint8_t *used, uint32_t ids) {
  size_t cnt;
  vt_trace_mapping_t const *records = vt_reader_mappings(reader, &cnt);
  for (size_t i = 0; i < cnt; i++)
    if (records[i].stack < ids) used[records[i].stack] = 1;
}

static void add_stacks(vt_analysis_t *analysis) {
  size_t cnt;
  vt_cell_t const *cells = vt_model_cells(analysis->model, &cnt);
  for (size_t t = 0; t < analysis->trace_cnt; t++) {
    uint32_t ids = vt_reader_stacks(analysis->readers[t]).cnt;
    uint8_t *used = vt_mem_new((size_t)ids + 1, 1);
    for (size_t i = VT_CELL_FIRST; i < cnt; i++)
      if (cells[i].trace == t && cells[i].stack < ids) used[cells[i].stack] = 1;
    if (analysis->with_mappings) use_mappings(analysis->readers[t], used, ids);
    analysis->nodes[t] = vt_stacks_add(analysis->stacks, analysis->readers[t], used);
    free(used);
  }
  analysis->unreadable_modules += vt_stacks_symbolize(analysis->stacks);
}

/* By node: does some frame of the stack match the function and module patterns? Callers come before
   their callees. */
static uint8_t *match_nodes(vt_analysis_t const *analysis, vt_filter_t const *filter) {
  vt_stack_frame_t frames[VT_STACKS_FRAMES_MAX];
  uint32_t cnt = vt_stacks_cnt(analysis->stacks);
  uint8_t *matches = vt_mem_new(cnt, 1);
  for (uint32_t node = 1; node < cnt; node++) {
    matches[node] = matches[vt_stacks_parent(analysis->stacks, node)];
    size_t frame_cnt = vt_stacks_frames(analysis->stacks, node, 0, frames);
    for (size_t i = 0; i < frame_cnt && !matches[node]; i++)
      matches[node] = (uint8_t)vt_selection_fits(filter, &frames[i]);
  }
  return matches;
}

/* The pass before a filter by function or module: learns which stacks match. */
static void find_matches(vt_analysis_t *analysis, vt_filter_t const *filter) {
  vt_model_t *model = vt_model_new(&(vt_model_options_t){0});
  run_pass(analysis, model);
  add_stacks(analysis);
  uint8_t *by_node = match_nodes(analysis, filter);
  uint8_t **matches = vt_mem_new(analysis->trace_cnt, sizeof *matches);
  for (size_t t = 0; t < analysis->trace_cnt; t++) {
    uint32_t ids = vt_reader_stacks(analysis->readers[t]).cnt;
    matches[t] = vt_mem_new((size_t)ids + 1, 1);
    for (uint32_t id = 1; id < ids; id++) matches[t][id] = by_node[analysis->nodes[t][id]];
    free(analysis->nodes[t]);
    analysis->nodes[t] = NULL;
  }
  free(by_node);
  vt_model_delete(model);
  analysis->model = NULL;
  analysis->matches = matches;
}

/* Makes analysis->model, with the pass before it that a filter by lifetime needs. */
static void run_model(vt_analysis_t *analysis, vt_model_options_t const *chosen) {
  vt_model_t *model = vt_model_new(chosen);
  if (chosen->min_lifetime || chosen->lifetime_end) {
    vt_model_t *scan = vt_model_new_scan(chosen);
    run_pass(analysis, scan);
    vt_model_take_lifetimes(model, scan);
    vt_model_delete(scan);
  }
  run_pass(analysis, model);
}

/* kept_since is when the last of the summaries was made that traces have instead of older events; 0: they have none. */
static uint64_t kept_since(vt_analysis_t const *analysis) {
  uint64_t since = 0;
  for (size_t t = 0; t < analysis->trace_cnt; t++) {
    vt_summary_t const *summary = vt_reader_summary(analysis->readers[t]);
    uint64_t time = summary ? summary->time + vt_analysis_shift(analysis, t) + 1 : 0;
    if (time > since) since = time;
  }
  return since;
}

/* can_answer: of a trace that keeps only its last events, sums can be told of the whole of it, and everything of the time
   since. Else -1 and *error. */
static int can_answer(vt_analysis_t *analysis, vt_analysis_options_t const *options, vt_model_options_t *chosen,
                      vt_error_t *error) {
  static vt_filter_t const none;
  char advice[128];
  analysis->kept_ns = kept_since(analysis);
  if (!analysis->kept_ns) return 0;
  analysis->without_summary = chosen->from_ns >= analysis->kept_ns;
  if (analysis->without_summary) return 0;
  int sums = !options->whole && !options->sizes && !options->timeline && !options->threads &&
             (!options->watch.changed || options->watch_spared) && analysis->trace_cnt == 1 &&
             !memcmp(&options->filter, &none, sizeof none);
  chosen->lifetimes = 0;
  chosen->watch = (vt_model_watch_t){0};
  if (sums) return 0;
  double since = (double)(analysis->kept_ns / 1000000 + 1) / 1e3;
  snprintf(advice, sizeof advice, "take --from %.3f, or one trace and `report summary`, leaks, hot or peak without filters", since);
  vt_error_setf(error, vt_reader_info(analysis->readers[0])->path, advice,
                "only the events since %.3f s are kept, and this is not told by the sum of the older ones", since);
  return -1;
}

static int run_passes(vt_analysis_t *analysis, vt_analysis_options_t const *options,
                      vt_error_t *error, int *usage) {
  vt_filter_t const *filter = &options->filter;
  choice_t choice = {.analysis = analysis, .filter = filter};
  vt_model_options_t chosen;
  if (model_options(analysis, options, &choice, &chosen, error) || can_answer(analysis, options, &chosen, error)) {
    *usage = 1;
    return -1;
  }
  if (filter->function || filter->module) find_matches(analysis, filter);
  uint64_t end = vt_analysis_end(analysis);
  if (chosen.to_ns && chosen.to_ns < end) end = chosen.to_ns;
  if (options->span && chosen.from_ns < end)
    options->span(options->watch.context, chosen.from_ns, end);
  run_model(analysis, &chosen);
  analysis->from_ns = chosen.from_ns;
  analysis->to_ns = chosen.to_ns ? chosen.to_ns : UINT64_MAX;
  return 0;
}

void vt_analysis_refresh(vt_analysis_t *analysis) {
  size_t cnt;
  vt_sites_drop(analysis);
  vt_model_cells(analysis->model, &cnt);
  if (cnt != analysis->cells_known) {
    for (size_t t = 0; t < analysis->trace_cnt; t++) free(analysis->nodes[t]);
    add_stacks(analysis);
    analysis->cells_known = cnt;
  }
  vt_sites_make(analysis);
}

/* ---- interface ---- */

static int skip_events(void *context, vt_event_t const *events, size_t cnt) {
  (void)context, (void)events, (void)cnt;
  return 0;
}

/* What must be known before the events, heaps and markers, a raw trace has among them. */
static void read_ahead(vt_reader_t *reader) {
  if (vt_reader_info(reader)->raw)
    vt_reader_run(reader, &(vt_reader_sink_t){.events = skip_events});
}

/* open_readers opens the traces that the operands name. Returns 0, or -1 and *error. */
static int open_readers(vt_analysis_t *analysis, char *const *operands, size_t cnt,
                        vt_error_t *error) {
  vt_trace_list_t list = {0};
  int failed = vt_trace_list(&list, operands, cnt, error);
  analysis->readers = vt_mem_new(list.paths_cnt + 1, sizeof *analysis->readers);
  analysis->nodes = vt_mem_new(list.paths_cnt + 1, sizeof *analysis->nodes);
  while (!failed && analysis->trace_cnt < list.paths_cnt) {
    vt_reader_t *reader = vt_reader_open(list.paths[analysis->trace_cnt], error);
    failed = !reader;
    if (failed) break;
    analysis->readers[analysis->trace_cnt++] = reader;
    read_ahead(reader);
  }
  vt_trace_list_free(&list);
  return failed ? -1 : 0;
}

/* is_whole: does the filter choose all blocks there are? */
static int is_whole(vt_filter_t const *f) {
  return !(f->from || f->to || f->at || f->thread || f->heap || f->function || f->module || f->min_size ||
           f->size_end || f->min_lifetime || f->lifetime_end);
}

int vt_analysis_open(vt_analysis_t *analysis, char *const *operands, size_t operand_cnt,
                     vt_analysis_options_t const *options, vt_error_t *error, int *usage) {
  *analysis = (vt_analysis_t){0};
  *usage = 0;
  analysis->stacks = vt_stacks_new(&options->search);
  if (options->native) vt_stacks_native(analysis->stacks);
  analysis->with_mappings = options->mappings;
  if (open_readers(analysis, operands, operand_cnt, error)) return -1;
  for (size_t t = 0; t < analysis->trace_cnt; t++)
    vt_stacks_take_symbols(analysis->stacks, analysis->readers[t]);
  if (run_passes(analysis, options, error, usage)) return -1;
  add_stacks(analysis);
  analysis->nowhere =
      vt_selection_occurs_nowhere(analysis, &options->filter, analysis->from_ns, error);
  analysis->keep_allocators = options->keep_allocators;
  analysis->no_inlines = options->no_inlines;
  vt_sites_make(analysis);
  analysis->sampled = vt_sampled_of(analysis->readers, analysis->trace_cnt, analysis->model, is_whole(&options->filter));
  uint64_t at_ns = options->filter.at ? analysis->to_ns - 1 : options->filter.to ? 0 : UINT64_MAX;
  vt_leaks_judge(analysis, at_ns);
  return 0;
}

void vt_analysis_close(vt_analysis_t *analysis) {
  vt_sites_drop(analysis);
  for (size_t i = 0; i < analysis->trace_cnt; i++) {
    vt_reader_close(analysis->readers[i]);
    free(analysis->nodes[i]);
    if (analysis->matches) free(analysis->matches[i]);
  }
  free(analysis->matches);
  free(analysis->verdicts);
  free(analysis->readers);
  free(analysis->nodes);
  vt_stacks_delete(analysis->stacks);
  vt_model_delete(analysis->model);
}

int vt_analysis_replay(vt_analysis_t *analysis, vt_analysis_options_t const *options,
                       vt_model_watch_t const *watch) {
  vt_analysis_options_t plain = {.filter = options->filter, .watch = *watch};
  choice_t choice = {.analysis = analysis, .filter = &options->filter};
  vt_model_t *first = analysis->model;
  vt_model_options_t chosen;
  vt_error_t error;
  if (model_options(analysis, &plain, &choice, &chosen, &error)) return -1;
  run_model(analysis, &chosen);
  if (watch->live) vt_model_live(analysis->model, watch->live, watch->context);
  vt_model_delete(analysis->model);
  analysis->model = first;
  return 0;
}
