/* The table of live blocks; see blocks.h. */
#include "analyzer/model/blocks.h"
#include <stdlib.h>
#include "analyzer/util/mem.h"

#define FIRST_BITS 10

/* Each event touches a random line. */
static vt_block_t *new_slots(size_t cnt) { return vt_mem_table(cnt, sizeof(vt_block_t)); }
static void free_slots(vt_block_t *slots, size_t cnt) {
  vt_mem_table_free(slots, cnt, sizeof *slots);
}

void vt_blocks_init(vt_blocks_t *blocks) {
  size_t cnt = (size_t)1 << FIRST_BITS;
  *blocks = (vt_blocks_t){.slots = new_slots(cnt), .mask = cnt - 1, .shift = 64 - FIRST_BITS};
}

void vt_blocks_fini(vt_blocks_t *blocks) {
  free_slots(blocks->slots, blocks->mask + 1);
  free(blocks->tags);
}

void vt_blocks_grow(vt_blocks_t *blocks) {
  vt_blocks_t old = *blocks;
  size_t old_cnt = old.mask + 1;
  blocks->mask = 2 * old_cnt - 1;
  blocks->shift--;
  blocks->slots = new_slots(2 * old_cnt);
  if (old.tags) blocks->tags = vt_mem_new(2 * old_cnt, sizeof *old.tags);
  for (size_t i = 0; i < old_cnt; i++) {
    if (!old.slots[i].cell) continue;
    vt_block_t *slot = vt_blocks_find(blocks, old.slots[i].address);
    *slot = old.slots[i];
    if (old.tags) blocks->tags[slot - blocks->slots] = old.tags[i];
  }
  free_slots(old.slots, old_cnt);
  free(old.tags);
}

void vt_blocks_set_tag(vt_blocks_t *blocks, vt_block_t const *slot, uint64_t tag) {
  if (!blocks->tags) blocks->tags = vt_mem_new(blocks->mask + 1, sizeof *blocks->tags);
  blocks->tags[slot - blocks->slots] = tag;
}

void vt_blocks_remove(vt_blocks_t *blocks, vt_block_t *slot) {
  size_t hole = (size_t)(slot - blocks->slots), mask = blocks->mask;
  for (size_t at = (hole + 1) & mask; blocks->slots[at].cell; at = (at + 1) & mask) {
    size_t home = vt_blocks_home(blocks, blocks->slots[at].address);
    if (((at - home) & mask) < ((at - hole) & mask)) continue;
    blocks->slots[hole] = blocks->slots[at];
    if (blocks->tags) blocks->tags[hole] = blocks->tags[at];
    hole = at;
  }
  blocks->slots[hole].cell = 0;
  blocks->used--;
}

vt_block_t *vt_blocks_containing(vt_blocks_t const *blocks, uint64_t address) {
  vt_block_t *slot = vt_blocks_find(blocks, address);
  if (slot->cell) return slot;
  for (size_t i = 0; i <= blocks->mask; i++) {
    slot = &blocks->slots[i];
    if (slot->cell && address >= slot->address && address - slot->address < slot->size) return slot;
  }
  return NULL;
}
