/* What was freed beside the blocks that hold pages: whose blocks had lain in the memory of those pages that is
   free now. It answers who made the holes. */
#ifndef VT_ANALYZER_REPORT_NEIGHBOURS_H
#define VT_ANALYZER_REPORT_NEIGHBOURS_H

#include "analyzer/report/residence.h"

typedef struct {
  uint32_t holder; /* whose blocks they were */
  uint64_t bytes;  /* of the pages looked at that these blocks had last */
} vt_neighbour_t;

/* Of one holder of pages. */
typedef struct {
  vt_neighbour_t *freed; /* most first; the caller frees it */
  size_t freed_cnt, freed_cap;
  uint64_t rest_bytes; /* of no live block, on the pages looked at */
} vt_neighbours_t;

/* vt_neighbours_find looks at a moment for `wanted` holders, the more important first: a page that several of them
   hold counts for the first. out: an entry for each. Runs the events up to the moment once more; looks at 65,536
   evenly chosen pages when there are more. */
void vt_neighbours_find(vt_residences_t *all, size_t trace, vt_captured_t const *moment,
                        uint32_t const *wanted, size_t wanted_cnt, vt_neighbours_t *out);

#endif
