/* See pages_view.h. */
#include "analyzer/report/pages_view.h"
#include "analyzer/report/memory_view.h"
#include "analyzer/report/neighbours.h"
#include "analyzer/util/mem.h"

#include <stdlib.h>

#define PLACES_SHOWN 10
#define FREED_SHOWN  3
#define REST_MIN      4096  /* bytes of a place that are worth a line */
#define UNTOUCHED_MIN 65536

/* A place that holds pages, and what was freed beside it. */
typedef struct {
  uint32_t holder;
  uint64_t rank; /* bytes */
  vt_neighbours_t beside;
} row_t;

typedef struct {
  vt_captured_t const *moment; /* NULL: nothing is known */
  row_t *pinning, *untouched;  /* most first */
  size_t pinning_cnt, untouched_cnt;
} trace_rows_t;

struct vt_pages_view {
  vt_residences_t *residences;
  vt_report_options_t const *options;
  trace_rows_t *traces;
};

static int by_rank(void const *a, void const *b) {
  row_t const *x = a, *y = b;
  if (x->rank != y->rank) return x->rank < y->rank ? 1 : -1;
  return x->holder < y->holder ? -1 : x->holder > y->holder;
}

/* rows_of ranks the holders by one of their sums; those with less than `min` are left out. */
static row_t *rows_of(vt_captured_t const *m, size_t offset, uint64_t min, size_t *cnt) {
  row_t *rows = vt_mem_new(m->pins_cnt + 1, sizeof *rows);
  *cnt = 0;
  for (uint32_t h = 0; h < m->pins_cnt; h++) {
    uint64_t bytes = *(uint64_t const *)((char const *)&m->pins[h] + offset);
    if (bytes >= min) rows[(*cnt)++] = (row_t){h, bytes, {0}};
  }
  qsort(rows, *cnt, sizeof *rows, by_rank);
  return rows;
}

static size_t limit_of(vt_pages_view_t const *v, size_t cnt) {
  size_t limit = v->options->limit ? v->options->limit : PLACES_SHOWN;
  return cnt < limit ? cnt : limit;
}

static void find_beside(vt_pages_view_t *v, size_t t, trace_rows_t *rows) {
  size_t cnt = limit_of(v, rows->pinning_cnt);
  uint32_t *wanted = vt_mem_new(cnt + 1, sizeof *wanted);
  vt_neighbours_t *beside = vt_mem_new(cnt + 1, sizeof *beside);
  for (size_t i = 0; i < cnt; i++) wanted[i] = rows->pinning[i].holder;
  vt_neighbours_find(v->residences, t, rows->moment, wanted, cnt, beside);
  for (size_t i = 0; i < cnt; i++) rows->pinning[i].beside = beside[i];
  free(wanted);
  free(beside);
}

/* is_sampled: what shares a page with a recorded block is not known then. */
static int is_sampled(vt_pages_view_t const *v) { return v->residences->analysis->sampled.period != 0; }

/* moment_of is the snapshot that is asked for, or the end, or the latest look that there is. */
static vt_captured_t const *moment_of(vt_pages_view_t const *v, size_t t) {
  vt_analysis_t const *analysis = v->residences->analysis;
  vt_residence_t const *r = &v->residences->traces[t];
  if (analysis->at_ns != UINT64_MAX) return vt_residence_marked(r, analysis->at_ns - vt_analysis_shift(analysis, t));
  vt_captured_t const *end = vt_residence_moment(r, VT_MOMENT_END);
  return end || !r->moments_cnt ? end : &r->moments[r->moments_cnt - 1];
}

static char const *why_none(vt_pages_view_t const *v, size_t t) {
  if (v->residences->analysis->at_ns != UINT64_MAX && v->residences->traces[t].moments_cnt)
    return "its pages were not looked at then (only snapshots are moments of this view)";
  return vt_memory_view_why_none(v->residences->analysis->readers[t]);
}

static void make_rows(vt_pages_view_t *v, size_t t) {
  trace_rows_t *rows = &v->traces[t];
  rows->moment = moment_of(v, t);
  if (!rows->moment) return;
  rows->pinning = rows_of(rows->moment, offsetof(vt_pins_t, rest_bytes), is_sampled(v) ? UINT64_MAX : REST_MIN, &rows->pinning_cnt);
  rows->untouched =
      rows_of(rows->moment, offsetof(vt_pins_t, untouched_bytes), UNTOUCHED_MIN, &rows->untouched_cnt);
  find_beside(v, t, rows);
}

vt_pages_view_t *vt_pages_view_make(vt_residences_t *residences, vt_report_options_t const *options) {
  vt_pages_view_t *v = vt_mem_new(1, sizeof *v);
  *v = (vt_pages_view_t){.residences = residences, .options = options};
  v->traces = vt_mem_new(residences->analysis->trace_cnt + 1, sizeof *v->traces);
  for (size_t t = 0; t < residences->analysis->trace_cnt; t++) make_rows(v, t);
  return v;
}

void vt_pages_view_delete(vt_pages_view_t *v) {
  if (!v) return;
  for (size_t t = 0; t < v->residences->analysis->trace_cnt; t++) {
    for (size_t i = 0; i < v->traces[t].pinning_cnt; i++) free(v->traces[t].pinning[i].beside.freed);
    free(v->traces[t].pinning);
    free(v->traces[t].untouched);
  }
  free(v->traces);
  free(v);
}

static uint64_t held_bytes(vt_pages_view_t const *v, size_t t, vt_pins_t const *pins) {
  return pins->pages * vt_reader_info(v->residences->analysis->readers[t])->page_sz;
}

/* ---- text ---- */

static void text_name(vt_pages_view_t const *v, vt_term_t const *term, uint32_t holder) {
  vt_stack_frame_t frame =
      vt_group_frame(v->residences->analysis, v->residences->holders[holder].node);
  char buffer[1024];
  int used = 6 + vt_term_text(term, vt_text_name(term, &frame, buffer, sizeof buffer),
                              vt_term_room(term, 8) / 2);
  vt_text_behind(term, &frame, vt_term_room(term, used));
  putc('\n', term->out);
}

static void text_beside(vt_pages_view_t const *v, vt_term_t const *term, vt_neighbours_t const *beside) {
  for (size_t i = 0; i < beside->freed_cnt && i < FREED_SHOWN; i++) {
    uint64_t bytes = beside->freed[i].bytes;
    if (20 * bytes < beside->rest_bytes) break;
    fprintf(term->out, "        %5s of the rest was freed: ", vt_percent_text(bytes, beside->rest_bytes).text);
    text_name(v, term, beside->freed[i].holder);
  }
}

static void text_pinning(vt_pages_view_t const *v, vt_term_t const *term, size_t t, row_t const *row,
                         size_t rank) {
  vt_pins_t const *pins = &v->traces[t].moment->pins[row->holder];
  fprintf(term->out, "\n%3zu. ", rank);
  text_name(v, term, row->holder);
  fprintf(term->out, "        holds %s", vt_bytes_text(held_bytes(v, t, pins)).text);
  fprintf(term->out, " with %s", vt_bytes_text(pins->resident_bytes).text);
  fprintf(term->out, " in %s", vt_counted(pins->blocks, "block").text);
  fprintf(term->out, " (%s), ", vt_percent_text(pins->resident_bytes, held_bytes(v, t, pins)).text);
  fprintf(term->out, "%s, ", vt_counted(pins->pages, "page").text);
  fprintf(term->out, "%s alone\n", vt_count_text(pins->alone).text);
  fprintf(term->out, "        %s on them in no live block\n", vt_bytes_text(pins->rest_bytes).text);
  text_beside(v, term, &row->beside);
}

static void text_untouched(vt_pages_view_t const *v, vt_term_t const *term, size_t t, row_t const *row,
                           size_t rank) {
  vt_pins_t const *pins = &v->traces[t].moment->pins[row->holder];
  fprintf(term->out, "\n%3zu. ", rank);
  text_name(v, term, row->holder);
  if (is_sampled(v)) {
    fprintf(term->out, "        %s in %s blocks were never touched, or given back (≈ %s)\n",
            vt_bytes_estimate(pins->untouched_bytes, vt_estimate_error(pins->untouched_variance)).text,
            vt_count_estimate(pins->blocks, 0).text, vt_percent_text(pins->untouched_bytes, pins->bytes).text);
    return;
  }
  fprintf(term->out, "        %s", vt_bytes_text(pins->untouched_bytes).text);
  fprintf(term->out, " of %s", vt_bytes_text(pins->bytes).text);
  fprintf(term->out, " in %s were never touched, or given back (%s)\n", vt_counted(pins->blocks, "block").text,
          vt_percent_text(pins->untouched_bytes, pins->bytes).text);
}

static void text_more(vt_term_t const *term, size_t cnt, size_t shown) {
  if (!cnt) fputs("\n  none\n", term->out);
  if (cnt > shown) fprintf(term->out, "\n     and %zu more (--limit N shows more)\n", cnt - shown);
}

static void text_trace(vt_pages_view_t const *v, vt_term_t const *term, size_t t) {
  trace_rows_t const *rows = &v->traces[t];
  size_t pinning = limit_of(v, rows->pinning_cnt), untouched = limit_of(v, rows->untouched_cnt);
  fprintf(term->out, "\n  %s after the start, %s\n", vt_time_text(rows->moment->time).text,
          rows->moment->kinds & VT_MOMENT_END || rows->moment->marked ? vt_memory_view_moment(rows->moment).text
                                              : "the latest moment that was looked at");
  for (size_t i = 0; i < pinning; i++) text_pinning(v, term, t, &rows->pinning[i], i + 1);
  if (is_sampled(v))
    fputs("\n  not known: what else lies on a page, a sample does not tell\n", term->out);
  else
    text_more(term, rows->pinning_cnt, pinning);
  putc('\n', term->out);
  vt_term_styled(term, VT_STYLE_TITLE, "NEVER TOUCHED: blocks with pages that are not there");
  putc('\n', term->out);
  for (size_t i = 0; i < untouched; i++) text_untouched(v, term, t, &rows->untouched[i], i + 1);
  text_more(term, rows->untouched_cnt, untouched);
}

static void text(void *context, vt_term_t const *term) {
  vt_pages_view_t const *v = context;
  vt_analysis_t const *analysis = v->residences->analysis;
  putc('\n', term->out);
  vt_term_styled(term, VT_STYLE_TITLE,
                 "PAGES: whose blocks keep pages resident, with most that is in no block first");
  putc('\n', term->out);
  for (size_t t = 0; t < analysis->trace_cnt; t++) {
    vt_trace_info_t const *info = vt_reader_info(analysis->readers[t]);
    if (analysis->trace_cnt > 1) fprintf(term->out, "\n  %s  pid %u\n", info->executable, info->pid);
    if (v->traces[t].moment)
      text_trace(v, term, t);
    else
      fprintf(term->out, "\n  not known: %s\n", why_none(v, t));
  }
}

/* ---- JSON ---- */

static void json_holder(vt_pages_view_t const *v, vt_json_t *json, uint32_t holder) {
  vt_analysis_t const *analysis = v->residences->analysis;
  vt_stack_frame_t frame = vt_group_frame(analysis, v->residences->holders[holder].node);
  vt_json_group(json, &frame, VT_BY_LINE);
}

static void json_row(vt_pages_view_t const *v, vt_json_t *json, size_t t, row_t const *row) {
  vt_pins_t const *pins = &v->traces[t].moment->pins[row->holder];
  vt_json_object(json, NULL);
  vt_json_uint(json, "blocks", pins->blocks);
  vt_json_uint(json, "bytes", pins->bytes);
  vt_json_uint(json, "resident_bytes", pins->resident_bytes);
  vt_json_uint(json, "swapped_bytes", pins->swapped_bytes);
  vt_json_uint(json, "untouched_bytes", pins->untouched_bytes);
  vt_json_known(json, "pages", !is_sampled(v), pins->pages);
  vt_json_known(json, "pages_alone", !is_sampled(v), pins->alone);
  vt_json_known(json, "held_bytes", !is_sampled(v), held_bytes(v, t, pins));
  vt_json_known(json, "rest_bytes", !is_sampled(v), pins->rest_bytes);
  if (is_sampled(v)) {
    vt_json_object_line(json, "standard_error");
    vt_json_uint(json, "resident_bytes", vt_estimate_error(pins->resident_variance));
    vt_json_uint(json, "untouched_bytes", vt_estimate_error(pins->untouched_variance));
    vt_json_end_object(json);
  }
  json_holder(v, json, row->holder);
  vt_json_stack(json, v->residences->analysis, v->options, v->residences->holders[row->holder].node);
  vt_json_array(json, "freed_beside");
  for (size_t i = 0; i < row->beside.freed_cnt && i < PLACES_SHOWN; i++) {
    vt_json_object_line(json, NULL);
    vt_json_double(json, "share",
                   (double)row->beside.freed[i].bytes / (double)(row->beside.rest_bytes ? row->beside.rest_bytes : 1));
    json_holder(v, json, row->beside.freed[i].holder);
    vt_json_end_object(json);
  }
  vt_json_end_array(json);
  vt_json_end_object(json);
}

static void json_rows(vt_pages_view_t const *v, vt_json_t *json, char const *key, size_t t, row_t const *rows,
                      size_t cnt) {
  vt_json_array(json, key);
  for (size_t i = 0; i < cnt && (!v->options->limit || i < v->options->limit); i++)
    json_row(v, json, t, &rows[i]);
  vt_json_end_array(json);
}

static void json(void *context, vt_json_t *out) {
  vt_pages_view_t const *v = context;
  vt_analysis_t const *analysis = v->residences->analysis;
  vt_json_array(out, "pages");
  for (size_t t = 0; t < analysis->trace_cnt; t++) {
    trace_rows_t const *rows = &v->traces[t];
    vt_json_object(out, NULL);
    vt_json_string(out, "path", vt_reader_info(analysis->readers[t])->path);
    if (rows->moment) {
      vt_json_null(out, "not_known");
      vt_json_uint(out, "t_ns", rows->moment->time + vt_analysis_shift(analysis, t));
      vt_json_bool(out, "end", (rows->moment->kinds & VT_MOMENT_END) != 0);
      if (is_sampled(v))
        vt_json_null(out, "holding");
      else
        json_rows(v, out, "holding", t, rows->pinning, rows->pinning_cnt);
      json_rows(v, out, "untouched", t, rows->untouched, rows->untouched_cnt);
    } else {
      vt_json_string(out, "not_known", why_none(v, t));
    }
    vt_json_end_object(out);
  }
  vt_json_end_array(out);
}

vt_report_part_t vt_pages_view_part(vt_pages_view_t *v) { return (vt_report_part_t){text, json, v}; }
