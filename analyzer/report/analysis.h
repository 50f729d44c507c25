/* From trace files to sites: opens traces, folds their events into one model, symbolizes, and
   merges what belongs to one site. Every report, export and check starts here. */
#ifndef VT_ANALYZER_REPORT_ANALYSIS_H
#define VT_ANALYZER_REPORT_ANALYSIS_H

#include "analyzer/cli/error.h"
#include "analyzer/model/model.h"
#include "analyzer/report/stacks.h"
#include "analyzer/report/verdict.h"
#include "analyzer/sampling/sampled.h"
#include "analyzer/trace/completeness.h"
#include "analyzer/trace/reader.h"

/* Which blocks a report is about (cli.md, "Filters"). Strings may be NULL: not filtered. */
typedef struct {
  char const *from, *to, *at;          /* time since start, or a marker's name */
  char const *thread;                  /* number or name pattern */
  char const *heap;                    /* name pattern; "libc" is the process's own */
  char const *function, *module;       /* patterns; some frame of the stack must match */
  uint64_t min_size, size_end;         /* min <= size < end; end 0: none */
  uint64_t min_lifetime, lifetime_end; /* ns; the same */
} vt_filter_t;

/* Nanoseconds of a time such as "1.5" (seconds), "20ms"; returns 0, or -1 if it is none. */
int vt_filter_duration(char const *text, uint64_t *ns);

/* What to collect beyond the counters of sites. */
typedef struct {
  vt_filter_t filter;
  int lifetimes, sizes, timeline, threads;
  int mappings;           /* the stacks of mappings, too */
  int whole;              /* every event is needed, not only what all together come to; `watch` needs them unless … */
  int watch_spared;       /* … it can do without */
  int keep_allocators;        /* do not hide allocator frames */
  int native;                 /* keep the frames of interpreters themselves */
  int no_inlines;             /* leave inlined functions out of groups and of the page */
  vt_symbols_search_t search; /* for names that the traces do not have */
  void (*span)(void *context, uint64_t from_ns, uint64_t to_ns); /* told which time is looked at,
                                                   with the watch's context, before that pass */
  vt_model_watch_t watch; /* told of the chosen blocks during the (last) pass */
} vt_analysis_options_t;

/* A site: one distinct stack (after allocator frames are hidden) in one heap; the own heaps of
   several processes are one. */
typedef struct {
  uint32_t node;        /* in the analysis's stacks; 0: no stack */
  uint32_t owner;       /* the place of its vt_stacks_owner; 0: none */
  uint32_t heap, trace; /* trace: the first it occurs in */
  int nested;
  uint64_t allocations, allocated_bytes, frees, freed_bytes, temporary, temporary_bytes;
  uint64_t peak_bytes, peak_blocks, leaked_bytes, leaked_blocks;
  uint64_t unsure_bytes, unsure_blocks, peak_unsure_bytes; /* of these: may have been freed before, while recording was paused */
  uint64_t lost_bytes, lost_blocks; /* of the leaked; 0 without a verdict */
  vt_verdict_t kinds;               /* what became of the leaked; zero without a verdict */
  uint64_t reallocs, realloc_moved, realloc_old_bytes, cross_thread_frees;
  uint64_t max_bytes, max_blocks; /* live when it had most; a site of several cells: their sum */
  vt_lifetimes_t lifetimes;
  int sampled;               /* some of it are estimates, … */
  int untold;                /* … but of temporary blocks and reallocs nothing is known (an older trace); … */
  vt_cell_spread_t spread;   /* … their variances */
} vt_site_t;

typedef struct {
  vt_reader_t **readers;
  size_t trace_cnt;
  vt_model_t *model;
  vt_stacks_t *stacks;
  uint32_t **nodes;  /* by trace: its stack ids to nodes */
  uint8_t **matches; /* by trace, by stack id: function and module fit; NULL: not filtered */
  vt_site_t *sites;  /* a vt_mem_table */
  size_t sites_cnt, sites_cap;
  size_t unreadable_modules;
  size_t cells_known; /* cells of the model whose stacks have nodes; of vt_analysis_refresh */
  uint32_t *cell_sites;            /* by cell of the model: its site + 1; 0: none */
  uint64_t at_ns;                  /* the moment it is about; UINT64_MAX: the end */
  vt_verdict_t *verdicts;          /* by site; NULL: there is no verdict */
  char const *no_verdict;          /* then: why */
  vt_verdict_t verdict;            /* their sum, without nested heaps */
  int with_mappings;               /* stacks of mappings have nodes */
  int keep_allocators, no_inlines; /* in sites; in what stands for them */
  vt_sampled_t sampled;            /* whether and how the traces are sampled */
  uint64_t kept_ns;        /* what happened before is in it as a sum only (vt_reader_summary); 0: nothing */
  int without_summary;     /* and that is left out, as what is looked at came later */
  uint64_t from_ns, to_ns;         /* blocks allocated before, at or after are not chosen */
  int nowhere; /* what the filter asks for occurs in none of the traces; *error of vt_analysis_open
                  says which part of it */
} vt_analysis_t;

/* Runs the whole analysis of the traces that operands name: files, or folders of them (see
   analyzer/trace/folder.h). Returns 0; or -1 with *error filled when a trace cannot be opened or a
   filter makes no sense (*usage set then). Shows a progress bar on a terminal. Release with
   vt_analysis_close in both cases. */
int vt_analysis_open(vt_analysis_t *analysis, char *const *operands, size_t operand_cnt,
                     vt_analysis_options_t const *options, vt_error_t *error, int *usage);
void vt_analysis_close(vt_analysis_t *analysis);

/* Makes the sites anew from what the model has by now, and looks up the functions of code that is new. Numbers of
   sites change, nodes and cells stay. */
void vt_analysis_refresh(vt_analysis_t *analysis);

/* How long after the earliest trace this one started: times of all traces count from there. */
uint64_t vt_analysis_shift(vt_analysis_t const *analysis, size_t trace);

/* When the last of the traces ends. */
uint64_t vt_analysis_end(vt_analysis_t const *analysis);

/* Runs over the events once more, with the same filter, and has `watch` told of each block's
   beginning and end, and of those that live at the end. Meanwhile analysis->model is the one that runs: it has the cells and threads
   that changes refer to. Returns 0 or -1. */
int vt_analysis_replay(vt_analysis_t *analysis, vt_analysis_options_t const *options,
                       vt_model_watch_t const *watch);

/* Adds the counters of a site to a sum (whose lifetimes are initialised); the lifetime histogram is
   left out, its minimum, maximum and sum are not. */
void vt_site_add(vt_site_t *sum, vt_site_t const *site);

/* The node that stands for a cell: its stack, at the inner end without allocators unless they are
   to be kept. */
uint32_t vt_analysis_cell_node(vt_analysis_t const *analysis, vt_cell_t const *cell,
                               int keep_allocators);

/* The name of a heap: the recorded one, or "libc", or "heap N". */
char const *vt_analysis_heap_name(vt_analysis_t const *analysis, uint32_t heap, char buffer[32]);

/* A thread of the model (its index there): number and name. Zeros and "" when it is not known. */
vt_trace_thread_t vt_analysis_thread(vt_analysis_t const *analysis, uint32_t thread);

static inline vt_thread_label_t vt_analysis_label(vt_analysis_t const *analysis, uint32_t thread) {
  vt_trace_thread_t info = vt_analysis_thread(analysis, thread);
  return vt_trace_thread_label(&info);
}

/* What all traces together lack (analyzer/trace/completeness.h), and how the first one's process
   ended; times count from the start of the earliest. */
vt_completeness_t vt_analysis_completeness(vt_analysis_t const *analysis);

/* A counter, added up over all traces. */
uint64_t vt_analysis_counter(vt_analysis_t const *analysis, vt_counter_t counter);

/* How a program may have blocks whose allocation its trace does not have; a free of such a block is no mistake. */
typedef enum {
  VT_UNSEEN_NONE,
  VT_UNSEEN_PARENT, /* the trace begins with a fork */
  VT_UNSEEN_INLINED /* it has an allocator of its own, whose entry is patched (docs/patching.md) */
} vt_unseen_t;
#define VT_ALL_TRACES UINT32_MAX

/* vt_analysis_unseen tells it of one trace, or of the first of all that has such blocks. */
vt_unseen_t vt_analysis_unseen(vt_analysis_t const *analysis, uint32_t trace);

/* vt_unseen_text says it as a clause; "" for none. */
char const *vt_unseen_text(vt_unseen_t unseen);

/* Whether all traces tell what their programs mapped by calls: a text log does not, nor what was recorded with
   --no-mappings. */
int vt_analysis_knows_mappings(vt_analysis_t const *analysis);

/* Highest resident size of any process, 0: not known. *certain: it is what the kernel told of all of them
   when they ended; else one may have had more. */
uint64_t vt_analysis_peak_rss(vt_analysis_t const *analysis, int *certain);

#endif
