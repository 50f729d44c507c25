/* See leak_gate.h. */
#include "analyzer/cli/leak_gate.h"
#include <limits.h>
#include <string.h>
#include "analyzer/cli/gate.h"
#include "analyzer/cli/options.h"

static int judge(char const *path, vt_analysis_t const *analysis) {
  vt_error_t error;
  vt_completeness_t have = vt_analysis_completeness(analysis);
  if (!vt_gate_complete(&have)) return VT_EXIT_BUDGET;
  uint64_t live = vt_model_totals(analysis->model)->live_blocks;
  uint64_t lost = vt_lost_blocks(&analysis->verdict);
  if (!live || (analysis->verdicts && !lost)) return VT_EXIT_OK;
  if (analysis->verdicts)
    vt_error_setf(&error, path, "`valtrace report leaks` shows them", "%s block%s in %s lost",
                  vt_count_text(lost).text, lost == 1 ? "" : "s",
                  vt_bytes_text(vt_lost_bytes(&analysis->verdict)).text);
  else
    vt_error_setf(&error, path, vt_lost_advice, "%s (%s block%s live)", vt_lost_unknown,
                  vt_count_text(live).text, live == 1 ? " is" : "s are");
  vt_error_print(&error);
  return VT_EXIT_BUDGET;
}

#define PLACES 20 /* named at most */

/* The file beside the trace that a format is written to. */
static void name_of(char out[PATH_MAX], char const *path, char const *extension) {
  size_t sz = strlen(path);
  if (sz > 4 && !strcmp(path + sz - 4, ".vtr")) sz -= 4;
  snprintf(out, PATH_MAX, "%.*s%s", (int)sz, path, extension);
}

static int write_file(vt_gate_t const *gate, vt_gate_format_t format, char const *path) {
  char name[PATH_MAX];
  vt_output_t output;
  name_of(name, path, format == VT_GATE_JUNIT ? ".junit.xml" : ".sarif");
  FILE *out = vt_cli_output(&output, name);
  if (!out) return VT_EXIT_OUTPUT;
  vt_gate_write(gate, format, out);
  return vt_cli_close_output(&output, name, vt_cli_finish(out, name));
}

/* Tells what judge() found to a machine. Returns status, or why it could not. */
static int tell(char const *path, vt_analysis_t const *analysis, vt_gate_format_t format,
                int status) {
  vt_gate_t gate = {.command = "run", .analysis = analysis};
  int known = analysis->verdicts || !vt_model_totals(analysis->model)->live_blocks;
  char text[100];
  snprintf(text, sizeof text, "%s in %s", vt_bytes_text(vt_lost_bytes(&analysis->verdict)).text,
           vt_counted(vt_lost_blocks(&analysis->verdict), "block").text);
  vt_completeness_t have = vt_analysis_completeness(analysis);
  vt_gate_add_record(&gate, &have);
  int lost = !known || vt_lost_blocks(&analysis->verdict);
  vt_gate_check_t *check = vt_gate_add(&gate, "lost", lost, known ? text : vt_lost_unknown);
  if (lost) vt_gate_add_sites(check, analysis, VT_METRIC_LOST, PLACES);
  int unwritten = VT_EXIT_OK;
  if (format == VT_GATE_GITHUB)
    vt_gate_write(&gate, format, stderr);
  else
    unwritten = write_file(&gate, format, path);
  vt_gate_free(&gate);
  return unwritten ? unwritten : status;
}

int vt_leak_gate(char const *path, char const *suppressions, int no_known,
                 vt_gate_format_t format) {
  char *operands[] = {(char *)path, NULL};
  vt_cli_options_t options = {.operands = operands,
                              .operand_cnt = 1,
                              .gate = 1,
                              .no_known = no_known,
                              .suppressions = suppressions};
  vt_analysis_t analysis;
  vt_suppressions_t taken = {0};
  vt_error_t error;
  int status = vt_cli_open(&options, &analysis, &taken, &error);
  if (status)
    vt_error_print(&error);
  else {
    status = judge(path, &analysis);
    if (format != VT_GATE_TEXT) status = tell(path, &analysis, format, status);
  }
  vt_suppressions_free(&taken);
  vt_analysis_close(&analysis);
  return status;
}
