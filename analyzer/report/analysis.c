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

uint64_t vt_analysis_shift(vt_analysis_t const *analysis, size_t trace) {
  uint64_t first = UINT64_MAX;
  for (size_t i = 0; i < analysis->trace_cnt; i++) {
    uint64_t start = vt_reader_info(analysis->readers[i])->start_unix_ns;
    if (start < first) first = start;
  }
  return vt_reader_info(analysis->readers[trace])->start_unix_ns - first;
}

uint64_t vt_analysis_end(vt_analysis_t const *analysis) {
  uint64_t end = 0;
  for (size_t t = 0; t < analysis->trace_cnt; t++) {
    uint64_t here = vt_analysis_shift(analysis, t) + vt_reader_end_time(analysis->readers[t]);
    if (here > end) end = here;
  }
  return end;
}

int vt_filter_duration(char const *text, uint64_t *ns) {
  static struct {
    char const *name;
    double scale;
  } const units[] = {{"ns", 1}, {"us", 1e3}, {"µs", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"", 1e9}};
  char *end;
  double value = strtod(text, &end);
  if (end == text || !(value >= 0)) return -1;
  for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
    if (strcmp(end, units[i].name)) continue;
    if (value * units[i].scale > 1e18) return -1;
    *ns = (uint64_t)(value * units[i].scale);
    return 0;
  }
  return -1;
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

/* ---- sites ---- */

void vt_site_add(vt_site_t *sum, vt_site_t const *site) {
  sum->allocations += site->allocations;
  sum->allocated_bytes += site->allocated_bytes;
  sum->frees += site->frees;
  sum->freed_bytes += site->freed_bytes;
  sum->temporary += site->temporary;
  sum->temporary_bytes += site->temporary_bytes;
  sum->peak_bytes += site->peak_bytes;
  sum->peak_blocks += site->peak_blocks;
  sum->peak_unsure_bytes += site->peak_unsure_bytes;
  sum->unsure_bytes += site->unsure_bytes;
  sum->unsure_blocks += site->unsure_blocks;
  sum->leaked_bytes += site->leaked_bytes;
  sum->leaked_blocks += site->leaked_blocks;
  for (int i = 0; i < VT_LEAK_KINDS; i++) {
    sum->kinds.bytes[i] += site->kinds.bytes[i];
    sum->kinds.blocks[i] += site->kinds.blocks[i];
  }
  sum->lost_bytes += site->lost_bytes;
  sum->lost_blocks += site->lost_blocks;
  sum->reallocs += site->reallocs;
  sum->realloc_moved += site->realloc_moved;
  sum->realloc_old_bytes += site->realloc_old_bytes;
  sum->cross_thread_frees += site->cross_thread_frees;
  sum->max_bytes += site->max_bytes;
  sum->max_blocks += site->max_blocks;
  if (site->lifetimes.min < sum->lifetimes.min) sum->lifetimes.min = site->lifetimes.min;
  if (site->lifetimes.max > sum->lifetimes.max) sum->lifetimes.max = site->lifetimes.max;
  sum->lifetimes.sum += site->lifetimes.sum;
  sum->sampled |= site->sampled;
  vt_spread_add(&sum->spread.allocated, &site->spread.allocated, 1);
  vt_spread_add(&sum->spread.live, &site->spread.live, 1);
  vt_spread_add(&sum->spread.peak, &site->spread.peak, 1);
}

static void add_cell(vt_site_t *site, vt_analysis_t const *analysis, vt_cell_t const *cell, size_t number) {
  vt_site_t one = {.allocations = cell->allocations,
                   .allocated_bytes = cell->allocated_bytes,
                   .frees = cell->frees,
                   .freed_bytes = cell->freed_bytes,
                   .temporary = cell->temporary,
                   .temporary_bytes = cell->temporary_bytes,
                   .peak_bytes = cell->peak_bytes,
                   .peak_blocks = cell->peak_blocks,
                   .peak_unsure_bytes = cell->peak_unsure_bytes,
                   .unsure_bytes = cell->unsure_bytes,
                   .unsure_blocks = cell->unsure_blocks,
                   .leaked_bytes = cell->allocated_bytes - cell->freed_bytes,
                   .leaked_blocks = cell->allocations - cell->frees,
                   .reallocs = cell->reallocs,
                   .realloc_moved = cell->realloc_moved,
                   .realloc_old_bytes = cell->realloc_old_bytes,
                   .cross_thread_frees = cell->cross_thread_frees,
                   .max_bytes = cell->max_bytes,
                   .max_blocks = cell->max_blocks,
                   .sampled = vt_reader_info(analysis->readers[cell->trace])->sample_period != 0,
                   .spread = vt_model_spread(analysis->model, number)};
  vt_lifetimes_init(&one.lifetimes);
  vt_site_add(site, &one);
  vt_lifetimes_merge(&site->lifetimes, &cell->lifetimes);
}

/* Index + 1 of the site of (node, heap) in the chain that starts at head[node]; 0: none. */
static uint32_t find_site(vt_analysis_t const *analysis, uint32_t const *head, uint32_t const *next,
                          uint32_t node, uint32_t heap) {
  uint32_t at = head[node];
  while (at && analysis->sites[at - 1].heap != heap) at = next[at - 1];
  return at;
}

uint32_t vt_analysis_cell_node(vt_analysis_t const *analysis, vt_cell_t const *cell,
                               int keep_allocators) {
  uint32_t ids = vt_reader_stacks(analysis->readers[cell->trace]).cnt;
  uint32_t node = cell->stack < ids ? analysis->nodes[cell->trace][cell->stack] : 0;
  return keep_allocators ? node : vt_stacks_skip_allocators(analysis->stacks, node);
}

/* The heap of a cell's site: the processes' own heaps are one for this, and so are Python's. */
static uint32_t site_heap(vt_analysis_t const *analysis, vt_cell_t const *cell) {
  size_t cnt;
  vt_model_heap_t const *heaps = vt_model_heaps(analysis->model, &cnt);
  if (cell->heap >= cnt) return cell->heap;
  if (heaps[cell->heap].kind == 0) return 0;
  for (uint32_t i = 0; heaps[cell->heap].kind == VT_HEAP_KIND_PYTHON && i < cell->heap; i++)
    if (heaps[i].kind == VT_HEAP_KIND_PYTHON) return i;
  return cell->heap;
}

static vt_site_t new_site(vt_analysis_t const *analysis, vt_cell_t const *cell, uint32_t node) {
  uint32_t owner = vt_stacks_owner(analysis->stacks, node, analysis->no_inlines);
  vt_site_t site = {.node = node,
                    .owner = owner ? vt_stacks_place(analysis->stacks, owner) : 0,
                    .heap = site_heap(analysis, cell),
                    .trace = cell->trace,
                    .nested = cell->nested};
  vt_lifetimes_init(&site.lifetimes);
  return site;
}

static void make_sites(vt_analysis_t *analysis) {
  size_t cnt;
  vt_cell_t const *cells = vt_model_cells(analysis->model, &cnt);
  size_t node_cnt = vt_stacks_cnt(analysis->stacks);
  uint32_t *head = vt_mem_table(node_cnt, sizeof *head);
  uint32_t *next = vt_mem_new(cnt, sizeof *next);
  analysis->cell_sites = vt_mem_new(cnt, sizeof *analysis->cell_sites);
  for (size_t i = VT_CELL_FIRST; i < cnt; i++) {
    if (!cells[i].allocations) continue;
    uint32_t node = vt_analysis_cell_node(analysis, &cells[i], analysis->keep_allocators);
    uint32_t at = find_site(analysis, head, next, node, site_heap(analysis, &cells[i]));
    if (!at) {
      VT_TABLE_PUSH(analysis->sites, new_site(analysis, &cells[i], node));
      at = (uint32_t)analysis->sites_cnt;
      next[at - 1] = head[node];
      head[node] = at;
    }
    add_cell(&analysis->sites[at - 1], analysis, &cells[i], i);
    analysis->cell_sites[i] = at;
  }
  vt_mem_table_free(head, node_cnt, sizeof *head);
  free(next);
}

static void drop_sites(vt_analysis_t *analysis) {
  for (size_t i = 0; i < analysis->sites_cnt; i++) vt_lifetimes_fini(&analysis->sites[i].lifetimes);
  vt_mem_table_free(analysis->sites, analysis->sites_cap, sizeof *analysis->sites);
  free(analysis->cell_sites);
  analysis->sites = NULL;
  analysis->sites_cnt = analysis->sites_cap = 0;
  analysis->cell_sites = NULL;
}

void vt_analysis_refresh(vt_analysis_t *analysis) {
  size_t cnt;
  drop_sites(analysis);
  vt_model_cells(analysis->model, &cnt);
  if (cnt != analysis->cells_known) {
    for (size_t t = 0; t < analysis->trace_cnt; t++) free(analysis->nodes[t]);
    add_stacks(analysis);
    analysis->cells_known = cnt;
  }
  make_sites(analysis);
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
  make_sites(analysis);
  analysis->sampled = vt_sampled_of(analysis->readers, analysis->trace_cnt, analysis->model, is_whole(&options->filter));
  uint64_t at_ns = options->filter.at ? analysis->to_ns - 1 : options->filter.to ? 0 : UINT64_MAX;
  vt_leaks_judge(analysis, at_ns);
  return 0;
}

void vt_analysis_close(vt_analysis_t *analysis) {
  drop_sites(analysis);
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

vt_trace_thread_t vt_analysis_thread(vt_analysis_t const *analysis, uint32_t thread) {
  vt_trace_thread_t none = {.name = ""};
  size_t cnt, info_cnt;
  vt_model_thread_t const *threads = vt_model_threads(analysis->model, &cnt);
  if (thread >= cnt) return none;
  vt_trace_thread_t const *infos =
      vt_reader_threads(analysis->readers[threads[thread].trace], &info_cnt);
  return threads[thread].index < info_cnt ? infos[threads[thread].index] : none;
}

char const *vt_analysis_heap_name(vt_analysis_t const *analysis, uint32_t heap, char buffer[32]) {
  size_t cnt;
  vt_model_heap_t const *heaps = vt_model_heaps(analysis->model, &cnt);
  if (heap >= cnt || heaps[heap].kind == 0) return "libc";
  if (heaps[heap].name && heaps[heap].name[0]) return heaps[heap].name;
  snprintf(buffer, 32, "heap %u", heap);
  return buffer;
}

static int is_forked(vt_reader_t const *reader) {
  size_t cnt, i = 0;
  vt_trace_process_t const *said = vt_reader_process(reader, &cnt);
  while (i < cnt && said[i].kind != VT_PROCESS_FORKED) i++;
  return i < cnt;
}

static int has_own_allocator(vt_reader_t const *reader) {
  uint32_t wanted = VT_PATCHED_RECORDED | VT_PATCHED_APART;
  size_t cnt, i = 0;
  vt_trace_patched_t const *patched = vt_reader_patched(reader, &cnt);
  while (i < cnt && (patched[i].flags & wanted) != wanted) i++;
  return i < cnt;
}

vt_unseen_t vt_analysis_unseen(vt_analysis_t const *analysis, uint32_t trace) {
  for (uint32_t t = 0; t < analysis->trace_cnt; t++) {
    if (trace != VT_ALL_TRACES && trace != t) continue;
    if (is_forked(analysis->readers[t])) return VT_UNSEEN_PARENT;
    if (has_own_allocator(analysis->readers[t])) return VT_UNSEEN_INLINED;
  }
  return VT_UNSEEN_NONE;
}

char const *vt_unseen_text(vt_unseen_t unseen) {
  return unseen == VT_UNSEEN_PARENT    ? "the parent may have allocated it before the fork"
         : unseen == VT_UNSEEN_INLINED ? "the compiler may have made the allocation part of its caller"
                                       : "";
}

int vt_analysis_knows_mappings(vt_analysis_t const *analysis) {
  for (size_t t = 0; t < analysis->trace_cnt; t++) {
    size_t cnt;
    vt_trace_snapshot_t const *said = vt_reader_snapshots(analysis->readers[t], &cnt);
    if (!vt_reader_info(analysis->readers[t])->pid) return 0;
    if (cnt && said[cnt - 1].flags & VT_SNAPSHOT_NO_MAPPINGS) return 0;
  }
  return 1;
}

uint64_t vt_analysis_peak_rss(vt_analysis_t const *analysis, int *certain) {
  uint64_t peak = 0;
  *certain = 1;
  for (size_t t = 0; t < analysis->trace_cnt; t++) {
    size_t cnt;
    vt_trace_memory_t const *samples = vt_reader_memory(analysis->readers[t], &cnt);
    for (size_t i = 0; i < cnt; i++)
      if (samples[i].resident_bytes > peak) peak = samples[i].resident_bytes;
    uint64_t told = vt_reader_counter(analysis->readers[t], VT_COUNTER_PEAK_RESIDENT);
    if (told > peak) peak = told;
    *certain &= vt_reader_counter(analysis->readers[t], VT_COUNTER_PEAK_CERTAIN) != 0;
  }
  return peak;
}

vt_completeness_t vt_analysis_completeness(vt_analysis_t const *analysis) {
  vt_completeness_t sum = {.complete = 1, .ended = "unknown", .missing_since = VT_TIME_NEVER};
  for (size_t t = 0; t < analysis->trace_cnt; t++) {
    vt_completeness_t one = vt_completeness(analysis->readers[t]);
    if (one.missing_since != VT_TIME_NEVER) one.missing_since += vt_analysis_shift(analysis, t);
    if (!t) memcpy(sum.ended, one.ended, sizeof sum.ended);
    vt_completeness_add(&sum, &one);
  }
  return sum;
}

uint64_t vt_analysis_counter(vt_analysis_t const *analysis, vt_counter_t counter) {
  uint64_t sum = 0;
  for (size_t t = 0; t < analysis->trace_cnt; t++)
    sum += vt_reader_counter(analysis->readers[t], counter);
  return sum;
}
