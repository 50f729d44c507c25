/* The views that are tables rather than sites: sizes, lifetimes, threads, timeline, modules, heaps;
   each as text and as JSON. */
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/report/report.h"
#include "analyzer/report/resident_time.h"

#define BAR           24
#define TIMELINE_ROWS 40
#define LIFETIME_ROWS 64  /* powers of two of nanoseconds */
#define WIDE          100 /* columns of a terminal that has room for less important ones */

/* A bar of value/max in eighths of a column behind two blanks, at the end of a line of which `used` are taken, with these. */
static void print_bar(vt_term_t const *term, int used, uint64_t value, uint64_t max) {
  static char const *const parts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  int room = vt_term_room(term, used + 1);
  int columns = room < BAR ? room : BAR;
  unsigned eighths = max ? (unsigned)((double)value / (double)max * columns * 8 + 0.5) : 0;
  if (eighths) fputs("  ", term->out);
  for (unsigned i = 0; i < eighths / 8; i++) fputs("█", term->out);
  fputs(parts[eighths % 8], term->out);
}

/* temporary is a number of temporary blocks, which an older sample does not tell. */
static vt_number_t temporary(vt_analysis_t const *analysis, uint64_t cnt) {
  return analysis->sampled.untold ? (vt_number_t){"-"} : vt_count_text(cnt);
}

/* say_estimates precedes a table of a sampled trace. */
static void say_estimates(vt_analysis_t const *analysis, vt_term_t const *term) {
  if (!analysis->sampled.period) return;
  fputs("\n≈ ", term->out);
  vt_term_wrap(term, "All numbers of blocks and their bytes in this table are estimates, from the recorded blocks.", 2);
  putc('\n', term->out);
}

/* ---- sizes ---- */

static uint64_t min_size(vt_size_class_t const *classes, unsigned i) {
  return i ? classes[i - 1].max_size + 1 : 0;
}

/* How many entries of a table are shown: --limit, or else `otherwise`. */
static size_t limit_of(vt_report_options_t const *options, size_t otherwise) {
  return options->limit ? options->limit : otherwise;
}

static void say_more(vt_term_t const *term, size_t cnt, size_t limit, char const *what) {
  if (cnt > limit)
    fprintf(term->out, "     and %zu more %s%s (--limit N shows more)\n", cnt - limit, what,
            cnt - limit == 1 ? "" : "s");
}

static void text_sizes(vt_analysis_t const *analysis, vt_report_options_t const *options,
                       vt_term_t const *term) {
  vt_size_class_t const *classes = vt_model_sizes(analysis->model);
  size_t cnt = 0, limit = limit_of(options, VT_SIZE_CLASSES);
  uint64_t most = 0;
  for (unsigned i = 0; i < VT_SIZE_CLASSES; i++)
    if (classes[i].allocations > most) most = classes[i].allocations;
  fprintf(term->out, "\n%21s %12s %10s %12s %10s\n", "size", "allocations", "bytes", "temporary",
          "live, end");
  for (unsigned i = 0; i < VT_SIZE_CLASSES; i++) {
    vt_size_class_t const *class = &classes[i];
    if (!class->allocations || cnt++ >= limit) continue;
    char range[72];
    int one = min_size(classes, i) == class->max_size;
    snprintf(range, sizeof range, one ? "%s" : "%s - %s", vt_count_text(min_size(classes, i)).text,
             vt_count_text(class->max_size).text);
    fprintf(term->out, "%21s %12s %10s %12s %10s", range, vt_count_text(class->allocations).text,
            vt_bytes_text(class->allocated_bytes).text, temporary(analysis, class->temporary).text,
            vt_bytes_text(class->leaked_bytes).text);
    print_bar(term, 71, class->allocations, most);
    putc('\n', term->out);
  }
  say_more(term, cnt, limit, "size");
}

static void json_sizes(vt_json_t *json, vt_analysis_t const *analysis, size_t limit) {
  vt_size_class_t const *classes = vt_model_sizes(analysis->model);
  size_t cnt = 0;
  vt_json_array(json, "sizes");
  for (unsigned i = 0; i < VT_SIZE_CLASSES; i++) {
    vt_size_class_t const *class = &classes[i];
    if (!class->allocations || cnt++ >= limit) continue;
    vt_json_object_line(json, NULL);
    vt_json_uint(json, "min_size", min_size(classes, i));
    vt_json_uint(json, "max_size", class->max_size);
    vt_json_uint(json, "allocations", class->allocations);
    vt_json_uint(json, "allocated_bytes", class->allocated_bytes);
    vt_json_known(json, "temporary", !analysis->sampled.untold, class->temporary);
    vt_json_uint(json, "leaked_blocks", class->leaked_blocks);
    vt_json_uint(json, "leaked_bytes", class->leaked_bytes);
    vt_json_end_object(json);
  }
  vt_json_end_array(json);
}

/* ---- lifetimes ---- */

/* Blocks by lifetime: [i] those of 2^i … 2^(i+1)-1 ns ([0] also 0); and all in one histogram. */
static vt_lifetimes_t all_lifetimes(vt_analysis_t const *analysis, uint64_t rows[LIFETIME_ROWS]) {
  vt_lifetimes_t all;
  vt_lifetimes_init(&all);
  for (size_t i = 0; i < analysis->sites_cnt; i++)
    if (!analysis->sites[i].nested) vt_lifetimes_merge(&all, &analysis->sites[i].lifetimes);
  memset(rows, 0, LIFETIME_ROWS * sizeof *rows);
  for (unsigned i = 0; i < all.cnt; i++) {
    uint64_t start = vt_lifetime_bucket_start(all.first + i);
    rows[start ? 63 - __builtin_clzll(start) : 0] += all.counts[i];
  }
  return all;
}

static void text_lifetimes(vt_analysis_t const *analysis, vt_report_options_t const *options,
                           vt_term_t const *term) {
  uint64_t rows[LIFETIME_ROWS], most = 0, sum = 0;
  size_t cnt = 0, limit = limit_of(options, LIFETIME_ROWS);
  vt_lifetimes_t all = all_lifetimes(analysis, rows);
  for (int i = 0; i < LIFETIME_ROWS; i++) {
    sum += rows[i];
    if (rows[i] > most) most = rows[i];
  }
  fprintf(term->out, "\nFreed blocks by lifetime; median %s%s (within 7 %%), longest %s\n",
          analysis->sampled.period ? "≈ " : "", vt_time_text(vt_lifetimes_median(&all)).text, vt_time_text(all.max).text);
  if (analysis->sampled.period)
    fprintf(term->out, "of %s that were recorded; each counts for those it stands for\n", vt_counted(all.added, "block").text);
  putc('\n', term->out);
  for (int i = 0; i < LIFETIME_ROWS; i++) {
    if (!rows[i] || cnt++ >= limit) continue;
    fprintf(term->out, "  from %10s %13s %8s", vt_time_text(i ? (uint64_t)1 << i : 0).text,
            vt_count_text(rows[i]).text, vt_percent_text(rows[i], sum).text);
    print_bar(term, 42, rows[i], most);
    putc('\n', term->out);
  }
  say_more(term, cnt, limit, "lifetime");
  fprintf(term->out, "  never freed     %13s\n",
          vt_count_text(vt_model_totals(analysis->model)->live_blocks).text);
  vt_lifetimes_fini(&all);
}

static void json_lifetimes(vt_json_t *json, vt_analysis_t const *analysis, size_t limit) {
  uint64_t rows[LIFETIME_ROWS];
  size_t cnt = 0;
  vt_lifetimes_t all = all_lifetimes(analysis, rows);
  vt_json_object(json, "lifetimes");
  vt_json_uint(json, "min_ns", all.min <= all.max ? all.min : 0);
  vt_json_uint(json, "median_ns", vt_lifetimes_median(&all));
  vt_json_uint(json, "max_ns", all.max);
  if (analysis->sampled.period) vt_json_uint(json, "recorded_blocks", all.added);
  vt_json_array(json, "histogram");
  for (int i = 0; i < LIFETIME_ROWS; i++) {
    if (!rows[i] || cnt++ >= limit) continue;
    vt_json_object_line(json, NULL);
    vt_json_uint(json, "from_ns", i ? (uint64_t)1 << i : 0);
    vt_json_uint(json, "blocks", rows[i]);
    vt_json_end_object(json);
  }
  vt_json_end_array(json);
  vt_json_end_object(json);
  vt_lifetimes_fini(&all);
}

/* ---- threads ---- */

static void text_threads(vt_analysis_t const *analysis, vt_report_options_t const *options,
                         vt_term_t const *term) {
  size_t cnt, limit = limit_of(options, 50);
  vt_model_thread_t const *threads = vt_model_threads(analysis->model, &cnt);
  int wide = term->width >= WIDE;
  fprintf(term->out, "\n%8s %11s %10s ", "thread", "allocations", "bytes");
  if (wide) fprintf(term->out, "%11s ", "frees");
  fprintf(term->out, "%10s %9s %9s %10s  name\n", "temporary", "of others", "by others", "live, end");
  for (size_t i = 0; i < cnt && i < limit; i++) {
    vt_model_thread_t const *thread = &threads[i];
    vt_trace_thread_t info = vt_analysis_thread(analysis, (uint32_t)i);
    fprintf(term->out, "%8s %11s %10s ", vt_trace_thread_label(&info).text,
            vt_count_text(thread->allocations).text, vt_bytes_text(thread->allocated_bytes).text);
    if (wide) fprintf(term->out, "%11s ", vt_count_text(thread->frees).text);
    fprintf(term->out, "%10s %9s %9s %10s", temporary(analysis, thread->temporary).text,
            vt_count_text(thread->frees_of_others).text,
            vt_count_text(thread->freed_by_others).text, vt_bytes_text(thread->leaked_bytes).text);
    fputs(info.name[0] ? "  " : "", term->out);
    vt_term_text(term, info.name, vt_term_room(term, wide ? 88 : 76));
    putc('\n', term->out);
  }
  say_more(term, cnt, limit, "thread");
  fputs("\n  of others: frees by this thread of blocks another one allocated;\n"
        "  by others: blocks of this thread that another one freed;\n"
        "  a number like 5012.2: the second thread that had number 5012\n",
        term->out);
}

static void json_threads(vt_json_t *json, vt_analysis_t const *analysis, size_t limit) {
  size_t cnt;
  vt_model_thread_t const *threads = vt_model_threads(analysis->model, &cnt);
  vt_json_array(json, "threads");
  for (size_t i = 0; i < cnt && i < limit; i++) {
    vt_trace_thread_t info = vt_analysis_thread(analysis, (uint32_t)i);
    vt_json_object_line(json, NULL);
    vt_json_uint(json, "trace", threads[i].trace);
    vt_json_uint(json, "tid", info.tid);
    vt_json_uint(json, "nth", info.nth);
    vt_json_string(json, "name", info.name);
    vt_json_uint(json, "allocations", threads[i].allocations);
    vt_json_uint(json, "allocated_bytes", threads[i].allocated_bytes);
    vt_json_uint(json, "frees", threads[i].frees);
    vt_json_known(json, "temporary", !analysis->sampled.untold, threads[i].temporary);
    vt_json_uint(json, "frees_of_others", threads[i].frees_of_others);
    vt_json_uint(json, "freed_by_others", threads[i].freed_by_others);
    vt_json_uint(json, "leaked_bytes", threads[i].leaked_bytes);
    vt_json_uint(json, "leaked_blocks", threads[i].leaked_blocks);
    vt_json_end_object(json);
  }
  vt_json_end_array(json);
}

/* ---- timeline ---- */

/* Several intervals as one. */
static vt_moment_t sum_moments(vt_moment_t const *moments, size_t cnt) {
  vt_moment_t sum = {0};
  for (size_t k = 0; k < cnt; k++) {
    if (moments[k].max_bytes > sum.max_bytes) sum.max_bytes = moments[k].max_bytes;
    if (moments[k].sure_bytes > sum.sure_bytes) sum.sure_bytes = moments[k].sure_bytes;
    sum.end_bytes = moments[k].end_bytes;
    sum.end_blocks = moments[k].end_blocks;
    sum.allocations += moments[k].allocations;
    sum.allocated_bytes += moments[k].allocated_bytes;
    sum.frees += moments[k].frees;
  }
  return sum;
}

/* How many of them make one, so that there are no more than `rows`. */
static size_t intervals_in_row(size_t cnt, size_t rows) { return cnt / rows + (cnt % rows != 0); }

static void text_timeline(vt_analysis_t const *analysis, vt_report_options_t const *options,
                          vt_term_t const *term) {
  size_t cnt;
  uint64_t step, peak = vt_model_totals(analysis->model)->peak_bytes;
  vt_moment_t const *moments = vt_model_timeline(analysis->model, &cnt, &step);
  size_t each = intervals_in_row(cnt, limit_of(options, TIMELINE_ROWS));
  char most[48];
  int some_unsure = 0;
  fprintf(term->out, "\n%10s %10s %12s %12s %11s %10s\n", "until", "live, most", "blocks, end",
          "allocations", "frees", "RSS");
  uint64_t *resident = vt_resident_time_highest(analysis, (each ? each : 1) * step, cnt / (each ? each : 1) + 1);
  for (size_t i = 0; i < cnt; i += each) {
    size_t end = i + each < cnt ? i + each : cnt;
    vt_moment_t sum = sum_moments(moments + i, end - i);
    uint64_t rss = resident[i / each];
    int unsure = sum.sure_bytes < sum.max_bytes;
    some_unsure |= unsure;
    snprintf(most, sizeof most, "%s%s", unsure ? "≤ " : "", vt_bytes_text(sum.max_bytes).text);
    fprintf(term->out, "%10s %*s %12s %12s %11s %10s", vt_time_text(end * step).text, unsure ? 12 : 10, most, vt_count_text(sum.end_blocks).text,
            vt_count_text(sum.allocations).text, vt_count_text(sum.frees).text,
            rss ? vt_bytes_text(rss).text : "");
    print_bar(term, 72, sum.max_bytes, peak);
    putc('\n', term->out);
  }
  free(resident);
  vt_term_styled(term, VT_STYLE_FAINT,
                 "\n  live, most: the most bytes live at one time since the line before;\n"
                 "  blocks, end: blocks live at the end of that time\n");
  if (some_unsure)
    vt_term_styled(term, VT_STYLE_FAINT, "  ≤: at most, as blocks that may have been freed while recording was paused count\n");
  if (each) vt_resident_time_text(analysis, term, each * step, (cnt + each - 1) / each);
}

static void json_timeline(vt_json_t *json, vt_analysis_t const *analysis, size_t limit) {
  size_t cnt;
  uint64_t step;
  vt_moment_t const *moments = vt_model_timeline(analysis->model, &cnt, &step);
  size_t each = intervals_in_row(cnt, limit);
  uint64_t *mapped = vt_resident_time_mapped(analysis, (each ? each : 1) * step, cnt / (each ? each : 1) + 1);
  vt_json_object(json, "timeline");
  vt_json_uint(json, "step_ns", step * (each ? each : 1));
  vt_json_array(json, "intervals");
  for (size_t i = 0; i < cnt; i += each) {
    vt_moment_t sum = sum_moments(moments + i, i + each < cnt ? each : cnt - i);
    vt_json_object_line(json, NULL);
    vt_json_uint(json, "start_ns", i * step);
    vt_json_uint(json, "max_bytes", sum.max_bytes);
    vt_json_uint(json, "max_at_least_bytes", sum.sure_bytes);
    vt_json_uint(json, "end_bytes", sum.end_bytes);
    vt_json_uint(json, "end_blocks", sum.end_blocks);
    vt_json_uint(json, "allocations", sum.allocations);
    vt_json_uint(json, "allocated_bytes", sum.allocated_bytes);
    vt_json_uint(json, "frees", sum.frees);
    if (vt_analysis_knows_mappings(analysis))
      vt_json_uint(json, "mapped_bytes", mapped[i / each]);
    else
      vt_json_null(json, "mapped_bytes");
    vt_json_end_object(json);
  }
  vt_json_end_array(json);
  free(mapped);
  vt_resident_time_json(analysis, json);
  vt_json_end_object(json);
}

/* ---- modules ---- */

static void text_modules(vt_analysis_t const *analysis, vt_report_options_t const *options,
                         vt_term_t const *term) {
  vt_groups_t groups = vt_groups_make(analysis, VT_METRIC_ALLOCATED, VT_BY_MODULE);
  size_t limit = limit_of(options, 50);
  fprintf(term->out, "\n%10s %12s %12s %10s %10s  module\n", "allocated", "allocations",
          "temporary", "peak", "live, end");
  for (size_t i = 0; i < groups.groups_cnt && i < limit; i++) {
    vt_site_t const *sum = &groups.groups[i].sum;
    fprintf(term->out, "%10s %12s %12s %10s %10s  ", vt_bytes_text(sum->allocated_bytes).text,
            vt_count_text(sum->allocations).text, temporary(analysis, sum->temporary).text,
            vt_bytes_text(sum->peak_bytes).text, vt_bytes_text(sum->leaked_bytes).text);
    char const *path = groups.groups[i].frame.module;
    vt_term_text(term, path[0] ? path : "[unknown]", vt_term_room(term, 60));
    putc('\n', term->out);
  }
  say_more(term, groups.groups_cnt, limit, "module");
  vt_groups_free(&groups);
}

static void json_modules(vt_json_t *json, vt_analysis_t const *analysis) {
  vt_json_array(json, "modules");
  for (uint32_t t = 0; t < analysis->trace_cnt; t++) {
    size_t cnt;
    vt_trace_module_t const *modules = vt_reader_modules(analysis->readers[t], &cnt);
    for (size_t i = 0; i < cnt; i++) {
      char id[129] = "";
      for (uint32_t k = 0; k < modules[i].build_id_sz && k < 64; k++)
        snprintf(id + 2 * k, 3, "%02x", modules[i].build_id[k]);
      vt_json_object_line(json, NULL);
      vt_json_uint(json, "trace", t);
      vt_json_string(json, "path", modules[i].path);
      vt_json_string(json, "build_id", id);
      vt_json_uint(json, "start", modules[i].start);
      vt_json_uint(json, "end", modules[i].end);
      vt_json_uint(json, "load_time_ns", modules[i].load_time);
      vt_json_bool(json, "unloaded", modules[i].unload_time != VT_TIME_NEVER);
      vt_json_end_object(json);
    }
  }
  vt_json_end_array(json);
}

/* ---- heaps ---- */

/* The tag of its blocks, if they have one and the same. */
static void print_tag(FILE *out, vt_model_heap_t const *heap) {
  char text[24] = "-";
  if (heap->tags_differ)
    snprintf(text, sizeof text, "several");
  else if (heap->tag)
    snprintf(text, sizeof text, "%" PRIu64, heap->tag);
  fprintf(out, " %10s  ", text);
}

static void text_heap(vt_analysis_t const *analysis, vt_term_t const *term, uint32_t index) {
  static char const *const kinds[] = {"libc", "wksp", "alloc", "groove", "custom", "python"};
  size_t cnt;
  char buffer[32];
  vt_model_heap_t const *heaps = vt_model_heaps(analysis->model, &cnt), *heap = &heaps[index];
  fprintf(term->out, "%6s %12s %12s %10s %10s", kinds[heap->kind < 6 ? heap->kind : 4],
          vt_count_text(heap->allocations).text, vt_count_text(heap->frees).text,
          vt_bytes_text(heap->leaked_bytes).text, vt_count_text(heap->leaked_blocks).text);
  print_tag(term->out, heap);
  vt_term_text(term, vt_analysis_heap_name(analysis, index, buffer), vt_term_room(term, 67));
  if (heap->nested && heap->parent < cnt) {
    fputs(" (in ", term->out);
    vt_term_text(term, vt_analysis_heap_name(analysis, heap->parent, buffer), 60);
    fputs(": not in the totals)", term->out);
  } else if (heap->nested)
    fputs(" (nested: not in the totals)", term->out);
  if (heap->unseen_frees)
    fprintf(term->out, " (%s more: of blocks allocated unseen)",
            vt_counted(heap->unseen_frees, "free").text);
  putc('\n', term->out);
}

static void text_heaps(vt_analysis_t const *analysis, vt_report_options_t const *options,
                       vt_term_t const *term) {
  size_t cnt, limit = limit_of(options, SIZE_MAX);
  vt_model_heaps(analysis->model, &cnt);
  fprintf(term->out, "\n%6s %12s %12s %10s %10s %10s  heap\n", "kind", "allocations", "frees",
          "live, end", "blocks", "tag");
  for (uint32_t i = 0; i < cnt && i < limit; i++) text_heap(analysis, term, i);
  say_more(term, cnt, limit, "heap");
}

/* is_table: is it a view of this file, and not a part of its own? */
static int is_table(vt_report_options_t const *options) {
  static unsigned const tables = 1u << VT_VIEW_SIZES | 1u << VT_VIEW_LIFETIMES | 1u << VT_VIEW_THREADS |
                                 1u << VT_VIEW_TIMELINE | 1u << VT_VIEW_MODULES | 1u << VT_VIEW_HEAPS;
  return tables >> options->view & 1;
}

void vt_text_tables(vt_analysis_t const *analysis, vt_report_options_t const *options,
                    vt_term_t const *term) {
  if (is_table(options)) say_estimates(analysis, term);
  switch (options->view) {
  case VT_VIEW_SIZES: text_sizes(analysis, options, term); return;
  case VT_VIEW_LIFETIMES: text_lifetimes(analysis, options, term); return;
  case VT_VIEW_THREADS: text_threads(analysis, options, term); return;
  case VT_VIEW_TIMELINE: text_timeline(analysis, options, term); return;
  case VT_VIEW_MODULES: text_modules(analysis, options, term); return;
  case VT_VIEW_HEAPS: text_heaps(analysis, options, term); return;
  default: return;
  }
}

void vt_json_tables(vt_json_t *json, vt_analysis_t const *analysis,
                    vt_report_options_t const *options) {
  size_t limit = limit_of(options, SIZE_MAX);
  switch (options->view) {
  case VT_VIEW_SIZES: json_sizes(json, analysis, limit); return;
  case VT_VIEW_LIFETIMES: json_lifetimes(json, analysis, limit); return;
  case VT_VIEW_THREADS: json_threads(json, analysis, limit); return;
  case VT_VIEW_TIMELINE: json_timeline(json, analysis, limit); return;
  case VT_VIEW_MODULES: json_modules(json, analysis); return;
  default: return;
  }
}
