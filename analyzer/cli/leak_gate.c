/* See leak_gate.h. */
#include "analyzer/cli/leak_gate.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/cli/options.h"
#include "analyzer/report/totals.h"
#include "analyzer/util/mem.h"

#define PLACES 20 /* named at most, of each process */
#define LINES  10 /* of processes that have lost something; more are counted */

/* A trace that a machine is told of: its analysis must be open until that is done. */
typedef struct {
  vt_analysis_t analysis;
  vt_suppressions_t taken;
} judged_t;

struct vt_leak_gate {
  char const *suppressions;
  int no_known;
  vt_gate_format_t format;
  vt_gate_t gate;
  char first[PATH_MAX]; /* the trace that the program itself left; "": none was judged yet */
  judged_t **judged;
  size_t judged_cnt, judged_cap;
  size_t wrong;
  int status;
};

vt_leak_gate_t *vt_leak_gate_begin(char const *suppressions, int no_known, vt_gate_format_t format) {
  vt_leak_gate_t *g = vt_mem_new(1, sizeof *g);
  *g = (vt_leak_gate_t){.suppressions = suppressions, .no_known = no_known, .format = format, .gate.command = "run"};
  return g;
}

/* The process of a trace: "cc1 (process 4711)". */
static void name_of(vt_analysis_t const *analysis, char *out, size_t cap) {
  vt_trace_info_t const *info = vt_reader_info(analysis->readers[0]);
  snprintf(out, cap, "%.60s (process %u)", info->name, info->pid);
}

static void complain(vt_leak_gate_t *g, vt_error_t const *error) {
  g->status = VT_EXIT_BUDGET;
  if (g->wrong++ < LINES) vt_error_print(error);
}

static int is_known(vt_analysis_t const *analysis) { return vt_total(analysis, VT_TOTAL_LOST).known; }

static void judge(vt_leak_gate_t *g, char const *path, vt_analysis_t const *analysis, char const *name) {
  vt_error_t error;
  vt_completeness_t have = vt_analysis_completeness(analysis);
  uint64_t live = vt_model_totals(analysis->model)->live_blocks, lost = vt_lost_blocks(&analysis->verdict);
  if (!have.complete)
    vt_error_setf(&error, path, "`valtrace check` tells more", "the record of %s is incomplete: %s", name,
                  vt_completeness_why(&have).text);
  else if (!is_known(analysis))
    vt_error_setf(&error, path, vt_lost_advice, "%s: %s (%s block%s live)", name, vt_lost_unknown, vt_count_text(live).text,
                  live == 1 ? " is" : "s are");
  else if (analysis->verdicts && lost)
    vt_error_setf(&error, path, "`valtrace report leaks` shows them", "%s block%s in %s lost by %s", vt_count_text(lost).text,
                  lost == 1 ? "" : "s", vt_bytes_text(vt_lost_bytes(&analysis->verdict)).text, name);
  else
    return;
  complain(g, &error);
}

/* note keeps what judge() found for a machine. Checks of other processes than the first have their names. */
static void note(vt_leak_gate_t *g, vt_analysis_t const *analysis, char const *name) {
  char check_name[128], text[128];
  vt_completeness_t have = vt_analysis_completeness(analysis);
  int known = is_known(analysis), lost = !known || vt_lost_blocks(&analysis->verdict);
  int first = !g->gate.checks_cnt;
  if (first) vt_gate_add_record(&g->gate, &have);
  if (!first && !have.complete) {
    snprintf(check_name, sizeof check_name, "complete record of %s", name);
    vt_gate_add(&g->gate, check_name, 1, vt_completeness_why(&have).text);
  }
  if (!first && !lost) return;
  snprintf(check_name, sizeof check_name, first ? "lost" : "lost by %s", name);
  snprintf(text, sizeof text, "%s in %s", vt_bytes_text(vt_lost_bytes(&analysis->verdict)).text,
           vt_counted(vt_lost_blocks(&analysis->verdict), "block").text);
  vt_gate_check_t *check = vt_gate_add(&g->gate, check_name, lost, known ? text : vt_lost_unknown);
  if (lost) vt_gate_add_sites(check, analysis, VT_METRIC_LOST, PLACES);
}

static void close_one(judged_t *one) {
  vt_suppressions_free(&one->taken);
  vt_analysis_close(&one->analysis);
  free(one);
}

void vt_leak_gate_judge(vt_leak_gate_t *g, char const *path) {
  char *operands[] = {(char *)path, NULL}, name[100];
  vt_cli_options_t options = {.operands = operands, .operand_cnt = 1, .gate = 1, .no_known = g->no_known,
                              .suppressions = g->suppressions};
  judged_t *one = vt_mem_new(1, sizeof *one);
  vt_error_t error;
  int status = vt_cli_open(&options, &one->analysis, &one->taken, &error);
  if (!g->first[0]) snprintf(g->first, sizeof g->first, "%s", path);
  if (status) {
    complain(g, &error);
    g->status = status;
    close_one(one);
    return;
  }
  name_of(&one->analysis, name, sizeof name);
  judge(g, path, &one->analysis, name);
  if (g->format == VT_GATE_TEXT) {
    close_one(one);
    return;
  }
  VT_PUSH(g->judged, one);
  g->gate.analysis = &g->judged[0]->analysis;
  note(g, &one->analysis, name);
}

/* The file beside the trace that a format is written to. */
static void file_of(char out[PATH_MAX], char const *path, char const *extension) {
  size_t sz = strlen(path);
  if (sz > 4 && !strcmp(path + sz - 4, ".vtr")) sz -= 4;
  snprintf(out, PATH_MAX, "%.*s%s", (int)sz, path, extension);
}

static int write_file(vt_leak_gate_t const *g) {
  char name[PATH_MAX];
  vt_output_t output;
  file_of(name, g->first, g->format == VT_GATE_JUNIT ? ".junit.xml" : ".sarif");
  FILE *out = vt_cli_output(&output, name);
  if (!out) return VT_EXIT_OUTPUT;
  vt_gate_write(&g->gate, g->format, out);
  return vt_cli_close_output(&output, name, vt_cli_finish(out, name));
}

int vt_leak_gate_end(vt_leak_gate_t *g) {
  vt_error_t error;
  int status = g->status, unwritten = VT_EXIT_OK;
  if (g->wrong > LINES) {
    vt_error_setf(&error, "--fail-on-leak", "`valtrace check-budget --max-lost 0` judges a folder", "and %zu more",
                  g->wrong - LINES);
    vt_error_print(&error);
  }
  if (g->format == VT_GATE_GITHUB && g->judged_cnt) vt_gate_write(&g->gate, g->format, stderr);
  if (g->format > VT_GATE_GITHUB && g->judged_cnt) unwritten = write_file(g);
  vt_gate_free(&g->gate);
  for (size_t i = 0; i < g->judged_cnt; i++) close_one(g->judged[i]);
  free(g->judged);
  free(g);
  return unwritten ? unwritten : status;
}
