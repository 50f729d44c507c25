/* How the stacks of a report end: which could not be followed to their root, and where; and which
   were followed through generated code. The unwind tables of a program say nothing of code that is
   made while it runs: its callers are found by frame pointers, which such code need not keep
   (docs/unwinder.md), so what is outside of it may be missing or wrong. */
#ifndef VT_ANALYZER_REPORT_ROOTS_H
#define VT_ANALYZER_REPORT_ROOTS_H

#include "analyzer/report/analysis.h"

typedef struct {
  char const *module; /* path of the module of the outermost frame; "": generated code */
  uint64_t allocations;
} vt_root_t;

typedef struct {
  uint64_t uncertain; /* allocations whose stack has callers of generated code, and a root */
  vt_root_t *cut;     /* by module, most first: allocations whose stack has no root */
  size_t cut_cnt, cut_cap;
} vt_roots_t;

/* Counts over all chosen allocations. The list is the caller's: free(roots.cut); its strings are
   the analysis's. Costs a look at each frame of the distinct stacks. */
vt_roots_t vt_analysis_roots(vt_analysis_t const *analysis);

#endif
