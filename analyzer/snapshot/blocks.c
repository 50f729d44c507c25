/* See blocks.h. Sorting is by digits of the address, least significant first: the blocks of a large
   heap are many and their addresses have few digits that differ. */
#include "analyzer/snapshot/blocks.h"
#include "analyzer/util/mem.h"
#include "analyzer/util/search.h"

#include <stdlib.h>
#include <string.h>

#define DIGIT_BITS 11
#define DIGITS     (1 << DIGIT_BITS)
#define TOP_BITS   17 /* of an address of 47 bits: which table */
#define TABLE      ((size_t)1 << VT_LIVE_TABLE_BITS)

static uint64_t end_of(vt_live_block_t const *b) { return b->start + (b->size ? b->size : 1); }

/* sort_digit sorts from one array to another by one digit; 0 when all have the same. */
static int sort_digit(vt_live_block_t const *from, vt_live_block_t *to, size_t cnt,
                      unsigned shift) {
  static size_t at[DIGITS];
  memset(at, 0, sizeof at);
  for (size_t i = 0; i < cnt; i++) at[from[i].start >> shift & (DIGITS - 1)]++;
  if (cnt && at[from[0].start >> shift & (DIGITS - 1)] == cnt) return 0;
  size_t sum = 0;
  for (size_t d = 0; d < DIGITS; d++) {
    size_t here = at[d];
    at[d] = sum;
    sum += here;
  }
  for (size_t i = 0; i < cnt; i++) to[at[from[i].start >> shift & (DIGITS - 1)]++] = from[i];
  return 1;
}

static vt_live_block_t *sorted(vt_live_block_t *blocks, size_t cnt) {
  vt_live_block_t *other = vt_mem_resize(NULL, cnt + 1, sizeof *other);
  for (unsigned shift = 0; shift < 48; shift += DIGIT_BITS) {
    if (!sort_digit(blocks, other, cnt, shift)) continue;
    vt_live_block_t *t = blocks;
    blocks = other;
    other = t;
  }
  free(other);
  return blocks;
}

/* drop_overlaps also drops what no process has: addresses of more than 47 bits. */
static size_t drop_overlaps(vt_live_block_t *blocks, size_t cnt) {
  size_t kept = 0;
  for (size_t i = 0; i < cnt; i++) {
    if (kept && blocks[i].start < end_of(&blocks[kept - 1])) continue;
    if (end_of(&blocks[i]) < blocks[i].start || end_of(&blocks[i]) >> 47) continue;
    blocks[kept++] = blocks[i];
  }
  return kept < VT_NO_BLOCK / 2 ? kept : VT_NO_BLOCK / 2;
}

static size_t table_of(uint64_t address) {
  return address >> (VT_LIVE_PAGE_BITS + VT_LIVE_TABLE_BITS);
}

/* count_tables counts the tables that blocks are in and, given storage, sets them up. */
static size_t count_tables(vt_live_t const *live, uint32_t *storage) {
  size_t tables = 0, last = SIZE_MAX;
  for (uint32_t i = 0; i < live->cnt; i++) {
    size_t from = table_of(live->blocks[i].start), to = table_of(end_of(&live->blocks[i]) - 1);
    for (size_t t = from; t <= to; t++) {
      if (t == last) continue;
      if (storage) live->pages[t] = storage + tables * TABLE;
      last = t;
      tables++;
    }
  }
  return tables;
}

/* fill writes, for the pages of a table, the first block that ends behind the page's start. */
static void fill(vt_live_t const *live, size_t table) {
  uint64_t page = (uint64_t)table << (VT_LIVE_PAGE_BITS + VT_LIVE_TABLE_BITS);
  uint32_t block = vt_live_first(live, page);
  for (size_t i = 0; i < TABLE; i++, page += (uint64_t)1 << VT_LIVE_PAGE_BITS) {
    while (block < live->cnt && end_of(&live->blocks[block]) <= page) block++;
    live->pages[table][i] = block;
  }
}

vt_live_t vt_live_make(vt_live_block_t *blocks, size_t cnt) {
  vt_live_t live = {.blocks = sorted(blocks, cnt)};
  live.cnt = (uint32_t)drop_overlaps(live.blocks, cnt);
  live.pages = vt_mem_new((size_t)1 << TOP_BITS, sizeof *live.pages);
  if (!live.cnt) return live;
  live.low = live.blocks[0].start;
  live.span = end_of(&live.blocks[live.cnt - 1]) - live.low;
  live.storage = vt_mem_resize(NULL, count_tables(&live, NULL) * TABLE, sizeof *live.storage);
  count_tables(&live, live.storage);
  for (size_t t = 0; t < (size_t)1 << TOP_BITS; t++)
    if (live.pages[t]) fill(&live, t);
  return live;
}

void vt_live_free(vt_live_t *live) {
  free(live->blocks);
  free(live->pages);
  free(live->storage);
  *live = (vt_live_t){0};
}

uint64_t vt_live_size_of(void const *context, uint32_t block) {
  return ((vt_live_t const *)context)->blocks[block].size;
}

uint32_t vt_live_first(vt_live_t const *live, uint64_t address) {
  return (uint32_t)VT_FIRST_NOT(live->cnt, i, end_of(&live->blocks[i]) <= address);
}

/* The blocks that begin before an address in its page are few or sorted: halve them. */
uint32_t vt_live_find_slow(vt_live_t const *live, uint64_t address) {
  uint32_t const *table = live->pages[table_of(address)];
  if (!table) return VT_NO_BLOCK;
  size_t page = address >> VT_LIVE_PAGE_BITS & (TABLE - 1);
  uint32_t low = table[page], high = page + 1 < TABLE ? table[page + 1] : live->cnt;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (end_of(&live->blocks[middle]) <= address)
      low = middle + 1;
    else
      high = middle;
  }
  return low < live->cnt && live->blocks[low].start <= address ? low : VT_NO_BLOCK;
}
