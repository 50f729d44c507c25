/* See verdict.h. A verdict needs all live blocks and all memory that may point to them: if any is
   missing, no block is called lost. */
#include "analyzer/snapshot/verdict.h"
#include "analyzer/snapshot/doubt.h"
#include "analyzer/snapshot/process.h"
#include "analyzer/snapshot/roots.h"
#include "analyzer/trace/stretches.h"
#include "analyzer/util/mem.h"

#include <stdlib.h>
#include <string.h>

/* mid_life: were there blocks before recording began? */
static int mid_life(vt_reader_t const *reader) {
  size_t cnt;
  vt_trace_process_t const *process = vt_reader_process(reader, &cnt);
  for (size_t i = 0; i < cnt; i++)
    if (process[i].kind == VT_PROCESS_FORKED) return 1;
  return (vt_reader_info(reader)->flags & VT_HEADER_FLAG_MID_LIFE) != 0;
}

typedef enum { NEVER_PAUSED = 0, PAUSED_BEFORE, PAUSED_THEN } paused_t;

/* paused: was recording paused before the moment that the case is about, or just then? */
static paused_t paused(vt_verdict_case_t const *of, vt_reader_t const *reader) {
  size_t cnt;
  vt_stretch_t *stretches = vt_stretches(reader, &cnt);
  uint64_t moment = of->made ? vt_reader_time(reader, of->made) : VT_TIME_NEVER - 1;
  paused_t result = NEVER_PAUSED;
  for (size_t i = 0; i < cnt; i++) {
    if (!stretches[i].why || stretches[i].from > moment) continue;
    result = stretches[i].to > moment ? PAUSED_THEN : PAUSED_BEFORE;
  }
  free(stretches);
  return result;
}

/* has_another_allocator: is there one whose tables lie where the program's own memory does? */
static int has_another_allocator(vt_reader_t const *reader) {
  size_t cnt;
  vt_trace_patched_t const *patched = vt_reader_patched(reader, &cnt);
  for (size_t i = 0; i < cnt; i++)
    if (patched[i].flags & VT_PATCHED_APART) return 1;
  return 0;
}

/* obstacle: why not all live blocks, or not all of the memory's kinds, can be known; NULL: they
 * can. */
static char const *obstacle(vt_verdict_case_t const *of, vt_reader_t const *reader,
                            vt_trace_snapshot_t const *s) {
  vt_integrity_t const *in = vt_reader_integrity(reader);
  if (!s) return "the process did not say how its memory is laid out";
  if (of->counters[VT_COUNTER_ALLOCATOR_IN_EXECUTABLE])
    return "its allocator is inside the executable, where no preload sees it";
  if (has_another_allocator(reader))
    return "its allocator is part of a module, whose memory cannot be told from the allocator's";
  if (of->counters[VT_COUNTER_LOST] || of->counters[VT_COUNTER_NESTED_LOST] ||
      of->counters[VT_COUNTER_BEFORE_START] || in->lost_events || in->bad_events)
    return "events are missing, so that not all live blocks are known";
  if (s->flags & VT_SNAPSHOT_CUT) return "it has too many threads";
  if (s->flags & VT_SNAPSHOT_NO_MAPPINGS && !(s->flags & VT_SNAPSHOT_LIBC_MALLOC))
    return "mappings were not recorded, so that the allocator's cannot be told from the program's";
  if (mid_life(reader) && !(s->flags & VT_SNAPSHOT_LIBC_MALLOC))
    return "recording began in the middle of its life, and its malloc is not the C library's";
  paused_t when = paused(of, reader);
  if (when == PAUSED_THEN) return "recording was paused at that moment, so that not all live blocks are known";
  if ((when || s->flags & VT_SNAPSHOT_PAUSED) && !(s->flags & VT_SNAPSHOT_LIBC_MALLOC))
    return "recording was paused, and its malloc is not the C library's";
  return vt_reader_info(reader)->sample_period ? "not every event was recorded" : NULL;
}

static void put_head(uint32_t kind, uint32_t flags, char const *why, vt_bytes_t *out) {
  vt_bytes_u32(out, kind);
  vt_bytes_u32(out, flags);
  vt_bytes_string(out, why, strlen(why));
}

void vt_verdict_none(char const *why, vt_bytes_t *out) {
  put_head(0, 0, why, out);
  vt_bytes_u64(out, 0);
  vt_bytes_u64(out, 0);
}

/* number_roots gives those root pointers numbers that hold a block; returns how many. */
static uint32_t number_roots(vt_judged_t const *v, uint32_t cnt, uint32_t *numbers) {
  uint32_t used = 0;
  for (uint32_t i = 0; i < cnt; i++) {
    uint64_t holder = v->holders[i];
    if (holder == VT_HELD_NOT || holder < VT_HELD_BY_ROOT) continue;
    if (!numbers[holder - VT_HELD_BY_ROOT]) numbers[holder - VT_HELD_BY_ROOT] = ++used;
  }
  return used;
}

static uint64_t holder_code(uint64_t holder, uint32_t const *numbers) {
  if (holder == VT_HELD_NOT) return 0;
  if (holder < VT_HELD_BY_ROOT) return 1 + 2 * holder;
  return 2 * (uint64_t)numbers[holder - VT_HELD_BY_ROOT];
}

static void put_blocks(vt_live_t const *live, vt_judged_t const *v, uint32_t const *numbers,
                       vt_bytes_t *out) {
  uint64_t last = 0;
  vt_bytes_u64(out, live->cnt);
  for (uint32_t i = 0; i < live->cnt; i++) {
    vt_bytes_varint(out, live->blocks[i].start - last);
    vt_bytes_u8(out, v->kinds[i]);
    vt_bytes_varint(out, holder_code(v->holders[i], numbers));
    last = live->blocks[i].start;
  }
}

/* put_roots writes the roots that hold blocks in the order of their numbers. */
static void put_roots(vt_graph_t const *g, vt_areas_t const *areas, uint32_t const *numbers,
                      uint32_t used, vt_bytes_t *out) {
  size_t *order = vt_mem_new((size_t)used + 1, sizeof *order);
  for (size_t r = 0; r < g->roots_cnt; r++)
    if (numbers[r]) order[numbers[r]] = r;
  vt_bytes_u64(out, used);
  for (uint32_t n = 1; n <= used; n++) {
    vt_root_edge_t const *e = &g->roots[order[n]];
    vt_area_t const *a = &areas->areas[e->area];
    vt_bytes_u64(out, e->location);
    vt_bytes_u64(out, a->start);
    vt_bytes_string(out, a->path, strlen(a->path));
  }
  free(order);
}

/* A look at frozen memory. */
typedef struct {
  vt_verdict_case_t const *of;
  vt_trace_snapshot_t const *snapshot;
  vt_frozen_t *frozen;
  vt_memory_t memory;
  vt_chunks_t *chunks; /* NULL: the allocator says nothing */
  vt_trace_mapping_t const *records;
  vt_mappings_t mappings;
  vt_live_t live;
  vt_origin_t *origins; /* of all blocks that live, by address */
  size_t origins_cnt;
  uint64_t *between; /* addresses of blocks of which nothing is said */
  size_t between_cnt;
  int unseen;   /* blocks may have been freed that count as live */
  int mid_life; /* blocks may live that are not known */
} look_t;

static int by_address(void const *a, void const *b) {
  vt_origin_t const *x = a, *y = b;
  return x->address < y->address ? -1 : x->address > y->address;
}

/* replay finds the live blocks; returns how many frees must have happened unseen. */
static uint64_t replay(look_t *l, vt_replay_t *trace) {
  vt_replayed_t r = vt_replay_finish(trace, l->of->begun, l->of->made);
  l->between = r.between;
  l->between_cnt = r.between_cnt;
  l->live = vt_live_make(r.blocks ? r.blocks : vt_mem_new(1, sizeof *r.blocks), r.blocks_cnt);
  l->origins = r.origins;
  l->origins_cnt = r.origins_cnt;
  if (l->of->registers_unknown && r.origins) qsort(r.origins, r.origins_cnt, sizeof *r.origins, by_address);
  return r.missed;
}

static void put_verdict(look_t const *l, vt_judged_t *v, vt_graph_t const *g, vt_bytes_t *out) {
  if (l->of->registers_unknown)
    vt_doubt(v, g, &l->live, l->origins, l->origins_cnt, l->of->registers_unknown);
  for (size_t i = 0; i < l->between_cnt; i++) {
    uint32_t block = vt_live_find(&l->live, l->between[i]);
    if (block != VT_NO_BLOCK) v->kinds[block] = VT_CLASS_UNKNOWN;
  }
  uint32_t *numbers = vt_mem_new(g->roots_cnt + 1, sizeof *numbers);
  uint32_t used = number_roots(v, l->live.cnt, numbers);
  uint32_t known = l->of->registers_unknown ? 0 : VT_SNAPSHOT_REGISTERS;
  put_head(l->snapshot->kind, l->snapshot->flags | known, "", out);
  put_blocks(&l->live, v, numbers, out);
  put_roots(g, vt_frozen_areas(l->frozen), numbers, used, out);
  free(numbers);
}

/* drop_gone takes out the blocks that the allocator has free, as their frees were not seen; of all blocks, or of those
   that seem not to be reachable. Returns how many. */
static uint32_t drop_gone(look_t *l, vt_judged_t const *v) {
  uint32_t kept = 0, cnt = l->live.cnt;
  vt_live_block_t *blocks = vt_mem_resize(NULL, (size_t)cnt + 1, sizeof *blocks);
  for (uint32_t i = 0; i < cnt; i++) {
    vt_live_block_t const *b = &l->live.blocks[i];
    int asked = l->chunks && (!v || v->kinds[i] > VT_CLASS_REACHABLE);
    if (!asked || !vt_chunks_gone(l->chunks, b->start, b->size)) blocks[kept++] = *b;
  }
  if (kept == cnt) {
    free(blocks);
    return 0;
  }
  vt_live_free(&l->live);
  l->live = vt_live_make(blocks, kept);
  return cnt - kept;
}

/* scan returns 0, or 1 when blocks turned out to be gone, so that it is to be done again. */
static int scan(look_t *l, vt_bytes_t *out) {
  vt_roots_from_t from = {&l->memory, vt_frozen_areas(l->frozen), &l->live, l->snapshot, l->records, &l->mappings,
                          l->mid_life, l->chunks};
  vt_roots_t roots = vt_roots_find(&from);
  vt_scan_t with = {&l->memory, from.areas, &l->live, roots.roots, roots.roots_cnt, l->of->high_tags,
                    l->of->pointer_guard};
  vt_graph_t graph;
  int again = 0;
  if (vt_scan_run(&with, &graph) == UINT64_MAX) {
    vt_verdict_none("some of its memory cannot be read", out);
  } else {
    vt_judged_t v = vt_graph_judge(&graph, vt_live_size_of, &l->live);
    again = drop_gone(l, &v) != 0;
    if (!again) put_verdict(l, &v, &graph, out);
    vt_judged_free(&v);
  }
  vt_graph_free(&graph);
  vt_roots_free(&roots);
  return again;
}

static void look(look_t *l, vt_bytes_t *out) {
  char const *why = "";
  l->frozen = vt_frozen_open(l->of->frozen, l->of->living, &why);
  if (!l->frozen) {
    vt_verdict_none(why, out);
    return;
  }
  l->memory = vt_frozen_memory(l->frozen);
  if (l->snapshot->flags & VT_SNAPSHOT_LIBC_MALLOC)
    l->chunks = vt_chunks_learn(&l->memory, vt_frozen_areas(l->frozen));
  if (l->unseen && !l->chunks) {
    vt_verdict_none("frees were not seen, so that not all live blocks are known", out);
  } else {
    if (l->unseen) drop_gone(l, NULL);
    while (scan(l, out)) continue; /* with fewer blocks each time */
  }
  vt_chunks_delete(l->chunks);
  vt_frozen_close(l->frozen);
}

/* hear reads what a sentinel said of a process that could not. */
static void hear(vt_verdict_case_t const *of, vt_reader_t *reader) {
  char const *why;
  vt_frozen_t *frozen = of->layout_sz ? vt_frozen_open(of->frozen, of->living, &why) : NULL;
  if (!frozen) return;
  uint8_t *payload = vt_mem_resize(NULL, of->layout_sz, 1);
  vt_memory_t memory = vt_frozen_memory(frozen);
  if (!memory.read(memory.context, of->layout, payload, of->layout_sz))
    vt_reader_add_snapshot(reader, payload, of->layout_sz);
  free(payload);
  vt_frozen_close(frozen);
}

/* judge: obstacles are looked for before the events are read, which takes longest, and after: some are found there. */
static void judge(look_t *l, vt_replay_t *trace, vt_reader_t *reader, vt_bytes_t *out) {
  size_t cnt;
  hear(l->of, reader);
  vt_trace_snapshot_t const *all = vt_reader_snapshots(reader, &cnt);
  l->snapshot = cnt ? &all[cnt - 1] : NULL;
  char const *why = obstacle(l->of, reader, l->snapshot);
  if (why) return vt_verdict_none(why, out);
  uint64_t missed = replay(l, trace);
  why = obstacle(l->of, reader, l->snapshot);
  if (why) return vt_verdict_none(why, out);
  l->unseen = missed || l->snapshot->flags & VT_SNAPSHOT_PAUSED || paused(l->of, reader);
  l->mid_life = l->unseen || mid_life(reader);
  l->records = vt_reader_mappings(reader, &cnt);
  l->mappings = vt_mappings_run(l->records, cnt);
  look(l, out);
  vt_mappings_free(&l->mappings);
}

void vt_verdict_write(vt_verdict_case_t const *of, vt_replay_t *trace, vt_bytes_t *out) {
  look_t l = {.of = of};
  vt_reader_t *reader = trace ? vt_replay_whole(trace) : NULL;
  if (reader)
    judge(&l, trace, reader, out);
  else
    vt_verdict_none("its trace cannot be read", out);
  free(l.origins);
  free(l.between);
  vt_live_free(&l.live);
  vt_replay_close(trace);
}
