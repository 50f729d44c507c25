/* See module_table.h. Block b has FIRST << b entries and, behind them, a hash of its own by key
   with twice as many slots, so that neither is ever copied. A link map's address is used again
   after an unload: the slot then goes to the later entry, so that chains do not grow with reloads.
 */
#include "valtrace/trace_format.h"

#include "core/trace/module_table.h"
#include "core/trace/sys.h"

#define FIRST  ((uint32_t)64)
#define BLOCKS 24

typedef struct {
  vt_module_t *entries;
  _Atomic uint32_t *slots; /* offset in the block + 1; 0: free */
  uint32_t cap, first;     /* entries; index of the first */
} block_t;

static _Atomic(vt_module_t *) blocks[BLOCKS];
static _Atomic uint32_t cnt;

static block_t block_number(uint32_t b) {
  block_t block = {.cap = FIRST << b, .first = FIRST * (((uint32_t)1 << b) - 1)};
  /* Pairs with the release in obtain. */
  block.entries = atomic_load_explicit(&blocks[b], memory_order_acquire);
  if (block.entries) block.slots = (_Atomic uint32_t *)(block.entries + block.cap);
  return block;
}

static uint32_t number_of(uint32_t index) {
  return 31 - (uint32_t)__builtin_clz(index / FIRST + 1);
}

static size_t size_of(uint32_t b) {
  return ((size_t)FIRST << b) * (sizeof(vt_module_t) + 2 * sizeof(uint32_t));
}

/* obtain maps block b unless another thread has. */
static void obtain(uint32_t b) {
  size_t sz = size_of(b);
  vt_module_t *none = NULL, *mine = vt_sys_memory(sz);
  if (mine && !atomic_compare_exchange_strong_explicit(&blocks[b], &none, mine,
                                                       memory_order_release, memory_order_relaxed))
    vt_sys_munmap(mine, sz);
}

vt_module_t *vt_module_table_claim(uint32_t *index) {
  *index = atomic_fetch_add_explicit(&cnt, 1, memory_order_acq_rel);
  uint32_t b = number_of(*index);
  if (b >= BLOCKS) return NULL;
  if (!atomic_load_explicit(&blocks[b], memory_order_acquire)) obtain(b);
  return vt_module_table_at(*index);
}

uint32_t vt_module_table_cnt(void) { return atomic_load_explicit(&cnt, memory_order_acquire); }

vt_module_t *vt_module_table_at(uint32_t index) {
  uint32_t b = number_of(index);
  if (b >= BLOCKS) return NULL;
  block_t block = block_number(b);
  return block.entries ? &block.entries[index - block.first] : NULL;
}

/* slot_for is the slot of an entry with this key, or the free one where it belongs; *have is
   what it held. There is always a free one: each entry takes at most one of twice as many. */
static _Atomic uint32_t *slot_for(block_t const *block, void const *key, uint32_t *have) {
  uint32_t mask = 2 * block->cap - 1;
  for (uint32_t at = (uint32_t)(((uintptr_t)key >> 4) * 0x9e3779b97f4a7c15u >> 32);; at++) {
    _Atomic uint32_t *slot = &block->slots[at & mask];
    /* Pairs with the release in vt_module_table_enter. */
    *have = atomic_load_explicit(slot, memory_order_acquire);
    if (!*have || block->entries[*have - 1].key == key) return slot;
  }
}

void vt_module_table_enter(uint32_t index) {
  block_t block = block_number(number_of(index));
  uint32_t offset = index - block.first, have;
  for (;;) {
    _Atomic uint32_t *slot = slot_for(&block, block.entries[offset].key, &have);
    if (have > offset || atomic_compare_exchange_strong_explicit(
                             slot, &have, offset + 1, memory_order_release, memory_order_relaxed))
      return; /* linearization point: the entry, or a later one, is found from here on */
  }
}

vt_module_t *vt_module_table_find(void const *key, uint32_t *index) {
  uint32_t have;
  for (uint32_t b = BLOCKS; b-- > 0;) {
    block_t block = block_number(b);
    if (!block.entries) continue;
    slot_for(&block, key, &have);
    if (!have) continue;
    *index = block.first + have - 1;
    return &block.entries[have - 1];
  }
  return NULL;
}

void vt_module_table_unlock(void) {
  for (uint32_t b = 0; b < BLOCKS; b++) {
    void *p = atomic_load_explicit(&blocks[b], memory_order_acquire);
    if (p) vt_sys_munlock(p, size_of(b));
  }
}
