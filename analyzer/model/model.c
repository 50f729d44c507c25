/* The model's one pass over the events; see model.h for the definitions.

   The exact share of every cell in the peak needs no second pass: peaks are numbered, and a cell
   notes its live bytes just before it changes for the first time after a new peak. A cell that has
   not changed since still has them at the end. */
#include "analyzer/model/model.h"
#include <stdlib.h>
#include <string.h>
#include "analyzer/model/count.h"
#include "analyzer/util/mem.h"

#define FAR           20 /* events ahead whose block is fetched into the cache */
#define NEAR          8  /* events ahead whose cell is */
#define FIRST_STEP_NS 1024

/* ---- set-up ---- */

static uint32_t new_heap(vt_model_t *model, uint32_t trace, uint32_t kind) {
  vt_model_heap_t heap = {.kind = kind, .trace = trace, .parent = VT_MODEL_NO_HEAP};
  vt_blocks_t blocks;
  vt_blocks_init(&blocks);
  VT_PUSH(model->heaps, heap);
  VT_PUSH(model->blocks, blocks);
  return (uint32_t)model->heaps_cnt - 1;
}

static uint32_t new_cell(vt_model_t *model, uint32_t trace, uint32_t heap, uint32_t stack) {
  vt_cell_t cell = {
      .trace = trace, .heap = heap, .stack = stack, .peak_number = model->peak_number};
  cell.nested =
      heap < model->heaps_cnt && model->heaps[heap].nested && !model->options.count_nested;
  vt_lifetimes_init(&cell.lifetimes);
  VT_TABLE_PUSH(model->cells, cell);
  return (uint32_t)model->cells_cnt - 1;
}

vt_model_t *vt_model_new(vt_model_options_t const *options) {
  vt_model_t *model = vt_mem_new(1, sizeof *model);
  model->options = *options;
  model->filtering =
      options->min_size || options->size_end || options->from_ns || options->want_thread;
  model->extras = options->sizes || options->timeline || options->threads || options->watch.changed;
  if (!model->options.size_end) model->options.size_end = UINT64_MAX;
  if (!model->options.to_ns) model->options.to_ns = UINT64_MAX;
  if (options->sizes) model->sizes = vt_mem_new(VT_SIZE_CLASSES, sizeof *model->sizes);
  model->moments_max = options->timeline == VT_TIMELINE_FINE ? VT_MOMENTS_FINE : VT_MOMENTS_MAX;
  if (options->timeline) model->moments = vt_mem_new(model->moments_max, sizeof *model->moments);
  model->next_ns = model->options.to_ns;
  model->moment_step = FIRST_STEP_NS;
  model->moment_end = options->timeline ? FIRST_STEP_NS : UINT64_MAX;
  for (uint32_t i = 0; i < VT_CELL_FIRST; i++) {
    new_cell(model, 0, NO_INDEX, 0);
    model->cells[i].nested = 1; /* never part of a sum */
  }
  return model;
}

vt_model_t *vt_model_new_scan(vt_model_options_t const *options) {
  vt_model_t *model = vt_model_new(options);
  model->scanning = 1;
  return model;
}

static void delete_traces(vt_model_t *model) {
  for (size_t i = 0; i < model->traces_cnt; i++) {
    for (size_t h = 0; h < model->traces[i].heaps_cnt; h++) free(model->traces[i].heaps[h].cells);
    free(model->traces[i].heaps);
    free(model->traces[i].python.cells);
    free(model->traces[i].stretches);
    free(model->traces[i].threads);
  }
  free(model->traces);
}

void vt_model_delete(vt_model_t *model) {
  if (!model) return;
  delete_traces(model);
  for (size_t i = 0; i < model->heaps_cnt; i++) {
    vt_blocks_fini(&model->blocks[i]);
    free(model->heaps[i].name);
  }
  for (size_t i = 0; i < model->cells_cnt; i++) vt_lifetimes_fini(&model->cells[i].lifetimes);
  for (size_t i = 0; i < model->limbos_cnt; i++) free(model->limbos[i]);
  free(model->heaps);
  free(model->blocks);
  vt_mem_table_free(model->cells, model->cells_cap, sizeof *model->cells);
  free(model->threads);
  free(model->limbos);
  free(model->sizes);
  free(model->moments);
  free(model->spreads);
  free(model->lifetime_bits);
  free(model);
}

static local_heap_t *local_heap(trace_t *trace, uint32_t number) {
  while (trace->heaps_cnt <= number) {
    local_heap_t heap = {.heap = NO_INDEX};
    VT_PUSH(trace->heaps, heap);
  }
  return &trace->heaps[number];
}

uint32_t vt_model_add_trace(vt_model_t *model, uint64_t shift_ns) {
  trace_t trace = {.shift_ns = shift_ns, .partial_ns = UINT64_MAX, .python.heap = NO_INDEX};
  uint32_t number = (uint32_t)model->traces_cnt;
  local_heap(&trace, 0)->heap = new_heap(model, number, 0);
  VT_PUSH(model->traces, trace);
  return number;
}

void vt_model_sampled(vt_model_t *model, uint32_t trace, uint64_t period) {
  model->traces[trace].period = period;
  model->sampled |= period != 0;
}

int vt_model_is_sampled(vt_model_t const *model) { return model->sampled; }

vt_cell_spread_t vt_model_spread(vt_model_t const *model, size_t cell) {
  return cell < model->spreads_cnt ? model->spreads[cell] : (vt_cell_spread_t){0};
}

void vt_model_partial(vt_model_t *model, uint32_t trace, uint64_t since_ns) {
  model->traces[trace].partial_ns = since_ns == VT_MODEL_NO_END ? since_ns : since_ns + model->traces[trace].shift_ns;
}

void vt_model_deletes_tell(vt_model_t *model, uint32_t trace) { model->traces[trace].tells = 1; }

void vt_model_not_interpreted(vt_model_t *model, uint32_t trace) { model->traces[trace].no_python = 1; }

/* Heap numbers count up from 1 in a trace; a larger one can only come from a damaged trace. */
#define HEAP_NUMBER_MAX 65536

static uint32_t heap_by_uuid(vt_model_t const *model, uint8_t const uuid[16]) {
  static uint8_t const none[16];
  if (!memcmp(uuid, none, 16)) return NO_INDEX;
  for (size_t i = 0; i < model->heaps_cnt; i++)
    if (!memcmp(model->heaps[i].uuid, uuid, 16)) return (uint32_t)i;
  return NO_INDEX;
}

/* Has the trace announced this heap, under whatever number, and not left it since? */
static int is_in_use(trace_t const *trace, uint32_t heap) {
  for (size_t i = 1; i < trace->heaps_cnt; i++)
    if (trace->heaps[i].heap == heap && trace->heaps[i].in_use) return 1;
  return 0;
}

static uint32_t declare_heap(vt_model_t *model, uint32_t trace,
                             vt_model_announcement_t const *what) {
  local_heap_t *local = local_heap(&model->traces[trace], what->heap);
  if (local->heap == NO_INDEX) local->heap = heap_by_uuid(model, what->uuid);
  if (local->heap == NO_INDEX) local->heap = new_heap(model, trace, what->kind);
  return local->heap;
}

void vt_model_heap(vt_model_t *model, uint32_t trace_number, vt_model_announcement_t const *what) {
  if (!what->heap || what->heap >= HEAP_NUMBER_MAX) return;
  trace_t *trace = &model->traces[trace_number];
  uint32_t number = declare_heap(model, trace_number, what);
  vt_model_heap_t *heap = &model->heaps[number];
  int begins = what->op == VT_HEAP_CREATE || what->op == VT_HEAP_ATTACH;
  if (what->op == VT_HEAP_ATTACH && !is_in_use(trace, number)) heap->shared = 1;
  trace->heaps[what->heap].in_use = (uint32_t)begins;
  if (!begins) return;
  heap->kind = what->kind;
  memcpy(heap->uuid, what->uuid, sizeof heap->uuid);
  if (what->parent) {
    heap->nested = 1;
    if (what->parent < trace->heaps_cnt) heap->parent = trace->heaps[what->parent].heap;
  }
  if (heap->name && (!what->name[0] || !what->parent)) return;
  free(heap->name);
  heap->name = vt_mem_copy(what->name, strlen(what->name));
}

static uint32_t add_thread(vt_model_t *model, uint32_t trace_number, uint32_t index) {
  trace_t *trace = &model->traces[trace_number];
  while (trace->threads_cnt <= index) VT_PUSH(trace->threads, NO_INDEX);
  vt_model_thread_t thread = {
      .trace = trace_number, .index = index, .last_heap = NO_INDEX, .wanted = 1};
  if (model->options.want_thread)
    thread.wanted =
        (uint32_t)model->options.want_thread(model->options.context, trace_number, index);
  limbo_stack_t *none = NULL;
  VT_PUSH(model->threads, thread);
  VT_PUSH(model->limbos, none);
  return trace->threads[index] = (uint32_t)model->threads_cnt - 1;
}

static inline uint32_t thread_of(vt_model_t *model, uint32_t trace_number, uint32_t index) {
  trace_t const *trace = &model->traces[trace_number];
  if (index < trace->threads_cnt && trace->threads[index] != NO_INDEX) return trace->threads[index];
  return add_thread(model, trace_number, index);
}

/* The heap that counts an allocation: that of its number, or an interpreter's. Blocks of the latter are
   in the table of the process's own heap, since a realloc may move one from there or back. */
static inline local_heap_t *counting_heap(vt_model_t *model, uint32_t trace,
                                          vt_event_t const *event) {
  local_heap_t *python = &model->traces[trace].python;
  if (__builtin_expect(event->heap || event->api != VT_API_OTHER, 1))
    return &model->traces[trace].heaps[event->heap];
  if (model->traces[trace].no_python) return &model->traces[trace].heaps[0];
  if (python->heap != NO_INDEX) return python;
  python->heap = new_heap(model, trace, VT_HEAP_KIND_PYTHON);
  model->heaps[python->heap].name = vt_mem_copy("python", sizeof "python" - 1);
  return python;
}

static uint32_t add_cell(vt_model_t *model, uint32_t trace, local_heap_t *local, uint32_t stack) {
  if (stack >= local->cells_cap) {
    size_t cap = local->cells_cap ? 2 * local->cells_cap : 4096;
    while (cap <= stack) cap *= 2;
    local->cells = vt_mem_resize(local->cells, cap, sizeof *local->cells);
    memset(local->cells + local->cells_cap, 0, (cap - local->cells_cap) * sizeof *local->cells);
    local->cells_cap = cap;
  }
  int wanted = !model->options.want_cell ||
               model->options.want_cell(model->options.context, trace, local->heap, stack);
  return local->cells[stack] =
             wanted ? new_cell(model, trace, local->heap, stack) : VT_CELL_IGNORED;
}

static int left_out(vt_model_t const *model, uint64_t size, uint32_t thread, uint64_t time) {
  vt_model_options_t const *options = &model->options;
  return size < options->min_size || size >= options->size_end || time < options->from_ns ||
         !model->threads[thread].wanted;
}

/* Who counts an allocation: its cell, or VT_CELL_IGNORED when a filter leaves it out. */
static inline uint32_t cell_of(vt_model_t *model, uint32_t trace, vt_event_t const *event,
                               uint32_t stack, uint32_t thread, uint64_t time) {
  if (model->filtering && left_out(model, event->size, thread, time)) return VT_CELL_IGNORED;
  local_heap_t *local = counting_heap(model, trace, event);
  if (stack < local->cells_cap && local->cells[stack]) return local->cells[stack];
  return add_cell(model, trace, local, stack);
}

/* ---- events ---- */

/* The one tag of all blocks, for heaps that have one. */
static void note_tag(vt_model_heap_t *heap, uint64_t tag) {
  if (heap->tags_differ || heap->tag == tag) return;
  heap->tags_differ = heap->tag != 0;
  heap->tag = heap->tag ? 0 : tag;
}

/* An allocation that cannot begin now: one whose address is live, or was freed early. Returns
   whether it was dealt with; otherwise it begins in its free slot. */
static int out_of_order(vt_model_t *model, uint32_t heap, vt_event_t const *event,
                        vt_block_t const *block, vt_block_t *slot) {
  if (model->early.cnt &&
      vt_order_freed_early(model, &(vt_order_life_t){*block, block->time, heap, block->thread, 0}))
    return 1;
  if (!slot->cell) return 0;
  waiting_t held = {.block = *block,
                    .cause = model->cause,
                    .tag = event->tag,
                    .heap = heap};
  vt_order_hold(model, &held);
  return 1;
}

/* The block is made in its slot: a copy of what was just written, field by field, would wait. */
static void on_alloc(vt_model_t *model, uint32_t trace, uint32_t heap, vt_event_t const *event, uint32_t stack, uint32_t thread, uint64_t time) {
  model->threads[thread].last_address = event->address;
  model->threads[thread].last_heap = heap;
  vt_blocks_t *blocks = &model->blocks[heap];
  vt_block_t *slot = vt_blocks_find(blocks, event->address);
  uint32_t cell = cell_of(model, trace, event, stack, thread, time);
  if (__builtin_expect(event->heap != 0, 0)) note_tag(&model->heaps[heap], event->tag);
  if (__builtin_expect(model->early.cnt != 0 || slot->cell != 0, 0)) {
    vt_block_t block = {event->address, event->size, time, cell, thread};
    if (out_of_order(model, heap, event, &block, slot)) return;
  }
  slot->address = event->address;
  slot->size = event->size;
  slot->time = time;
  slot->cell = cell;
  slot->thread = thread;
  vt_count_begin(model, slot);
  vt_blocks_filled(blocks, slot, event->tag);
}

static void wait_early(vt_model_t *model, uint32_t trace, uint32_t heap, vt_event_t const *event,
                       uint32_t thread, uint64_t time, int realloc) {
  waiting_t early = {.block = {.address = event->address, .time = time, .thread = thread},
                     .cause = model->cause,
                     .heap = heap,
                     .trace = trace,
                     .realloc = realloc,
                     .last_address = model->threads[thread].last_address,
                     .last_heap = model->threads[thread].last_heap,
                     .interior = event->kind == VT_EVENT_HEAP_FREE_INTERIOR};
  vt_order_early_free(model, &early);
}

/* The slot of the block that is freed; NULL or an empty one: it is not live. */
static inline vt_block_t *freed_slot(vt_model_t *model, uint32_t heap, vt_event_t const *event,
                                     uint32_t thread) {
  vt_blocks_t *blocks = &model->blocks[heap];
  vt_block_t *slot = event->kind == VT_EVENT_HEAP_FREE_INTERIOR
                         ? vt_blocks_containing(blocks, event->address)
                         : vt_blocks_find(blocks, event->address);
  if (__builtin_expect(!model->held.cnt || !slot || !slot->cell, 1)) return slot;
  uint64_t address = slot->address;
  vt_order_frees(model, heap, address, thread);
  return vt_blocks_find(blocks, address); /* slots may have moved */
}

static void on_free(vt_model_t *model, uint32_t trace, uint32_t heap, vt_event_t const *event,
                    uint32_t thread, uint64_t time) {
  vt_block_t *slot = freed_slot(model, heap, event, thread);
  if (__builtin_expect(!slot || !slot->cell, 0)) {
    wait_early(model, trace, heap, event, thread, time, 0);
    return;
  }
  uint64_t address = slot->address;
  if (vt_stretches_unsure(model, slot))
    vt_count_end_unseen(model, heap, slot, time);
  else
    vt_count_end(model, heap, slot, thread, time, 0);
  vt_blocks_remove(&model->blocks[heap], slot);
  if (__builtin_expect(model->held.cnt != 0, 0)) vt_order_freed(model, heap, address);
}

static limbo_t *push_limbo(vt_model_t *model, uint32_t thread) {
  limbo_stack_t *stack = model->limbos[thread];
  if (!stack) stack = model->limbos[thread] = vt_mem_new(1, sizeof *stack);
  if (stack->cnt == LIMBO_MAX) { /* never finished: its block stays counted as live */
    memmove(stack->limbo, stack->limbo + 1, (LIMBO_MAX - 1) * sizeof *stack->limbo);
    stack->cnt--;
  }
  return &stack->limbo[stack->cnt++];
}

static void on_realloc_intent(vt_model_t *model, uint32_t trace, uint32_t heap,
                              vt_event_t const *event, uint32_t thread, uint64_t time) {
  limbo_t *limbo = push_limbo(model, thread);
  *limbo = (limbo_t){.heap = heap, .stack = event->stack, .event = model->cause.event};
  if (!event->address) return;
  vt_block_t *slot = freed_slot(model, heap, event, thread);
  if (!slot->cell) {
    wait_early(model, trace, heap, event, thread, time, 1);
    return;
  }
  limbo->block = *slot;
  vt_blocks_remove(&model->blocks[heap], slot);
  if (model->held.cnt) vt_order_freed(model, heap, event->address);
}

/* realloc failed: the old block lives on where it was. */
static void put_back(vt_model_t *model, limbo_t const *limbo, uint32_t thread, uint64_t time) {
  vt_block_t const *block = &limbo->block;
  if (!block->cell) {
    vt_order_realloc_ends(model, limbo->event, &(waiting_t){.end = REALLOC_FAILED});
    return;
  }
  if (model->early.cnt &&
      vt_order_freed_early(model, &(vt_order_life_t){*block, time, limbo->heap, thread, 1}))
    return;
  vt_block_t *slot = vt_blocks_find(&model->blocks[limbo->heap], block->address);
  if (!slot->cell) vt_blocks_insert(&model->blocks[limbo->heap], slot, *block, 0);
}

/* Ends the old block of a realloc that has not failed. cell: counts the realloc; 0: none does. An
   old block that is not known may still come, if its INTENT overtook it. */
static void end_old(vt_model_t *model, limbo_t const *limbo, vt_event_t const *event, uint32_t cell,
                    uint32_t thread, uint64_t time) {
  if (limbo->block.cell && vt_stretches_unsure(model, &limbo->block)) {
    vt_count_end_unseen(model, limbo->heap, &limbo->block, time);
  } else if (limbo->block.cell) {
    vt_count_end(model, limbo->heap, &limbo->block, thread, time, event->address != 0);
    if (cell) vt_count_realloc(model, cell, &limbo->block, event->address);
  } else if (model->early.cnt) {
    waiting_t how = {
        .end = REALLOC_DONE, .end_time = time, .new_address = event->address, .new_cell = cell};
    vt_order_realloc_ends(model, limbo->event, &how);
  }
}

static void on_realloc_done(vt_model_t *model, uint32_t trace, uint32_t heap,
                            vt_event_t const *event, uint32_t thread, uint64_t time) {
  limbo_stack_t *begun = model->limbos[thread];
  limbo_t limbo = {.heap = heap, .stack = event->stack, .event = model->cause.event};
  if (begun && begun->cnt) limbo = begun->limbo[--begun->cnt];
  model->cause.intent = limbo.event;
  if (limbo.stack) model->cause.stack = limbo.stack;
  if (!event->address && event->size) {
    put_back(model, &limbo, thread, time);
    return;
  }
  uint32_t stack = limbo.stack ? limbo.stack : event->stack;
  int counted = event->address && !model->scanning &&
                (!model->lifetime_bits || vt_count_lifetime_fits(model));
  end_old(model, &limbo, event, counted ? cell_of(model, trace, event, stack, thread, time) : 0,
          thread, time);
  if (event->address) on_alloc(model, trace, heap, event, stack, thread, time);
}

static void on_event(vt_model_t *model, uint32_t trace, vt_event_t const *event, uint32_t heap,
                     uint64_t time) {
  uint32_t thread = thread_of(model, trace, event->thread);
  switch (event->kind) {
  case VT_EVENT_ALLOC:
  case VT_EVENT_HEAP_ALLOC:
    on_alloc(model, trace, heap, event, event->stack, thread, time);
    return;
  case VT_EVENT_FREE:
  case VT_EVENT_HEAP_FREE:
  case VT_EVENT_HEAP_FREE_INTERIOR: on_free(model, trace, heap, event, thread, time); return;
  case VT_EVENT_REALLOC_INTENT: on_realloc_intent(model, trace, heap, event, thread, time); return;
  case VT_EVENT_REALLOC_DONE: on_realloc_done(model, trace, heap, event, thread, time); return;
  default: return;
  }
}

/* The model's heap for a trace's heap number; declares unknown ones as custom heaps. */
static uint32_t heap_of(vt_model_t *model, uint32_t trace, uint32_t number) {
  if (!number) return model->traces[trace].heaps[0].heap;
  if (number >= HEAP_NUMBER_MAX) return NO_INDEX;
  local_heap_t *local = local_heap(&model->traces[trace], number);
  if (local->heap == NO_INDEX) local->heap = new_heap(model, trace, VT_HEAP_KIND_CUSTOM);
  return local->heap;
}

/* Fetches into the cache what a coming event will touch: its block first, then, when that is there,
   the cell. */
static inline void prefetch(vt_model_t const *model, trace_t const *trace, vt_event_t const *events,
                            size_t i, size_t cnt) {
  local_heap_t const *local = &trace->heaps[0];
  vt_blocks_t const *blocks = &model->blocks[local->heap];
  if (i + FAR < cnt && !events[i + FAR].heap) vt_blocks_prefetch(blocks, events[i + FAR].address);
  if (i + NEAR >= cnt || events[i + NEAR].heap) return;
  vt_event_t const *event = &events[i + NEAR];
  uint32_t cell = 0;
  if (event->kind == VT_EVENT_ALLOC && event->stack < local->cells_cap)
    cell = local->cells[event->stack];
  else if (event->kind == VT_EVENT_FREE)
    cell = blocks->slots[vt_blocks_home(blocks, event->address)].cell;
  if (!model->scanning) __builtin_prefetch(&model->cells[cell], 1);
}

static inline cause_t cause_of(vt_event_t const *event, uint64_t number) {
  uint64_t said = event->kind == VT_EVENT_FREE ? event->size : 0;
  return (cause_t){number, number, event->align, said, event->stack, event->api};
}

void vt_model_events(vt_model_t *model, uint32_t trace_number, vt_event_t const *events,
                     size_t cnt) {
  uint64_t shift_ns = model->traces[trace_number].shift_ns, time = 0;
  for (size_t i = 0; i < cnt; i++) {
    prefetch(model, &model->traces[trace_number], events, i, cnt);
    time = events[i].time + shift_ns;
    if (__builtin_expect(time >= model->next_ns, 0)) {
      if (time >= model->options.to_ns) {
        model->totals.end_time_ns = model->options.to_ns;
        return;
      }
      vt_stretches_advance(model, time);
    }
    if (__builtin_expect(model->held.cnt + model->early.cnt != 0, 0)) vt_order_expire(model, time);
    model->cause = cause_of(&events[i], model->totals.events);
    uint32_t heap = heap_of(model, trace_number, events[i].heap);
    if (heap != NO_INDEX) on_event(model, trace_number, &events[i], heap, time);
    model->totals.events++;
  }
  if (cnt) model->totals.end_time_ns = time;
}

/* Frees the blocks of one heap, all or those with the tag. */
static void free_blocks(vt_model_t *model, uint32_t heap, int by_tag, uint64_t tag, uint64_t time) {
  vt_order_settle(model, heap);
  vt_blocks_t old = model->blocks[heap];
  if (!old.used) return;
  vt_blocks_init(&model->blocks[heap]);
  for (size_t i = 0; i <= old.mask; i++) {
    if (!old.slots[i].cell) continue;
    uint64_t block_tag = old.tags ? old.tags[i] : 0;
    if (by_tag && block_tag != tag) {
      vt_block_t *slot = vt_blocks_find(&model->blocks[heap], old.slots[i].address);
      vt_blocks_insert(&model->blocks[heap], slot, old.slots[i], block_tag);
    } else if (vt_stretches_unsure(model, &old.slots[i]))
      vt_count_end_unseen(model, heap, &old.slots[i], time);
    else
      vt_count_end(model, heap, &old.slots[i], NO_THREAD, time, 1);
  }
  vt_blocks_fini(&old);
}

/* Is it, or what it lies in, nested in `outer`? Chains of parents from a damaged trace may be
   circles. */
static int lies_in(vt_model_t const *model, uint32_t heap, uint32_t outer) {
  for (unsigned depth = 0; heap != VT_MODEL_NO_HEAP && depth < 8; depth++) {
    if (heap == outer) return 1;
    heap = model->heaps[heap].parent;
  }
  return 0;
}

/* A heap that has had no block yet in this trace is nested in the process's own heap if a live
   block of that contains its memory. */
static void place_heap(vt_model_t *model, uint32_t trace_number, uint32_t number, uint32_t heap,
                       uint64_t address) {
  trace_t *trace = &model->traces[trace_number];
  local_heap_t *local = &trace->heaps[number];
  uint32_t own = trace->heaps[0].heap;
  if (model->heaps[heap].nested || local->cells_cap || local->placed == address) return;
  local->placed = address;
  if (!vt_blocks_containing(&model->blocks[own], address)) return;
  model->heaps[heap].nested = 1;
  model->heaps[heap].parent = own;
}

void vt_model_heap_op(vt_model_t *model, uint32_t trace, uint32_t heap_number, uint32_t op,
                      uint64_t tag, uint64_t time_ns) {
  uint64_t time = time_ns + model->traces[trace].shift_ns;
  uint32_t heap = heap_number ? heap_of(model, trace, heap_number) : NO_INDEX;
  if (heap == NO_INDEX || time >= model->options.to_ns) return;
  if (time >= model->next_ns) vt_stretches_advance(model, time);
  model->cause.stack = 0;
  if (op == VT_HEAP_OP_PLACE || op == VT_HEAP_OP_BASE)
    place_heap(model, trace, heap_number, heap, tag);
  if (op != VT_HEAP_OP_GONE && (!op || op > VT_HEAP_OP_RESTORE)) return;
  int by_tag = op == VT_HEAP_OP_TAG_FREE;
  for (uint32_t i = 0; i < model->heaps_cnt; i++) {
    if (i != heap &&
        (!lies_in(model, i, heap) || (by_tag && model->heaps[i].kind != VT_HEAP_KIND_ALLOC)))
      continue;
    free_blocks(model, i, by_tag, tag, time);
    if (op == VT_HEAP_OP_RESTORE) model->heaps[i].shared = 1;
  }
}

uint32_t vt_model_thread_of(vt_model_t *model, uint32_t trace, uint32_t index) { return thread_of(model, trace, index); }

uint32_t vt_model_heap_of(vt_model_t *model, uint32_t trace, uint32_t number) { return heap_of(model, trace, number); }

uint32_t vt_model_cell_at(vt_model_t *model, uint32_t trace, uint32_t heap, int python, uint32_t stack) {
  vt_event_t like = {.heap = heap, .api = python ? VT_API_OTHER : VT_API_MALLOC};
  local_heap_t *local = counting_heap(model, trace, &like);
  return stack < local->cells_cap && local->cells[stack] ? local->cells[stack] : add_cell(model, trace, local, stack);
}

limbo_t *vt_model_push_limbo(vt_model_t *model, uint32_t thread) { return push_limbo(model, thread); }

/* ---- the end ---- */

/* clear_sums makes the sums over cells zero; what events count themselves stays. */
static void clear_sums(vt_model_t *model) {
  vt_model_totals_t *totals = &model->totals;
  totals->allocations = totals->allocated_bytes = totals->frees = totals->reallocs = 0;
  totals->temporary = totals->cross_thread_frees = 0;
  totals->unsure_blocks = totals->unsure_bytes = 0;
  for (size_t i = 0; i < model->heaps_cnt; i++) {
    vt_model_heap_t *heap = &model->heaps[i];
    heap->allocations = heap->frees = heap->live_bytes = heap->live_blocks = 0;
    heap->leaked_bytes = heap->leaked_blocks = 0;
  }
}

static void add_to_sums(vt_model_t *model, vt_cell_t const *cell) {
  vt_model_heap_t *heap = &model->heaps[cell->heap];
  heap->allocations += cell->allocations;
  heap->frees += cell->frees;
  heap->live_bytes += cell->allocated_bytes - cell->freed_bytes;
  heap->live_blocks += cell->allocations - cell->frees;
  heap->leaked_bytes = heap->live_bytes;
  heap->leaked_blocks = heap->live_blocks;
  if (cell->nested) return;
  vt_model_totals_t *totals = &model->totals;
  totals->allocations += cell->allocations;
  totals->allocated_bytes += cell->allocated_bytes;
  totals->frees += cell->frees;
  totals->reallocs += cell->reallocs;
  totals->temporary += cell->temporary;
  totals->unsure_blocks += cell->unsure_blocks;
  totals->unsure_bytes += cell->unsure_bytes;
  totals->cross_thread_frees += cell->cross_thread_frees;
}

/* Hands out every block that is live at the end, those in the middle of a realloc too. */
static void for_live(vt_model_t *model,
                     void (*visit)(vt_model_t *, vt_block_t const *, void const *),
                     void const *context) {
  for (size_t heap = 0; heap < model->heaps_cnt; heap++)
    for (size_t i = 0; i <= model->blocks[heap].mask; i++)
      if (model->blocks[heap].slots[i].cell) visit(model, &model->blocks[heap].slots[i], context);
  for (size_t i = 0; i < model->limbos_cnt; i++)
    for (unsigned k = 0; model->limbos[i] && k < model->limbos[i]->cnt; k++)
      if (model->limbos[i]->limbo[k].block.cell)
        visit(model, &model->limbos[i]->limbo[k].block, context);
}

typedef struct {
  void (*visit)(void *context, vt_model_live_t const *block);
  void *context;
} visitor_t;

static vt_model_live_t live_of(vt_model_t const *model, vt_block_t const *block, vt_cell_t const *cell) {
  return (vt_model_live_t){.address = block->address,
                           .size = block->size,
                           .cell = block->cell,
                           .trace = cell->trace,
                           .owner = block->thread,
                           .began = block->time,
                           .unsure = vt_stretches_unsure(model, block)};
}

static void visit_own(vt_model_t *model, vt_block_t const *block, void const *context) {
  visitor_t const *v = context;
  vt_cell_t const *cell = &model->cells[block->cell];
  if (block->cell == VT_CELL_IGNORED) return;
  uint32_t kind = model->heaps[cell->heap].kind;
  if (kind && kind != VT_HEAP_KIND_PYTHON) return;
  vt_model_live_t live = live_of(model, block, cell);
  v->visit(v->context, &live);
}

void vt_model_live(vt_model_t *model, void (*visit)(void *context, vt_model_live_t const *block),
                   void *context) {
  visitor_t v = {visit, context};
  for_live(model, visit_own, &v);
}

/* visit_placed hands out a block where the process has it in memory. One of a nested heap lies in a block
   that is handed out anyway. */
static void visit_placed(vt_model_t *model, vt_block_t const *block, void const *context) {
  visitor_t const *v = context;
  vt_cell_t const *cell = &model->cells[block->cell];
  if (block->cell == VT_CELL_IGNORED || model->heaps[cell->heap].nested) return;
  vt_model_live_t live = live_of(model, block, cell);
  if (model->heaps[cell->heap].kind) live.heap = cell->heap;
  if (live.heap && model->heaps[cell->heap].kind != VT_HEAP_KIND_PYTHON) {
    trace_t const *trace = &model->traces[cell->trace];
    size_t local = 0;
    while (local < trace->heaps_cnt && trace->heaps[local].heap != cell->heap) local++;
    if (local == trace->heaps_cnt || !trace->heaps[local].placed) return;
    live.address += trace->heaps[local].placed;
  }
  v->visit(v->context, &live);
}

void vt_model_live_placed(vt_model_t *model,
                          void (*visit)(void *context, vt_model_live_t const *block), void *context) {
  visitor_t v = {visit, context};
  for_live(model, visit_placed, &v);
}

static void scan_live(vt_model_t *model, vt_block_t const *block, void const *context) {
  (void)context;
  vt_count_scan_end(model, block, model->totals.end_time_ns, 1);
}

/* sum_up computes what follows from the counters of the cells. */
static void sum_up(vt_model_t *model) {
  clear_sums(model);
  if (model->moments) vt_timeline_advance(model, model->totals.end_time_ns);
  for (size_t i = VT_CELL_FIRST; i < model->cells_cnt; i++) {
    vt_count_before_change(model, &model->cells[i]);
    add_to_sums(model, &model->cells[i]);
  }
  model->totals.live_bytes = model->live_bytes;
  model->totals.live_blocks = model->live_blocks;
  model->totals.live_spread = model->live_spread;
  if (!model->unsure_ns) model->totals.peak_at_least = model->totals.peak_bytes;
  model->totals.peak_at_most = model->totals.peak_at_least < model->totals.peak_bytes;
  for (unsigned i = 0; model->sizes && i < VT_SIZE_CLASSES; i++) {
    vt_size_class_t *class = &model->sizes[i];
    class->leaked_bytes = class->allocated_bytes - class->freed_bytes;
    class->leaked_blocks = class->allocations - class->frees;
  }
}

static void note_end(vt_model_t *model, uint64_t end_ns) {
  if (end_ns > model->options.to_ns) end_ns = model->options.to_ns;
  if (end_ns > model->totals.end_time_ns) model->totals.end_time_ns = end_ns;
}

void vt_model_finish(vt_model_t *model, uint64_t end_ns) {
  note_end(model, end_ns);
  vt_order_expire(model, UINT64_MAX);
  vt_stretches_finish(model);
  if (model->scanning)
    for_live(model, scan_live, NULL);
  else
    sum_up(model);
}

void vt_model_settle(vt_model_t *model, uint64_t now_ns) {
  note_end(model, now_ns);
  vt_order_expire(model, now_ns);
  vt_stretches_advance(model, now_ns);
  sum_up(model);
}

void vt_model_take_lifetimes(vt_model_t *model, vt_model_t *scan) {
  model->lifetime_bits = scan->lifetime_bits ? scan->lifetime_bits : vt_mem_new(1, 1);
  model->lifetime_bits_cnt = scan->lifetime_bits_cnt;
  scan->lifetime_bits = NULL;
  scan->lifetime_bits_cnt = 0;
}

static void take_out(uint64_t *bytes, uint64_t *blocks, vt_share_t const *share) {
  *bytes -= share->bytes;
  *blocks -= share->blocks;
}

static void suppress(vt_model_t *model, vt_block_t const *block, void const *marks) {
  if (!((uint8_t const *)marks)[block->cell]) return;
  vt_share_t const share = vt_count_share(model, block);
  vt_cell_t const *cell = &model->cells[block->cell];
  vt_model_heap_t *heap = &model->heaps[cell->heap];
  take_out(&heap->leaked_bytes, &heap->leaked_blocks, &share);
  if (cell->nested) return;
  take_out(&model->totals.live_bytes, &model->totals.live_blocks, &share);
  if (vt_stretches_unsure(model, block)) take_out(&model->totals.unsure_bytes, &model->totals.unsure_blocks, &share);
  vt_model_thread_t *thread = &model->threads[block->thread];
  if (model->options.threads) take_out(&thread->leaked_bytes, &thread->leaked_blocks, &share);
  if (!model->sizes) return;
  vt_size_class_t *class = &model->sizes[vt_count_size_class(block->size)];
  take_out(&class->leaked_bytes, &class->leaked_blocks, &share);
}

void vt_model_suppress(vt_model_t *model, uint8_t const *marks) {
  for_live(model, suppress, marks);
}

vt_model_totals_t const *vt_model_totals(vt_model_t const *model) { return &model->totals; }

vt_cell_t const *vt_model_cells(vt_model_t const *model, size_t *cnt) {
  *cnt = model->cells_cnt;
  return model->cells;
}

vt_model_thread_t const *vt_model_threads(vt_model_t const *model, size_t *cnt) {
  *cnt = model->threads_cnt;
  return model->threads;
}

vt_model_heap_t const *vt_model_heaps(vt_model_t const *model, size_t *cnt) {
  *cnt = model->heaps_cnt;
  return model->heaps;
}

vt_size_class_t const *vt_model_sizes(vt_model_t const *model) {
  for (unsigned i = 0; model->sizes && i < VT_SIZE_CLASSES; i++) {
    unsigned next = i + 1;
    model->sizes[i].max_size = next < 4 ? i : ((uint64_t)(4 + next % 4) << (next / 4 - 1)) - 1;
  }
  return model->sizes;
}

vt_moment_t const *vt_model_timeline(vt_model_t const *model, size_t *cnt, uint64_t *step_ns) {
  *cnt = model->moments ? model->moment + 1 : 0;
  *step_ns = model->moment_step;
  return model->moments;
}
