/* See leak_gate.h. */
#include "analyzer/cli/leak_gate.h"
#include "analyzer/cli/options.h"

static int judge(char const *path, vt_analysis_t const *analysis) {
  vt_error_t error;
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

int vt_leak_gate(char const *path, char const *suppressions, int no_known) {
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
  else
    status = judge(path, &analysis);
  vt_suppressions_free(&taken);
  vt_analysis_close(&analysis);
  return status;
}
