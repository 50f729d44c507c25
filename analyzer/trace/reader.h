/* Reading a trace: the only way the analyzer looks into a .vtr file.

   vt_reader_open checks the header and hops once over all chunks: it verifies the small ones, fills
   the tables below and notes where event chunks are (8 bytes of memory for each). A pass (vt_pass_t,
   or vt_reader_run on top of it) then decodes event chunks on all CPUs, merges them by time and
   hands out batches. Memory:
   the tables, the stack trie, 8 bytes per event chunk, and a bounded number of decoded chunks for
   each stream that is alive at one time; never more with a longer trace.

   Traces without collector (raw SEGMENT chunks) read alike; their stack trie is built while
   vt_reader_run delivers, so that stack ids, threads and messages below are complete only after the
   first complete run. For packed traces tables are complete after vt_reader_open.

   A damaged or torn file is no error: all that is intact is delivered and vt_integrity_t says what
   is not. One reader is for one thread at a time; running out of memory ends the process
   (analyzer/util/mem.h). All strings are owned by the reader, end with a zero byte and may contain
   any bytes before it. All times are nanoseconds since recording began. */
#ifndef VT_ANALYZER_TRACE_READER_H
#define VT_ANALYZER_TRACE_READER_H

#include <stddef.h>
#include <stdint.h>
#include "analyzer/cli/error.h"
#include "analyzer/trace/event.h"

typedef struct vt_reader vt_reader_t;

#define VT_TIME_NEVER UINT64_MAX

/* What the header says. */
typedef struct {
  char const *path; /* of the trace, as opened */
  char const *host;
  char const *executable; /* absolute path */
  char const *name; /* last component of the path that the program was started by, of a script its own; else of the executable's */
  char const *const *argv;
  uint32_t argc;
  uint32_t pid, ppid;
  uint64_t image;
  uint64_t tick_hz; /* as refined by the CLOCK chunks */
  uint64_t start_tick;
  uint64_t start_unix_ns;
  uint64_t sample_period;
  uint64_t required, optional; /* feature bits */
  uint32_t flags;              /* VT_HEADER_FLAG_… */
  uint32_t time_shift;
  uint16_t arch; /* ELF e_machine */
  uint8_t pointer_sz;
  uint8_t endian;
  uint32_t page_sz;
  uint16_t writer_version;
  int raw; /* has SEGMENT chunks: pack would make it smaller */
} vt_trace_info_t;

/* A thread; vt_event_t.thread is the index. A name is the last one given; "" without. */
typedef struct {
  uint32_t tid; /* of the kernel, which gives it to another thread when this one has ended */
  uint32_t nth; /* it is the trace's nth thread with this tid, from 1 */
  char const *name;
} vt_trace_thread_t;

/* vt_trace_thread_label names one thread of a trace: "5012", or "5012.2" for the second with that
   tid. vt_trace_thread_matches: is it the label, or a pattern of the name? */
typedef struct {
  char text[24];
} vt_thread_label_t;
vt_thread_label_t vt_trace_thread_label(vt_trace_thread_t const *thread);
int vt_trace_thread_matches(vt_trace_thread_t const *thread, char const *wanted);

typedef struct {
  uint64_t start, end, file_off; /* run-time addresses */
} vt_trace_range_t;

/* A module from load to unload: valid for epochs load_epoch … unload_epoch-1. */
typedef struct {
  uint64_t load_time, unload_time; /* unload: VT_TIME_NEVER when still mapped at the end */
  uint32_t load_epoch, unload_epoch;
  uint32_t id;    /* as in the file; SYMBOLS refer to it */
  uint32_t flags; /* VT_MODULE_FLAG_… */
  uint64_t bias, start, end;
  uint8_t const *build_id;
  uint32_t build_id_sz;
  uint32_t path_sz;
  char const *path;
  uint64_t file_device, file_inode, file_size, file_mtime_ns; /* without build-id; 0: not recorded */
  uint32_t range_cnt;
  vt_trace_range_t const *ranges;
} vt_trace_module_t;

/* The stack trie. Id 0 means no stack. The parent of an epoch's root is 0 and its pc is the number
   of the epoch; every other node's pc is a return address in its parent's function. */
typedef struct {
  uint32_t const *parent;
  uint64_t const *pc;
  uint32_t cnt; /* ids are below cnt */
} vt_trace_stacks_t;

/* A frame of an expanded stack. */
typedef struct {
  uint64_t pc; /* as recorded: return address, virtual address, VT_ADDRESS_TRUNCATED, VT_ADDRESS_CUT */
  uint64_t offset; /* address to look up: pc - 1 - load bias; meaningless without module */
  uint32_t module; /* index in the table of modules; VT_NO_MODULE */
  uint32_t node; /* id of this frame's node in the trie: equal nodes are equal stacks up to here */
} vt_trace_frame_t;
#define VT_NO_MODULE UINT32_MAX

typedef struct {
  uint64_t time;
  vt_process_kind_t kind;
  uint32_t value;
  char const *text;
} vt_trace_process_t;

/* A sample. Of the resident bytes some are private (anonymous), of files, and shared; old traces tell
   of the private ones only (kinds_known 0). Swapped ones are not resident. */
typedef struct {
  uint64_t time, resident_bytes, private_bytes;
  int kinds_known;
  uint64_t file_bytes, shared_bytes, swapped_bytes;
} vt_trace_memory_t;

typedef struct {
  uint64_t time;
  uint32_t tid;
  char const *text;
} vt_trace_marker_t;

typedef struct {
  uint64_t time;
  vt_heap_event_t op;
  uint32_t heap; /* the number events use; heap 0 is the process's own heap and not listed */
  vt_heap_kind_t kind;
  uint32_t parent; /* 0: none */
  uint8_t uuid[16];
  uint64_t base, size;
  char const *name;
} vt_trace_heap_t;

typedef struct {
  uint64_t time;
  uint32_t heap;
  vt_heap_op_t op;
  uint64_t tag;
} vt_trace_heap_op_t;

/* A change of the address space that the program made by a call of its own: MAP made [address,+size),
   UNMAP ended it (size 0, of shmdt: the mapping that begins there), REMAP made it of [old_address,
   +old_size). `begun` is the time before the call, `time` is when the change held. */
typedef struct {
  uint64_t time, begun;
  vt_mapping_op_t op;
  vt_mapping_api_t api;
  uint32_t tid, stack;
  int by_allocator; /* the caller is the module that provides malloc */
  uint64_t address, size, old_address, old_size;
  uint32_t prot, flags; /* as given to the call: PROT_…, MAP_… or MREMAP_… */
  uint64_t offset;
  char const *file; /* "": none, or not known */
} vt_trace_mapping_t;

/* A function whose entry was to be patched because preloading does not reach it. */
typedef struct {
  uint64_t time;
  uint32_t flags; /* VT_PATCHED_… */
  uint64_t address;
  char const *name, *module;
  char const *why; /* why it is not recorded; "": it is */
} vt_trace_patched_t;

/* What the process said just before it ended or called exec and left its memory to be looked at. */
typedef struct {
  uint64_t start, end;
  vt_range_kind_t kind;
} vt_trace_own_t;
typedef struct {
  uint64_t time;
  vt_snapshot_kind_t kind;
  uint32_t flags; /* VT_SNAPSHOT_… */
  uint32_t tid;   /* the thread that said it, whose stack in use begins at sp */
  uint64_t sp;
  uint32_t range_cnt;
  vt_trace_own_t const *ranges;
} vt_trace_snapshot_t;

/* What was found in the memory that the process left: what became of each block of its own heap that was
   live then. `classes` and `holders` are in the order of `addresses`, which ascend. A holder is VT_NO_LEAK:
   nobody; below VT_LEAK_ROOT: the block of that index; else the root of index holder - VT_LEAK_ROOT. */
typedef struct {
  uint64_t location; /* of the pointer */
  uint64_t area;     /* where the mapping begins that it lies in */
  char const *path;  /* of that mapping; "": anonymous; also the kernel's names, as "[stack]" */
} vt_trace_root_t;
typedef struct {
  vt_snapshot_kind_t kind;
  uint32_t flags;  /* VT_SNAPSHOT_… */
  char const *why; /* why nothing is known of the blocks; "": it is */
  uint32_t cnt;
  uint64_t const *addresses;
  uint8_t const *classes; /* vt_class_t */
  uint32_t const *holders;
  uint32_t root_cnt;
  vt_trace_root_t const *roots;
  uint64_t time; /* of a snapshot while the process ran; else 0 */
} vt_trace_leaks_t;
#define VT_NO_LEAK   UINT32_MAX
#define VT_LEAK_ROOT ((uint32_t)1 << 31)

/* vt_leaks_find is the index of the block at an address, or VT_NO_LEAK. */
uint32_t vt_leaks_find(vt_trace_leaks_t const *leaks, uint64_t address);

/* The process's memory as the kernel listed it at one moment, by address. While the process runs (kind
   0) the mappings are looked at one after the other from `time` to `end_time`; else the memory was frozen, and
   kind is a vt_snapshot_kind_t. Runs of pages are in order and say what is there; swapped ones are counted
   in swapped_bytes, the others in resident_bytes. */
typedef struct {
  uint64_t start, end;
  int swapped;
} vt_trace_run_t;
typedef struct {
  uint64_t start, end;
  uint32_t flags; /* VT_PAGES_… */
  uint32_t run_cnt;
  char const *name; /* path, or one of the kernel's names such as "[heap]"; "": anonymous */
  uint64_t resident_bytes, anonymous_bytes, swapped_bytes;
  vt_trace_run_t const *runs;
} vt_trace_area_t;
typedef struct {
  uint64_t time, end_time;
  uint32_t kind;
  uint32_t area_cnt;
  vt_trace_area_t const *areas;
  uint64_t resident_bytes, swapped_bytes; /* sums */
} vt_trace_pages_t;

/* A name of generated code, which has it from `time` on as far as was seen. */
typedef struct {
  uint64_t time, address, size;
  char const *name;
  uint64_t max_end; /* highest end of all entries up to here */
} vt_trace_jit_t;

/* All that can be missing or wrong. Complete after a complete vt_reader_run. */
typedef struct {
  uint64_t file_bytes;
  uint64_t chunks;         /* intact ones */
  uint64_t event_chunks;   /* EVENTS and SEGMENT */
  uint64_t events;         /* delivered by the last complete run */
  uint64_t damaged_chunks; /* with intact ones after them */
  uint64_t damage_off;     /* of the first */
  uint64_t torn_bytes;     /* from torn_off to the end of the file; 0: none */
  uint64_t torn_off;
  uint64_t bad_events;     /* dropped because they could not be decoded */
  uint64_t lost_events;    /* LOST records and the counter, whichever is larger */
  uint64_t unknown_chunks; /* optional types this reader does not know */
  uint64_t missing_chunks; /* gaps in the sequence numbers that no damage explains */
  int ended;               /* an END chunk: the writer finished */
  int recording;           /* the file was still being written when it was opened */
  int counted;             /* without collector: missing_chunks is certain, as segments are counted */
  int let_go;              /* without collector: the file is the one the process wrote, and nobody
                              holds it any more; 0: a copy, or it cannot be told */
  uint64_t whole_until;    /* all that was recorded before this time is in the file */
  uint64_t stopped_time;   /* when recording stopped as a counter says; VT_TIME_NEVER: it does not */
} vt_integrity_t;

/* vt_reader_open opens a trace. On failure returns NULL and fills *error; the exit status for it is
   VT_EXIT_INPUT. */
vt_reader_t *vt_reader_open(char const *path, vt_error_t *error);
void vt_reader_close(vt_reader_t *reader);

/* vt_reader_open_until is the same for the first `sz` bytes of a file, which end with a chunk. */
vt_reader_t *vt_reader_open_until(char const *path, uint64_t sz, vt_error_t *error);

/* A pass over all events from the start, in order of time; events of one thread keep their order; of
   events at the same time frees come first. One at a time for each reader, but there may be another
   after it: stack ids and thread indexes stay the same. */
typedef struct vt_pass vt_pass_t;

/* What vt_pass_next delivers: events (op is NULL), or an operation on a whole heap. Valid until the
   next call. */
typedef struct {
  vt_event_t const *events;
  size_t cnt;
  vt_trace_heap_op_t const *op;
} vt_batch_t;

/* vt_pass_begin is a pass that stands before the first event; end it with vt_pass_end. */
vt_pass_t *vt_pass_begin(vt_reader_t *reader);

/* vt_pass_next is 1 and the next batch, or 0 at the end. The caller's thread merges and decodes what
   no other thread has got to; decoding threads work ahead meanwhile. */
int vt_pass_next(vt_pass_t *pass, vt_batch_t *batch);

/* vt_pass_end settles vt_reader_integrity and releases the pass. */
void vt_pass_end(vt_pass_t *pass);

/* ---- a trace that grows ----

   vt_pass_follow is a pass over a packed trace that may still be written. vt_pass_next is 0 when everything has been
   handed out that nothing can come before any more; vt_pass_grow reads what has been written since, and only that.
   While the trace is recorded the pass keeps back what is younger than the collector's last word that it has all, and
   where there are several threads what is younger than a quarter of a second before that: so long a thread may take
   from an event's time stamp to its place in the ring. Times are by the clock as the file knew it when it was opened,
   which may be a few millionths off. */
vt_pass_t *vt_pass_follow(vt_reader_t *reader);

/* vt_pass_lift: what is in the file is all that comes, though it is not closed yet; nothing is kept back any more. */
void vt_pass_lift(vt_pass_t *pass);

/* vt_pass_grow returns 0, or -1 and *error: the file became shorter, or needs a newer reader. */
int vt_pass_grow(vt_pass_t *pass, vt_error_t *error);

/* vt_pass_time: all events before this time have been handed out, ns; after the last one of a trace that is not
   recorded any more, its end. */
uint64_t vt_pass_time(vt_pass_t const *pass);

/* vt_pass_orderly: has every event been handed out, and at its place? Not if a chunk was damaged, or came later than
   the pass waits: a new pass over the file knows better. */
int vt_pass_orderly(vt_pass_t const *pass);

/* vt_reader_packed: was the trace written by a collector, so that it can be followed? */
int vt_reader_packed(vt_reader_t const *reader);

/* Where vt_reader_run delivers. `events` gets a batch in time order, valid during the call; a
   result other than 0 ends the run. `heap_op` gets operations on whole heaps, between the batches
   where they belong; NULL: not wanted. */
typedef struct {
  int (*events)(void *context, vt_event_t const *events, size_t cnt);
  void (*heap_op)(void *context, vt_trace_heap_op_t const *op);
  void *context;
} vt_reader_sink_t;

/* vt_reader_run is a whole pass. Returns 0, or what `events` returned. */
int vt_reader_run(vt_reader_t *reader, vt_reader_sink_t const *sink);

/* vt_reader_progress: bytes of event chunks already decoded and in total, for a progress bar; may
   be called from within the callbacks. */
void vt_reader_progress(vt_reader_t const *reader, uint64_t *done, uint64_t *total);

vt_trace_info_t const *vt_reader_info(vt_reader_t const *reader);
vt_integrity_t const *vt_reader_integrity(vt_reader_t const *reader);
vt_trace_thread_t const *vt_reader_threads(vt_reader_t const *reader, size_t *cnt);
vt_trace_module_t const *vt_reader_modules(vt_reader_t const *reader, size_t *cnt);
vt_trace_process_t const *vt_reader_process(vt_reader_t const *reader, size_t *cnt);
vt_trace_memory_t const *vt_reader_memory(vt_reader_t const *reader, size_t *cnt);
vt_trace_marker_t const *vt_reader_markers(vt_reader_t const *reader, size_t *cnt);
vt_trace_heap_t const *vt_reader_heaps(vt_reader_t const *reader, size_t *cnt);
/* By address, of equal ones in order of time. */
vt_trace_jit_t const *vt_reader_jit(vt_reader_t const *reader, size_t *cnt);
/* vt_reader_jit_at is the different names that generated code at an address has had, in no order, at most
   max; returns how many there are. */
size_t vt_reader_jit_at(vt_reader_t const *reader, uint64_t address, char const **names, size_t max);
/* In the order of the file, which is that of time within one thread only. */
vt_trace_mapping_t const *vt_reader_mappings(vt_reader_t const *reader, size_t *cnt);

vt_trace_patched_t const *vt_reader_patched(vt_reader_t const *reader, size_t *cnt);

/* vt_reader_refused counts those that are not recorded; *first, if not NULL, is one of them. */
size_t vt_reader_refused(vt_reader_t const *reader, vt_trace_patched_t const **first);

vt_trace_snapshot_t const *vt_reader_snapshots(vt_reader_t const *reader, size_t *cnt);

/* vt_reader_leaks_at is the verdict of a snapshot taken while the process ran, at that time (as of a marker that the
   collector sets then), or NULL. */
vt_trace_leaks_t const *vt_reader_leaks_at(vt_reader_t const *reader, uint64_t time_ns);

/* vt_reader_time is what the reader makes of a tick of the process's clock: nanoseconds since recording began. */
uint64_t vt_reader_time(vt_reader_t const *reader, uint64_t tick);

/* vt_reader_add_snapshot adds one whose message is not in the file; the payload is copied. Returns 0, or -1 when it is
   none. */
int vt_reader_add_snapshot(vt_reader_t *reader, uint8_t const *payload, size_t sz);

/* In order of time. */
vt_trace_pages_t const *vt_reader_pages(vt_reader_t const *reader, size_t *cnt);

/* What virtual addresses of one code stand for. */
typedef struct {
  uint32_t language, id;
  uint32_t table, first_line; /* VT_LINES_… */
  char const *name, *qualname, *file;
  uint8_t const *lines;
  uint32_t lines_sz;
} vt_trace_code_t;

/* vt_reader_code is the code of a virtual address, NULL: the trace does not say. */
vt_trace_code_t const *vt_reader_code(vt_reader_t const *reader, uint64_t pc);

/* vt_reader_interpreted: are blocks of api other an interpreter's? Older writers gave it to
   allocations by a patched function that has several names, too; in a program that has both they count as the
   interpreter's. */
int vt_reader_interpreted(vt_reader_t const *reader);

/* What of an interpreted language is not recorded. */
typedef struct {
  uint32_t language;
  char const *what, *why;
} vt_trace_refusal_t;
vt_trace_refusal_t const *vt_reader_refusals(vt_reader_t const *reader, size_t *cnt);

/* vt_reader_leaks is NULL when no look at the memory is recorded, not even why it failed. */
vt_trace_leaks_t const *vt_reader_leaks(vt_reader_t const *reader);

/* vt_reader_counter is the value of a counter, 0 when the trace has none. */
uint64_t vt_reader_counter(vt_reader_t const *reader, vt_counter_t counter);

/* vt_reader_exact tells the totals of a sampled trace that were counted, not estimated: all its process did while it was
   recorded. Returns 0 if they are not known: parts of the trace are missing, or not written yet. */
typedef struct {
  uint64_t allocations, allocated_bytes, frees, reallocs;
} vt_trace_exact_t;
int vt_reader_exact(vt_reader_t const *reader, vt_trace_exact_t *out);

/* vt_reader_end_time is the time of the last event, or when the process said that it ends: what it does in the recorder
   from then on, and the collector's looks at it, are no time of its own. Without such a word, of the last thing recorded. */
uint64_t vt_reader_end_time(vt_reader_t const *reader);

/* vt_reader_stacks is the trie; its arrays move when a run on a raw trace adds nodes. */
vt_trace_stacks_t vt_reader_stacks(vt_reader_t const *reader);

/* vt_reader_expand writes the frames of a stack, innermost first, at most cap of them; returns how
   many the stack has (0 for id 0 or an id not in the trie). */
size_t vt_reader_expand(vt_reader_t const *reader, uint32_t stack, vt_trace_frame_t *out,
                        size_t cap);

/* vt_reader_module_at is the index of the module that had code at `address` in `epoch`, or
   VT_NO_MODULE. */
uint32_t vt_reader_module_at(vt_reader_t const *reader, uint32_t epoch, uint64_t address);

/* vt_reader_code_at is the index of the module whose code a return address of `epoch` is in, also where the program has
   mapped that code a second time; *offset is where in the module, as in vt_trace_frame_t. VT_NO_MODULE: in none, *offset
   stays. */
uint32_t vt_reader_code_at(vt_reader_t const *reader, uint32_t epoch, uint64_t pc, uint64_t *offset);

/* Symbols embedded in the trace. */
typedef struct {
  char const *function; /* "": unknown */
  char const *file;
  uint32_t line; /* 0: unknown */
} vt_trace_symbol_t;

/* vt_reader_symbols calls `found` for each embedded code address: index of the module, offset as in
   vt_trace_frame_t, and its frames, innermost inlined one first (cnt 0: known to be unknown). */
void vt_reader_symbols(vt_reader_t const *reader,
                       void (*found)(void *context, uint32_t module, uint64_t offset,
                                     vt_trace_symbol_t const *frames, size_t cnt),
                       void *context);

#endif
