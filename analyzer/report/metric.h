/* What sites are ranked by. A metric means the same in every view and export. */
#ifndef VT_ANALYZER_REPORT_METRIC_H
#define VT_ANALYZER_REPORT_METRIC_H

#include "analyzer/report/analysis.h"

typedef enum {
  VT_METRIC_LEAKED,    /* bytes and blocks live at the end */
  VT_METRIC_PEAK,      /* bytes and blocks at the peak */
  VT_METRIC_ALLOCATED, /* bytes and blocks ever allocated, ranked by bytes */
  VT_METRIC_LOST,      /* bytes and blocks that nothing reaches any more; 0 without a verdict */
  VT_METRIC_DEFINITE,  /* of these the definite ones, … */
  VT_METRIC_INDIRECT,
  VT_METRIC_POSSIBLE, /* … and of the others */
  VT_METRIC_REACHABLE,
  VT_METRIC_COUNT,     /* blocks ever allocated, ranked by number */
  VT_METRIC_TEMPORARY, /* temporary blocks, ranked by number */
  VT_METRIC_REALLOCS,  /* reallocs, ranked by number; bytes of the old blocks */
} vt_metric_t;

/* The metric of an option's value (leaked, peak, allocated, count, temporary), or -1. */
int vt_metric_by_name(char const *name);
/* The metric of a kind of live blocks (--leak-kind), or -1. */
int vt_metric_by_leak_kind(char const *name);
char const *vt_metric_name(vt_metric_t metric);

uint64_t vt_metric_bytes(vt_metric_t metric, vt_site_t const *site);
uint64_t vt_metric_blocks(vt_metric_t metric, vt_site_t const *site);
/* How many of the bytes may have been freed before, while recording was paused. */
uint64_t vt_metric_unsure(vt_metric_t metric, vt_site_t const *site);
/* The variances of both, in a sampled trace. */
vt_spread_t vt_metric_spread(vt_metric_t metric, vt_site_t const *site);
/* What it is ranked by: bytes or blocks. */
uint64_t vt_metric_value(vt_metric_t metric, vt_site_t const *site);

/* Sites as an array of indexes, highest value first, without those that have none (blocks 0); ties
   by allocated bytes, then by order of appearance. The caller frees it. */
uint32_t *vt_metric_rank(vt_analysis_t const *analysis, vt_metric_t metric, size_t *cnt);

/* Sites under the first function outside allocators and run-time libraries. */
typedef struct {
  vt_stack_frame_t
      frame;     /* that function; for VT_BY_LINE with its line, for VT_BY_MODULE only its module */
  vt_site_t sum; /* nested heaps are grouped apart: sum.nested, sum.heap */
  uint32_t *sites; /* in any order until vt_group_rank */
  size_t site_cnt;
  uint32_t best; /* the site of highest value */
} vt_group_t;
typedef enum { VT_BY_FUNCTION, VT_BY_LINE, VT_BY_MODULE, VT_BY_SITE } vt_by_t;

typedef struct {
  vt_group_t *groups; /* highest value first */
  size_t groups_cnt, groups_cap;
  uint32_t *sites; /* what groups[i].sites point into */
  uint64_t whole;  /* the value of all of them but nested heaps, what percentages are of */
} vt_groups_t;

vt_groups_t vt_groups_make(vt_analysis_t const *analysis, vt_metric_t metric, vt_by_t by);
void vt_groups_free(vt_groups_t *groups);
/* Puts the n highest sites of a group first, in order. */
void vt_group_rank(vt_analysis_t const *analysis, vt_metric_t metric, vt_group_t const *group,
                   size_t n);

/* The frame a stack is grouped under: the first that is not run-time, else the innermost. */
vt_stack_frame_t vt_group_frame(vt_analysis_t const *analysis, uint32_t node);

/* Numbers of groups by line, for sums that are not sites': 0 for the first frame that is told, and one more for
   each that is not in a group yet. `most`: how many groups there can be. */
typedef struct vt_group_index vt_group_index_t;
vt_group_index_t *vt_group_index_new(size_t most);
void vt_group_index_delete(vt_group_index_t *index);
uint32_t vt_group_index_line(vt_group_index_t *index, vt_stack_frame_t const *frame);

#endif
