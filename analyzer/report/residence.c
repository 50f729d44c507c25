/* See residence.h. What was live at a moment is found by running the events of the trace up to it. */
#include "analyzer/report/residence.h"
#include "analyzer/report/merge.h"
#include "analyzer/util/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint32_t vt_residence_holder(vt_residences_t *r, size_t trace, uint32_t stack) {
  vt_analysis_t const *a = r->analysis;
  uint32_t ids = vt_reader_stacks(a->readers[trace]).cnt;
  uint32_t node = stack < ids ? a->nodes[trace][stack] : 0;
  node = vt_stacks_skip_allocators(a->stacks, node);
  uint32_t owner = vt_stacks_owner(a->stacks, node, a->no_inlines);
  uint32_t *slot = &r->of_place[vt_stacks_place(a->stacks, owner ? owner : node)];
  if (*slot) return *slot - 1;
  vt_stack_frame_t frame = vt_group_frame(a, node);
  uint32_t holder = vt_group_index_line(r->lines, &frame);
  if (holder == r->holders_cnt) VT_PUSH(r->holders, (vt_holder_t){node});
  *slot = holder + 1;
  return holder;
}

/* ---- the live blocks of a moment ---- */

typedef struct {
  vt_residences_t *all;
  size_t trace;
  vt_model_t const *model;
  vt_cell_t const *cells;
  vt_captured_t *moment;
} gather_t;

/* heap_of is whose block it is for the account. */
static vt_held_heap_t heap_of(vt_model_t const *model, vt_model_live_t const *live) {
  size_t cnt;
  if (!live->heap) return VT_HELD_MALLOC;
  return vt_model_heaps(model, &cnt)[live->heap].kind == VT_HEAP_KIND_PYTHON ? VT_HELD_INTERPRETER : VT_HELD_ANNOTATED;
}

static void gather(void *context, vt_model_live_t const *live) {
  gather_t *g = context;
  uint32_t key = vt_residence_holder(g->all, g->trace, g->cells[live->cell].stack);
  vt_held_block_t block = {live->address, live->size, key, heap_of(g->model, live), live->share};
  VT_PUSH(g->moment->blocks, block);
}

static int by_start(void const *a, void const *b) {
  vt_held_block_t const *x = a, *y = b;
  return x->start < y->start ? -1 : x->start > y->start;
}

/* put_in_order sorts and drops what cannot be: blocks over others. */
static void put_in_order(vt_captured_t *m) {
  size_t kept = 0;
  if (m->blocks) qsort(m->blocks, m->blocks_cnt, sizeof *m->blocks, by_start);
  for (size_t i = 0; i < m->blocks_cnt; i++) {
    vt_held_block_t const *b = &m->blocks[i], *last = kept ? &m->blocks[kept - 1] : NULL;
    if (last && b->start < last->start + (last->size ? last->size : 1)) continue;
    if (b->start + b->size < b->start) continue;
    m->blocks[kept++] = *b;
  }
  m->blocks_cnt = kept;
}

static void find_blocks(vt_residences_t *all, size_t trace, vt_captured_t *m) {
  size_t cnt;
  uint64_t no_shift = 0;
  vt_reader_t *reader = all->analysis->readers[trace];
  vt_model_t *model = vt_model_new(&(vt_model_options_t){.to_ns = m->until});
  vt_model_add_trace(model, 0);
  vt_merge_declare(model, 0, reader);
  vt_merge_run(model, &reader, &no_shift, 1);
  gather_t g = {all, trace, model, vt_model_cells(model, &cnt), m};
  vt_model_live_placed(model, gather, &g);
  vt_model_delete(model);
  put_in_order(m);
}

/* ---- the moments ---- */

static int is_frozen(vt_trace_pages_t const *pages) {
  return pages->kind && pages->kind != VT_SNAPSHOT_REQUEST;
}

/* marker_of is the marker of the snapshot that these pages were seen with: of the latest before them; NULL: of none. */
static vt_trace_marker_t const *marker_of(vt_reader_t const *reader, vt_trace_pages_t const *pages) {
  size_t cnt;
  vt_trace_marker_t const *markers = vt_reader_markers(reader, &cnt), *latest = NULL;
  for (size_t i = 0; i < cnt && pages->kind == VT_SNAPSHOT_REQUEST; i++) {
    if (markers[i].time > pages->time || (latest && markers[i].time < latest->time)) continue;
    if (vt_reader_leaks_at(reader, markers[i].time)) latest = &markers[i];
  }
  return latest;
}

/* ends_recording: the process went on, and the pages have no marker: that is what was left when it was detached from. */
static int ends_recording(vt_reader_t const *reader, vt_trace_pages_t const *pages) {
  size_t cnt, seen = 0, marked = 0;
  vt_trace_pages_t const *all = vt_reader_pages(reader, &cnt);
  for (size_t i = 0; i < cnt; i++) seen += all[i].kind == VT_SNAPSHOT_REQUEST && all[i].time <= pages->time;
  vt_trace_marker_t const *markers = vt_reader_markers(reader, &cnt);
  for (size_t i = 0; i < cnt; i++) marked += markers[i].time <= pages->time && vt_reader_leaks_at(reader, markers[i].time);
  return pages->kind == VT_SNAPSHOT_REQUEST && seen > marked;
}

static int is_peak(vt_trace_marker_t const *marker) { return marker && !strcmp(marker->text, VT_MARKER_PEAK); }

static uint32_t number_of(vt_trace_marker_t const *marker) {
  unsigned number = 0;
  return marker && sscanf(marker->text, VT_MARKER_SNAPSHOT "%u", &number) == 1 ? number : 0;
}

/* captured_of: memory that was frozen at an end is looked at later, but is of then. */
static vt_captured_t captured_of(vt_reader_t const *reader, vt_trace_pages_t const *pages, uint32_t kinds) {
  uint64_t end = vt_reader_end_time(reader);
  int last = ends_recording(reader, pages);
  vt_trace_marker_t const *marker = last ? NULL : marker_of(reader, pages);
  vt_captured_t m = {.kinds = kinds | (last ? VT_MOMENT_END : 0), .pages = pages, .time = pages->time, .until = pages->time + 1,
                     .snapshot = number_of(marker), .marked = marker ? marker->time : 0};
  if (is_frozen(pages)) {
    m.kinds |= VT_MOMENT_END;
    m.until = 0;
    if (m.time > end) m.time = end;
  }
  return m;
}

/* choose takes the captures with most resident, of frozen memory, and the end's; of looks at peaks the last. */
static void choose(vt_residence_t *out, vt_reader_t const *reader) {
  size_t cnt, highest = 0, peak = SIZE_MAX;
  vt_trace_pages_t const *pages = vt_reader_pages(reader, &cnt);
  for (size_t i = 0; i < cnt; i++) {
    if (pages[i].resident_bytes > pages[highest].resident_bytes) highest = i;
    if (is_peak(marker_of(reader, &pages[i]))) peak = i;
  }
  for (size_t i = 0; i < cnt; i++) {
    uint32_t kinds = (i == highest ? VT_MOMENT_HIGHEST : 0) | (i == peak ? VT_MOMENT_PEAK : 0);
    if (kinds || (pages[i].kind && !is_peak(marker_of(reader, &pages[i])))) VT_PUSH(out->moments, captured_of(reader, &pages[i], kinds));
  }
}

/* put_by_time: what took longer to look at is written later. */
static void put_by_time(vt_residence_t *r) {
  for (size_t i = 1; i < r->moments_cnt; i++)
    for (size_t k = i; k && r->moments[k].time < r->moments[k - 1].time; k--) {
      vt_captured_t later = r->moments[k - 1];
      r->moments[k - 1] = r->moments[k];
      r->moments[k] = later;
    }
}

static void find_mapping_holders(vt_residences_t *all, size_t trace, vt_captured_t *m) {
  size_t cnt;
  vt_trace_mapping_t const *records = vt_reader_mappings(all->analysis->readers[trace], &cnt);
  m->mapping_holders = vt_mem_new(m->account.mappings_cnt + 1, sizeof *m->mapping_holders);
  for (size_t i = 0; i < m->account.mappings_cnt; i++)
    m->mapping_holders[i] = vt_residence_holder(all, trace, records[m->account.mappings[i].record].stack);
}

static void account_for(vt_residences_t *all, size_t trace, vt_captured_t *m) {
  vt_places_from_t from = {m->pages, all->analysis->readers[trace], m->blocks, m->blocks_cnt};
  m->account = vt_account_make(&from);
  m->pins_cnt = all->holders_cnt;
  m->pins = vt_pins_make(&from, &m->account, all->holders_cnt);
  find_mapping_holders(all, trace, m);
}

static vt_residences_t *begin(vt_analysis_t *analysis) {
  vt_residences_t *all = vt_mem_new(1, sizeof *all);
  all->analysis = analysis;
  all->traces = vt_mem_new(analysis->trace_cnt + 1, sizeof *all->traces);
  size_t places = (size_t)vt_stacks_places_cnt(analysis->stacks) + 1;
  all->of_place = vt_mem_new(places, sizeof *all->of_place);
  all->lines = vt_group_index_new(places);
  for (size_t t = 0; t < analysis->trace_cnt; t++) {
    choose(&all->traces[t], analysis->readers[t]);
    put_by_time(&all->traces[t]);
  }
  return all;
}

vt_residences_t *vt_residences_make(vt_analysis_t *analysis) {
  vt_residences_t *all = begin(analysis);
  for (size_t t = 0; t < analysis->trace_cnt; t++)
    for (size_t i = 0; i < all->traces[t].moments_cnt; i++) {
      find_blocks(all, t, &all->traces[t].moments[i]);
      account_for(all, t, &all->traces[t].moments[i]);
    }
  return all;
}

/* end_of is where what lives at the end of a trace is gathered, or NULL. */
static vt_captured_t *end_of(vt_residence_t *r) {
  for (size_t i = 0; i < r->moments_cnt; i++)
    if (r->moments[i].kinds & VT_MOMENT_END) return &r->moments[i];
  return NULL;
}

static void gather_end(void *context, vt_model_live_t const *live) {
  vt_residences_t *all = context;
  size_t cnt;
  vt_captured_t *end = end_of(&all->traces[live->trace]);
  uint32_t stack = vt_model_cells(all->analysis->model, &cnt)[live->cell].stack;
  if (!end) return;
  uint32_t key = vt_residence_holder(all, live->trace, stack);
  VT_PUSH(end->blocks, ((vt_held_block_t){live->address, live->size, key, heap_of(all->analysis->model, live), live->share}));
}

vt_residences_t *vt_residences_without_pass(vt_analysis_t *analysis) {
  vt_residences_t *all = begin(analysis);
  vt_model_live_placed(analysis->model, gather_end, all);
  for (size_t t = 0; t < analysis->trace_cnt; t++)
    for (size_t i = 0; i < all->traces[t].moments_cnt; i++) {
      vt_captured_t *m = &all->traces[t].moments[i];
      if (!m->kinds) continue;
      put_in_order(m);
      account_for(all, t, m);
    }
  return all;
}

void vt_residences_delete(vt_residences_t *all) {
  if (!all) return;
  for (size_t t = 0; t < all->analysis->trace_cnt; t++) {
    for (size_t i = 0; i < all->traces[t].moments_cnt; i++) {
      vt_captured_t *m = &all->traces[t].moments[i];
      free(m->blocks);
      free(m->pins);
      free(m->mapping_holders);
      vt_account_free(&m->account);
    }
    free(all->traces[t].moments);
  }
  free(all->traces);
  free(all->holders);
  free(all->of_place);
  vt_group_index_delete(all->lines);
  free(all);
}

vt_captured_t const *vt_residence_moment(vt_residence_t const *r, vt_moment_kind_t kind) {
  for (size_t i = 0; i < r->moments_cnt; i++)
    if (r->moments[i].kinds & kind) return &r->moments[i];
  return NULL;
}

vt_captured_t const *vt_residence_marked(vt_residence_t const *r, uint64_t time) {
  for (size_t i = 0; i < r->moments_cnt; i++)
    if (r->moments[i].marked && r->moments[i].marked == time) return &r->moments[i];
  return NULL;
}
