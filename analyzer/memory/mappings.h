/* The account of the mappings that a program made by calls of its own: which are left at the end,
   and what each call site had mapped at most and has mapped at the end.

   Records are applied in order of time. A mapping over an older one replaces it there, an unmapping
   may take a piece out of one or of many, as the kernel does it. Address space counts, touched or
   not; what is resident is the snapshot's to say. */
#ifndef VT_ANALYZER_MEMORY_MAPPINGS_H
#define VT_ANALYZER_MEMORY_MAPPINGS_H

#include "analyzer/trace/reader.h"

/* A piece of a mapping: [start,end) of what record `record` mapped. */
typedef struct {
  uint64_t start, end;
  size_t record;
  int counted; /* in the sums below */
} vt_mapped_t;

typedef struct {
  vt_mapped_t *pieces; /* that are left, by address */
  size_t pieces_cnt, pieces_cap;
  /* In sum of all records but those by the allocator, without what can never be accessed
     (PROT_NONE: address space that is only reserved). */
  uint64_t mapped_bytes, peak_bytes, peak_time;
} vt_mappings_t;

/* vt_mappings_run applies all records; release with vt_mappings_free. Pieces name records by their
   index in `records`. */
vt_mappings_t vt_mappings_run(vt_trace_mapping_t const *records, size_t cnt);
/* vt_mappings_until applies those up to a time: what was mapped then. */
vt_mappings_t vt_mappings_until(vt_trace_mapping_t const *records, size_t cnt, uint64_t time);
void vt_mappings_free(vt_mappings_t *mappings);

/* vt_mappings_ordered is the indexes of the records in order of time; the caller frees it. */
size_t *vt_mappings_ordered(vt_trace_mapping_t const *records, size_t cnt);

/* vt_mappings_at writes how much is mapped at each of `times`, which ascend: the sum of mapped_bytes. */
void vt_mappings_at(vt_trace_mapping_t const *records, size_t cnt, uint64_t const *times, size_t times_cnt,
                    uint64_t *bytes);

/* vt_mappings_find is the piece at an address, or NULL. */
vt_mapped_t const *vt_mappings_find(vt_mappings_t const *mappings, uint64_t address);

#endif
