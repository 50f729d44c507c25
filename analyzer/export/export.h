/* Writing an analysis in formats other tools read. Metrics are those of the report.

   Every writer prints to `out` and leaves checking for write errors to the caller (ferror), except
   where it says otherwise. */
#ifndef VT_ANALYZER_EXPORT_EXPORT_H
#define VT_ANALYZER_EXPORT_EXPORT_H

#include "analyzer/export/frame_table.h"
#include "analyzer/report/report.h"

typedef struct {
  vt_analysis_t *analysis;              /* replayed by formats that list events */
  vt_analysis_options_t const *options; /* as it was opened with */
  vt_report_options_t const *report;    /* inlines, allocator frames */
  vt_metric_t metric;
  FILE *out;
} vt_export_t;

/* `root;…;leaf N` for each stack with a value of the metric (flamegraph tools, speedscope), highest
   first, no more than report->limit. */
void vt_export_folded(vt_export_t const *export);
/* The same as a JSON document, schema valtrace-flame. */
void vt_export_folded_json(vt_export_t const *export);

/* gzipped profile.proto: allocations, allocated bytes, and blocks and bytes in use: those leaked,
   or with the metric peak those at the peak. */
void vt_export_pprof(vt_export_t const *export);

/* One sampled profile for each of leaked, peak, allocated bytes, allocations, temporary. */
void vt_export_speedscope(vt_export_t const *export);

/* DHAT version 2, for valgrind's dh_view.html. */
void vt_export_dhat(vt_export_t const *export);

/* Inclusive call graph with the events live (bytes and blocks at the end) and total. */
void vt_export_callgrind(vt_export_t const *export);

/* Snapshots of live bytes and a detailed tree at the peak, for ms_print. Needs a timeline. */
void vt_export_massif(vt_export_t const *export);

/* One line for each site that has some of the metric, highest first, no more than report->limit; a
   header line before. */
void vt_export_csv(vt_export_t const *export);

/* heaptrack's interpreted text format, version 3: every event in order. Runs over the traces once
   more. */
void vt_export_heaptrack(vt_export_t const *export);

/* Firefox's processed profile: native allocations and deallocations of each thread with their
   addresses, and a memory counter. Runs over the traces once more and keeps 32 bytes of memory for
   each event. Needs a timeline. */
void vt_export_firefox(vt_export_t const *export);

/* A new SQLite database in the empty file at `path` with tables named after Perfetto's. `name`: what
   errors call it. Returns 0, or -1 with *error filled. */
int vt_export_sqlite(vt_export_t const *export, char const *path, char const *name,
                     vt_error_t *error);

/* vt_export_unsure: do some blocks count that may have been freed while recording was paused? Each format that has a place for
   it says so. */
int vt_export_unsure(vt_export_t const *export);
#define VT_EXPORT_UNSURE "peak and live bytes are that at most: blocks that may have been freed while recording was paused count"

/* Frames of a stack, innermost first, as the options want them; the array is owned by this
   function and valid until the next call. */
vt_stack_frame_t const *vt_export_stack(vt_export_t const *export, uint32_t node, size_t *cnt);

/* The stack of a changed block, during vt_analysis_replay; 0: none. */
uint32_t vt_export_change_node(vt_export_t const *export, vt_model_change_t const *change);

/* All stacks as numbers of frames in `table`, innermost first: those of site i are
   numbers[starts[i]] … numbers[starts[i + 1] - 1]. */
typedef struct {
  uint32_t *numbers;
  size_t numbers_cnt, numbers_cap;
  size_t *starts;
} vt_stack_numbers_t;
vt_stack_numbers_t vt_export_number_stacks(vt_export_t const *export, vt_frame_table_t *table);
void vt_export_free_numbers(vt_stack_numbers_t *stacks);

#endif
