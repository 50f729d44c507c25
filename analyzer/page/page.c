/* Writing the data of the HTML page; see page.h. The call tree goes in whole and packed; only a tree
   that is too large is folded. Names are cut, blocks put together and curves coarsened until each
   part keeps to its share of the page's size. */
#include "analyzer/page/page.h"
#include <stdlib.h>
#include <string.h>
#include "analyzer/page/blocks.h"
#include "analyzer/page/pack.h"
#include "analyzer/page/resident.h"
#include "analyzer/page/sources.h"
#include "analyzer/page/tree.h"
#include "analyzer/report/languages.h"
#include "analyzer/util/mem.h"

/* Shares of the page's 5 MB, in characters of packed text. */
#define NODES_CHARS_MAX  1500000
#define NAMES_CHARS_MAX  600000
#define BLOCKS_CHARS_MAX 1600000
#define CURVE_CHARS_MAX  350000
#define NODES_MIN        2000 /* no tree is folded further */
#define NAME_MAX_START   4096
#define INTERVALS_MAX    512
#define ROWS_MAX         500
#define TRACE_MAX        2000 /* bytes of a command, heaps of a trace */

/* ---- time ---- */

static void add_moment(vt_moment_t *sum, vt_moment_t const *moment) {
  if (moment->max_bytes > sum->max_bytes) sum->max_bytes = moment->max_bytes;
  sum->end_bytes = moment->end_bytes;
  sum->end_blocks = moment->end_blocks;
  sum->allocations += moment->allocations;
  sum->frees += moment->frees;
  sum->allocated_bytes += moment->allocated_bytes;
}

static void write_moments(vt_json_t *json, vt_moment_t const *moments, size_t cnt) {
  static struct {
    char const *name;
    size_t offset;
  } const columns[] = {{"max_bytes", offsetof(vt_moment_t, max_bytes)},
                       {"end_bytes", offsetof(vt_moment_t, end_bytes)},
                       {"end_blocks", offsetof(vt_moment_t, end_blocks)},
                       {"allocations", offsetof(vt_moment_t, allocations)},
                       {"frees", offsetof(vt_moment_t, frees)},
                       {"allocated_bytes", offsetof(vt_moment_t, allocated_bytes)}};
  for (size_t c = 0; c < sizeof columns / sizeof *columns; c++) {
    vt_json_array(json, columns[c].name);
    for (size_t i = 0; i < cnt; i++)
      vt_json_uint(json, NULL, *(uint64_t const *)((char const *)&moments[i] + columns[c].offset));
    vt_json_end_array(json);
  }
}

static void write_timeline(vt_json_t *json, vt_analysis_t const *analysis) {
  size_t cnt, each = 1, used = 0;
  uint64_t step;
  vt_moment_t const *moments = vt_model_timeline(analysis->model, &cnt, &step);
  vt_moment_t *sums = vt_mem_new(INTERVALS_MAX, sizeof *sums);
  while (cnt > each * INTERVALS_MAX) each *= 2;
  for (size_t i = 0; i < cnt; i++) add_moment(&sums[i / each], &moments[i]);
  used = (cnt + each - 1) / each;
  vt_json_object(json, "timeline");
  vt_json_uint(json, "step_ns", step * each);
  write_moments(json, sums, used);
  vt_json_array(json, "markers");
  size_t markers_cnt;
  vt_trace_marker_t const *markers = vt_reader_markers(analysis->readers[0], &markers_cnt);
  for (size_t i = 0; i < markers_cnt && i < ROWS_MAX; i++) {
    vt_json_object(json, NULL);
    vt_json_uint(json, "t_ns", markers[i].time);
    vt_json_string_sz(json, "text", markers[i].text, strnlen(markers[i].text, 200));
    vt_json_end_object(json);
  }
  vt_json_end_array(json);
  vt_json_end_object(json);
  free(sums);
}

/* Distances that may be negative: 2 * n, and 2 * n - 1 for -n. */
static void put_distance(vt_page_pack_t *out, uint64_t before, uint64_t value) {
  if (value >= before)
    vt_page_put(out, 2 * (value - before));
  else
    vt_page_put(out, 2 * (before - value) - 1);
}

/* The curve in steps of `each` intervals. */
static char *pack_curve(vt_moment_t const *moments, size_t cnt, size_t each) {
  vt_page_pack_t out = {0};
  size_t steps = (cnt + each - 1) / each;
  vt_moment_t *sums = vt_mem_new(steps + 1, sizeof *sums);
  for (size_t i = 0; i < cnt; i++) add_moment(&sums[i / each], &moments[i]);
  vt_page_put(&out, steps);
  for (size_t i = 0; i < steps; i++)
    put_distance(&out, i ? sums[i - 1].max_bytes : 0, sums[i].max_bytes);
  for (size_t i = 0; i < steps; i++) vt_page_put(&out, sums[i].allocations);
  char *text = vt_page_packed(&out);
  free(out.bytes);
  free(sums);
  return text;
}

static void write_curve(vt_json_t *json, vt_analysis_t const *analysis, size_t max) {
  size_t cnt, each = 1;
  uint64_t step;
  vt_moment_t const *moments = vt_model_timeline(analysis->model, &cnt, &step);
  char *text = pack_curve(moments, cnt, each);
  while (strlen(text) > max) {
    free(text);
    text = pack_curve(moments, cnt, each *= 2);
  }
  vt_json_object(json, "curve");
  vt_json_uint(json, "step_ns", step * each);
  vt_json_string(json, "data", text);
  vt_json_end_object(json);
  free(text);
}

/* ---- threads and heaps ---- */

static void write_thread(vt_json_t *json, vt_analysis_t const *analysis,
                         vt_model_thread_t const *thread) {
  size_t cnt;
  vt_trace_thread_t const *threads = vt_reader_threads(analysis->readers[thread->trace], &cnt);
  int known = thread->index < cnt;
  vt_json_object(json, NULL);
  vt_json_uint(json, "trace", thread->trace);
  vt_json_string(json, "thread", known ? vt_trace_thread_label(&threads[thread->index]).text : "");
  vt_json_uint(json, "tid", known ? threads[thread->index].tid : 0);
  vt_json_string(json, "name", known ? threads[thread->index].name : "");
  vt_json_uint(json, "allocations", thread->allocations);
  vt_json_uint(json, "allocated_bytes", thread->allocated_bytes);
  vt_json_uint(json, "frees", thread->frees);
  vt_json_uint(json, "temporary", thread->temporary);
  vt_json_uint(json, "frees_of_others", thread->frees_of_others);
  vt_json_uint(json, "freed_by_others", thread->freed_by_others);
  vt_json_uint(json, "leaked_bytes", thread->leaked_bytes);
  vt_json_uint(json, "leaked_blocks", thread->leaked_blocks);
  vt_json_end_object(json);
}

static int compare_threads(void const *a, void const *b) {
  vt_model_thread_t const *x = *(vt_model_thread_t *const *)a, *y = *(vt_model_thread_t *const *)b;
  return x->allocated_bytes < y->allocated_bytes   ? 1
         : x->allocated_bytes > y->allocated_bytes ? -1
         : x < y                                     ? -1
                                                     : x > y;
}

/* Returns by number in the model: number in what is written. The caller frees it. */
static uint32_t *write_threads(vt_json_t *json, vt_analysis_t const *analysis) {
  size_t cnt;
  vt_model_thread_t const *threads = vt_model_threads(analysis->model, &cnt), **sorted;
  uint32_t *numbers = vt_mem_new(cnt + 1, sizeof *numbers);
  sorted = vt_mem_new(cnt + 1, sizeof *sorted);
  for (size_t i = 0; i < cnt; i++) sorted[i] = &threads[i];
  qsort(sorted, cnt, sizeof *sorted, compare_threads);
  vt_json_uint(json, "threads_total", cnt);
  vt_json_array(json, "threads");
  for (size_t i = 0; i < cnt && i < ROWS_MAX; i++) write_thread(json, analysis, sorted[i]);
  vt_json_end_array(json);
  for (uint32_t i = 0; i < cnt; i++) numbers[sorted[i] - threads] = i < ROWS_MAX ? i : ROWS_MAX;
  free(sorted);
  return numbers;
}

/* The same for heaps; the processes' own are one. */
static uint32_t *write_heap_names(vt_json_t *json, vt_analysis_t const *analysis) {
  size_t cnt;
  char buffer[32];
  vt_model_heap_t const *heaps = vt_model_heaps(analysis->model, &cnt);
  uint32_t *numbers = vt_mem_new(cnt + 1, sizeof *numbers);
  vt_json_array(json, "heap_names");
  for (uint32_t i = 0; i < cnt; i++) {
    char const *name = vt_analysis_heap_name(analysis, i, buffer);
    if (i < ROWS_MAX) vt_json_string_sz(json, NULL, name, strnlen(name, 200));
    numbers[i] = heaps[i].kind == 0 ? 0 : i < ROWS_MAX ? i : ROWS_MAX;
  }
  vt_json_end_array(json);
  return numbers;
}

/* ---- frames ---- */

typedef struct {
  uint32_t *number; /* by old number: new number + 1; 0: not used */
  uint32_t *used;   /* by new number: old number */
  size_t used_cnt, used_cap;
} renumbering_t;

static uint32_t renumber(renumbering_t *all, uint32_t old) {
  if (!all->number[old]) {
    VT_PUSH(all->used, old);
    all->number[old] = (uint32_t)all->used_cnt;
  }
  return all->number[old] - 1;
}

static void put_cut(vt_page_pack_t *out, char const *text, size_t max) {
  size_t sz = strlen(text), cut = vt_json_cut(text, sz, max);
  vt_page_put_bytes(out, text, cut);
  if (cut < sz) vt_page_put_bytes(out, "…", strlen("…"));
  vt_page_put_bytes(out, "", 1);
}

static char *pack_strings(vt_page_tree_t const *tree, renumbering_t const *strings, size_t max) {
  vt_page_pack_t out = {0};
  for (size_t i = 0; i < strings->used_cnt; i++)
    put_cut(&out, vt_strings_get(tree->strings, strings->used[i], NULL), max);
  char *text = vt_page_packed(&out);
  free(out.bytes);
  return text;
}

/* Names are cut until all of them fit. */
static void write_strings(vt_json_t *json, vt_page_tree_t *tree,
                          renumbering_t const *strings) {
  tree->name_max = NAME_MAX_START;
  char *text = pack_strings(tree, strings, tree->name_max);
  while (strlen(text) > NAMES_CHARS_MAX && tree->name_max > 8) {
    free(text);
    text = pack_strings(tree, strings, tree->name_max /= 2);
  }
  vt_json_uint(json, "name_limit", tree->name_max);
  vt_json_string(json, "strings", text);
  free(text);
}

/* ---- nodes ---- */

static renumbering_t new_renumbering(size_t cnt) {
  return (renumbering_t){.number = vt_mem_new(cnt + 1, sizeof(uint32_t))};
}

static void free_renumbering(renumbering_t *all) {
  free(all->number);
  free(all->used);
}

static void put_frames(vt_page_pack_t *out, vt_page_tree_t const *tree, renumbering_t const *frames,
                       renumbering_t *strings) {
  vt_page_put(out, frames->used_cnt);
  for (size_t i = 0; i < frames->used_cnt; i++) {
    vt_page_frame_t const *frame = &tree->frames[frames->used[i]];
    vt_page_put(out, renumber(strings, frame->function));
    vt_page_put(out, renumber(strings, frame->file));
    vt_page_put(out, frame->line);
    vt_page_put(out, renumber(strings, frame->module));
    vt_page_put(out, frame->flags);
  }
}

static void put_values(vt_page_pack_t *out, vt_page_tree_t const *tree) {
  size_t before = 0;
  for (size_t i = 0; i < tree->nodes_cnt; i++) {
    if (!vt_page_node_ends(&tree->nodes[i])) continue;
    vt_page_put(out, i + 1 - before);
    before = i + 1;
    for (int v = 0; v < tree->sides * VT_PAGE_VALUES; v++)
      vt_page_put(out, tree->nodes[i].self[v / VT_PAGE_VALUES][v % VT_PAGE_VALUES]);
  }
  vt_page_put(out, 0);
}

/* See page.h for the order. */
static char *pack_nodes(vt_page_tree_t const *tree, renumbering_t *strings) {
  renumbering_t frames = new_renumbering(tree->frames_cnt);
  vt_page_pack_t out = {0};
  vt_page_put(&out, tree->nodes_cnt);
  for (size_t i = 1; i < tree->nodes_cnt; i++) vt_page_put(&out, i - tree->nodes[i].parent);
  for (size_t i = 1; i < tree->nodes_cnt; i++)
    vt_page_put(&out, renumber(&frames, tree->nodes[i].frame));
  put_frames(&out, tree, &frames, strings);
  put_values(&out, tree);
  char *text = vt_page_packed(&out);
  free(out.bytes);
  free_renumbering(&frames);
  return text;
}

/* The tree as a page can hold it: folded when it is too large, as little as possible. */
static char *pack_tree(vt_page_tree_t *tree, vt_analysis_t const *const *analyses,
                       renumbering_t *strings) {
  for (;;) {
    *strings = new_renumbering(vt_strings_cnt(tree->strings));
    renumber(strings, 0);
    char *text = pack_nodes(tree, strings);
    size_t sz = strlen(text), fitting = tree->nodes_cnt;
    if (sz > NODES_CHARS_MAX) fitting = fitting * 9 / 10 * NODES_CHARS_MAX / sz;
    if (fitting > VT_PAGE_NODES_MAX) fitting = VT_PAGE_NODES_MAX;
    if (fitting >= tree->nodes_cnt || tree->nodes_cnt <= NODES_MIN) return text;
    free(text);
    free_renumbering(strings);
    vt_page_tree_fold(tree, analyses, fitting);
  }
}

static void write_nodes(vt_json_t *json, vt_page_tree_t *tree,
                        vt_analysis_t const *const *analyses) {
  renumbering_t strings;
  char *text = pack_tree(tree, analyses, &strings);
  vt_json_string(json, "nodes", text);
  vt_json_uint(json, "nodes_max", VT_PAGE_NODES_MAX);
  vt_json_uint(json, "folded", tree->folded);
  vt_json_uint(json, "folded_share_ppm", (uint64_t)(tree->folded_largest * 1e6 + 1));
  write_strings(json, tree, &strings);
  free(text);
  free_renumbering(&strings);
}

/* ---- document ---- */

/* One of several sides has its part of what the page can hold. */
static void write_side(vt_json_t *json, vt_page_tree_t const *tree, int side,
                       vt_page_blocks_t const *blocks, vt_analysis_t const *analysis) {
  static vt_view_t const views[] = {VT_VIEW_SIZES, VT_VIEW_LIFETIMES};
  size_t parts = (size_t)tree->sides;
  vt_json_object(json, NULL);
  vt_json_head(json, analysis, "page", TRACE_MAX);
  write_timeline(json, analysis);
  write_curve(json, analysis, CURVE_CHARS_MAX / parts);
  vt_page_resident_write(json, analysis);
  uint32_t *threads = write_threads(json, analysis), *heaps = write_heap_names(json, analysis);
  vt_page_blocks_write(json, blocks, tree, side, &(vt_page_names_t){threads, heaps},
                       BLOCKS_CHARS_MAX / parts);
  free(threads);
  free(heaps);
  for (size_t i = 0; i < sizeof views / sizeof *views; i++)
    vt_json_tables(json, analysis, &(vt_report_options_t){.view = views[i]});
  vt_json_end_object(json);
}

/* The earliest start of a recording. */
static uint64_t started(vt_analysis_t const *const *analyses, int sides) {
  uint64_t first = UINT64_MAX;
  for (int i = 0; i < sides; i++)
    for (size_t t = 0; t < analyses[i]->trace_cnt; t++) {
      uint64_t start = vt_reader_info(analyses[i]->readers[t])->start_unix_ns;
      if (start < first) first = start;
    }
  return first;
}

static void write_document(vt_json_t *json, vt_page_tree_t *tree, vt_page_blocks_t *const *blocks,
                           vt_page_contents_t const *contents) {
  vt_analysis_t const *const *analyses = (vt_analysis_t const *const *)contents->analyses;
  vt_json_object_line(json, NULL);
  vt_json_string(json, "schema", "valtrace-page");
  vt_json_uint(json, "version", 4);
  write_nodes(json, tree, analyses);
  vt_json_array(json, "languages");
  for (int i = 0; i < VT_SOURCE_LANGUAGES; i++) vt_json_string(json, NULL, vt_source_language_name((vt_source_language_t)i));
  vt_json_end_array(json);
  vt_json_array(json, "sides");
  for (int i = 0; i < tree->sides; i++) write_side(json, tree, i, blocks[i], analyses[i]);
  vt_json_end_array(json);
  if (contents->findings) contents->findings->json(contents->findings->context, json);
  if (!contents->no_source) vt_page_sources_write(json, tree, started(analyses, tree->sides));
  vt_json_end_object(json);
}

/* The moments of all sides; both of a comparison are divided alike. */
static vt_page_moments_t choose_moments(vt_page_contents_t const *contents) {
  vt_page_moments_t moments, other;
  vt_page_moments_choose(&moments, contents->analyses[0]);
  if (contents->sides == 1) return moments;
  vt_page_moments_choose(&other, contents->analyses[1]);
  vt_page_moments_join(&moments, &other);
  return moments;
}

vt_page_tree_t *vt_page_write(vt_page_contents_t const *contents, FILE *out) {
  vt_page_blocks_t *blocks[2] = {NULL, NULL};
  vt_page_tree_t *tree = vt_page_tree_new((vt_analysis_t const *const *)contents->analyses,
                                          contents->sides, contents->suppressions);
  vt_page_moments_t moments = choose_moments(contents);
  for (int i = 0; i < contents->sides; i++)
    blocks[i] = vt_page_blocks_new(contents->analyses[i], contents->options, &moments);
  vt_json_t json = vt_json_start(out);
  write_document(&json, tree, blocks, contents);
  vt_json_finish(&json);
  for (int i = 0; i < contents->sides; i++) vt_page_blocks_delete(blocks[i]);
  return tree;
}
