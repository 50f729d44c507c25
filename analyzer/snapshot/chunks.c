/* See chunks.h. */
#include "analyzer/snapshot/chunks.h"
#include "analyzer/util/mem.h"

#include <stdlib.h>
#include <string.h>

#define PREV_IN_USE ((uint64_t)1)
#define IS_MMAPPED  ((uint64_t)2)
#define SIZE_BITS   ((uint64_t)7)
#define HEAD_SZ     16 /* size of the chunk before, size */
#define CHUNK_MIN   32

/* Words of malloc_state, in bytes; see glibc.c for the rest. */
#define STATE_FASTBINS 0x10
#define FASTBINS       10
#define STATE_TOP      0x60
#define STATE_NEXT     0x870
#define STATE_SZ       0x898
#define ARENAS_MAX     4096
#define LIST_MAX       ((uint32_t)1 << 24) /* a damaged list may be a circle */

/* tcache_perthread_struct: numbers, then lists. */
#define TCACHE_SZ    0x290 /* of its chunk */
#define TCACHE_LISTS 64
#define TCACHE_FIRST 0x80

#define WINDOW ((uint64_t)65536)

/* A piece of memory that chunks fill: from the first one to the end of the top one. */
typedef struct {
  uint64_t first, top;
} piece_t;

struct vt_chunks {
  vt_memory_t const *memory;
  piece_t *pieces;
  size_t pieces_cnt, pieces_cap;
  uint64_t *fast; /* blocks in fastbins, sorted */
  size_t fast_cnt, fast_cap;
  uint64_t key; /* second word of each block in a tcache; 0: not known */
  uint64_t start, end; /* what the window holds: questions come in the order of addresses */
  uint64_t window[WINDOW / 8];
};

static int read_words(vt_chunks_t const *c, uint64_t address, uint64_t *out, size_t cnt) {
  return c->memory->read(c->memory->context, address, out, 8 * cnt);
}

static uint64_t word(vt_chunks_t const *c, uint64_t address) {
  uint64_t w = 0;
  return read_words(c, address, &w, 1) ? 0 : w;
}

/* next_of is the pointer at `at`, of a list: since glibc 2.32 it is mixed with its own address. */
static uint64_t next_of(vt_chunks_t const *c, uint64_t at) {
  uint64_t stored = word(c, at), open = stored ^ at >> 12;
  return stored & 15 || !stored || !(open & 15) ? open : stored;
}

/* ---- learning ---- */

static void learn_fastbins(vt_chunks_t *c, uint64_t state) {
  uint64_t heads[FASTBINS];
  if (read_words(c, state + STATE_FASTBINS, heads, FASTBINS)) return;
  for (int i = 0; i < FASTBINS; i++)
    for (uint64_t chunk = heads[i]; chunk && !(chunk & 15) && c->fast_cnt < LIST_MAX;
         chunk = next_of(c, chunk + HEAD_SZ))
      VT_PUSH(c->fast, chunk + HEAD_SZ);
}

/* learn_key looks at a tcache: all blocks in its lists have the key. */
static void learn_key(vt_chunks_t *c, uint64_t chunk) {
  uint64_t lists[TCACHE_LISTS], key = 0;
  if ((word(c, chunk + 8) & ~SIZE_BITS) != TCACHE_SZ) return;
  if (read_words(c, chunk + HEAD_SZ + TCACHE_FIRST, lists, TCACHE_LISTS)) return;
  for (int i = 0; i < TCACHE_LISTS; i++) {
    if (!lists[i]) continue;
    uint64_t of_block = lists[i] & 15 ? 0 : word(c, lists[i] + 8);
    if (!of_block || (key && of_block != key)) return;
    key = of_block;
  }
  c->key = key;
}

static void learn_arena(vt_chunks_t *c, uint64_t state, uint64_t first) {
  uint64_t top = word(c, state + STATE_TOP);
  learn_fastbins(c, state);
  if (first < top) VT_PUSH(c->pieces, ((piece_t){first, top}));
  if (!c->key && first < top) learn_key(c, first);
}

static int by_address(void const *a, void const *b) {
  uint64_t x = *(uint64_t const *)a, y = *(uint64_t const *)b;
  return x < y ? -1 : x > y;
}

static uint64_t main_state(vt_memory_t const *memory, vt_areas_t const *areas) {
  vt_span_t span;
  for (size_t i = 0; i < areas->areas_cnt; i++) {
    vt_area_t const *a = &areas->areas[i];
    int data = strstr(a->path, "/libc.so.6") && a->flags & VT_AREA_WRITABLE;
    if (data && vt_glibc_main_arena(memory, a->start, a->end, &span)) return span.start;
  }
  return 0;
}

/* heap_start is where the area that the first arena grows in begins: 0, unless that is one piece. */
static uint64_t heap_start(vt_areas_t const *areas, uint64_t top) {
  vt_area_t const *a = vt_areas_find(areas, top);
  return a && !strcmp(a->path, "[heap]") ? a->start : 0;
}

vt_chunks_t *vt_chunks_learn(vt_memory_t const *memory, vt_areas_t const *areas) {
  uint64_t state = main_state(memory, areas), first;
  if (!state) return NULL;
  vt_chunks_t *c = vt_mem_new(1, sizeof *c);
  c->memory = memory;
  first = heap_start(areas, word(c, state + STATE_TOP));
  learn_arena(c, state, first ? first : UINT64_MAX);
  uint64_t arena = word(c, state + STATE_NEXT);
  for (int i = 0; i < ARENAS_MAX && arena && arena != state; i++) {
    learn_arena(c, arena, (arena + STATE_SZ + 15) & ~(uint64_t)15);
    arena = word(c, arena + STATE_NEXT);
  }
  if (c->fast) qsort(c->fast, c->fast_cnt, sizeof *c->fast, by_address);
  return c;
}

void vt_chunks_delete(vt_chunks_t *c) {
  if (!c) return;
  free(c->pieces);
  free(c->fast);
  free(c);
}

/* ---- asking ---- */

/* is_listed: is the block in a list that does not mark its chunk? second: its second word. */
static int is_listed(vt_chunks_t const *c, uint64_t block, uint64_t second) {
  if (c->key && second == c->key) return 1;
  return c->fast_cnt && bsearch(&block, c->fast, c->fast_cnt, sizeof *c->fast, by_address);
}

/* at is a pointer to four words, valid until the next call; NULL: they cannot be read. */
static uint64_t const *at(vt_chunks_t *c, uint64_t address) {
  if (address < c->start || address + 32 > c->end) {
    uint64_t cnt = WINDOW / 8;
    while (cnt >= 4 && read_words(c, address, c->window, cnt)) cnt = cnt > 512 ? 512 : cnt > 4 ? 4 : 0;
    c->start = address;
    c->end = address + 8 * cnt;
    if (!cnt) return NULL;
  }
  return c->window + (address - c->start) / 8;
}

int vt_chunks_gone(vt_chunks_t *c, uint64_t block, uint64_t size) {
  if (block & 15) return 0;
  uint64_t const *head = at(c, block - HEAD_SZ);
  if (!head) return 1;
  uint64_t sz = head[1] & ~SIZE_BITS, second = head[3];
  if (head[1] & IS_MMAPPED) return 0;
  if (sz < CHUNK_MIN || sz & 15 || sz - 8 < size) return 1; /* no chunk begins here, or another one */
  uint64_t const *next = at(c, block - HEAD_SZ + sz);
  return !next || !(next[1] & PREV_IN_USE) || is_listed(c, block, second);
}

/* walk returns 0 when the chunks of a piece fill it up to the top one; then, and only then, it may be called to tell
   of them. */
static int walk(vt_chunks_t *c, piece_t const *p, void (*is_free)(void *, uint64_t, uint64_t), void *context) {
  uint64_t end;
  for (uint64_t chunk = p->first; chunk != p->top; chunk = end) {
    uint64_t const *head = at(c, chunk);
    if (!head) return -1;
    uint64_t sz = head[1] & ~SIZE_BITS, second = head[3];
    end = chunk + sz;
    if (sz < CHUNK_MIN || sz & 15 || end > p->top || end < chunk) return -1;
    uint64_t const *next = at(c, end);
    if (!next) return -1;
    if (is_free && (!(next[1] & PREV_IN_USE) || is_listed(c, chunk + HEAD_SZ, second)))
      is_free(context, chunk + HEAD_SZ, end);
  }
  return 0;
}

uint64_t vt_chunks_walk(vt_chunks_t *c, void (*is_free)(void *context, uint64_t start, uint64_t end),
                        void *context) {
  uint64_t walked = 0;
  for (size_t i = 0; i < c->pieces_cnt; i++) {
    piece_t const *p = &c->pieces[i];
    if (walk(c, p, NULL, NULL) || walk(c, p, is_free, context)) continue;
    uint64_t top = word(c, p->top + 8) & ~SIZE_BITS;
    is_free(context, p->top + HEAD_SZ, p->top + top);
    walked += p->top + top - p->first;
  }
  return walked;
}
