/* Open addressing over numbers of rows; see keyed.h. */
#include "analyzer/util/keyed.h"
#include <stdlib.h>
#include <string.h>
#include "analyzer/util/mem.h"
#define XXH_INLINE_ALL
#include <xxhash.h>

#define SLOTS_MIN 256

static char *row_at(vt_keyed_t const *table, size_t number) { return table->rows + number * table->row_sz; }

/* Keys are short: a call of memcmp would take longer than what it does. */
static inline int is_key_of(vt_keyed_t const *table, size_t number, void const *key) {
  uint32_t const *a = (uint32_t const *)(void const *)row_at(table, number), *b = key;
  for (size_t i = 0; i < table->key_sz / sizeof *a; i++)
    if (a[i] != b[i]) return 0;
  return 1;
}

/* The slot of the key's row, or the free one where it belongs. */
static uint32_t *find_slot(vt_keyed_t const *table, void const *key) {
  size_t mask = table->slots_cnt - 1, slot = XXH3_64bits(key, table->key_sz) & mask;
  while (table->slots[slot] && !is_key_of(table, table->slots[slot] - 1, key)) slot = (slot + 1) & mask;
  return &table->slots[slot];
}

static void grow(vt_keyed_t *table) {
  vt_mem_table_free(table->slots, table->slots_cnt, sizeof *table->slots);
  table->slots_cnt = table->slots_cnt ? 2 * table->slots_cnt : SLOTS_MIN;
  table->slots = vt_mem_table(table->slots_cnt, sizeof *table->slots);
  table->rows = vt_mem_table_grow(table->rows, table->cap, table->slots_cnt / 2, table->row_sz);
  table->cap = table->slots_cnt / 2;
  for (size_t i = 0; i < table->cnt; i++) *find_slot(table, row_at(table, i)) = (uint32_t)i + 1;
}

void *vt_keyed_row(vt_keyed_t *table, void const *key) {
  if (table->cnt == table->cap) grow(table);
  uint32_t *slot = find_slot(table, key);
  if (!*slot) {
    memcpy(row_at(table, table->cnt), key, table->key_sz);
    *slot = (uint32_t)++table->cnt;
  }
  return row_at(table, *slot - 1);
}

void vt_keyed_clear(vt_keyed_t *table) {
  vt_mem_table_free(table->slots, table->slots_cnt, sizeof *table->slots);
  vt_mem_table_free(table->rows, table->cap, table->row_sz);
  *table = (vt_keyed_t){.row_sz = table->row_sz, .key_sz = table->key_sz};
}
