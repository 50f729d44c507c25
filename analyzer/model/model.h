/* The model: what a stream of events says about leaks, peak and churn.

   Events go in once, in time order; memory is bounded by the live blocks and the distinct stacks,
   never by the length of the trace. Definitions are those of the command line contract:
   - an allocation is each ALLOC, each HEAP_ALLOC and each successful REALLOC_DONE; a realloc of a
     live block also counts one free of the old block and one realloc;
   - temporary: freed by the thread that allocated it with no other allocation by that thread, in
   any heap, in between; the old block of a realloc never is;
   - leaked: live at the end; a block between INTENT and DONE is live;
   - peak: highest sum of bytes live at one time in all heaps that are not nested in another, exact,
     with each cell's share at that moment; realloc swaps old for new at DONE.
   Sums never contain the blocks of nested heaps (their bytes lie in blocks of the parent); the
   cells of nested heaps have their own numbers.

   Stretches of a trace may be left out (vt_model_stretch). A block that lived when a stretch ended may have
   been freed in it: it counts as live, and as *unsure*, until its address is freed or handed out again.
   Then it has ended, and nothing else is known of that end: neither when nor by whom, so that it is in
   no lifetime, temporary only if it was before, and no realloc's old block. Live bytes, and so the peak, are
   between two bounds then: with the unsure blocks, which is what is told everywhere, and without them.

   The order between threads is repaired as the trace format says (order.c): an allocation at a live
   address waits for the free by another thread that it overtook (at most VT_MODEL_REPAIR_NS), a
   free of an address that is not live is matched by an allocation of the same moment by another
   thread. Not thread safe. */
#ifndef VT_ANALYZER_MODEL_MODEL_H
#define VT_ANALYZER_MODEL_MODEL_H

#include <stddef.h>
#include <stdint.h>
#include "analyzer/model/lifetimes.h"
#include "analyzer/sampling/estimate.h"
#include "analyzer/trace/event.h"

#define VT_MODEL_REPAIR_NS 10000

typedef struct vt_model vt_model_t;

/* Cells 0 and 1 are not real: a free slot, and blocks that a filter leaves out. */
#define VT_CELL_IGNORED 1
#define VT_CELL_FIRST   2

/* Counters of one (trace, heap, allocation stack). live = allocations - frees. What every event
   touches is in the first cache line. */
typedef struct {
  _Alignas(64) uint64_t allocations;
  uint64_t allocated_bytes;
  uint64_t frees, freed_bytes;
  uint64_t temporary;
  uint64_t peak_blocks, peak_bytes; /* valid after vt_model_finish */
  uint64_t peak_number : 63;        /* internal: the peak these two belong to */
  uint64_t nested : 1;              /* of a nested heap: not part of any sum */
  vt_lifetimes_t lifetimes;         /* of freed blocks; only with options.lifetimes */
  uint64_t max_bytes, max_blocks;   /* live in this cell when it had most; only with lifetimes */
  uint64_t reallocs;                /* allocations here that replaced a live block, … */
  uint64_t realloc_moved;           /* … at another address, … */
  uint64_t realloc_old_bytes;       /* … whose old blocks had so many bytes in all */
  uint64_t cross_thread_frees;
  uint64_t temporary_bytes;
  uint64_t unsure_blocks, unsure_bytes; /* of the live ones */
  uint64_t peak_unsure_bytes;           /* of those at the peak */
  uint32_t trace, heap, stack; /* heap: index in vt_model_heaps */
} vt_cell_t;

/* The variances of what a cell counts, when its trace is sampled; `peak` is valid after vt_model_finish. */
typedef struct {
  vt_spread_t allocated, live, peak, temporary, reallocs, foreign; /* foreign: cross_thread_frees */
} vt_cell_spread_t;

static inline void vt_cell_spread_add(vt_cell_spread_t *sum, vt_cell_spread_t const *one) {
  vt_spread_add(&sum->allocated, &one->allocated, 1);
  vt_spread_add(&sum->live, &one->live, 1);
  vt_spread_add(&sum->peak, &one->peak, 1);
  vt_spread_add(&sum->temporary, &one->temporary, 1);
  vt_spread_add(&sum->reallocs, &one->reallocs, 1);
  vt_spread_add(&sum->foreign, &one->foreign, 1);
}

typedef struct {
  uint32_t trace, index; /* index: in the trace's table of threads */
  uint64_t allocations, allocated_bytes, frees, temporary;
  uint64_t frees_of_others;             /* blocks another thread allocated */
  uint64_t freed_by_others;             /* own blocks that another thread freed */
  uint64_t leaked_bytes, leaked_blocks; /* of its allocations: live at the end */
  /* internal: the last allocation, by which "temporary" is decided */
  uint64_t last_address;
  uint32_t last_heap;
  uint32_t wanted;
} vt_model_thread_t;

typedef struct {
  uint32_t kind;  /* vt_heap_kind_t; 0: the heap of the process */
  uint32_t trace; /* that declared it first */
  uint32_t nested;
  uint32_t
      parent; /* index of the heap it is nested in, when that is known; else VT_MODEL_NO_HEAP */
  uint32_t shared; /* it has blocks that were allocated unseen: before this recording, by others */
  uint8_t uuid[16];
  char *name;
  uint64_t tag; /* of its blocks; 0: none or several */
  uint32_t tags_differ;
  uint64_t unseen_frees; /* of blocks that were allocated unseen */
  uint64_t live_bytes, live_blocks, allocations, frees;
  uint64_t leaked_bytes, leaked_blocks; /* what is live and not suppressed */
} vt_model_heap_t;
#define VT_MODEL_NO_HEAP UINT32_MAX

/* A size class or a moment; see vt_model_sizes and vt_model_timeline. */
typedef struct {
  uint64_t max_size; /* of the class */
  uint64_t allocations, allocated_bytes, frees, freed_bytes, temporary;
  uint64_t leaked_bytes, leaked_blocks; /* live at the end */
} vt_size_class_t;
#define VT_SIZE_CLASSES 132

typedef struct {
  uint64_t max_bytes, end_bytes, end_blocks; /* live: highest and last in the interval */
  uint64_t sure_bytes; /* the highest of those that are not unsure: so many lived at one time at least */
  uint64_t allocations, frees, allocated_bytes;
} vt_moment_t;
#define VT_MOMENTS_MAX   2048   /* even */
#define VT_MOMENTS_FINE  131072 /* even; an hour in steps of 55 ms at most */
#define VT_TIMELINE_FINE 2

/* A counted block begins or ends. */
typedef struct {
  uint64_t address, size;
  vt_share_t share; /* what it stands for, in a sampled trace; else itself */
  uint64_t period; /* of that trace; 0: it is not sampled */
  uint64_t time;   /* of this change */
  uint32_t cell;   /* its counters; see vt_model_cells */
  uint32_t thread; /* whose change it is, in vt_model_threads; VT_MODEL_NO_THREAD: a heap's */
  uint32_t owner;  /* the thread that allocated the block, the same way */
  int begins, temporary; /* temporary: of a free */
  int unseen;            /* the block ended, it is not known when and by whom: thread and stack are none */
  uint64_t began;       /* when the block did */
  uint32_t trace, heap; /* of the cell */
  uint32_t stack;  /* where it was freed, or allocated: in the trace of the cell; 0: not known */
  uint8_t api;     /* by which function (vt_api_t) */
  uint64_t align;  /* the block's, as asked for; of an end what operator delete was told, as is … */
  uint64_t said;   /* … its size; 0: nothing, or (an unknown block's size apart) nothing wrong */
  int told;        /* it is known what operator delete was told */
  uint64_t event;  /* which made it, counted from 0; of a REALLOC_DONE both changes */
  uint64_t intent; /* the event before a REALLOC_DONE; else as `event` */
} vt_model_change_t;
#define VT_MODEL_NO_THREAD UINT32_MAX

/* A free of an address at which nothing was live. */
typedef struct {
  uint64_t address, time;
  uint64_t event;
  uint32_t trace, heap, stack;
  uint32_t thread; /* in vt_model_threads */
  uint8_t api;
} vt_model_unmatched_t;

/* A block that is live at the end. */
typedef struct {
  uint64_t address, size;
  uint32_t cell, trace;
  uint32_t heap;  /* 0: the process's own; else an annotated one, in vt_model_heaps */
  uint32_t owner; /* the thread that allocated it, in vt_model_threads */
  uint64_t began;
  vt_share_t share; /* what it stands for, in a sampled trace … */
  uint64_t period;  /* … of this period; else itself, and 0 */
  int unsure; /* it may have been freed where events are left out */
} vt_model_live_t;

/* Who is told of every change, in order; NULL: nobody. Blocks that filters leave out are not told
   of, those of nested heaps only if asked for. */
typedef struct {
  void (*changed)(void *context, vt_model_change_t const *change);
  void (*unmatched)(void *context, vt_model_unmatched_t const *free); /* NULL: not wanted */
  void (*live)(void *context, vt_model_live_t const *block); /* at the end, as vt_model_live; or NULL */
  void (*doubted)(void *context, uint32_t cell, uint64_t time); /* all that lives in it may have been freed unseen until now; or NULL */
  void *context;
  int nested;
} vt_model_watch_t;

typedef struct {
  int lifetimes, sizes, timeline, threads; /* collect these too; timeline VT_TIMELINE_FINE: in many
                                              more intervals */
  /* Filters choose blocks; everything the model reports is about the chosen ones. */
  uint64_t from_ns, to_ns; /* allocated at from_ns <= t; nothing at t >= to_ns is seen (0: end) */
  uint64_t min_size, size_end;         /* min <= size < end (0: no end) */
  uint64_t min_lifetime, lifetime_end; /* ns; the same; need vt_model_take_lifetimes first */
  int count_nested; /* sums contain nested heaps too: for a filter that chooses one of them */
  int (*want_cell)(void *context, uint32_t trace, uint32_t heap, uint32_t stack);
  int (*want_thread)(void *context, uint32_t trace, uint32_t thread);
  void *context; /* may be NULL with both functions */
  vt_model_watch_t watch;
} vt_model_options_t;

typedef struct {
  uint64_t allocations, frees, reallocs, allocated_bytes, temporary;
  uint64_t live_bytes, live_blocks; /* at the end: leaked */
  uint64_t peak_bytes, peak_blocks, peak_time_ns;
  uint64_t unmatched_frees, reordered;
  uint32_t unmatched_trace, unmatched_stack; /* of the first unmatched free */
  uint64_t missed_frees; /* blocks whose address was handed out again without a free */
  int peak_at_most; /* some of the peak's blocks may have been freed before, where events are left out: … */
  uint64_t peak_at_least; /* … then it was between this and peak_bytes; else that */
  uint64_t unsure_blocks, unsure_bytes; /* of the live ones: not known since a stretch that is left out */
  uint64_t ended_unseen; /* of the frees: of unsure blocks; when and by whom is not known */
  uint64_t unknown_frees; /* of blocks that may have been allocated where events are missing */
  uint64_t cross_thread_frees;
  uint64_t events, end_time_ns;
  vt_spread_t allocated_spread, live_spread, peak_spread; /* variances; zero unless a trace is sampled */
  vt_spread_t temporary_spread, reallocs_spread, foreign_spread;
} vt_model_totals_t;

vt_model_t *vt_model_new(vt_model_options_t const *options);
void vt_model_delete(vt_model_t *model);

/* Adds a trace (a process with addresses of its own) whose times are to be shifted by shift_ns.
   Returns its number: 0, 1, … */
uint32_t vt_model_add_trace(vt_model_t *model, uint64_t shift_ns);

/* The trace has only a sample of the blocks (docs/trace-format.md, sampling period): from here on all that is counted
   of it are estimates, of which vt_model_spread tells the variances; a free of an unknown block of an annotated heap
   is no wrong one. What is temporary, the events say (alone); a realloc counts with its new block; of old blocks and moves
   there are those of which both were recorded. To be called before all events. */
void vt_model_sampled(vt_model_t *model, uint32_t trace, uint64_t period);
int vt_model_is_sampled(vt_model_t const *model);
vt_cell_spread_t vt_model_spread(vt_model_t const *model, size_t cell);

/* From that time on (as of the trace's own clock) events of the trace may be missing, as of one that is still
   being written: a free whose allocation is not there is no wrong one then, nor is an address handed
   out again whose free is not. VT_MODEL_NO_END: none. To be called before the events from there on. */
void vt_model_partial(vt_model_t *model, uint32_t trace, uint64_t since_ns);

/* The blocks' events of a stretch of the trace (its own clock) are left out; to_ns VT_MODEL_NO_END: of all that follows.
   To be called before the events from from_ns on, in order of time; one that had no end may be told again, with it,
   before the events from there on. */
#define VT_MODEL_NO_END UINT64_MAX
void vt_model_stretch(vt_model_t *model, uint32_t trace, uint64_t from_ns, uint64_t to_ns);

/* What operator delete was told of blocks is in the events of the trace. To be called before all events. */
void vt_model_deletes_tell(vt_model_t *model, uint32_t trace);

/* Blocks of api other are the process's own like all others, not those of an interpreter's allocator, which are a heap
   of their own. To be called before all events. */
void vt_model_not_interpreted(vt_model_t *model, uint32_t trace);

/* vt_model_summarize says what the model knows so far of its only trace, in times of that; the caller frees it. What waits
   for the order of events to be repaired is settled. Before vt_model_finish, and without filters.
   vt_model_resume starts from there, before all events of the trace. Its times are those of the trace. */
struct vt_summary;
void vt_model_summarize(vt_model_t *model, struct vt_summary *out);
void vt_model_resume(vt_model_t *model, uint32_t trace, struct vt_summary const *from);

/* Says what a number in the trace means, before all events. Heaps of equal, non-zero uuid are one
   heap, also between traces. One that was attached by a trace that had not created it and not left
   it since has blocks allocated unseen; a free of an unknown block is no error there. Number 0 is
   taken: it is the process's own heap. A heap that has events without this is an unnamed custom
   one. Call for all announcements of a trace in order of time. */
typedef struct {
  uint32_t op;     /* vt_heap_event_t */
  uint32_t heap;   /* number in the trace */
  uint32_t parent; /* number of the heap it is nested in, 0 for none */
  uint32_t kind;   /* vt_heap_kind_t */
  uint8_t uuid[16];
  char const *name;
} vt_model_announcement_t;
void vt_model_heap(vt_model_t *model, uint32_t trace, vt_model_announcement_t const *heap);

/* Folds in events of one trace. Times (shifted) must not decrease from call to call. */
void vt_model_events(vt_model_t *model, uint32_t trace, vt_event_t const *events, size_t cnt);

/* Frees everything in a heap (VT_HEAP_OP_RESET, _RESTORE, _GONE) or the blocks with a tag
   (_TAG_FREE), as done by no thread in particular; also in the heaps nested in it (a tag: in those
   of fd_alloc, whose blocks have the tag of the memory they lie in). _PLACE and _BASE say that the
   heap's memory is at address tag: within a live block of the process's own heap, it is nested in
   that. Operations of other numbers are ignored. */
void vt_model_heap_op(vt_model_t *model, uint32_t trace, uint32_t heap, uint32_t op, uint64_t tag,
                      uint64_t time_ns);

/* Ends the stream: settles what waits, computes sums. Call once, before the functions below. end_ns:
   when the last process ended, 0 if with its last event: what lives then has lived until there, and
   so far the timeline goes. */
void vt_model_finish(vt_model_t *model, uint64_t end_ns);

/* Computes what the functions below tell as if the stream ended at now_ns, but it may go on: at that time or later,
   never before. May be called any number of times. */
void vt_model_settle(vt_model_t *model, uint64_t now_ns);

/* Two passes when options say min_lifetime or lifetime_end: the first model sees all events, then
   hands over which allocations match. Takes memory of 1 bit for each of the first 2^32 allocations
   (later ones match no lifetime). `scan`, which is fed and finished like any model but reports
   nothing, may be deleted afterwards. */
void vt_model_take_lifetimes(vt_model_t *model, vt_model_t *scan);
vt_model_t *vt_model_new_scan(vt_model_options_t const *options);

/* Hands out every block of the processes' own heaps that is live at the end. After vt_model_finish. */
void vt_model_live(vt_model_t *model, void (*visit)(void *context, vt_model_live_t const *block),
                   void *context);

/* The same, and those of annotated heaps of which it is known where their memory is. Those of
   nested heaps are left out: they lie in others. */
void vt_model_live_placed(vt_model_t *model,
                          void (*visit)(void *context, vt_model_live_t const *block), void *context);

/* Takes the live blocks of cells with a mark out of what leaked: in totals, threads, heaps and size
   classes. By cell, after vt_model_finish, at most once. */
void vt_model_suppress(vt_model_t *model, uint8_t const *marks);

vt_model_totals_t const *vt_model_totals(vt_model_t const *model);
vt_cell_t const *vt_model_cells(vt_model_t const *model, size_t *cnt); /* from VT_CELL_FIRST on */
/* Counters are 0 without options.threads. */
vt_model_thread_t const *vt_model_threads(vt_model_t const *model, size_t *cnt);
vt_model_heap_t const *vt_model_heaps(vt_model_t const *model, size_t *cnt);
vt_size_class_t const *vt_model_sizes(vt_model_t const *model); /* VT_SIZE_CLASSES of them */
/* Intervals of *step_ns from time 0 on. */
vt_moment_t const *vt_model_timeline(vt_model_t const *model, size_t *cnt, uint64_t *step_ns);

#endif
