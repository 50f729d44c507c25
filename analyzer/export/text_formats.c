/* Line formats: folded stacks and CSV; and what all formats share. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/export/export.h"
#include "analyzer/util/mem.h"

int vt_export_unsure(vt_export_t const *export) {
  vt_model_totals_t const *totals = vt_model_totals(export->analysis->model);
  return totals->peak_at_most || totals->unsure_blocks;
}

vt_stack_frame_t const *vt_export_stack(vt_export_t const *export, uint32_t node, size_t *cnt) {
  static vt_expanded_t stack;
  vt_stacks_expand(export->analysis->stacks, node, !export->report->keep_allocators,
                   export->report->no_inlines, &stack);
  *cnt = stack.frames_cnt;
  return stack.frames;
}

uint32_t vt_export_change_node(vt_export_t const *export, vt_model_change_t const *change) {
  vt_analysis_t const *analysis = export->analysis;
  size_t cnt;
  vt_cell_t const *cell = &vt_model_cells(analysis->model, &cnt)[change->cell];
  return vt_analysis_cell_node(analysis, cell, export->report->keep_allocators);
}

vt_stack_numbers_t vt_export_number_stacks(vt_export_t const *export, vt_frame_table_t *table) {
  size_t site_cnt = export->analysis->sites_cnt;
  vt_stack_numbers_t out = {.starts = vt_mem_new(site_cnt + 1, sizeof(size_t))};
  for (size_t i = 0; i < site_cnt; i++) {
    size_t cnt;
    vt_stack_frame_t const *frames = vt_export_stack(export, export->analysis->sites[i].node, &cnt);
    out.starts[i] = out.numbers_cnt;
    for (size_t k = 0; k < cnt; k++) {
      uint32_t number = vt_frame_table_add(table, &frames[k]);
      VT_PUSH(out.numbers, number);
    }
  }
  out.starts[site_cnt] = out.numbers_cnt;
  return out;
}

void vt_export_free_numbers(vt_stack_numbers_t *stacks) {
  free(stacks->numbers);
  free(stacks->starts);
}

/* Text on one line, as valid UTF-8; in a stack without what separates frames, in CSV with its
   quotation marks doubled. */
typedef enum { IN_STACK = 1, IN_QUOTES = 2 } place_t;

static void put_text(FILE *out, char const *text, int place) {
  for (size_t left = strlen(text), sz; left; text += sz, left -= sz) {
    sz = vt_json_utf8_sz(text, left);
    if (sz != 1) {
      fwrite(sz ? text : "\ufffd", 1, sz ? sz : 3, out);
      sz += !sz;
    } else if (*text == ';' && place & IN_STACK)
      putc(':', out);
    else {
      if (*text == '"' && place & IN_QUOTES) putc('"', out);
      putc((unsigned char)*text < ' ' ? ' ' : *text, out);
    }
  }
}

/* Calls `put` for each stack with a value of the metric, highest first. */
static void each_stack(vt_export_t const *export, void *context,
                       void (*put)(void *context, vt_stack_frame_t const *frames, size_t cnt,
                                   uint64_t value)) {
  size_t ranked_cnt, cnt, shown = 0, limit = export->report->limit;
  uint32_t *ranked = vt_metric_rank(export->analysis, export->metric, &ranked_cnt);
  for (size_t i = 0; i < ranked_cnt && (!limit || shown < limit); i++) {
    vt_site_t const *site = &export->analysis->sites[ranked[i]];
    uint64_t value = vt_metric_value(export->metric, site);
    if (site->nested || !value) continue;
    vt_stack_frame_t const *frames = vt_export_stack(export, site->node, &cnt);
    put(context, frames, cnt, value);
    shown++;
  }
  free(ranked);
}

static void put_folded(void *context, vt_stack_frame_t const *frames, size_t cnt, uint64_t value) {
  FILE *out = context;
  char buffer[300];
  if (!cnt) fputs("[no stack]", out);
  for (size_t k = cnt; k--;) {
    put_text(out, vt_frame_name(&frames[k], buffer, sizeof buffer), IN_STACK);
    if (k) putc(';', out);
  }
  fprintf(out, " %" PRIu64 "\n", value);
}

void vt_export_folded(vt_export_t const *export) { each_stack(export, export->out, put_folded); }

static void put_stack_json(void *context, vt_stack_frame_t const *frames, size_t cnt,
                           uint64_t value) {
  vt_json_t *json = context;
  char buffer[300];
  vt_json_object_line(json, NULL);
  vt_json_uint(json, "value", value);
  vt_json_array(json, "stack");
  for (size_t k = cnt; k--;)
    vt_json_string(json, NULL, vt_frame_name(&frames[k], buffer, sizeof buffer));
  vt_json_end_array(json);
  vt_json_end_object(json);
}

void vt_export_folded_json(vt_export_t const *export) {
  vt_json_t json = vt_json_start(export->out);
  vt_json_object(&json, NULL);
  vt_json_string(&json, "schema", "valtrace-flame");
  vt_json_uint(&json, "version", 1);
  vt_json_string(&json, "metric", vt_metric_name(export->metric));
  vt_json_uint(&json, "sampled", export->analysis->sampled.period);
  vt_json_array(&json, "stacks");
  each_stack(export, &json, put_stack_json);
  vt_json_end_array(&json);
  vt_json_end_object(&json);
  vt_json_finish(&json);
}

static void put_quoted(FILE *out, char const *text) {
  putc('"', out);
  put_text(out, text, IN_QUOTES);
  putc('"', out);
}

/* put_kinds adds what became of the live blocks; empty without a verdict. */
static void put_kinds(vt_export_t const *export, vt_site_t const *site) {
  static vt_metric_t const kinds[] = {VT_METRIC_LOST, VT_METRIC_POSSIBLE, VT_METRIC_REACHABLE};
  for (int k = 0; k < 3; k++) {
    if (export->analysis->verdicts)
      fprintf(export->out, ",%" PRIu64 ",%" PRIu64, vt_metric_bytes(kinds[k], site), vt_metric_blocks(kinds[k], site));
    else
      fputs(",,", export->out);
  }
  fprintf(export->out, ",%" PRIu64 ",%" PRIu64, site->unsure_bytes, site->peak_unsure_bytes);
}

/* put_errors ends a line with the standard errors of a sampled trace's estimates; 0: it was counted. */
static void put_errors(vt_export_t const *export, vt_cell_spread_t const *spread) {
  double const variances[] = {spread->allocated.blocks, spread->allocated.bytes, spread->temporary.blocks, spread->peak.bytes,
                              spread->peak.blocks,      spread->live.bytes,      spread->live.blocks,      spread->reallocs.blocks};
  for (size_t i = 0; i < sizeof variances / sizeof *variances; i++)
    fprintf(export->out, ",%" PRIu64, vt_estimate_error(variances[i]));
  putc('\n', export->out);
}

enum { TEMPORARY = 3, REALLOCS = 8 }; /* of the numbers of a line */

void vt_export_csv(vt_export_t const *export) {
  size_t ranked_cnt, cnt;
  char buffer[300], heap[32];
  uint32_t *ranked = vt_metric_rank(export->analysis, export->metric, &ranked_cnt);
  fputs("function,file,line,module,heap,allocations,allocated_bytes,frees,temporary,peak_bytes,"
        "peak_blocks,leaked_bytes,leaked_blocks,reallocs,stack,lost_bytes,lost_blocks,possible_bytes,"
        "possible_blocks,reachable_bytes,reachable_blocks,unsure_bytes,peak_unsure_bytes,allocations_error,"
        "allocated_bytes_error,temporary_error,peak_bytes_error,peak_blocks_error,leaked_bytes_error,leaked_blocks_error,"
        "reallocs_error\n",
        export->out);
  size_t limit = export->report->limit, shown = 0;
  for (size_t i = 0; i < ranked_cnt && (!limit || shown < limit); i++) {
    vt_site_t const *site = &export->analysis->sites[ranked[i]];
    if (site->nested) continue;
    shown++;
    vt_stack_frame_t top = vt_group_frame(export->analysis, site->node);
    put_quoted(export->out, vt_frame_name(&top, buffer, sizeof buffer));
    putc(',', export->out);
    put_quoted(export->out, top.file);
    fprintf(export->out, ",%u,", top.line);
    put_quoted(export->out, top.module);
    putc(',', export->out);
    put_quoted(export->out, vt_analysis_heap_name(export->analysis, site->heap, heap));
    uint64_t const values[] = {site->allocations,  site->allocated_bytes, site->frees,
                               site->temporary,    site->peak_bytes,      site->peak_blocks,
                               site->leaked_bytes, site->leaked_blocks,   site->reallocs};
    for (size_t k = 0; k < sizeof values / sizeof *values; k++)
      if (site->untold && (k == TEMPORARY || k == REALLOCS))
        putc(',', export->out); /* not known */
      else
        fprintf(export->out, ",%" PRIu64, values[k]);
    fputs(",\"", export->out);
    vt_stack_frame_t const *frames = vt_export_stack(export, site->node, &cnt);
    for (size_t k = 0; k < cnt; k++) {
      char const *name = vt_frame_name(&frames[k], buffer, sizeof buffer);
      put_text(export->out, name, IN_STACK | IN_QUOTES);
      if (k + 1 < cnt) putc(';', export->out);
    }
    putc('"', export->out);
    put_kinds(export, site);
    put_errors(export, &site->spread);
  }
  free(ranked);
}
