/* What findings are made of, beyond the counters of sites: how each site's live bytes went on in
   time, how blocks were enlarged, copied and freed. Collected from the changes that the model tells
   of, in the pass that an analysis makes anyway; by cell while it runs, by site afterwards. */
#ifndef VT_ANALYZER_FINDINGS_EVIDENCE_H
#define VT_ANALYZER_FINDINGS_EVIDENCE_H

#include "analyzer/report/metric.h"

#define VT_EVIDENCE_MOMENTS                                                                        \
  32 /* at the end of each of so many equal parts of the recorded time                             \
      */
#define VT_EVIDENCE_BRIEF 1000000 /* ns: blocks that live no longer are brief */

/* Counters of one site, or of several as one. */
typedef struct {
  uint64_t live_bytes[VT_EVIDENCE_MOMENTS], live_blocks[VT_EVIDENCE_MOMENTS];
  uint64_t unsure_bytes[VT_EVIDENCE_MOMENTS]; /* of live_bytes: may have been freed, while recording was paused */
  uint64_t allocations[VT_EVIDENCE_MOMENTS]; /* made until then */
  double live_variance[VT_EVIDENCE_MOMENTS]; /* of a sampled trace, the variances of live_bytes, … */
  double brief_variance, mismatched_variance; /* … and of these two */
  uint64_t brief;                    /* freed blocks: brief ones */
  double lifetime_ns;                /* of all freed blocks, the sum */
  uint64_t creeps;                   /* reallocs that add less than an eighth; of a sample these and copies tell nothing */
  uint64_t creep_bytes, creep_moved; /* by how much in all; bytes of old blocks that moved */
  uint64_t creep_min, creep_max;     /* the smallest old and the largest new block */
  uint64_t copies,
      copied_bytes;    /* moves of growing containers to larger blocks */
  uint64_t mismatched; /* freed by a function of another family than allocated by */
} vt_evidence_sums_t;

typedef struct vt_evidence vt_evidence_t;

vt_evidence_t *vt_evidence_new(void);
void vt_evidence_free(vt_evidence_t *evidence);

/* What to give vt_analysis_open as options->watch. */
vt_model_watch_t vt_evidence_watch(vt_evidence_t *evidence);
/* The same as options->span: the moments lie in it. */
void vt_evidence_span(void *evidence, uint64_t from_ns, uint64_t to_ns);

/* After vt_analysis_open: sums by group. The caller frees the array. */
vt_evidence_sums_t *vt_evidence_by_group(vt_evidence_t *evidence, vt_analysis_t const *analysis,
                                         vt_groups_t const *groups);

/* The time of a moment. */
uint64_t vt_evidence_time(vt_evidence_t const *evidence, size_t moment);
/* All live bytes at each moment; after vt_evidence_by_group. */
uint64_t const *vt_evidence_live(vt_evidence_t const *evidence);

#endif
