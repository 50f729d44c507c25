/* See gate.h. */
#include "analyzer/cli/gate.h"
#include "analyzer/cli/error.h"

int vt_gate_complete(vt_completeness_t const *have) {
  vt_error_t e;
  if (have->complete) return 1;
  vt_error_setf(&e, "not within budget", "`valtrace check` tells more",
                "the record is incomplete: %s", have->reasons[0]);
  vt_error_print(&e);
  return 0;
}

void vt_gate_warn(char const *path, vt_completeness_t const *have) {
  vt_error_t e;
  if (have->complete) return;
  vt_error_setf(&e, path, "what is there was used; `valtrace check` tells more",
                "the record is incomplete: %s", have->reasons[0]);
  vt_error_print(&e);
}
