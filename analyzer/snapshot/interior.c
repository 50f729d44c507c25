/* See interior.h. The forms are those of valgrind memcheck's heuristics (its manual, section 4.2.7)
   and three more; each is told by words before, at or behind the place, never by its distance
   alone.

   The places are looked up in the order of their addresses, through a small cache of pages. */
#include "analyzer/snapshot/interior.h"
#include "analyzer/util/mem.h"

#include <stdlib.h>
#include <string.h>

#define CACHED_PAGES 256

typedef struct {
  uint64_t page[CACHED_PAGES]; /* page address + 1; 0: empty */
  uint8_t data[CACHED_PAGES][VT_PAGE];
  vt_memory_t const *memory;
  int failed;
} cache_t;

static uint64_t word_at(cache_t *cache, uint64_t address) {
  uint64_t page = address & ~(VT_PAGE - 1), word = 0;
  size_t slot = (page / VT_PAGE) % CACHED_PAGES, offset = address - page;
  if (offset > VT_PAGE - 8) return 0; /* across pages: not aligned, so no word of a program's */
  if (cache->page[slot] != page + 1) {
    cache->page[slot] = page + 1;
    if (cache->memory->read(cache->memory->context, page, cache->data[slot], VT_PAGE)) {
      cache->failed = 1;
      cache->page[slot] = 0;
      return 0;
    }
  }
  memcpy(&word, cache->data[slot] + offset, sizeof word);
  return word;
}

/* The word is within the block. */
static uint64_t word_in(cache_t *cache, vt_live_block_t const *b, uint64_t address) {
  return address >= b->start && address + 8 <= b->start + b->size ? word_at(cache, address) : 0;
}

/* A length in front of the data that are pointed to (sqlite and others). */
static int has_length(uint64_t at, uint64_t first, uint64_t size) {
  return at == 8 && size > 8 && first == size - 8;
}

/* The cookie of new[]: the number of elements, padded to their alignment. */
static int has_cookie(cache_t *cache, vt_live_block_t const *b, uint64_t at) {
  if ((at != 8 && at != 16) || b->size <= at) return 0;
  uint64_t count = word_in(cache, b, b->start + at - 8);
  return count && count <= b->size - at && (b->size - at) % count == 0;
}

/* The copy-on-write string of libstdc++: length, capacity, references, characters. */
static int is_string(cache_t *cache, vt_live_block_t const *b, uint64_t at) {
  if (at != 24 || b->size < 25) return 0;
  uint64_t length = word_at(cache, b->start), capacity = word_in(cache, b, b->start + 8);
  int32_t references = (int32_t)word_in(cache, b, b->start + 16);
  return length <= capacity && capacity <= b->size - 25 && references >= -1;
}

/* A thread's vector of TLS blocks: the pointer is to the second entry, the first has their number.
 */
static int is_tls_vector(uint64_t at, uint64_t first, uint64_t size) {
  return at == 16 && size >= 48 && size % 16 == 0 && first == size / 16 - 2;
}

static int is_constant(vt_areas_t const *areas, uint64_t address) {
  vt_area_t const *a = address & 7 ? NULL : vt_areas_find(areas, address);
  return a && a->flags & VT_AREA_FILE && !(a->flags & VT_AREA_WRITABLE);
}

/* The second base of a C++ object: both it and the whole begin with a pointer to a table of virtual
   functions. */
static int is_base(vt_scan_t const *scan, cache_t *cache, vt_live_block_t const *b,
                   uint64_t address, uint64_t first) {
  return is_constant(scan->areas, first) && is_constant(scan->areas, word_in(cache, b, address));
}

/* The block was aligned by hand: in front of the place is where the block begins. */
static int is_aligned(cache_t *cache, vt_live_block_t const *b, uint64_t address) {
  return word_in(cache, b, address - 8) == b->start;
}

/* A node of a list or tree within a larger object: one of its first three words points back to the
   node that the pointer is in, of which the pointer is one of the first three words. Low bits may
   be flags. */
static int points_back(cache_t *cache, vt_live_block_t const *b, vt_interior_t const *p) {
  for (uint64_t k = 0; k < 3; k++) {
    uint64_t back = word_in(cache, b, p->target + 8 * k) & ~(uint64_t)3;
    if (back && p->location - back <= 16 && (p->location - back) % 8 == 0) return 1;
  }
  return 0;
}

static int is_strong(vt_scan_t const *scan, cache_t *cache, vt_interior_t const *p) {
  vt_live_block_t const *b = &scan->live->blocks[p->block];
  uint64_t at = p->target - b->start, first = word_in(cache, b, b->start);
  if (p->target & 7) return 0;
  return has_length(at, first, b->size) || has_cookie(cache, b, at) || is_string(cache, b, at) ||
         is_tls_vector(at, first, b->size) || is_base(scan, cache, b, p->target, first) ||
         is_aligned(cache, b, p->target) || points_back(cache, b, p);
}

static int by_target(void const *a, void const *b) {
  vt_interior_t const *x = a, *y = b;
  return x->target < y->target ? -1 : x->target > y->target;
}

int vt_interior_judge(vt_scan_t const *scan, vt_graph_t *graph, vt_interior_t *pointers,
                      size_t cnt) {
  if (!cnt) return 0;
  cache_t *cache = vt_mem_new(1, sizeof *cache);
  cache->memory = scan->memory;
  qsort(pointers, cnt, sizeof *pointers, by_target);
  for (size_t i = 0; i < cnt; i++) {
    vt_interior_t const *p = &pointers[i];
    if (!is_strong(scan, cache, p)) continue;
    uint32_t *edge = p->in_root ? &graph->roots[p->edge].edge : &graph->edges[p->edge];
    *edge &= ~VT_EDGE_WEAK;
  }
  int failed = cache->failed;
  free(cache);
  return failed ? -1 : 0;
}
