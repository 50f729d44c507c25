/* What the parts of the model share. */
#ifndef VT_ANALYZER_MODEL_INTERNAL_H
#define VT_ANALYZER_MODEL_INTERNAL_H

#include "analyzer/model/blocks.h"
#include "analyzer/model/model.h"

#define NO_THREAD VT_MODEL_NO_THREAD
#define NO_INDEX  UINT32_MAX

/* A heap of one trace, as its events number it. */
typedef struct {
  uint32_t heap;   /* in the model's heaps; NO_INDEX: not declared, no event yet */
  uint32_t in_use; /* announced and not left since */
  uint64_t placed; /* where its memory was said to be last */
  uint32_t *cells; /* by stack id; 0: none yet */
  size_t cells_cap;
} local_heap_t;

/* A stretch of time whose events are left out. */
typedef struct {
  uint64_t from, to;
} stretch_t;

typedef struct {
  uint64_t shift_ns;
  uint64_t period;     /* of a sampled trace; 0: it has all events */
  uint64_t partial_ns; /* from here on events may be missing; UINT64_MAX: none */
  stretch_t *stretches; /* see stretches.c */
  size_t stretches_cnt, stretches_cap, over; /* over: of them */
  uint64_t unsure_ns; /* blocks that began before have lived through one */
  local_heap_t *heaps; /* [0]: the process's own */
  size_t heaps_cnt, heaps_cap;
  local_heap_t python; /* counts the blocks of an interpreter's allocator, which are in [0]'s table */
  int no_python;       /* there is none */
  int tells;           /* see vt_model_deletes_tell */
  uint32_t *threads; /* trace's index -> model's index; NO_INDEX */
  size_t threads_cnt, threads_cap;
} trace_t;

/* A block between REALLOC_INTENT and REALLOC_DONE. */
typedef struct {
  vt_block_t block; /* cell 0: nothing is known of the old block */
  uint32_t heap, stack;
  uint64_t event;
  int of_unknown; /* the old block is one that a sample does not have */
} limbo_t;
#define LIMBO_MAX 16

typedef struct {
  limbo_t limbo[LIMBO_MAX];
  unsigned cnt;
} limbo_stack_t;

/* How the realloc ended whose INTENT waits as a free. */
typedef enum { REALLOC_GOING_ON = 0, REALLOC_FAILED, REALLOC_DONE } realloc_end_t;

/* What made a block begin or end; see vt_model_change_t. */
typedef struct {
  uint64_t event, intent;
  uint64_t align, said;
  uint32_t stack;
  uint8_t api;
  uint8_t alone; /* see vt_event_t */
} cause_t;

/* An allocation that waits for the free it overtook, or a free that waits for its allocation. */
typedef struct {
  vt_block_t block;
  cause_t cause;
  uint64_t tag;
  uint32_t heap, trace; /* trace: of a free */
  int realloc;           /* the free was a REALLOC_INTENT, … */
  int interior;          /* … gave an address inside the block */
  uint64_t last_address; /* what the thread that freed had allocated last */
  uint32_t last_heap;
  realloc_end_t end;              /* of a realloc: is it over? Then, unless it failed, … */
  uint64_t end_time, new_address; /* … when, and the new block's address or 0 */
  vt_block_t made;                /* … which counts the realloc; cell 0: none does */
} waiting_t;
#define WAITING_MAX 512

typedef struct {
  waiting_t items[WAITING_MAX]; /* oldest first */
  size_t cnt;
} waiting_list_t;

struct vt_model {
  vt_model_options_t options;
  trace_t *traces;
  size_t traces_cnt, traces_cap;
  vt_model_heap_t *heaps;
  size_t heaps_cnt, heaps_cap;
  vt_blocks_t *blocks; /* by heap */
  size_t blocks_cnt, blocks_cap;
  vt_cell_t *cells;
  size_t cells_cnt, cells_cap;
  vt_model_thread_t *threads;
  size_t threads_cnt, threads_cap;
  limbo_stack_t **limbos; /* by thread; NULL until its first realloc */
  size_t limbos_cnt, limbos_cap;
  waiting_list_t held, early; /* allocations, frees */
  int sampled; /* some trace is */
  vt_cell_spread_t *spreads; /* by cell, as far as there are any */
  size_t spreads_cnt, spreads_cap;
  vt_spread_t live_spread;
  uint64_t live_bytes, live_blocks, peak_number;
  vt_model_totals_t totals;
  vt_size_class_t *sizes;
  vt_moment_t *moments;
  size_t moments_max; /* of them */
  size_t moment;      /* the one that is being filled */
  uint64_t moment_end, moment_step;
  uint8_t *lifetime_bits; /* by ordinal of the allocation */
  uint64_t lifetime_bits_cnt;
  uint64_t inserted;
  cause_t cause; /* of what is being counted */
  uint64_t next_ns;   /* nothing but events happens before: the end of a stretch, or of what is looked at */
  uint64_t unsure_ns; /* the highest of all traces */
  uint64_t unsure_bytes; /* of live_bytes */
  int unseen;         /* the end that is being counted was not seen */
  int scanning;           /* the first pass of a lifetime filter */
  int filtering;          /* some block may be left out */
  int extras;             /* sizes, timeline or threads are collected, or watched */
};

/* ---- model.c: what events call things, made when it is not there ---- */

uint32_t vt_model_thread_of(vt_model_t *model, uint32_t trace, uint32_t index);
uint32_t vt_model_heap_of(vt_model_t *model, uint32_t trace, uint32_t number);
/* The cell of an allocation stack in a heap of the trace; python: in its interpreter's. */
uint32_t vt_model_cell_at(vt_model_t *model, uint32_t trace, uint32_t heap, int python, uint32_t stack);
limbo_t *vt_model_push_limbo(vt_model_t *model, uint32_t thread);

/* ---- order.c: repairs; see there for the rules ---- */

/* An allocation at a live address waits for the free it overtook. */
void vt_order_hold(vt_model_t *model, waiting_t const *alloc);
/* A thread is about to free the address: an allocation of its own that waits there goes in first.
 */
void vt_order_frees(vt_model_t *model, uint32_t heap, uint64_t address, uint32_t thread);
/* The address was freed: the allocation that waits for it, if any, goes in. */
void vt_order_freed(vt_model_t *model, uint32_t heap, uint64_t address);
/* A free of an address that is not live waits. */
void vt_order_early_free(vt_model_t *model, waiting_t const *early);
/* A block that begins to live now: allocated, or let live by a realloc that failed. */
typedef struct {
  vt_block_t block;
  uint64_t time;
  uint32_t heap, thread; /* thread: who makes it live */
  int counted;           /* its beginning has been counted */
} vt_order_life_t;
/* Was it overtaken by its free? Then that is counted and 1 is returned, unless the free was a
   realloc that failed: then the block lives. */
int vt_order_freed_early(vt_model_t *model, vt_order_life_t const *life);
/* The realloc that began with event `intent` has ended: `how` has end, end_time, new_… */
void vt_order_realloc_ends(vt_model_t *model, uint64_t intent, waiting_t const *how);
/* What waits for a free in this heap goes in now. */
void vt_order_settle(vt_model_t *model, uint32_t heap);
/* Gives up on what has waited too long. */
void vt_order_expire(vt_model_t *model, uint64_t now);

/* ---- stretches.c ---- */

/* Is the block one that lived through a stretch whose events are left out? */
int vt_stretches_unsure_slow(vt_model_t const *model, vt_block_t const *block);
static inline int vt_stretches_unsure(vt_model_t const *model, vt_block_t const *block) {
  return __builtin_expect(block->time < model->unsure_ns, 0) && vt_stretches_unsure_slow(model, block);
}
/* An unsure block begins to count in its cell (sign 1), or has ended (-1). */
void vt_stretches_count(vt_model_t *model, vt_cell_t *cell, vt_share_t const *share, int sign);
/* So many of the live bytes are sure, which may be more than ever. */
static inline uint64_t vt_stretches_sure(vt_model_t const *model) {
  return model->live_bytes > model->unsure_bytes ? model->live_bytes - model->unsure_bytes : 0;
}
/* Notes which stretches are over at `time`, and when the next one is. */
void vt_stretches_advance(vt_model_t *model, uint64_t time);
/* The same at the end of all, with those that last. */
void vt_stretches_finish(vt_model_t *model);

/* ---- timeline.c ---- */

/* The live bytes are what they are within the current interval. */
static inline void vt_timeline_note(vt_model_t *model) {
  vt_moment_t *moment = &model->moments[model->moment];
  uint64_t sure = vt_stretches_sure(model);
  if (moment->max_bytes < model->live_bytes) moment->max_bytes = model->live_bytes;
  if (moment->sure_bytes < sure) moment->sure_bytes = sure;
}

/* Makes the interval that contains `time` the current one. */
void vt_timeline_advance(vt_model_t *model, uint64_t time);

#endif
