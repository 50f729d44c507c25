/* The table of a live view: sites, or what they are folded by, with what they hold, how that grows, how often they
   allocate, and how much of that is temporary. */
#ifndef VT_ANALYZER_TOP_TABLE_H
#define VT_ANALYZER_TOP_TABLE_H

#include "analyzer/report/metric.h"
#include "analyzer/top/past.h"

typedef enum { VT_TOP_LIVE, VT_TOP_GROWTH, VT_TOP_RATE, VT_TOP_TEMPORARY, VT_TOP_SORTS } vt_top_sort_t;
typedef enum { VT_TOP_SITE, VT_TOP_FUNCTION, VT_TOP_MODULE, VT_TOP_THREAD, VT_TOP_FOLDS } vt_top_fold_t;
char const *vt_top_sort_name(vt_top_sort_t sort);
char const *vt_top_fold_name(vt_top_fold_t fold);

typedef struct {
  vt_top_sort_t sort;
  vt_top_fold_t fold;
  char const *filter; /* rows whose function, file or module contains it, whatever the case; "": all */
} vt_top_choice_t;

typedef struct {
  vt_stack_frame_t frame; /* what it is named after; of a thread only `function` is set */
  uint64_t live_bytes, live_blocks, allocations, temporary, temporary_bytes;
  int64_t growth; /* bytes since the moment of reference */
  uint64_t since; /* allocations since the look before */
  uint64_t error; /* of a sampled trace: the standard error of live_bytes; 0: not known */
  uint32_t node;  /* the stack of the site that has most of it; 0: none */
  char thread[64];
} vt_top_row_t;

typedef struct {
  vt_top_row_t *rows; /* in the order asked for */
  size_t rows_cnt, rows_cap;
} vt_top_table_t;

/* vt_top_table makes the table anew. Strings of rows are the analysis's, or the rows' own. */
void vt_top_table(vt_top_table_t *table, vt_analysis_t const *analysis, vt_past_t const *reference,
                  vt_past_t const *before, vt_top_choice_t const *choice);
void vt_top_table_free(vt_top_table_t *table);

/* The name of a row, short, for people. Returns buffer or a string of the row. */
char const *vt_top_row_name(vt_top_row_t const *row, vt_top_fold_t fold, char *buffer, size_t sz);
/* Where that is: "file:line" or the module's name; "" when it says nothing. Returns buffer. */
char const *vt_top_row_place(vt_top_row_t const *row, vt_top_fold_t fold, char *buffer, size_t sz);

#endif
