/* The model against a naive one that keeps every block in a plain list, copies all counters at
   every new peak and repairs order by searching: random programs of several threads, with exact and
   with coarse times, and streams of nonsense. Set SEED to repeat a run. */
#include <stdlib.h>
#include <time.h>
#include "analyzer/model/model.h"
#include "tests/unit/tap.h"

#define STACKS     12
#define THREADS    4
#define HEAPS      3 /* 0: process, 1: custom, 2: nested in 1 */
#define BLOCKS_MAX 100000

static uint64_t rng_state;
static uint64_t rng(uint64_t bound) {
  rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
  return (rng_state >> 33) % bound;
}

/* ---- the naive model ---- */

typedef struct {
  uint64_t address, size, time, order;
  int heap, stack, thread, used;
  uint64_t event; /* that began the realloc */
} block_t;

/* How the realloc ended whose INTENT waits for its allocation. */
typedef struct {
  int is_realloc, failed, done, stack; /* stack: of the new block, 0: freed */
  uint64_t time;
} ending_t;

typedef struct {
  uint64_t allocations, bytes, frees, freed, temporary, peak_bytes, peak_blocks, reallocs;
  uint64_t life_min, life_max;
} count_t;

static block_t live[BLOCKS_MAX], held[BLOCKS_MAX], early[BLOCKS_MAX], limbo[THREADS][BLOCKS_MAX];
static int live_cnt, held_cnt, early_cnt, limbo_cnt[THREADS];
static ending_t ending[BLOCKS_MAX]; /* beside early */
static uint64_t now_event;
static count_t count[HEAPS][STACKS];
static uint64_t allocs_of[THREADS], peak, peak_blocks, peak_time, unmatched, reordered, missed;

static void reset_naive(void) {
  live_cnt = held_cnt = early_cnt = 0;
  memset(limbo_cnt, 0, sizeof limbo_cnt);
  memset(count, 0, sizeof count);
  for (int h = 0; h < HEAPS; h++)
    for (int s = 0; s < STACKS; s++) count[h][s].life_min = UINT64_MAX;
  memset(allocs_of, 0, sizeof allocs_of);
  peak = peak_blocks = peak_time = unmatched = reordered = missed = now_event = 0;
}

static void look_for_peak(uint64_t time) {
  uint64_t bytes = 0, blocks = 0;
  for (int h = 0; h < HEAPS - 1; h++)
    for (int s = 0; s < STACKS; s++) {
      bytes += count[h][s].bytes - count[h][s].freed;
      blocks += count[h][s].allocations - count[h][s].frees;
    }
  if (bytes <= peak) return;
  peak = bytes, peak_blocks = blocks, peak_time = time;
  for (int h = 0; h < HEAPS; h++)
    for (int s = 0; s < STACKS; s++) {
      count[h][s].peak_bytes = count[h][s].bytes - count[h][s].freed;
      count[h][s].peak_blocks = count[h][s].allocations - count[h][s].frees;
    }
}

static int find(int heap, uint64_t address, int interior) {
  for (int i = 0; i < live_cnt; i++)
    if (live[i].heap == heap && live[i].address == address) return i;
  for (int i = 0; interior && i < live_cnt; i++)
    if (live[i].heap == heap && address - live[i].address < live[i].size) return i;
  return -1;
}

static int is_newest(block_t block, int thread) {
  return thread == block.thread && allocs_of[thread] == block.order;
}

static void end_block(block_t block, uint64_t time, int temporary) {
  count_t *c = &count[block.heap][block.stack];
  uint64_t life = time > block.time ? time - block.time : 0;
  c->frees++, c->freed += block.size;
  c->temporary += (uint64_t)temporary;
  if (life < c->life_min) c->life_min = life;
  if (life > c->life_max) c->life_max = life;
}

static block_t take_live(int i) {
  block_t block = live[i];
  live[i] = live[--live_cnt];
  return block;
}

static void begin_block(block_t block) {
  live[live_cnt++] = block;
  count[block.heap][block.stack].allocations++;
  count[block.heap][block.stack].bytes += block.size;
  look_for_peak(block.time);
}

static void take_waiting(block_t *list, int *cnt, int i) {
  memmove(&list[i], &list[i + 1], (size_t)(--*cnt - i) * sizeof *list);
}

static void after_free(int heap, uint64_t address) {
  for (int i = 0; i < held_cnt; i++)
    if (held[i].heap == heap && held[i].address == address) {
      block_t block = held[i];
      take_waiting(held, &held_cnt, i);
      reordered++;
      begin_block(block);
      return;
    }
}

static void replace_live(block_t block) {
  int at = find(block.heap, block.address, 0);
  if (at >= 0) missed++, end_block(take_live(at), block.time, 0);
  begin_block(block);
}

/* A thread frees an address where its own allocation waits: that came before. */
static void own_first(int heap, uint64_t address, int thread) {
  for (int i = 0; i < held_cnt; i++) {
    if (held[i].heap != heap || held[i].address != address) continue;
    if (held[i].thread != thread) return;
    block_t block = held[i];
    take_waiting(held, &held_cnt, i--);
    replace_live(block);
  }
}

static void take_early(int i) {
  memmove(&ending[i], &ending[i + 1], (size_t)(early_cnt - i) * sizeof *ending);
  take_waiting(early, &early_cnt, i);
}

/* The block whose INTENT overtook it goes where that would have put it. */
static int limbo_takes(block_t block, block_t intent) {
  for (int i = limbo_cnt[intent.thread]; i-- > 0;) {
    block_t *entry = &limbo[intent.thread][i];
    if (entry->event != intent.event) continue;
    block.order |= entry->order;
    *entry = block;
    entry->used = 1;
    entry->event = intent.event;
    return 1;
  }
  return 0;
}

static void end_early(block_t block, block_t freed, ending_t how) {
  if (how.is_realloc && !how.done && limbo_takes(block, freed)) return;
  end_block(block, how.done ? how.time : freed.time,
            block.thread == freed.thread && block.order == freed.order &&
                (!how.is_realloc || (how.done && !how.stack)));
  if (how.done && how.stack) count[0][how.stack].reallocs++;
}

/* Which free overtook the block that thread `thread` makes live at `time`; -1: none. */
static int overtaken(block_t block, int thread, uint64_t time) {
  for (int i = 0; i < early_cnt; i++)
    if (early[i].heap == block.heap &&
        (early[i].address == block.address ||
         (early[i].used && early[i].address - block.address < block.size)) &&
        early[i].time == time && early[i].thread != thread)
      return i;
  return -1;
}

static int freed_early(block_t block, int thread, uint64_t time, int begun) {
  int i = overtaken(block, thread, time);
  if (i < 0) return 0;
  block_t freed = early[i];
  ending_t how = ending[i];
  take_early(i);
  reordered++;
  if (how.failed) return 0;
  if (!begun) begin_block(block), live_cnt--;
  end_early(block, freed, how);
  return 1;
}

static void naive_alloc(block_t block) {
  block.order = ++allocs_of[block.thread];
  if (freed_early(block, block.thread, block.time, 0)) return;
  if (find(block.heap, block.address, 0) >= 0)
    held[held_cnt++] = block;
  else
    begin_block(block);
}

/* The live block that a thread frees; -1: none. */
static int freed_now(int heap, uint64_t address, int interior, int thread) {
  int i = find(heap, address, interior);
  if (i < 0) return i;
  address = live[i].address;
  own_first(heap, address, thread);
  return find(heap, address, 0);
}

static void naive_free(block_t freed, int interior) {
  int i = freed_now(freed.heap, freed.address, interior, freed.thread);
  if (i < 0) {
    ending[early_cnt] = (ending_t){0};
    freed.used = interior;
    freed.order = allocs_of[freed.thread];
    early[early_cnt++] = freed;
    return;
  }
  block_t block = take_live(i);
  end_block(block, freed.time, is_newest(block, freed.thread));
  after_free(block.heap, block.address);
}

static void naive_intent(block_t old) {
  int i = old.address ? freed_now(0, old.address, 0, old.thread) : -1;
  block_t entry = {.stack = old.stack};
  if (i >= 0) {
    entry = take_live(i);
    entry.used = 1;
  }
  entry.event = old.event = now_event;
  entry.order |= (uint64_t)old.stack << 48;
  if (limbo_cnt[old.thread] == 16) {
    memmove(limbo[old.thread], limbo[old.thread] + 1, 15 * sizeof entry);
    limbo_cnt[old.thread]--;
  }
  limbo[old.thread][limbo_cnt[old.thread]++] = entry;
  if (i >= 0)
    after_free(0, old.address);
  else if (old.address) {
    ending[early_cnt] = (ending_t){.is_realloc = 1};
    old.order = allocs_of[old.thread];
    early[early_cnt++] = old;
  }
}

static void note_ending(block_t old, ending_t how) {
  for (int i = 0; i < early_cnt && !old.used; i++)
    if (ending[i].is_realloc && early[i].event == old.event) ending[i] = how;
}

static void naive_done(block_t block) {
  block_t old = {.event = now_event};
  if (limbo_cnt[block.thread]) {
    old = limbo[block.thread][--limbo_cnt[block.thread]];
    block.stack = (int)(old.order >> 48) ? (int)(old.order >> 48) : block.stack;
    old.order &= ((uint64_t)1 << 48) - 1;
  }
  if (!block.address && block.size) {
    note_ending(old, (ending_t){.is_realloc = 1, .failed = 1});
    if (!old.used || freed_early(old, block.thread, block.time, 1)) return;
    if (find(0, old.address, 0) < 0) old.used = 0, live[live_cnt++] = old;
    return;
  }
  ending_t how = {.is_realloc = 1, .done = 1, .stack = block.address ? block.stack : 0};
  how.time = block.time;
  note_ending(old, how);
  if (old.used) end_block(old, block.time, !block.address && is_newest(old, block.thread));
  if (!block.address) return;
  count[0][block.stack].reallocs += (uint64_t)old.used;
  naive_alloc(block);
}

static void naive_expire(uint64_t now) {
  while (held_cnt && now - held[0].time > VT_MODEL_REPAIR_NS) {
    block_t block = held[0];
    take_waiting(held, &held_cnt, 0);
    replace_live(block);
  }
  while (early_cnt && now > early[0].time) {
    take_early(0);
    unmatched++;
  }
}

static void naive_event(vt_event_t const *e) {
  now_event++;
  naive_expire(e->time);
  block_t block = {.address = e->address,
                   .size = e->size,
                   .time = e->time,
                   .heap = (int)e->heap,
                   .stack = (int)e->stack,
                   .thread = (int)e->thread};
  if (e->kind == VT_EVENT_ALLOC || e->kind == VT_EVENT_HEAP_ALLOC)
    naive_alloc(block);
  else if (e->kind == VT_EVENT_REALLOC_INTENT)
    naive_intent(block);
  else if (e->kind == VT_EVENT_REALLOC_DONE)
    naive_done(block);
  else
    naive_free(block, e->kind == VT_EVENT_HEAP_FREE_INTERIOR);
}

/* ---- random programs ---- */

static vt_event_t events[BLOCKS_MAX];
static size_t event_cnt;

static void emit(int kind, uint64_t time, uint64_t address, uint64_t size, uint32_t thread,
                 uint32_t heap) {
  if (event_cnt == BLOCKS_MAX) return;
  events[event_cnt++] = (vt_event_t){.kind = (uint8_t)kind,
                                     .time = time,
                                     .address = address,
                                     .size = size,
                                     .thread = thread,
                                     .heap = heap,
                                     .stack = (uint32_t)(1 + rng(STACKS - 1))};
}

/* A correct program: addresses alternate; times grow. Returns how many blocks are live at the end.
 */
static void make_program(size_t steps) {
  enum { ADDRESSES = 200 };
  static uint8_t taken[HEAPS][ADDRESSES];
  static uint64_t size_of[HEAPS][ADDRESSES];
  memset(taken, 0, sizeof taken);
  event_cnt = 0;
  uint64_t time = 0;
  for (size_t i = 0; i < steps; i++) {
    uint32_t heap = rng(5) ? 0 : (uint32_t)rng(HEAPS), thread = (uint32_t)rng(THREADS);
    uint64_t at = rng(ADDRESSES), address = 0x1000 + at * 0x1000, size = rng(3000);
    time += 1 + rng(40);
    if (!taken[heap][at]) {
      emit(heap ? VT_EVENT_HEAP_ALLOC : VT_EVENT_ALLOC, time, address, size, thread, heap);
      taken[heap][at] = 1;
      size_of[heap][at] = size;
    } else if (heap || rng(3)) {
      int interior = heap && size_of[heap][at] > 1 && rng(2);
      emit(interior ? VT_EVENT_HEAP_FREE_INTERIOR
           : heap   ? VT_EVENT_HEAP_FREE
                    : VT_EVENT_FREE,
           time, address + (interior ? rng(size_of[heap][at]) : 0), 0, thread, heap);
      taken[heap][at] = 0;
    } else {
      uint64_t to = rng(3) ? rng(ADDRESSES) : at;
      int fails = !rng(8), frees = !fails && !rng(8);
      if (to != at && taken[0][to]) continue;
      emit(VT_EVENT_REALLOC_INTENT, time, address, frees ? 0 : 1 + size, thread, 0);
      time += 1 + rng(40);
      emit(VT_EVENT_REALLOC_DONE, time, fails || frees ? 0 : 0x1000 + to * 0x1000,
           frees ? 0 : 1 + size, thread, 0);
      if (fails) continue;
      taken[0][at] = 0;
      if (!frees) taken[0][to] = 1;
    }
  }
}

static void make_nonsense(size_t steps) {
  static int const kinds[] = {1, 1, 1, 1, 2, 2, 2, 3, 4, 10, 10, 11, 12};
  event_cnt = 0;
  uint64_t time = 0;
  for (size_t i = 0; i < steps; i++) {
    int kind = kinds[rng(sizeof kinds / sizeof *kinds)];
    time += rng(3) ? 0 : rng(6000);
    emit(kind, time, rng(20) * 64, 1 + rng(63), (uint32_t)rng(THREADS),
         kind >= 10 ? (uint32_t)(1 + rng(HEAPS - 1)) : 0);
  }
}

static int by_coarse_time(void const *a, void const *b) {
  vt_event_t const *x = a, *y = b;
  if (x->time != y->time) return x->time < y->time ? -1 : 1;
  if (x->thread != y->thread) return x->thread < y->thread ? -1 : 1;
  return x->align < y->align ? -1 : x->align > y->align; /* which the model does not look at */
}

/* Coarser times, and events of equal time in order of threads: what a reader sees at worst. */
static void coarsen(uint64_t unit) {
  for (size_t i = 0; i < event_cnt; i++) {
    events[i].time = events[i].time / unit * unit;
    events[i].align = i;
  }
  qsort(events, event_cnt, sizeof *events, by_coarse_time);
}

/* ---- comparison ---- */

static vt_model_t *run_model(vt_model_options_t const *options) {
  vt_model_t *model = vt_model_new(options);
  vt_model_add_trace(model, 0);
  vt_model_announcement_t outer = {VT_HEAP_CREATE, 1, 0, VT_HEAP_KIND_CUSTOM, {1}, "outer"};
  vt_model_announcement_t inner = {VT_HEAP_CREATE, 2, 1, VT_HEAP_KIND_CUSTOM, {2}, "inner"};
  vt_model_heap(model, 0, &outer);
  vt_model_heap(model, 0, &inner);
  for (size_t i = 0; i < event_cnt;) {
    size_t n = 1 + rng(50);
    if (n > event_cnt - i) n = event_cnt - i;
    vt_model_events(model, 0, events + i, n);
    i += n;
  }
  vt_model_finish(model, 0);
  return model;
}

/* In nonsense one thread owns two blocks of one address at a time; "temporary" has no meaning
 * there. */
static int possible;

static int same_cell(vt_cell_t const *cell, count_t const *c) {
  return cell->allocations == c->allocations && cell->allocated_bytes == c->bytes &&
         cell->frees == c->frees && cell->freed_bytes == c->freed &&
         (!possible || cell->temporary == c->temporary) && cell->peak_bytes == c->peak_bytes &&
         cell->peak_blocks == c->peak_blocks && cell->reallocs == c->reallocs &&
         cell->lifetimes.min == c->life_min && (!c->frees || cell->lifetimes.max == c->life_max);
}

static int same_cells(vt_model_t const *model) {
  size_t cnt;
  vt_cell_t const *cells = vt_model_cells(model, &cnt);
  int seen = 0, used = 0, same = 1;
  for (size_t i = VT_CELL_FIRST; i < cnt; i++) {
    seen += cells[i].allocations != 0;
    same &= same_cell(&cells[i], &count[cells[i].heap][cells[i].stack]);
  }
  for (int h = 0; h < HEAPS; h++)
    for (int s = 0; s < STACKS; s++) used += count[h][s].allocations != 0;
  return same && seen == used;
}

static void compare(char const *name, int must_repair_all) {
  possible = strcmp(name, "nonsense") != 0;
  reset_naive();
  for (size_t i = 0; i < event_cnt; i++) naive_event(&events[i]);
  naive_expire(UINT64_MAX);
  vt_model_t *model =
      run_model(&(vt_model_options_t){.lifetimes = 1, .sizes = 1, .timeline = 1, .threads = 1});
  vt_model_totals_t const *totals = vt_model_totals(model);
  ok(same_cells(model), "%s: every cell's counters are the naive model's", name);
  ok(totals->peak_bytes == peak && totals->peak_blocks == peak_blocks &&
         totals->peak_time_ns == peak_time,
     "%s: peak, its blocks and its time", name);
  ok(totals->unmatched_frees == unmatched && totals->reordered == reordered &&
         totals->missed_frees == missed,
     "%s: unmatched %lu, reordered %lu, missed %lu", name, unmatched, reordered, missed);
  if (must_repair_all)
    ok(!totals->unmatched_frees && !totals->missed_frees, "%s: all order was repaired", name);
  vt_model_delete(model);
}

/* Blocks that pass from thread to thread faster than hardware lets them (times in ns): a new block
   is in another thread's hands after PASS, the same thread reuses an address after REUSE (between
   the two stamps are the real free and malloc and the capture of a stack), another one after more
   than UNIT. */
enum { UNIT = 64, PASS = 32, REUSE = 40, SPOTS = 7 };
typedef struct {
  uint64_t since;
  uint32_t thread; /* who freed or allocated last */
  int live;
} spot_t;

static int may_take(spot_t const *spot, uint32_t thread, uint64_t time) {
  return !spot->live && time - spot->since > (spot->thread == thread ? REUSE : UNIT);
}

static int may_free(spot_t const *spot, uint32_t thread, uint64_t time) {
  return spot->live && (spot->thread == thread || time - spot->since > PASS);
}

static void make_realloc(spot_t *spots, uint64_t at, uint32_t thread, uint64_t *time) {
  uint64_t to = rng(2) ? at : rng(SPOTS), size = 1 + rng(500);
  int outcome = (int)rng(8); /* 0 fails, 1 frees */
  if (to != at && !may_take(&spots[to], thread, *time)) to = at;
  emit(VT_EVENT_REALLOC_INTENT, *time, 64 * (1 + at), outcome == 1 ? 0 : size, thread, 0);
  spots[at] = (spot_t){*time, thread, 0};
  *time += REUSE + rng(20);
  emit(VT_EVENT_REALLOC_DONE, *time, outcome < 2 ? 0 : 64 * (1 + to), outcome == 1 ? 0 : size,
       thread, 0);
  if (outcome != 1) spots[outcome ? to : at] = (spot_t){*time, thread, 1};
}

static void make_handovers(size_t steps) {
  spot_t spots[SPOTS] = {0};
  uint64_t time = 10 * UNIT;
  event_cnt = 0;
  for (size_t i = 0; i < steps; i++) {
    uint64_t at = rng(SPOTS);
    uint32_t thread = (uint32_t)rng(THREADS);
    spot_t *spot = &spots[at];
    time += 1 + rng(40);
    if (!may_take(spot, thread, time) && !may_free(spot, thread, time)) continue;
    if (spot->live && !rng(3)) {
      make_realloc(spots, at, thread, &time);
      continue;
    }
    emit(spot->live ? VT_EVENT_FREE : VT_EVENT_ALLOC, time, 64 * (1 + at), 1 + rng(500), thread, 0);
    *spot = (spot_t){time, thread, !spot->live};
  }
}

/* Repairs bring back the numbers of exact times: those of every cell. */
static void compare_with_exact(void) {
  static count_t exact[HEAPS][STACKS];
  make_handovers(20000);
  reset_naive();
  for (size_t i = 0; i < event_cnt; i++) naive_event(&events[i]);
  ok(!unmatched && !missed && !reordered, "hand-overs at exact times need no repair");
  memcpy(exact, count, sizeof count);
  coarsen(UNIT);
  vt_model_t *model = run_model(&(vt_model_options_t){0});
  vt_model_totals_t const *totals = vt_model_totals(model);
  size_t cnt;
  vt_cell_t const *cells = vt_model_cells(model, &cnt);
  int same = 1;
  for (size_t i = VT_CELL_FIRST; i < cnt; i++) {
    count_t const *c = &exact[cells[i].heap][cells[i].stack];
    same &= cells[i].allocations == c->allocations && cells[i].frees == c->frees &&
            cells[i].freed_bytes == c->freed && cells[i].reallocs == c->reallocs &&
            cells[i].temporary == c->temporary;
  }
  ok(same, "coarse times: the numbers of every cell equal those of exact times");
  ok(totals->reordered && !totals->unmatched_frees && !totals->missed_frees,
     "coarse times: %lu repaired, %lu unmatched, %lu missed", totals->reordered,
     totals->unmatched_frees, totals->missed_frees);
  vt_model_delete(model);
}

static void check_filters(void) {
  make_program(4000);
  uint64_t by_hand = 0, long_lived = 0;
  reset_naive();
  for (size_t i = 0; i < event_cnt; i++) naive_event(&events[i]);
  for (size_t i = 0; i < event_cnt; i++)
    by_hand += events[i].kind == VT_EVENT_ALLOC && events[i].size >= 100 && events[i].size <= 500;
  vt_model_options_t options = {.min_size = 100, .size_end = 501};
  vt_model_t *model = run_model(&options);
  size_t cnt;
  vt_cell_t const *cells = vt_model_cells(model, &cnt);
  uint64_t got = 0;
  for (size_t i = VT_CELL_FIRST; i < cnt; i++)
    got += cells[i].heap == 0 ? cells[i].allocations - cells[i].reallocs : 0;
  is_ulong(got, by_hand, "size filter: allocations of the process's heap in range");
  vt_model_delete(model);
  options = (vt_model_options_t){.min_lifetime = 5000};
  vt_model_t *scan = vt_model_new_scan(&options);
  vt_model_add_trace(scan, 0);
  vt_model_events(scan, 0, events, event_cnt);
  vt_model_finish(scan, 0);
  model = vt_model_new(&(vt_model_options_t){.min_lifetime = 5000, .lifetimes = 1});
  vt_model_take_lifetimes(model, scan);
  vt_model_delete(scan);
  vt_model_add_trace(model, 0);
  vt_model_events(model, 0, events, event_cnt);
  vt_model_finish(model, 0);
  cells = vt_model_cells(model, &cnt);
  for (size_t i = VT_CELL_FIRST; i < cnt; i++)
    long_lived |= cells[i].frees && cells[i].lifetimes.min < 5000;
  ok(!long_lived && vt_model_totals(model)->allocations > 0,
     "lifetime filter leaves only long-lived blocks");
  vt_model_delete(model);
}

/* The heap is as large again, and once more without anything of size: the first time counts. */
static void check_equal_peaks(void) {
  event_cnt = 0;
  for (uint64_t i = 0; i < 3; i++) {
    events[event_cnt++] = (vt_event_t){.kind = VT_EVENT_ALLOC,
                                       .address = 4096,
                                       .size = 100,
                                       .stack = 1,
                                       .time = 100000 * (2 * i + 1)};
    if (i == 2) break;
    events[event_cnt++] = (vt_event_t){
        .kind = VT_EVENT_FREE, .address = 4096, .stack = 1, .time = 100000 * (2 * i + 2)};
  }
  events[event_cnt++] =
      (vt_event_t){.kind = VT_EVENT_ALLOC, .address = 8192, .size = 0, .stack = 1, .time = 900000};
  vt_model_t *model = run_model(&(vt_model_options_t){0});
  vt_model_totals_t const *totals = vt_model_totals(model);
  ok(totals->peak_time_ns == 100000 && totals->peak_bytes == 100 && totals->peak_blocks == 1,
     "of equal peaks the first");
  vt_model_delete(model);
}

/* Three frees of unknown blocks and an address handed out twice, with a trace that lacks events from
   `since` on. Returns how many of them are reported. */
static uint64_t reported(uint64_t since) {
  static vt_event_t const some[] = {
      {.kind = VT_EVENT_FREE, .address = 64, .stack = 1, .time = 1000},
      {.kind = VT_EVENT_FREE, .address = 128, .stack = 1, .time = 2000},
      {.kind = VT_EVENT_ALLOC, .address = 4096, .size = 8, .stack = 1, .time = 2500},
      {.kind = VT_EVENT_FREE, .address = 192, .stack = 1, .time = 3000},
      {.kind = VT_EVENT_ALLOC, .address = 4096, .size = 8, .stack = 1, .time = 4000, .thread = 1}};
  vt_model_t *model = vt_model_new(&(vt_model_options_t){0});
  vt_model_add_trace(model, 500);
  if (since) vt_model_partial(model, 0, since);
  vt_model_events(model, 0, some, sizeof some / sizeof *some);
  vt_model_finish(model, 5000);
  uint64_t cnt = vt_model_totals(model)->unmatched_frees + vt_model_totals(model)->missed_frees;
  vt_model_delete(model);
  return cnt;
}

static void check_partial(void) {
  uint64_t whole = reported(0), first = reported(2000), none = reported(1);
  ok(whole == 4 && first == 1 && none == 0,
     "where events may be missing nothing is wrong: %lu of a whole trace, %lu, %lu", whole, first, none);
}

int main(void) {
  char const *seed = getenv("SEED");
  rng_state = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL);
  printf("# SEED=%llu\n", (unsigned long long)rng_state);
  for (int i = 0; i < 4; i++) {
    make_program(4000);
    compare("exact times", 1);
    coarsen(64);
    compare("coarse times", 0);
    make_nonsense(3000);
    compare("nonsense", 0);
    make_handovers(4000);
    compare("hand-overs", 1);
    compare_with_exact();
  }
  check_filters();
  check_equal_peaks();
  check_partial();
  return done_testing();
}
