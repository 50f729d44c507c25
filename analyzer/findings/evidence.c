/* See evidence.h. Memory: the running counters of each cell, and what they were at moments, once for as many moments
 * in a row as they did not change. */
#include "analyzer/findings/evidence.h"
#include <stdlib.h>
#include <string.h>
#include "analyzer/report/deletes.h"
#include "analyzer/report/families.h"
#include "analyzer/util/mem.h"

typedef struct {
  uint64_t live_bytes, live_blocks, allocations, unsure_bytes;
  double live_variance, brief_variance, mismatched_variance;
  uint64_t brief;
  double lifetime_ns;
  uint64_t creeps, creep_bytes, creep_moved, creep_min, creep_max;
  uint64_t copies, copied_bytes, mismatched;
  uint64_t align; /* of its blocks; 0: the usual one */
  uint8_t api;    /* of its allocations */
  uint8_t since;  /* the first moment that has not been noted yet */
} cell_t;

/* What a cell counts at the moments since … until - 1. */
typedef struct {
  uint64_t live_bytes, live_blocks, allocations, unsure_bytes;
  double live_variance;
  uint32_t cell;
  uint8_t since, until;
} past_t;

/* The last block a thread allocated, and the container it is seen to grow: the block it is in now, how
   often it was moved to a larger one, and the bytes of these moves that are not counted yet. */
typedef struct {
  uint64_t address, size;
  uint32_t cell;
  uint32_t steps;
  uint64_t grown, pending;
} last_t;

/* Moves in a row that make a growing container of what may have been two blocks by chance. */
#define STEPS_SURE 4

struct vt_evidence {
  cell_t *cells;
  size_t cells_cnt, cells_cap;
  last_t *last; /* by thread */
  size_t last_cnt, last_cap;
  uint64_t from_ns, step_ns, next_ns; /* next: the end of the running part */
  size_t moment;
  past_t *past;
  size_t past_cnt, past_cap;
  uint64_t live[VT_EVIDENCE_MOMENTS], live_now;
  uint64_t old_event, old_address, old_size; /* the block that a realloc has ended */
};

vt_evidence_t *vt_evidence_new(void) {
  vt_evidence_t *e = vt_mem_new(1, sizeof *e);
  e->next_ns = UINT64_MAX;
  e->old_event = UINT64_MAX;
  return e;
}

void vt_evidence_free(vt_evidence_t *e) {
  if (!e) return;
  free(e->past);
  free(e->cells);
  free(e->last);
  free(e);
}

void vt_evidence_span(void *evidence, uint64_t from_ns, uint64_t to_ns) {
  vt_evidence_t *e = evidence;
  e->from_ns = from_ns;
  e->step_ns = (to_ns - from_ns) / VT_EVIDENCE_MOMENTS + 1;
  e->next_ns = from_ns + e->step_ns;
}

/* ---- moments ---- */

static void take_moment(vt_evidence_t *e) {
  e->live[e->moment++] = e->live_now;
  e->next_ns += e->step_ns;
}

/* Notes what a cell, which is about to change or will not again, counted at the moments gone by since it last did. */
static __attribute__((noinline)) void note_past(vt_evidence_t *e, uint32_t number) {
  cell_t *cell = &e->cells[number];
  past_t past = {.live_bytes = cell->live_bytes,
                 .live_blocks = cell->live_blocks,
                 .allocations = cell->allocations,
                 .unsure_bytes = cell->unsure_bytes,
                 .live_variance = cell->live_variance,
                 .cell = number,
                 .since = cell->since,
                 .until = (uint8_t)e->moment};
  if (cell->allocations || cell->live_bytes || cell->live_blocks) VT_PUSH(e->past, past);
  cell->since = (uint8_t)e->moment;
}

static void advance(vt_evidence_t *e, uint64_t time) {
  while (e->moment + 1 < VT_EVIDENCE_MOMENTS && time >= e->next_ns) take_moment(e);
  if (e->moment + 1 == VT_EVIDENCE_MOMENTS)
    e->next_ns = UINT64_MAX; /* the end is taken at the end */
}

/* ---- changes ---- */

static __attribute__((noinline)) void add_cells(vt_evidence_t *e, uint32_t number) {
  while (e->cells_cnt <= number) VT_PUSH(e->cells, ((cell_t){.creep_min = UINT64_MAX}));
}

static inline cell_t *cell_of(vt_evidence_t *e, uint32_t number) {
  if (__builtin_expect(e->cells_cnt <= number, 0)) add_cells(e, number);
  if (__builtin_expect(e->cells[number].since != e->moment, 0)) note_past(e, number);
  return &e->cells[number];
}

static __attribute__((noinline)) void add_threads(vt_evidence_t *e, uint32_t thread) {
  while (e->last_cnt <= thread) VT_PUSH(e->last, ((last_t){0}));
}

static inline last_t *last_of(vt_evidence_t *e, uint32_t thread) {
  if (__builtin_expect(e->last_cnt <= thread, 0)) add_threads(e, thread);
  return &e->last[thread];
}

/* A realloc has made this block of the one that it ended just before. A creep adds less than an
   eighth. */
static void resized(vt_evidence_t *e, cell_t *cell, vt_model_change_t const *change) {
  uint64_t old = e->old_size;
  if (change->size <= old || change->size - old >= old / 8) return;
  cell->creeps++;
  cell->creep_bytes += change->size - old;
  if (change->address != e->old_address) cell->creep_moved += old;
  if (old < cell->creep_min) cell->creep_min = old;
  if (change->size > cell->creep_max) cell->creep_max = change->size;
}

static inline vt_spread_t spread_of(vt_model_change_t const *change) {
  if (__builtin_expect(!change->period, 1)) return (vt_spread_t){0};
  return vt_estimate_spread(change->period, change->size);
}

static void begins(vt_evidence_t *e, vt_model_change_t const *change) {
  cell_t *cell = cell_of(e, change->cell);
  if (e->old_event == change->event) resized(e, cell, change);
  cell->live_bytes += change->share.bytes;
  cell->live_blocks += change->share.blocks;
  cell->allocations += change->share.blocks;
  cell->live_variance += spread_of(change).bytes;
  cell->api = change->api;
  cell->align = change->align;
  e->live_now += change->share.bytes;
  last_t *last = last_of(e, change->thread);
  last->address = change->address;
  last->size = change->size;
  last->cell = change->cell;
}

/* A container has moved from the block that is freed to the one made last. */
static void moved(cell_t *cell, last_t *last, vt_model_change_t const *change) {
  if (last->grown != change->address) last->steps = 0, last->pending = 0;
  last->grown = last->address;
  last->steps++;
  last->pending += change->size;
  if (last->steps < STEPS_SURE) return;
  cell->copies += last->steps == STEPS_SURE ? STEPS_SURE : 1;
  cell->copied_bytes += last->pending;
  last->pending = 0;
}

/* A block that is freed just after one was made at the same place that is larger by a quarter or more
   may have been copied there, as growing containers do; it has been if that one moves on likewise. */
static void freed(vt_evidence_t *e, cell_t *cell, vt_model_change_t const *change) {
  vt_new_t block = {change->size, cell->align, cell->api};
  if (vt_families_differ(cell->api, change->api) || vt_delete_judge(&block, change) != VT_DELETE_RIGHT) {
    cell->mismatched += change->share.blocks;
    cell->mismatched_variance += spread_of(change).blocks;
  }
  if (change->thread != change->owner || change->thread == VT_MODEL_NO_THREAD) return;
  last_t *last = last_of(e, change->thread);
  if (last->cell == change->cell && last->address != change->address &&
      last->size >= change->size + change->size / 4 + 1)
    moved(cell, last, change);
}

/* doubted: recording goes on after a pause. */
static void doubted(void *context, uint32_t number, uint64_t time) {
  vt_evidence_t *e = context;
  if (time >= e->next_ns) advance(e, time);
  cell_t *cell = cell_of(e, number);
  cell->unsure_bytes = cell->live_bytes;
}

/* ended_unsure: a block has ended that had been doubted. */
static __attribute__((noinline)) void ended_unsure(cell_t *cell, vt_model_change_t const *change) {
  uint64_t rest = cell->unsure_bytes > change->share.bytes ? cell->unsure_bytes - change->share.bytes : 0;
  cell->unsure_bytes = rest < cell->live_bytes ? rest : cell->live_bytes;
}

static void ends(vt_evidence_t *e, vt_model_change_t const *change) {
  cell_t *cell = cell_of(e, change->cell);
  uint64_t lived = change->time > change->began ? change->time - change->began : 0;
  cell->live_bytes -= change->share.bytes;
  cell->live_blocks -= change->share.blocks;
  cell->live_variance -= spread_of(change).bytes;
  e->live_now -= change->share.bytes;
  if (change->unseen) {
    ended_unsure(cell, change);
    return;
  }
  cell->lifetime_ns += (double)lived * (double)change->share.blocks;
  if (lived <= VT_EVIDENCE_BRIEF) {
    cell->brief += change->share.blocks;
    cell->brief_variance += spread_of(change).blocks;
  }
  if (change->intent == change->event) {
    freed(e, cell, change);
    return;
  }
  e->old_event = change->event;
  e->old_address = change->address;
  e->old_size = change->size;
}

static void changed(void *context, vt_model_change_t const *change) {
  vt_evidence_t *e = context;
  if (change->time >= e->next_ns) advance(e, change->time);
  if (change->begins)
    begins(e, change);
  else
    ends(e, change);
}

vt_model_watch_t vt_evidence_watch(vt_evidence_t *e) {
  return (vt_model_watch_t){.changed = changed, .doubted = doubted, .context = e};
}

/* ---- by group ---- */

static void add_past(past_t const *past, vt_evidence_sums_t *sum) {
  for (size_t k = past->since; k < past->until; k++) {
    sum->live_bytes[k] += past->live_bytes;
    sum->unsure_bytes[k] += past->unsure_bytes;
    sum->live_variance[k] += past->live_variance;
    sum->live_blocks[k] += past->live_blocks;
    sum->allocations[k] += past->allocations;
  }
}

static void add_cell(cell_t const *cell, vt_evidence_sums_t *sum) {
  if (cell->creeps && (!sum->creeps || cell->creep_min < sum->creep_min))
    sum->creep_min = cell->creep_min;
  if (cell->creep_max > sum->creep_max) sum->creep_max = cell->creep_max;
  sum->brief += cell->brief;
  sum->brief_variance += cell->brief_variance;
  sum->mismatched_variance += cell->mismatched_variance;
  sum->lifetime_ns += cell->lifetime_ns;
  sum->creeps += cell->creeps;
  sum->creep_bytes += cell->creep_bytes;
  sum->creep_moved += cell->creep_moved;
  sum->copies += cell->copies;
  sum->copied_bytes += cell->copied_bytes;
  sum->mismatched += cell->mismatched;
}

/* The group of each cell, + 1; 0: none. */
static uint32_t *groups_of_cells(vt_evidence_t const *e, vt_analysis_t const *analysis, vt_groups_t const *groups) {
  uint32_t *of_site = vt_mem_new(analysis->sites_cnt + 1, sizeof *of_site);
  uint32_t *of_cell = vt_mem_new(e->cells_cnt + 1, sizeof *of_cell);
  size_t cnt;
  vt_model_cells(analysis->model, &cnt);
  for (uint32_t g = 0; g < groups->groups_cnt; g++)
    for (size_t i = 0; i < groups->groups[g].site_cnt; i++) of_site[groups->groups[g].sites[i]] = g + 1;
  for (size_t i = VT_CELL_FIRST; i < cnt && i < e->cells_cnt; i++)
    if (analysis->cell_sites[i]) of_cell[i] = of_site[analysis->cell_sites[i] - 1];
  free(of_site);
  return of_cell;
}

vt_evidence_sums_t *vt_evidence_by_group(vt_evidence_t *e, vt_analysis_t const *analysis,
                                         vt_groups_t const *groups) {
  while (e->moment < VT_EVIDENCE_MOMENTS) take_moment(e);
  for (uint32_t i = 0; i < e->cells_cnt; i++)
    if (e->cells[i].since != e->moment) note_past(e, i);
  vt_evidence_sums_t *sums = vt_mem_new(groups->groups_cnt + 1, sizeof *sums);
  uint32_t *group_of = groups_of_cells(e, analysis, groups);
  for (size_t i = 0; i < e->cells_cnt; i++)
    if (group_of[i]) add_cell(&e->cells[i], &sums[group_of[i] - 1]);
  for (size_t i = 0; i < e->past_cnt; i++)
    if (group_of[e->past[i].cell]) add_past(&e->past[i], &sums[group_of[e->past[i].cell] - 1]);
  free(group_of);
  return sums;
}

uint64_t vt_evidence_time(vt_evidence_t const *e, size_t moment) {
  return e->from_ns + (moment + 1) * e->step_ns;
}

uint64_t const *vt_evidence_live(vt_evidence_t const *e) { return e->live; }
