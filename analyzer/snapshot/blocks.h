/* The live blocks of a snapshot, by address, and the question the scanner asks of every word it
   reads: which block does it point into? */
#ifndef VT_ANALYZER_SNAPSHOT_BLOCKS_H
#define VT_ANALYZER_SNAPSHOT_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

#define VT_NO_BLOCK UINT32_MAX

typedef struct {
  uint64_t start, size;
} vt_live_block_t;

/* `first` of a page: the first block that ends behind the page's start; the pages of 1 GiB are one
   table, which exists if a block is in it. */
typedef struct {
  vt_live_block_t *blocks; /* by address, at most 2^31 - 1 */
  uint32_t cnt;
  uint64_t low, span; /* all blocks are in [low,low+span) */
  uint32_t **pages;
  uint32_t *storage; /* of all tables */
} vt_live_t;

/* vt_live_make takes the array over, sorts it and builds the tables; release with vt_live_free. A
   block that overlaps the one before it (a record of it is missing) is left out. */
vt_live_t vt_live_make(vt_live_block_t *blocks, size_t cnt);
void vt_live_free(vt_live_t *live);

#define VT_LIVE_PAGE_BITS  12
#define VT_LIVE_TABLE_BITS 18

/* vt_live_size_of is the size of a block; `context` is a vt_live_t. */
uint64_t vt_live_size_of(void const *context, uint32_t block);

/* vt_live_first is the first block that ends behind an address, or cnt. */
uint32_t vt_live_first(vt_live_t const *live, uint64_t address);

uint32_t vt_live_find_slow(vt_live_t const *live, uint64_t address);

/* vt_live_find is the block that contains an address, VT_NO_BLOCK: none. A block of no bytes counts
   as one of one byte. */
static inline uint32_t vt_live_find(vt_live_t const *live, uint64_t address) {
  return address - live->low < live->span ? vt_live_find_slow(live, address) : VT_NO_BLOCK;
}

#endif
