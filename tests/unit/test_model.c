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
} block_t;

typedef struct {
  uint64_t allocations, bytes, frees, freed, temporary, peak_bytes, peak_blocks, reallocs;
  uint64_t life_min, life_max;
} count_t;

static block_t live[BLOCKS_MAX], held[BLOCKS_MAX], early[BLOCKS_MAX], limbo[THREADS][BLOCKS_MAX];
static int live_cnt, held_cnt, early_cnt, limbo_cnt[THREADS], early_realloc[BLOCKS_MAX];
static count_t count[HEAPS][STACKS];
static uint64_t allocs_of[THREADS], peak, peak_blocks, peak_time, unmatched, reordered, missed;

static void reset_naive(void) {
  live_cnt = held_cnt = early_cnt = 0;
  memset(limbo_cnt, 0, sizeof limbo_cnt);
  memset(count, 0, sizeof count);
  for (int h = 0; h < HEAPS; h++)
    for (int s = 0; s < STACKS; s++) count[h][s].life_min = UINT64_MAX;
  memset(allocs_of, 0, sizeof allocs_of);
  peak = peak_blocks = peak_time = unmatched = reordered = missed = 0;
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

static void end_block(block_t block, int thread, uint64_t time, int temporary_possible) {
  count_t *c = &count[block.heap][block.stack];
  uint64_t life = time > block.time ? time - block.time : 0;
  c->frees++, c->freed += block.size;
  c->temporary += temporary_possible && thread == block.thread && allocs_of[thread] == block.order;
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

static void naive_alloc(block_t block) {
  block.order = ++allocs_of[block.thread];
  for (int i = 0; i < early_cnt; i++)
    if (early[i].heap == block.heap &&
        (early[i].address == block.address ||
         (early[i].used && early[i].address - block.address < block.size)) &&
        early[i].time == block.time && early[i].thread != block.thread) {
      begin_block(block);
      live_cnt--;
      end_block(block, early[i].thread, early[i].time, !early_realloc[i]);
      memmove(&early_realloc[i], &early_realloc[i + 1], (size_t)(early_cnt - i) * sizeof(int));
      take_waiting(early, &early_cnt, i);
      reordered++;
      return;
    }
  int at = find(block.heap, block.address, 0);
  if (at >= 0 && live[at].thread != block.thread) {
    held[held_cnt++] = block;
    return;
  }
  if (at >= 0) missed++, end_block(take_live(at), -1, block.time, 0);
  begin_block(block);
}

static void naive_free(block_t freed, int interior) {
  int i = find(freed.heap, freed.address, interior);
  if (i < 0) {
    early_realloc[early_cnt] = 0;
    freed.used = interior;
    early[early_cnt++] = freed;
    return;
  }
  block_t block = take_live(i);
  end_block(block, freed.thread, freed.time, 1);
  after_free(block.heap, block.address);
}

static void naive_intent(block_t old) {
  int i = old.address ? find(0, old.address, 0) : -1;
  block_t entry = {.stack = old.stack};
  if (i >= 0) {
    int stack = old.stack;
    entry = take_live(i);
    entry.used = 1;
    entry.order = (uint64_t)stack << 48 | entry.order;
  } else
    entry.order = (uint64_t)old.stack << 48;
  if (limbo_cnt[old.thread] == 16) {
    memmove(limbo[old.thread], limbo[old.thread] + 1, 15 * sizeof entry);
    limbo_cnt[old.thread]--;
  }
  limbo[old.thread][limbo_cnt[old.thread]++] = entry;
  if (i >= 0)
    after_free(0, old.address);
  else if (old.address) {
    early_realloc[early_cnt] = 1;
    early[early_cnt++] = old;
  }
}

static void naive_done(block_t block) {
  block_t old = {0};
  if (limbo_cnt[block.thread]) {
    old = limbo[block.thread][--limbo_cnt[block.thread]];
    block.stack = (int)(old.order >> 48) ? (int)(old.order >> 48) : block.stack;
    old.order &= ((uint64_t)1 << 48) - 1;
  }
  if (!block.address && block.size) {
    if (old.used && find(0, old.address, 0) < 0) old.used = 0, live[live_cnt++] = old;
    return;
  }
  if (old.used) end_block(old, block.thread, block.time, !block.address);
  if (!block.address) return;
  count[0][block.stack].reallocs += (uint64_t)old.used;
  naive_alloc(block);
}

static void naive_expire(uint64_t now) {
  while (held_cnt && now - held[0].time > VT_MODEL_REPAIR_NS) {
    block_t block = held[0];
    take_waiting(held, &held_cnt, 0);
    int i = find(block.heap, block.address, 0);
    if (i >= 0) missed++, end_block(take_live(i), -1, block.time, 0);
    begin_block(block);
  }
  while (early_cnt && now > early[0].time) {
    take_waiting(early, &early_cnt, 0);
    memmove(early_realloc, early_realloc + 1, (size_t)early_cnt * sizeof(int));
    unmatched++;
  }
}

static void naive_event(vt_event_t const *e) {
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
  return x->reserved < y->reserved ? -1 : x->reserved > y->reserved;
}

/* Coarser times, and events of equal time in order of threads: what a reader sees at worst. */
static void coarsen(uint64_t unit) {
  for (size_t i = 0; i < event_cnt; i++) {
    events[i].time = events[i].time / unit * unit;
    events[i].reserved = (uint16_t)i;
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
  vt_model_finish(model);
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

/* Repairs bring back the numbers of exact times: counts and bytes of every cell. A fixed program:
   when an address changes hands several times within one unit, there is no telling who had it last.
 */
static void compare_with_exact(void) {
  static count_t exact[HEAPS][STACKS];
  rng_state = 12345;
  make_program(5000);
  reset_naive();
  for (size_t i = 0; i < event_cnt; i++) naive_event(&events[i]);
  memcpy(exact, count, sizeof count);
  coarsen(64);
  vt_model_t *model = run_model(&(vt_model_options_t){0});
  size_t cnt;
  vt_cell_t const *cells = vt_model_cells(model, &cnt);
  int same = 1;
  for (size_t i = VT_CELL_FIRST; i < cnt; i++) {
    count_t const *c = &exact[cells[i].heap][cells[i].stack];
    same &= cells[i].allocations == c->allocations && cells[i].frees == c->frees &&
            cells[i].freed_bytes == c->freed;
  }
  ok(same, "coarse times: counts and bytes of every cell equal those of exact times");
  ok(vt_model_totals(model)->reordered > 0, "coarse times: something had to be repaired");
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
  vt_model_finish(scan);
  model = vt_model_new(&(vt_model_options_t){.min_lifetime = 5000, .lifetimes = 1});
  vt_model_take_lifetimes(model, scan);
  vt_model_delete(scan);
  vt_model_add_trace(model, 0);
  vt_model_events(model, 0, events, event_cnt);
  vt_model_finish(model);
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
  }
  compare_with_exact();
  check_filters();
  check_equal_peaks();
  return done_testing();
}
