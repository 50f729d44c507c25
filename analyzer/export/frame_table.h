/* Distinct frames of an export, numbered from 0 in order of first use. */
#ifndef VT_ANALYZER_EXPORT_FRAME_TABLE_H
#define VT_ANALYZER_EXPORT_FRAME_TABLE_H

#include "analyzer/report/stacks.h"

typedef struct {
  vt_stack_frame_t *frames;
  size_t frames_cnt, frames_cap;
  uint32_t *slots;
  size_t slot_mask;
  int by_address; /* frames of equal function and line at different addresses are different */
} vt_frame_table_t;

void vt_frame_table_init(vt_frame_table_t *table, int by_address);
void vt_frame_table_fini(vt_frame_table_t *table);

/* The number of a frame. Strings must be interned: they are compared by pointer. */
uint32_t vt_frame_table_add(vt_frame_table_t *table, vt_stack_frame_t const *frame);

#endif
