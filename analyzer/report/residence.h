/* The resident memory of the processes of an analysis at the moments that were captured, with whose the
   live blocks were: what the views of memory and pages and the findings about them are made from. */
#ifndef VT_ANALYZER_REPORT_RESIDENCE_H
#define VT_ANALYZER_REPORT_RESIDENCE_H

#include "analyzer/memory/pins.h"
#include "analyzer/report/metric.h"

/* A place in the program that holds memory: the first function outside allocators and run-time libraries, with
   its line. */
typedef struct {
  uint32_t node; /* a stack of it; 0: none was recorded */
} vt_holder_t;

/* PEAK: a snapshot near the highest moment (docs/snapshot.md). */
typedef enum { VT_MOMENT_HIGHEST = 1, VT_MOMENT_END = 2, VT_MOMENT_PEAK = 4 } vt_moment_kind_t;

typedef struct {
  uint32_t kinds; /* vt_moment_kind_t; 0: a snapshot that was asked for */
  uint32_t snapshot; /* the number of the snapshot that was asked for; 0: it is none */
  uint64_t marked; /* time of the marker of a snapshot while the process ran; 0: it is none */
  vt_trace_pages_t const *pages;
  uint64_t time; /* of what is told, ns as of the trace's clock */
  uint64_t until; /* the events before this time made what was live, as vt_model_options_t.to_ns; 0: all */
  vt_held_block_t *blocks; /* live then; key: holder */
  size_t blocks_cnt, blocks_cap;
  vt_account_t account;
  vt_pins_t *pins; /* by holder */
  size_t pins_cnt;
  uint32_t *mapping_holders; /* of account.mappings */
} vt_captured_t;

typedef struct {
  vt_captured_t *moments; /* in order of time */
  size_t moments_cnt, moments_cap;
} vt_residence_t;

typedef struct {
  vt_analysis_t *analysis;
  vt_residence_t *traces; /* by trace of the analysis */
  vt_holder_t *holders;
  size_t holders_cnt, holders_cap;
  uint32_t *of_place; /* by vt_stacks_place: holder + 1 */
  vt_group_index_t *lines; /* a line may be at several places in the code: its number is the holder */
} vt_residences_t;

/* vt_residences_make looks at the highest resident moment, the end and the snapshots of each trace.
   Costs a pass over the events for each. Needs the stacks of the analysis. */
vt_residences_t *vt_residences_make(vt_analysis_t *analysis);
/* vt_residences_without_pass looks at the highest moments and the ends only, and runs no events: what lives at the end
   is known from the analysis, which must be one of all blocks; at the highest moments no blocks are told, only the
   program's mappings. */
vt_residences_t *vt_residences_without_pass(vt_analysis_t *analysis);
void vt_residences_delete(vt_residences_t *residences);

/* vt_residence_holder is the holder of a stack of a trace. */
uint32_t vt_residence_holder(vt_residences_t *residences, size_t trace, uint32_t stack);

/* The moment of a kind, or NULL. */
vt_captured_t const *vt_residence_moment(vt_residence_t const *residence, vt_moment_kind_t kind);

/* The moment of a snapshot whose marker has this time, or NULL. */
vt_captured_t const *vt_residence_marked(vt_residence_t const *residence, uint64_t time);

#endif
