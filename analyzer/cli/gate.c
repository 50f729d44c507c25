/* See gate.h. */
#include "analyzer/cli/gate.h"
#include "analyzer/cli/error.h"
#include "analyzer/report/report.h"

int vt_gate_complete(vt_completeness_t const *have) {
  vt_error_t e;
  if (have->complete) return 1;
  vt_error_setf(&e, "not within budget", "`valtrace check` tells more",
                "the record is incomplete: %s", vt_completeness_why(have).text);
  vt_error_print(&e);
  return 0;
}

void vt_gate_warn(char const *path, vt_completeness_t const *have) {
  vt_error_t e;
  if (have->mid_life) vt_error_say(path, VT_MID_LIFE_WHY, "`valtrace report` tells more");
  if (have->complete) return;
  vt_error_setf(&e, path, "what is there was used; `valtrace check` tells more",
                "the record is incomplete: %s", vt_completeness_why(have).text);
  vt_error_print(&e);
}

void vt_gate_warn_unsure(char const *path, vt_analysis_t const *analysis) {
  vt_model_totals_t const *totals = vt_model_totals(analysis->model);
  vt_error_t e;
  if (totals->peak_at_most) {
    vt_error_setf(&e, path, "`valtrace report` tells how much is sure", VT_PEAK_WHY);
    vt_error_print(&e);
  }
  if (!totals->unsure_blocks) return;
  vt_error_setf(&e, path, "`valtrace report` tells more", "%s in %s of what is live may have been freed while recording was paused",
                vt_bytes_text(totals->unsure_bytes).text, vt_counted(totals->unsure_blocks, "block").text);
  vt_error_print(&e);
}
