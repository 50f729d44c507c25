/* Whether traces are sampled, and what of their totals was counted rather than estimated. */
#ifndef VT_ANALYZER_SAMPLING_SAMPLED_H
#define VT_ANALYZER_SAMPLING_SAMPLED_H

#include "analyzer/model/model.h"
#include "analyzer/trace/reader.h"

typedef struct {
  uint64_t period;        /* the longest of the traces', bytes; 0: all events are recorded */
  int mixed;              /* they do not all have it */
  int untold;             /* some do not tell what was temporary, and what was reallocated */
  int exact;              /* numbers of allocations, frees and reallocs, and bytes allocated in total are these: */
  vt_trace_exact_t totals;
  int frees_of_others; /* these frees are also of blocks that are not a trace's: from before, from a pause, or the parent's */
} vt_sampled_t;

/* vt_sampled_of looks at the traces and their finished model. whole: nothing was left out by a filter. */
vt_sampled_t vt_sampled_of(vt_reader_t *const *readers, size_t cnt, vt_model_t const *model, int whole);

/* vt_sampled_untold: is it a sample that does not tell what was temporary, and what was reallocated? Older ones do not. */
int vt_sampled_untold(vt_reader_t const *reader);

/* Why something is not told of a sampled trace. */
#define VT_SAMPLED_WHY "the trace has only a sample of the blocks (--sample)"
#define VT_SAMPLED_OLD "the sample was recorded by a version that does not tell it"

#endif
