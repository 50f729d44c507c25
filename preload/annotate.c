/* The hooks behind include/valtrace/annotate.h: blocks of annotated heaps, markers, thread names.

   A heap is found by its base address in a table that only grows; its index is the number the trace
   uses. The heap of a UUID that was detached and comes back gets its old entry. Entries are filled
   once; what changes later is atomic, and entries in use at the same time differ in base. */
#include "valtrace/annotate.h"
#include "preload/heaps.h"
#include "core/trace/maps.h"
#include "preload/record.h"
#include "preload/snapshot.h"
#include "core/trace/sys.h"

#include <string.h>

#define FRAME     __builtin_frame_address(0)
#define HEAPS_MAX 65536 /* 14 MiB of addresses, of which only what is used is touched */
#define HINT_BITS 6     /* by hash of the base: where it was found last */

typedef struct {
  _Atomic uint64_t base;   /* 0: not in use */
  _Atomic uint32_t filled; /* what follows is valid */
  _Atomic uint32_t refs;   /* announcements without their detach */
  uint64_t sz;
  uint32_t kind;
  uint32_t parent;
  uint32_t is_private; /* the UUID was made here */
  uint32_t name_sz;
  _Atomic uint64_t
      copied_by;    /* image of the forked child whose copy of the heap this is; 0: none */
  uint8_t uuid[16]; /* as announced */
  char name[128];
} heap_t;

static heap_t *_Atomic heaps; /* HEAPS_MAX entries; number 0 is the process's own heap */
static _Atomic uint32_t heap_cnt = 1;
static _Atomic uint32_t hints[1 << HINT_BITS];

static uint32_t heaps_end(void) {
  uint32_t cnt = atomic_load_explicit(&heap_cnt, memory_order_acquire);
  return cnt < HEAPS_MAX ? cnt : HEAPS_MAX;
}

static inline uint64_t base_of(heap_t const *h) {
  return atomic_load_explicit(&h->base, memory_order_acquire);
}

/* heap_number finds the heap announced at base; 0: none. */
static uint32_t heap_number(void const *base) {
  heap_t *table = atomic_load_explicit(&heaps, memory_order_acquire);
  if (!table || !base) return 0;
  _Atomic uint32_t *hint = &hints[(uint64_t)base * 0x9e3779b97f4a7c15u >> (64 - HINT_BITS)];
  uint32_t at = atomic_load_explicit(hint, memory_order_relaxed);
  if (at && base_of(&table[at]) == (uint64_t)base) return at;
  for (uint32_t i = heaps_end(); i-- > 1;) {
    if (base_of(&table[i]) != (uint64_t)base) continue;
    atomic_store_explicit(hint, i, memory_order_relaxed);
    return i;
  }
  return 0;
}

static heap_t *table_of_heaps(void) {
  heap_t *table = atomic_load_explicit(&heaps, memory_order_acquire);
  if (table) return table;
  heap_t *fresh = vt_sys_memory(sizeof(heap_t) * HEAPS_MAX);
  if (!fresh) return NULL;
  if (atomic_compare_exchange_strong_explicit(&heaps, &table, fresh, memory_order_acq_rel,
                                              memory_order_acquire))
    return fresh;
  vt_sys_munmap(fresh, sizeof(heap_t) * HEAPS_MAX);
  return table;
}

void const *vt_heaps_memory(size_t *sz) {
  heap_t *table = atomic_load_explicit(&heaps, memory_order_acquire);
  *sz = table ? sizeof(heap_t) * HEAPS_MAX : 0;
  return table;
}

/* An operation on a whole heap is not in the stream of events but ordered by its time, and packed
   traces round times down to units of up to 64 ns. So that no event is mistaken for an earlier or a
   later one, operations keep more than that apart from what comes before and after. */
#define APART 512 /* clock ticks */

static uint64_t apart(vt_clock_kind_t clock) {
  uint64_t tick, start = vt_clock_tick_ordered(clock);
  do tick = vt_clock_tick_ordered(clock);
  while (tick - start < APART);
  return tick;
}

static void write_heap(vt_stream_t *s, heap_t const *h, uint32_t number, uint32_t op,
                       void const *base) {
  uint64_t tick = apart(s->sink->clock);
  vt_message_t m = vt_stream_blob_open(s, 64 + h->name_sz);
  vt_message_u64(&m, tick);
  vt_message_u32(&m, op);
  vt_message_u32(&m, number);
  vt_message_u32(&m, h->kind);
  vt_message_u32(&m, h->parent);
  vt_message_u64(&m,
                 vt_load64(h->uuid) ^ atomic_load_explicit(&h->copied_by, memory_order_relaxed));
  vt_message_u64(&m, vt_load64(h->uuid + 8));
  vt_message_u64(&m, (uint64_t)base);
  vt_message_u64(&m, h->sz);
  vt_message_string(&m, h->name, h->name_sz);
  vt_stream_blob_close(s, VT_CHUNK_HEAP, &m);
  apart(s->sink->clock);
}

/* make_uuid gives a heap without a name of its own one that no other process has. */
static void make_uuid(uint8_t *out, uint32_t number) {
  vt_store64(out, vt_process.sink.image);
  vt_store64(out + 8, number);
}

/* tell_copy finds out whether what a forked process calls the heap of a UUID is a copy in its own
   memory: then it is another heap than its parent's from now on, and the trace must say so. Where
   the kernel cannot be asked the UUID stands. `known` is the mapping found last. */
static void tell_copy(heap_t *h, uint64_t base, vt_maps_line_t *known) {
  if (!vt_process.forked || h->is_private || vt_process.filtered) return;
  if (base - known->start >= known->end - known->start && vt_maps_find(base, known)) return;
  atomic_store_explicit(&h->copied_by, known->perms[3] == 'p' ? vt_process.sink.image : 0,
                        memory_order_relaxed);
}

void vt_heaps_write(vt_stream_t *s) {
  heap_t *table = atomic_load_explicit(&heaps, memory_order_acquire);
  vt_maps_line_t mapping = {0};
  for (uint32_t i = 1; table && i < heaps_end(); i++) {
    void const *base = (void const *)base_of(&table[i]);
    if (!base) continue;
    if (table[i].is_private) make_uuid(table[i].uuid, i); /* the child's copy is another heap */
    tell_copy(&table[i], (uint64_t)base, &mapping);
    write_heap(s, &table[i], i, VT_HEAP_ATTACH, base);
  }
}

/* join_entry makes base one more announcement of an entry; 0: the entry is in use for another one.
 *again: it was announced there already. */
static int join_entry(heap_t *h, uint64_t base, int *again) {
  atomic_fetch_add_explicit(&h->refs, 1, memory_order_seq_cst); /* see leave_entry */
  uint64_t old = atomic_load_explicit(&h->base, memory_order_seq_cst);
  *again = old == base;
  if (*again) return 1;
  if (!old && atomic_compare_exchange_strong_explicit(&h->base, &old, base, memory_order_acq_rel,
                                                      memory_order_acquire))
    return 1;
  atomic_fetch_sub_explicit(&h->refs, 1, memory_order_relaxed);
  return 0;
}

/* leave_entry takes one announcement back; 1: that was the last. A join_entry at the same time
   either sees that base is gone, or is seen here. */
static int leave_entry(heap_t *h, uint64_t base) {
  if (atomic_fetch_sub_explicit(&h->refs, 1, memory_order_seq_cst) != 1) return 0;
  atomic_store_explicit(&h->base, 0, memory_order_seq_cst);
  if (!atomic_load_explicit(&h->refs, memory_order_seq_cst)) return 1;
  atomic_store_explicit(&h->base, base, memory_order_release);
  return 0;
}

/* known_heap finds the entry of a heap that was announced before with this parent; 0: none. */
static uint32_t known_heap(heap_t *table, void const *base, void const *uuid, uint32_t parent,
                           int *again) {
  for (uint32_t i = heaps_end(); i-- > 1;) {
    heap_t *h = &table[i];
    if (!atomic_load_explicit(&h->filled, memory_order_acquire) || memcmp(h->uuid, uuid, 16) ||
        (parent && h->parent != parent))
      continue;
    if (join_entry(h, (uint64_t)base, again)) return i;
  }
  return 0;
}

static uint32_t new_heap(heap_t *table, void const *base, heap_t const *what, char const *name,
                         void const *uuid) {
  if (heaps_end() == HEAPS_MAX) return 0;
  uint32_t number = atomic_fetch_add_explicit(&heap_cnt, 1, memory_order_acq_rel);
  if (number >= HEAPS_MAX) return 0;
  heap_t *h = &table[number];
  h->sz = what->sz;
  h->kind = what->kind;
  h->parent = what->parent;
  h->is_private = !uuid;
  h->name_sz = (uint32_t)strnlen(name ? name : "", sizeof h->name);
  memcpy(h->name, name ? name : "", h->name_sz);
  if (uuid)
    memcpy(h->uuid, uuid, sizeof h->uuid);
  else
    make_uuid(h->uuid, number);
  atomic_store_explicit(&h->refs, 1, memory_order_relaxed);
  atomic_store_explicit(&h->filled, 1, memory_order_release); /* acquired by known_heap */
  atomic_store_explicit(&h->base, (uint64_t)base, memory_order_release); /* … and base_of */
  return number;
}

/* retire_others frees base of the heaps that were there before: other ones, or the same one before
   its parent was known, whose announcements then count for this entry. */
static void retire_others(heap_t *table, uint32_t number, uint64_t base) {
  for (uint32_t i = heaps_end(); i-- > 1;) {
    uint64_t old = base;
    if (i == number || !atomic_compare_exchange_strong_explicit(
                           &table[i].base, &old, 0, memory_order_acq_rel, memory_order_acquire))
      continue;
    uint32_t refs = atomic_exchange_explicit(&table[i].refs, 0, memory_order_acq_rel);
    if (!memcmp(table[i].uuid, table[number].uuid, 16))
      atomic_fetch_add_explicit(&table[number].refs, refs, memory_order_acq_rel);
  }
}

static void heap_begin(int op, void const *base, unsigned long sz, int kind, char const *name,
                       void const *uuid, void const *parent) {
  heap_t *table = table_of_heaps();
  heap_t what = {.sz = sz, .kind = (uint32_t)kind, .parent = heap_number(parent)};
  vt_thread_t *t = table && base ? vt_enter(FRAME) : NULL;
  if (!t) return;
  int again = 0;
  vt_maps_line_t mapping = {0};
  uint32_t number = uuid ? known_heap(table, base, uuid, what.parent, &again) : 0;
  if (!number) number = new_heap(table, base, &what, name, uuid);
  if (number && !again) {
    retire_others(table, number, (uint64_t)base);
    tell_copy(&table[number], (uint64_t)base, &mapping);
  }
  if (number && (!again || op == VT_HEAP_CREATE))
    write_heap(&t->stream, &table[number], number, (uint32_t)op, base);
  vt_leave(t);
}

static void heap_end(int op, void const *base) {
  uint32_t number = heap_number(base);
  vt_thread_t *t = number ? vt_enter(FRAME) : NULL;
  if (!t) return;
  heap_t *h = &atomic_load_explicit(&heaps, memory_order_acquire)[number];
  int last = 1;
  if (op == VT_HEAP_DELETE) {
    atomic_store_explicit(&h->refs, 0, memory_order_seq_cst);
    atomic_store_explicit(&h->base, 0, memory_order_seq_cst);
  } else
    last = leave_entry(h, (uint64_t)base);
  if (last) write_heap(&t->stream, h, number, (uint32_t)op, base);
  vt_leave(t);
}

static void heap_op(void const *base, int op, unsigned long tag) {
  uint32_t number = heap_number(base);
  vt_thread_t *t = number ? vt_enter(FRAME) : NULL;
  if (!t) return;
  uint64_t tick = apart(t->stream.sink->clock);
  vt_message_t m = vt_stream_blob_open(&t->stream, 24);
  vt_message_u64(&m, tick);
  vt_message_u32(&m, number);
  vt_message_u32(&m, (uint32_t)op);
  vt_message_u64(&m, tag);
  vt_stream_blob_close(&t->stream, VT_CHUNK_HEAP_OP, &m);
  apart(t->stream.sink->clock);
  vt_leave(t);
}

/* is_wanted: in a sampled recording most are not. Where a free says an address inside of its block, it is not
   known which that is: all of those are recorded. */
static int is_wanted(vt_thread_t *t, vt_record_t *r) {
  if (!vt_sampling()) return 1;
  uint64_t key = vt_sampled_heap_block(r->words[0], r->words[1]);
  if ((r->w0 & 15) == VT_KIND_HEAP_ALLOC) return vt_sampling_take(t, key, r->words[2]);
  if (vt_sampling_alone(t, key)) r->words[0] |= VT_W1_HEAP_ALONE;
  return vt_sampling_forget(key) || r->w0 & VT_W0_WIDE;
}

/* put_block stamps with a fence always: the heap may be shared with other processes. */
static void put_block(vt_record_t *r, void const *frame) {
  vt_thread_t *t = vt_paused() ? NULL : vt_enter(frame);
  if (!t) return;
  if (!is_wanted(t, r)) return vt_leave(t);
  vt_stack_t stack;
  r->tick = vt_clock_tick_ordered(t->stream.sink->clock);
  vt_capture(t, frame, &stack);
  if (!t->text) vt_put(t, r, &stack);
  vt_leave(t);
}

static void block_alloc(void const *base, void const *block, unsigned long sz, unsigned long align,
                        unsigned long tag) {
  uint32_t number = heap_number(base);
  if (!number) return;
  vt_record_t r = {.w0 = VT_KIND_HEAP_ALLOC | VT_API_OTHER << VT_W0_API_SHIFT,
                   .words = {number, (uint64_t)block - (uint64_t)base, sz, align, tag},
                   .word_cnt = 5};
  put_block(&r, FRAME);
}

static void block_free(void const *base, void const *block, int interior) {
  uint32_t number = heap_number(base);
  if (!number) return;
  vt_record_t r = {.w0 = VT_KIND_HEAP_FREE | VT_API_OTHER << VT_W0_API_SHIFT |
                         (interior ? VT_W0_WIDE : 0),
                   .words = {number, (uint64_t)block - (uint64_t)base},
                   .word_cnt = 2};
  put_block(&r, FRAME);
}

/* put_text writes a message of a time, the thread and a text. */
static void put_text(vt_chunk_type_t type, char const *text, void const *frame) {
  size_t sz = text ? strnlen(text, 4096) : 0;
  vt_thread_t *t = vt_enter(frame);
  if (!t) return;
  vt_image_text(&t->stream, type, t, text, sz);
  if (type == VT_CHUNK_THREAD) atomic_store_explicit(&t->named, 1, memory_order_relaxed);
  vt_leave(t);
}

static void marker(char const *text) { put_text(VT_CHUNK_MARKER, text, FRAME); }
static void thread_name(char const *name) { put_text(VT_CHUNK_THREAD, name, FRAME); }
static void pause_thread(void) {
  vt_snapshot_paused();
  vt_quiet_begin();
}
static void resume_thread(void) {
  if (vt_tls.quiet) vt_quiet_end(vt_tls.quiet > 1 ? VT_BUSY_QUIET : 0);
}

VT_EXPORT vt_annotate_hooks_t const vt_annotate_hooks_v1 = {
    .heap_begin = heap_begin,
    .heap_end = heap_end,
    .heap_op = heap_op,
    .block_alloc = block_alloc,
    .block_free = block_free,
    .marker = marker,
    .thread_name = thread_name,
    .pause = pause_thread,
    .resume = resume_thread,
};
