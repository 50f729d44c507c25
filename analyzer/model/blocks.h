/* The live blocks of one address space: an open-addressing table from address to block, tuned for
   the one thing that bounds the analyzer's speed. Entries are 32 bytes, two to a cache line;
   probing is linear and removal shifts back, so there are no tombstones however long the trace is.
 */
#ifndef VT_ANALYZER_MODEL_BLOCKS_H
#define VT_ANALYZER_MODEL_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
  uint64_t address;
  uint64_t size;
  uint64_t time; /* of the allocation */
  uint32_t cell; /* who counts it (model.h); 0 marks a free slot */
  uint32_t thread;
} vt_block_t;

typedef struct {
  vt_block_t *slots;
  uint64_t *tags; /* beside the slots; NULL until a block has a tag other than 0 */
  size_t mask;
  size_t used;
  unsigned shift;
} vt_blocks_t;

void vt_blocks_init(vt_blocks_t *blocks);
void vt_blocks_fini(vt_blocks_t *blocks);

static inline size_t vt_blocks_home(vt_blocks_t const *blocks, uint64_t address) {
  return (size_t)((address * 0x9e3779b97f4a7c15u) >> blocks->shift);
}

static inline void vt_blocks_prefetch(vt_blocks_t const *blocks, uint64_t address) {
  __builtin_prefetch(&blocks->slots[vt_blocks_home(blocks, address)], 1);
}

/* The slot of the block at address, or the free slot where it would go. Valid until the table
   changes. */
static inline vt_block_t *vt_blocks_find(vt_blocks_t const *blocks, uint64_t address) {
  size_t at = vt_blocks_home(blocks, address);
  while (blocks->slots[at].cell && blocks->slots[at].address != address)
    at = (at + 1) & blocks->mask;
  return &blocks->slots[at];
}

/* What vt_blocks_filled leaves to the rare case: a tag to keep, or a table to enlarge. */
void vt_blocks_set_tag(vt_blocks_t *blocks, vt_block_t const *slot, uint64_t tag);
void vt_blocks_grow(vt_blocks_t *blocks);

/* Counts the block (cell not 0) that was written into the free slot vt_blocks_find returned; slots
   move afterwards. */
static inline void vt_blocks_filled(vt_blocks_t *blocks, vt_block_t const *slot, uint64_t tag) {
  if (__builtin_expect(tag || blocks->tags, 0)) vt_blocks_set_tag(blocks, slot, tag);
  if (__builtin_expect(8 * ++blocks->used > 5 * blocks->mask, 0)) vt_blocks_grow(blocks);
}

static inline void vt_blocks_insert(vt_blocks_t *blocks, vt_block_t *slot, vt_block_t block,
                                    uint64_t tag) {
  *slot = block;
  vt_blocks_filled(blocks, slot, tag);
}

/* Empties an occupied slot; slots move. */
void vt_blocks_remove(vt_blocks_t *blocks, vt_block_t *slot);

/* The block that contains address (address itself included), or NULL. Walks the whole table unless
   a block begins at address. */
vt_block_t *vt_blocks_containing(vt_blocks_t const *blocks, uint64_t address);

#endif
