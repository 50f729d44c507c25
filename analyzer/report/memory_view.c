/* See memory_view.h. */
#include "analyzer/report/memory_view.h"
#include "analyzer/report/leaks.h"
#include "analyzer/util/mem.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define PLACES_SHOWN  5
#define COLUMNS       3 /* of a table */
#define LABEL_COLUMNS 36
#define CELL_COLUMNS  20

struct vt_memory_view {
  vt_residences_t *residences;
  vt_report_options_t const *options;
};

/* A line of the account: what it is, its name in JSON, and its bytes; 0: it is not known, then *bytes is
   not set. */
typedef struct {
  char const *text, *key;
  int (*get)(vt_account_t const *a, uint64_t *bytes);
} line_t;

static int blocks(vt_account_t const *a, uint64_t *bytes) {
  *bytes = a->blocks_bytes;
  return !a->sampled;
}
/* Of a sample it is not known what lies in blocks that were not recorded: memory of malloc's that has none is like what
   the C library has for itself. */
static int malloc_or_library(vt_account_t const *a, uint64_t *bytes) {
  *bytes = a->by_place[VT_PLACE_ALLOCATOR] + a->by_place[VT_PLACE_RUNTIME];
  return a->sampled;
}
/* Nor which mappings are an interpreter's, for its blocks. */
static int mapped_or_heap(vt_account_t const *a, uint64_t *bytes) {
  *bytes = a->by_place[VT_PLACE_HEAP] + a->by_place[VT_PLACE_MAPPED];
  return a->sampled;
}
static int overhead(vt_account_t const *a, uint64_t *bytes) {
  *bytes = a->overhead_bytes;
  return a->divided;
}
static int free_kept(vt_account_t const *a, uint64_t *bytes) {
  *bytes = a->free_bytes;
  return a->divided;
}
static int trimmed(vt_account_t const *a, uint64_t *bytes) {
  *bytes = a->trim_bytes;
  return a->divided;
}
static int undivided(vt_account_t const *a, uint64_t *bytes) {
  *bytes = a->by_place[VT_PLACE_ALLOCATOR] - a->blocks_bytes;
  return !a->divided && !a->sampled;
}
static int heap_blocks(vt_account_t const *a, uint64_t *bytes) {
  *bytes = a->heap_blocks_bytes;
  return !a->sampled;
}
static int heap_rest(vt_account_t const *a, uint64_t *bytes) {
  *bytes = a->by_place[VT_PLACE_HEAP] - a->heap_blocks_bytes;
  return !a->sampled;
}
static int unexplained(vt_account_t const *a, uint64_t *bytes) {
  *bytes = a->unexplained_bytes;
  return 1;
}
#define OF_PLACE(name, place)                                                                      \
  static int name(vt_account_t const *a, uint64_t *bytes) {                                        \
    *bytes = a->by_place[place];                                                                   \
    return 1;                                                                                      \
  }
static int mapped(vt_account_t const *a, uint64_t *bytes) {
  *bytes = a->by_place[VT_PLACE_MAPPED];
  return !a->sampled;
}
OF_PLACE(stacks, VT_PLACE_STACK)
OF_PLACE(modules, VT_PLACE_MODULE)
OF_PLACE(files, VT_PLACE_FILE)
OF_PLACE(shared, VT_PLACE_SHARED)
static int runtime(vt_account_t const *a, uint64_t *bytes) {
  *bytes = a->by_place[VT_PLACE_RUNTIME];
  return !a->sampled;
}
OF_PLACE(own, VT_PLACE_OWN)

/* The lines that add up. */
static line_t const lines[] = {
    {"live blocks", "live_bytes", blocks},
    {"their headers and rounding", "overhead_bytes", overhead},
    {"free, kept by the allocator", "free_bytes", free_kept},
    {"rounding and free memory, together", "overhead_and_free_bytes", undivided},
    {"malloc's, and the C library's", "malloc_and_runtime_bytes", malloc_or_library},
    {"mapped by the program, and its heaps", "mapped_and_heap_bytes", mapped_or_heap},
    {"live blocks in the program's heaps", "heap_live_bytes", heap_blocks},
    {"the rest of these heaps", "heap_rest_bytes", heap_rest},
    {"mapped by the program", "mapped_bytes", mapped},
    {"stacks", "stack_bytes", stacks},
    {"code and data of modules", "module_bytes", modules},
    {"files", "file_bytes", files},
    {"shared memory", "shared_bytes", shared},
    {"the C library and the loader", "runtime_bytes", runtime},
    {"valtrace itself", "own_bytes", own},
    {"not known which", "unexplained_bytes", unexplained},
};
#define LINES (sizeof lines / sizeof *lines)

/* why_no_end is why there was no look at the end's memory, as the snapshot says; NULL: it does not. */
static char const *why_no_end(vt_reader_t const *reader) {
  vt_trace_leaks_t const *leaks = vt_reader_leaks(reader);
  return leaks && leaks->why[0] ? leaks->why : NULL;
}

char const *vt_memory_view_why_none(vt_reader_t const *reader) {
  if (vt_reader_info(reader)->optional & VT_OPTIONAL_NO_COLLECTOR)
    return "it was recorded without a collector (`valtrace run` looks at the pages)";
  if (!vt_reader_info(reader)->pid) return "a text log does not tell of pages";
  if (vt_reader_integrity(reader)->recording) return "no page has been looked at yet, and it is still being recorded";
  if (why_no_end(reader)) return why_no_end(reader);
  if (vt_leaks_was_killed(reader)) return "it was killed before its pages were looked at (`valtrace run --snapshots` looks then, too)";
  return "no page was looked at (it ended at once, or the trace is old)";
}

/* ---- text ---- */

vt_moment_name_t vt_memory_view_moment(vt_captured_t const *m) {
  vt_moment_name_t name = {"highest"};
  char const *highest = m->kinds & VT_MOMENT_HIGHEST ? ", highest" : "";
  if (m->snapshot)
    snprintf(name.text, sizeof name.text, VT_MARKER_SNAPSHOT "%u%s", m->snapshot, highest);
  else if (m->kinds & VT_MOMENT_PEAK)
    snprintf(name.text, sizeof name.text, VT_MARKER_PEAK "%s", highest);
  else if (m->pages->kind == VT_SNAPSHOT_KILLED)
    strcpy(name.text, "when killed");
  else if (m->kinds & VT_MOMENT_END)
    strcpy(name.text, m->pages->kind == VT_SNAPSHOT_EXEC ? "at exec" : "at the end");
  return name;
}

static void cell(vt_term_t const *term, uint64_t bytes, uint64_t whole) {
  fprintf(term->out, "%*s %7s", CELL_COLUMNS - 8, vt_bytes_text(bytes).text,
          vt_percent_text(bytes, whole).text);
}

static void text_line(vt_term_t const *term, line_t const *line, vt_captured_t const *shown,
                      size_t cnt) {
  uint64_t bytes, any = 0;
  for (size_t i = 0; i < cnt; i++)
    if (line->get(&shown[i].account, &bytes)) any |= bytes;
  if (!any) return;
  fprintf(term->out, "  %-*s", LABEL_COLUMNS - 2, line->text);
  for (size_t i = 0; i < cnt; i++) {
    vt_account_t const *a = &shown[i].account;
    if (line->get(a, &bytes))
      cell(term, bytes, a->resident_bytes);
    else
      fprintf(term->out, "%*s", CELL_COLUMNS, "");
  }
  putc('\n', term->out);
}

static void text_table(vt_term_t const *term, vt_captured_t const *shown, size_t cnt) {
  fprintf(term->out, "\n%*s", LABEL_COLUMNS, "");
  for (size_t i = 0; i < cnt; i++) fprintf(term->out, "%*s", CELL_COLUMNS, vt_memory_view_moment(&shown[i]).text);
  fprintf(term->out, "\n%*s", LABEL_COLUMNS, "");
  for (size_t i = 0; i < cnt; i++)
    fprintf(term->out, "%*s", CELL_COLUMNS, vt_time_text(shown[i].time).text);
  putc('\n', term->out);
  for (size_t l = 0; l < LINES; l++) text_line(term, &lines[l], shown, cnt);
  fprintf(term->out, "  %-*s", LABEL_COLUMNS - 2, "resident, as the kernel counts");
  for (size_t i = 0; i < cnt; i++)
    cell(term, shown[i].account.resident_bytes, shown[i].account.resident_bytes);
  putc('\n', term->out);
}

/* One place that holds memory, in one line. */
static void text_place(vt_memory_view_t const *v, vt_term_t const *term, char const *bytes, uint32_t node,
                       char const *more) {
  vt_stack_frame_t frame = vt_group_frame(v->residences->analysis, node);
  char buffer[1024];
  fprintf(term->out, "  %10s  ", bytes);
  int used = 14 + vt_term_text(term, vt_text_name(term, &frame, buffer, sizeof buffer),
                               vt_term_room(term, 14) / 2);
  vt_text_behind(term, &frame, vt_term_room(term, used + (int)strlen(more)));
  fprintf(term->out, "%s\n", more);
}

typedef struct {
  uint64_t bytes, size;
  uint32_t holder;
  double variance; /* of bytes, in a sampled trace */
} share_t;

static int by_bytes(void const *a, void const *b) {
  share_t const *x = a, *y = b;
  if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
  return x->holder < y->holder ? -1 : x->holder > y->holder;
}

/* shares_of_blocks: holders by the resident bytes of their live blocks. The caller frees. */
static share_t *shares_of_blocks(vt_captured_t const *m, size_t *cnt) {
  share_t *shares = vt_mem_new(m->pins_cnt + 1, sizeof *shares);
  *cnt = 0;
  for (uint32_t h = 0; h < m->pins_cnt; h++)
    if (m->pins[h].resident_bytes)
      shares[(*cnt)++] = (share_t){m->pins[h].resident_bytes, m->pins[h].bytes, h, m->pins[h].resident_variance};
  qsort(shares, *cnt, sizeof *shares, by_bytes);
  return shares;
}

/* shares_of_mappings: the same of what is mapped as a kind of place. */
static share_t *shares_of_mappings(vt_residences_t const *all, vt_captured_t const *m, vt_place_t place,
                                   size_t *cnt) {
  share_t *shares = vt_mem_new(all->holders_cnt + 1, sizeof *shares);
  for (size_t i = 0; i < m->account.mappings_cnt; i++) {
    vt_account_mapping_t const *mapping = &m->account.mappings[i];
    if (mapping->place != place) continue;
    shares[m->mapping_holders[i]].bytes += mapping->resident;
    shares[m->mapping_holders[i]].size += mapping->bytes;
  }
  *cnt = 0;
  for (uint32_t h = 0; h < all->holders_cnt; h++)
    if (shares[h].bytes) shares[(*cnt)++] = (share_t){shares[h].bytes, shares[h].size, h, 0};
  qsort(shares, *cnt, sizeof *shares, by_bytes);
  return shares;
}

static void text_shares(vt_memory_view_t const *v, vt_term_t const *term, char const *title,
                        share_t *shares, size_t cnt) {
  size_t limit = v->options->limit ? v->options->limit : PLACES_SHOWN;
  if (cnt) fprintf(term->out, "\n  %s\n", title);
  for (size_t i = 0; i < cnt && i < limit; i++) {
    char more[48] = "";
    if (shares[i].size > shares[i].bytes + shares[i].bytes / 8)
      snprintf(more, sizeof more, "  of %s", vt_bytes_text(shares[i].size).text);
    vt_number_t exact = vt_bytes_text(shares[i].bytes);
    vt_estimate_text_t about = vt_bytes_estimate(shares[i].bytes, vt_estimate_error(shares[i].variance));
    text_place(v, term, shares[i].variance > 0 ? about.text : exact.text, v->residences->holders[shares[i].holder].node, more);
  }
  if (cnt > limit) fprintf(term->out, "              and %zu more (--limit N shows more)\n", cnt - limit);
  free(shares);
}

static int is_sampled(vt_memory_view_t const *v) { return v->residences->analysis->sampled.period != 0; }

static void text_holders(vt_memory_view_t const *v, vt_term_t const *term, vt_captured_t const *m) {
  static struct {
    vt_place_t place;
    char const *title;
  } const mapped_as[] = {{VT_PLACE_MAPPED, "mapped by the program"},
                         {VT_PLACE_FILE, "files that the program mapped"},
                         {VT_PLACE_SHARED, "shared memory that the program mapped"}};
  size_t cnt;
  fprintf(term->out, "\n  %s, by whose it is (resident bytes):\n", vt_memory_view_moment(m).text);
  share_t *shares = shares_of_blocks(m, &cnt);
  text_shares(v, term, is_sampled(v) ? "live blocks (≈ estimates)" : "live blocks", shares, cnt);
  for (size_t i = 0; i < sizeof mapped_as / sizeof *mapped_as; i++) {
    shares = shares_of_mappings(v->residences, m, mapped_as[i].place, &cnt);
    text_shares(v, term, mapped_as[i].title, shares, cnt);
  }
}

static void text_end(vt_term_t const *term, vt_reader_t const *reader) {
  char const *why = why_no_end(reader);
  if (vt_reader_integrity(reader)->recording)
    fputs("  the process is still being recorded\n", term->out);
  else
    fprintf(term->out, "  the end was not looked at: %s\n", why ? why : "the process left no memory behind");
}

/* text_notes: what the numbers leave open. */
static void text_notes(vt_term_t const *term, vt_reader_t const *reader, vt_captured_t const *shown,
                       size_t cnt) {
  uint64_t peak = vt_reader_counter(reader, VT_COUNTER_PEAK_RESIDENT), highest = 0, bytes;
  for (size_t i = 0; i < cnt; i++) {
    vt_account_t const *a = &shown[i].account;
    if (a->resident_bytes > highest) highest = a->resident_bytes;
    if (trimmed(a, &bytes) && bytes)
      fprintf(term->out, "  %s: malloc_trim would give back up to %s\n", vt_memory_view_moment(&shown[i]).text,
              vt_bytes_text(bytes).text);
    if (shown[i].pages->swapped_bytes)
      fprintf(term->out, "  %s: %s more are swapped out\n", vt_memory_view_moment(&shown[i]).text,
              vt_bytes_text(shown[i].pages->swapped_bytes).text);
  }
  if (peak > highest + highest / 20)
    fprintf(term->out, "  the highest moment had %s; the nearest that was looked at is shown\n",
            vt_bytes_text(peak).text);
  if (cnt && !(shown[cnt - 1].kinds & VT_MOMENT_END)) text_end(term, reader);
}

static void text_trace(vt_memory_view_t const *v, vt_term_t const *term, size_t t) {
  vt_residence_t const *r = &v->residences->traces[t];
  vt_reader_t const *reader = v->residences->analysis->readers[t];
  if (v->residences->analysis->trace_cnt > 1) {
    fputs("\n  ", term->out);
    vt_term_text(term, vt_reader_info(reader)->executable, INT_MAX);
    fprintf(term->out, "  pid %u\n", vt_reader_info(reader)->pid);
  }
  if (!r->moments_cnt) {
    fprintf(term->out, "\n  not known: %s\n", vt_memory_view_why_none(reader));
    return;
  }
  for (size_t i = 0; i < r->moments_cnt; i += COLUMNS)
    text_table(term, &r->moments[i], r->moments_cnt - i < COLUMNS ? r->moments_cnt - i : COLUMNS);
  text_notes(term, reader, r->moments, r->moments_cnt);
  text_holders(v, term, vt_residence_moment(r, VT_MOMENT_HIGHEST));
}

static void text(void *context, vt_term_t const *term) {
  vt_memory_view_t const *v = context;
  putc('\n', term->out);
  vt_term_styled(term, VT_STYLE_TITLE, "MEMORY: what the resident memory consists of");
  putc('\n', term->out);
  for (size_t t = 0; t < v->residences->analysis->trace_cnt; t++) text_trace(v, term, t);
}

/* ---- JSON ---- */

static void json_known(vt_json_t *json, char const *key, int known, uint64_t bytes) {
  if (known)
    vt_json_uint(json, key, bytes);
  else
    vt_json_null(json, key);
}

static void json_shares(vt_memory_view_t const *v, vt_json_t *json, char const *key, share_t *shares,
                        size_t cnt) {
  vt_analysis_t const *analysis = v->residences->analysis;
  vt_json_array(json, key);
  for (size_t i = 0; i < cnt && (!v->options->limit || i < v->options->limit); i++) {
    uint32_t node = v->residences->holders[shares[i].holder].node;
    vt_stack_frame_t frame = vt_group_frame(analysis, node);
    vt_json_object(json, NULL);
    vt_json_uint(json, "resident_bytes", shares[i].bytes);
    if (shares[i].variance > 0) vt_json_uint(json, "standard_error", vt_estimate_error(shares[i].variance));
    vt_json_uint(json, "bytes", shares[i].size);
    vt_json_group(json, &frame, VT_BY_LINE);
    vt_json_stack(json, analysis, v->options, node);
    vt_json_end_object(json);
  }
  vt_json_end_array(json);
  free(shares);
}

static void json_moment(vt_memory_view_t const *v, vt_json_t *json, size_t t, vt_captured_t const *m) {
  vt_account_t const *a = &m->account;
  uint64_t bytes = 0, sum = 0;
  size_t cnt;
  vt_json_object(json, NULL);
  vt_json_uint(json, "t_ns", m->time + vt_analysis_shift(v->residences->analysis, t));
  vt_json_bool(json, "highest", (m->kinds & VT_MOMENT_HIGHEST) != 0);
  vt_json_bool(json, "end", (m->kinds & VT_MOMENT_END) != 0);
  vt_json_bool(json, "peak", (m->kinds & VT_MOMENT_PEAK) != 0);
  vt_json_bool(json, "frozen", m->pages->kind && m->pages->kind != VT_SNAPSHOT_REQUEST);
  json_known(json, "snapshot", m->snapshot != 0, m->snapshot);
  vt_json_uint(json, "resident_bytes", a->resident_bytes);
  vt_json_uint(json, "swapped_bytes", m->pages->swapped_bytes);
  for (size_t l = 0; l < LINES; l++) {
    int known = lines[l].get(a, &bytes);
    json_known(json, lines[l].key, known, bytes);
    if (known) sum += bytes;
  }
  vt_json_uint(json, "sum_bytes", sum);
  int divided = trimmed(a, &bytes);
  json_known(json, "trim_bytes", divided, bytes);
  share_t *shares = shares_of_blocks(m, &cnt);
  json_shares(v, json, "live", shares, cnt);
  static vt_place_t const places[] = {VT_PLACE_MAPPED, VT_PLACE_FILE, VT_PLACE_SHARED};
  static char const *const keys[] = {"mapped", "files", "shared"};
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    shares = shares_of_mappings(v->residences, m, places[i], &cnt);
    json_shares(v, json, keys[i], shares, cnt);
  }
  vt_json_end_object(json);
}

static void json(void *context, vt_json_t *out) {
  vt_memory_view_t const *v = context;
  vt_json_array(out, "memory");
  for (size_t t = 0; t < v->residences->analysis->trace_cnt; t++) {
    vt_residence_t const *r = &v->residences->traces[t];
    vt_reader_t const *reader = v->residences->analysis->readers[t];
    uint64_t peak = vt_reader_counter(reader, VT_COUNTER_PEAK_RESIDENT);
    vt_json_object(out, NULL);
    vt_json_string(out, "path", vt_reader_info(reader)->path);
    json_known(out, "peak_rss_bytes", peak != 0, peak);
    if (r->moments_cnt)
      vt_json_null(out, "not_known");
    else
      vt_json_string(out, "not_known", vt_memory_view_why_none(reader));
    vt_json_array(out, "moments");
    for (size_t i = 0; i < r->moments_cnt; i++) json_moment(v, out, t, &r->moments[i]);
    vt_json_end_array(out);
    vt_json_end_object(out);
  }
  vt_json_end_array(out);
}

vt_memory_view_t *vt_memory_view_make(vt_residences_t *residences, vt_report_options_t const *options) {
  vt_memory_view_t *v = vt_mem_new(1, sizeof *v);
  *v = (vt_memory_view_t){residences, options};
  return v;
}

void vt_memory_view_delete(vt_memory_view_t *view) { free(view); }

vt_report_part_t vt_memory_view_part(vt_memory_view_t *view) {
  return (vt_report_part_t){text, json, view};
}
