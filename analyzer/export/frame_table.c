/* The table of frames; see frame_table.h. */
#include "analyzer/export/frame_table.h"
#include <stdlib.h>
#include "analyzer/util/mem.h"

void vt_frame_table_init(vt_frame_table_t *table, int by_address) {
  *table = (vt_frame_table_t){.slot_mask = 1023, .by_address = by_address};
  table->slots = vt_mem_new(1024, sizeof *table->slots);
}

void vt_frame_table_fini(vt_frame_table_t *table) {
  free(table->frames);
  free(table->slots);
}

/* Frames without function are told apart by their address always. */
static int use_offset(vt_frame_table_t const *table, vt_stack_frame_t const *frame) {
  return table->by_address || !frame->function[0];
}

static size_t hash(vt_frame_table_t const *table, vt_stack_frame_t const *frame) {
  uint64_t h = (uintptr_t)frame->function * 31 + (uintptr_t)frame->file * 17 +
               (uintptr_t)frame->module + frame->line;
  if (use_offset(table, frame)) h += frame->offset * 7 + (uint64_t)frame->inlined;
  return (size_t)(h * 0x9e3779b97f4a7c15u >> 24);
}

static int equal(vt_frame_table_t const *table, vt_stack_frame_t const *a,
                 vt_stack_frame_t const *b) {
  if (a->function != b->function || a->file != b->file || a->module != b->module ||
      a->line != b->line)
    return 0;
  return !use_offset(table, a) || (a->offset == b->offset && a->inlined == b->inlined);
}

static size_t find(vt_frame_table_t const *table, vt_stack_frame_t const *frame) {
  size_t at = hash(table, frame) & table->slot_mask;
  while (table->slots[at] && !equal(table, &table->frames[table->slots[at] - 1], frame))
    at = (at + 1) & table->slot_mask;
  return at;
}

static void grow(vt_frame_table_t *table) {
  free(table->slots);
  table->slot_mask = 2 * table->slot_mask + 1;
  table->slots = vt_mem_new(table->slot_mask + 1, sizeof *table->slots);
  for (size_t i = 0; i < table->frames_cnt; i++)
    table->slots[find(table, &table->frames[i])] = (uint32_t)i + 1;
}

uint32_t vt_frame_table_add(vt_frame_table_t *table, vt_stack_frame_t const *frame) {
  size_t at = find(table, frame);
  if (table->slots[at]) return table->slots[at] - 1;
  VT_PUSH(table->frames, *frame);
  table->slots[at] = (uint32_t)table->frames_cnt;
  if (2 * table->frames_cnt > table->slot_mask) grow(table);
  return (uint32_t)table->frames_cnt - 1;
}
