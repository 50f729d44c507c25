/* When a site is said to grow, and from when on pauses leave it open: curves of live bytes, and how much of them may have
   been freed while recording was paused. */
#include "analyzer/findings/findings.h"
#include "tests/unit/tap.h"

#define MB ((uint64_t)1 << 20)

/* A curve that rises by a step at each moment; of what lives then, all but the last `sure` steps are not known. */
static vt_growth_t growth_with(size_t sure) {
  vt_evidence_sums_t sums = {.brief = 0};
  for (size_t i = 0; i < VT_EVIDENCE_MOMENTS; i++) {
    sums.live_bytes[i] = (i + 1) * MB;
    sums.allocations[i] = 100 * (i + 1);
    sums.unsure_bytes[i] = i + 1 > sure ? (i + 1 - sure) * MB : 0;
  }
  return vt_growth_of(&sums);
}

int main(void) {
  vt_growth_t whole = growth_with(VT_EVIDENCE_MOMENTS), paused = growth_with(1), some = growth_with(28);
  ok(whole.grows, "what rises at each moment grows");
  is_ulong(whole.sure_rise, 30 * MB, "and all of its rise is sure");
  ok(!paused.grows, "what may have been freed before the last step need not have grown");
  is_ulong(paused.rise, 30 * MB, "its rise is that at most, …");
  is_ulong(paused.sure_rise, 0, "… and nothing at least");
  ok(some.grows, "what has grown whatever happened in a pause grows");
  is_ulong(some.sure_rise, 27 * MB, "by what is sure");
  return done_testing();
}
