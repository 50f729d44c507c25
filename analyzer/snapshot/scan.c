/* See scan.h. Everything goes through one buffer, which stays in the cache of the processor: memory
   that is new each time costs several times as much. */
#include "analyzer/snapshot/scan.h"
#include "analyzer/snapshot/interior.h"
#include "analyzer/util/mem.h"

#include <stdlib.h>
#include <string.h>

#define BUFFER_SZ ((uint64_t)1 << 20)
#define NEAR      VT_PAGE /* blocks that are nearer are read together */
#define TAG_MAX   8       /* a pointer so near behind a start is a tagged one to it */
#define REPEATS   4       /* edges looked back for an equal one */

typedef struct {
  vt_scan_t const *scan;
  vt_graph_t *graph;
  vt_interior_t *interior;
  size_t interior_cnt, interior_cap;
  uint8_t *buffer;
  uint32_t begun; /* blocks whose edges have begun */
  uint64_t read;
  int failed;
} state_t;

static void note_interior(state_t *s, uint64_t target, uint64_t location, uint32_t block,
                          int in_root, size_t edge) {
  vt_interior_t p = {target, location, block, (uint32_t)in_root, edge};
  VT_PUSH(s->interior, p);
}

/* is_start: the pointer is to the start of its block, or to one of the bytes that a tag reaches. */
static int is_start(state_t const *s, uint64_t value, uint32_t block) {
  return value - s->scan->live->blocks[block].start < TAG_MAX;
}

/* A pointer found: its value, where, and whether it stands for the start of its block whatever it points to. */
typedef struct {
  uint64_t value, location;
  int strong;
} found_t;

static void found_in_root(state_t *s, found_t const *f, uint32_t block, uint32_t area) {
  if (vt_live_find(s->scan->live, f->location) != VT_NO_BLOCK) return; /* the block's own edge */
  int strong = f->strong || is_start(s, f->value, block);
  vt_root_edge_t edge = {f->location, strong ? block : block | VT_EDGE_WEAK, area};
  VT_PUSH(s->graph->roots, edge);
  if (!strong) note_interior(s, f->value, f->location, block, 1, s->graph->roots_cnt - 1);
}

/* known_edge: a pointer to the block is among the last ones of the same source. */
static int known_edge(state_t const *s, uint32_t source, uint32_t block) {
  size_t i = s->graph->edges_cnt, first = s->graph->first[source];
  for (int n = 0; n < REPEATS && i-- > first; n++)
    if (s->graph->edges[i] == block) return 1;
  return 0;
}

static void found_in_block(state_t *s, found_t const *f, uint32_t block, uint32_t source) {
  vt_graph_t *g = s->graph;
  if (block == source || known_edge(s, source, block)) return;
  int strong = f->strong || is_start(s, f->value, block);
  uint32_t edge = strong ? block : block | VT_EDGE_WEAK;
  VT_PUSH(g->edges, edge);
  if (!strong) note_interior(s, f->value, f->location, block, 0, g->edges_cnt - 1);
}

/* ---- jmp_buf of glibc on x86-64 (sysdeps/x86_64/setjmp.S): rbx, rbp, r12 to r15, rsp, pc; of these rbp, rsp and pc
   are mixed with the guard and rotated (PTR_MANGLE). ---- */

enum { JUMP_FRAME = 1, JUMP_STACK = 6, JUMP_CODE = 7, JUMP_WORDS = 8 };

static inline uint64_t plain(uint64_t word, uint64_t guard) { return (word >> 17 | word << 47) ^ guard; }

static int is_code(state_t const *s, uint64_t address) {
  vt_area_t const *a = vt_areas_find(s->scan->areas, address);
  return a && a->flags & VT_AREA_EXECUTABLE;
}

/* in_jump_buffer: is the word at `location` the given one of a jmp_buf? */
static int in_jump_buffer(state_t const *s, uint64_t location, uint64_t which) {
  uint64_t w[JUMP_WORDS];
  vt_memory_t const *m = s->scan->memory;
  if (m->read(m->context, location - 8 * which, w, sizeof w)) return 0;
  vt_area_t const *stack = vt_areas_find(s->scan->areas, plain(w[JUMP_STACK], s->scan->pointer_guard));
  return stack && stack->flags & VT_AREA_WRITABLE && is_code(s, plain(w[JUMP_CODE], s->scan->pointer_guard));
}

/* pointer_in makes out the pointer that a word is, if it is one; a stack is held by any pointer to it. Returns its
   block. */
static uint32_t pointer_in(state_t const *s, uint64_t word, uint64_t mask, found_t *f) {
  vt_live_t const *live = s->scan->live;
  f->strong = 0;
  f->value = word & mask;
  uint32_t block = vt_live_find(live, f->value);
  if (block != VT_NO_BLOCK || !s->scan->pointer_guard) return block;
  f->value = plain(word, s->scan->pointer_guard);
  block = vt_live_find(live, f->value);
  if (block == VT_NO_BLOCK) return block;
  f->strong = in_jump_buffer(s, f->location, JUMP_STACK);
  return f->strong || in_jump_buffer(s, f->location, JUMP_FRAME) ? block : VT_NO_BLOCK;
}

static inline uint64_t word_at(uint8_t const *p) {
  uint64_t word;
  memcpy(&word, p, sizeof word);
  return word;
}

static uint64_t mask_of(state_t const *s) {
  return s->scan->high_tags ? UINT64_MAX >> 16 : UINT64_MAX;
}

/* may_point: could the word be a pointer, as it is or as in a jmp_buf? */
static inline int may_point(vt_live_t const *live, uint64_t word, uint64_t mask, uint64_t guard) {
  return (word & mask) - live->low < live->span || plain(word, guard) - live->low < live->span;
}

/* root_words looks at the words of [from,to), which begin in the buffer at p. */
static void root_words(state_t *s, uint8_t const *p, uint64_t from, uint64_t to,
                       vt_root_t const *root) {
  vt_live_t const *live = s->scan->live;
  uint64_t mask = mask_of(s), guard = s->scan->pointer_guard, step = root->every_byte ? 1 : 8;
  for (; from + 8 <= to; from += step, p += step) {
    if (__builtin_expect(!may_point(live, word_at(p), mask, guard), 1)) continue;
    found_t f = {.location = from};
    uint32_t block = pointer_in(s, word_at(p), mask, &f);
    if (block != VT_NO_BLOCK) found_in_root(s, &f, block, root->area);
  }
}

static void block_words(state_t *s, uint8_t const *p, uint64_t from, uint64_t to, uint32_t source) {
  vt_live_t const *live = s->scan->live;
  uint64_t mask = mask_of(s), guard = s->scan->pointer_guard;
  for (; from + 8 <= to; from += 8, p += 8) {
    if (__builtin_expect(!may_point(live, word_at(p), mask, guard), 1)) continue;
    found_t f = {.location = from};
    uint32_t block = pointer_in(s, word_at(p), mask, &f);
    if (block != VT_NO_BLOCK) found_in_block(s, &f, block, source);
  }
}

static int fill(state_t *s, uint64_t from, uint64_t to) {
  vt_memory_t const *m = s->scan->memory;
  s->read += to - from;
  if (!m->read(m->context, from, s->buffer, to - from)) return 0;
  s->failed = 1;
  return -1;
}

static int next_run(state_t const *s, uint64_t *start, uint64_t *end) {
  return s->scan->memory->next_run(s->scan->memory->context, start, end);
}

static uint64_t min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }
static uint64_t max_u64(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* scan_root reads a root piece by piece; where pointers may lie at any address, pieces overlap. */
static void scan_root(state_t *s, vt_root_t const *root) {
  uint64_t at = (root->start + 7) & ~(uint64_t)7;
  while (at < root->end && !s->failed) {
    uint64_t start = at, end = root->end;
    if (!next_run(s, &start, &end)) return;
    while (start < end && !s->failed) {
      uint64_t to = min_u64(end, start + BUFFER_SZ);
      if (fill(s, start, to)) return;
      root_words(s, s->buffer, start, to, root);
      start = root->every_byte && to < end ? to - 7 : to;
    }
    at = end;
  }
}

static void begin_blocks(state_t *s, uint32_t to) {
  while (s->begun <= to) s->graph->first[s->begun++] = s->graph->edges_cnt;
}

static uint64_t end_of(vt_live_block_t const *b) { return b->start + b->size; }

/* piece_end is where the memory ends that is read together from `at` on, which is in or before
 * `block`. */
static uint64_t piece_end(vt_live_t const *live, uint64_t at, uint32_t block) {
  uint64_t end = end_of(&live->blocks[block]), limit = at + BUFFER_SZ;
  while (++block < live->cnt && end < limit && live->blocks[block].start < end + NEAR)
    end = end_of(&live->blocks[block]);
  return min_u64(end, limit);
}

/* words_of_blocks looks at the parts of blocks in [start,end), which is in the buffer; returns the
   first block that goes on behind it. */
static uint32_t words_of_blocks(state_t *s, uint32_t block, uint64_t start, uint64_t end) {
  vt_live_t const *live = s->scan->live;
  for (; block < live->cnt && live->blocks[block].start < end; block++) {
    vt_live_block_t const *b = &live->blocks[block];
    uint64_t from = (max_u64(b->start, start) + 7) & ~(uint64_t)7, to = min_u64(end_of(b), end);
    begin_blocks(s, block);
    if (from < to) block_words(s, s->buffer + (from - start), from, to, block);
    if (end_of(b) > end) return block;
  }
  return block;
}

static void scan_blocks(state_t *s) {
  vt_live_t const *live = s->scan->live;
  uint64_t at = 0;
  for (uint32_t block = 0; block < live->cnt && !s->failed;) {
    at = max_u64(at, live->blocks[block].start) & ~(uint64_t)7;
    if (!live->blocks[block].size) {
      begin_blocks(s, block++);
      continue;
    }
    uint64_t start = at, end = piece_end(live, at, block), whole = end;
    if (!next_run(s, &start, &end)) start = end = whole;
    if (end > start && fill(s, start, end)) return;
    at = end;
    while (block < live->cnt && end_of(&live->blocks[block]) <= start) begin_blocks(s, block++);
    block = words_of_blocks(s, block, start, end);
  }
  begin_blocks(s, live->cnt);
}

uint64_t vt_scan_run(vt_scan_t const *scan, vt_graph_t *graph) {
  state_t s = {.scan = scan, .graph = graph};
  *graph = (vt_graph_t){.nodes = scan->live->cnt};
  graph->first = vt_mem_resize(NULL, (size_t)scan->live->cnt + 1, sizeof *graph->first);
  s.buffer = vt_mem_resize(NULL, BUFFER_SZ, 1);
  for (size_t i = 0; i < scan->roots_cnt && !s.failed; i++) scan_root(&s, &scan->roots[i]);
  if (!s.failed) scan_blocks(&s);
  if (!s.failed && vt_interior_judge(scan, graph, s.interior, s.interior_cnt)) s.failed = 1;
  free(s.interior);
  free(s.buffer);
  return s.failed ? UINT64_MAX : s.read;
}
