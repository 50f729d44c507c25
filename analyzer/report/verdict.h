/* What became of the blocks that are live at the end, as a snapshot of the process judged them: the
   one place where reports, gates and findings ask for it. Without a snapshot there is no verdict
   (analysis->verdicts is NULL), and nothing may be said of what is lost or reachable: neither 0 nor
   any other number. */
#ifndef VT_ANALYZER_REPORT_VERDICT_H
#define VT_ANALYZER_REPORT_VERDICT_H

#include <stdint.h>

typedef enum {
  VT_LEAK_DEFINITE, /* worst first */
  VT_LEAK_INDIRECT,
  VT_LEAK_POSSIBLE,
  VT_LEAK_REACHABLE,
  VT_LEAK_UNJUDGED, /* live, but the snapshot did not see it */
  VT_LEAK_KINDS
} vt_leak_kind_t;

/* What a gate on lost blocks says when there is no verdict but live blocks. */
#define vt_lost_unknown "no snapshot has told which live blocks are lost"
#define vt_lost_advice  "a gate on what is live, `check-budget --max-live`, needs none"

/* Blocks by what became of them. */
typedef struct {
  uint64_t bytes[VT_LEAK_KINDS], blocks[VT_LEAK_KINDS];
} vt_verdict_t;

static inline uint64_t vt_lost_bytes(vt_verdict_t const *verdict) {
  return verdict->bytes[VT_LEAK_DEFINITE] + verdict->bytes[VT_LEAK_INDIRECT];
}
static inline uint64_t vt_lost_blocks(vt_verdict_t const *verdict) {
  return verdict->blocks[VT_LEAK_DEFINITE] + verdict->blocks[VT_LEAK_INDIRECT];
}

/* The kind of a site: the worst of its blocks; "unknown" without a verdict (NULL) or a live block.
 */
static inline char const *vt_leak_kind_name(vt_verdict_t const *verdict) {
  static char const *const names[] = {"definite", "indirect", "possible", "reachable"};
  for (int i = 0; verdict && i < VT_LEAK_UNJUDGED; i++)
    if (verdict->blocks[i]) return names[i];
  return "unknown";
}

#endif
