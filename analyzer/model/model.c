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
  limbo->of_unknown = !event->address && model->traces[trace].period;
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

/* Ends the old block of a realloc that has not failed. made: counts the realloc; cell 0: none does. An
   old block that is not known may still come, if its INTENT overtook it; in a sampled trace it was not recorded. */
static void end_old(vt_model_t *model, limbo_t const *limbo, vt_event_t const *event, vt_block_t const *made,
                    uint32_t thread, uint64_t time) {
  if (limbo->block.cell && vt_stretches_unsure(model, &limbo->block)) {
    vt_count_end_unseen(model, limbo->heap, &limbo->block, time);
  } else if (limbo->block.cell) {
    vt_count_end(model, limbo->heap, &limbo->block, thread, time, event->address != 0);
    if (made->cell) vt_count_realloc(model, made, &limbo->block);
  } else if (limbo->of_unknown) {
    if (made->cell) vt_count_realloc(model, made, &limbo->block);
  } else if (model->early.cnt) {
    waiting_t how = {.end = REALLOC_DONE, .end_time = time, .new_address = event->address, .made = *made};
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
  vt_block_t made = {event->address, event->size, time, counted ? cell_of(model, trace, event, stack, thread, time) : 0, thread};
  end_old(model, &limbo, event, &made, thread, time);
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
  return (cause_t){number, number, event->align, said, event->stack, event->api, event->alone};
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

uint32_t vt_model_thread_of(vt_model_t *model, uint32_t trace, uint32_t index) { return thread_of(model, trace, index); }

uint32_t vt_model_heap_of(vt_model_t *model, uint32_t trace, uint32_t number) { return heap_of(model, trace, number); }

uint32_t vt_model_cell_at(vt_model_t *model, uint32_t trace, uint32_t heap, int python, uint32_t stack) {
  vt_event_t like = {.heap = heap, .api = python ? VT_API_OTHER : VT_API_MALLOC};
  local_heap_t *local = counting_heap(model, trace, &like);
  return stack < local->cells_cap && local->cells[stack] ? local->cells[stack] : add_cell(model, trace, local, stack);
}

limbo_t *vt_model_push_limbo(vt_model_t *model, uint32_t thread) { return push_limbo(model, thread); }
