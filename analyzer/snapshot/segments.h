/* Where the data of modules begins and ends within pages.

   A file is mapped by whole pages, a module's writable segment begins and ends anywhere in one: beside it lie whatever bytes
   the file has there, unwinding tables as a rule, of which a 32-bit number and its neighbour may look like an address. The
   loader clears what is behind a segment only where that goes on with zeros (the System V ABI, "Program Loading"). */
#ifndef VT_ANALYZER_SNAPSHOT_SEGMENTS_H
#define VT_ANALYZER_SNAPSHOT_SEGMENTS_H

#include "analyzer/snapshot/memory.h"

typedef void vt_segments_take_t(void *context, uint64_t start, uint64_t end);

/* vt_segments_beside gives `take` the parts of pages that belong to no segment, if the mapping is the first of a module (64 bits);
   nothing else. What cannot be read, or makes no sense, is no module. Reads the module's headers. */
void vt_segments_beside(vt_memory_t const *memory, vt_areas_t const *areas, vt_area_t const *first, vt_segments_take_t *take, void *context);

#endif
