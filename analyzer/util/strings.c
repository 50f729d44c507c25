/* Interned strings: an open-addressing table of indexes over bytes kept in chunks that never move,
   so that pointers handed out stay valid while the table grows. */
#include "analyzer/util/strings.h"
#include "analyzer/util/mem.h"
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define CHUNK_SZ ((size_t)1 << 18)

typedef struct {
  char const *p;
  size_t sz;
  uint64_t hash;
} entry_t;

struct vt_strings {
  entry_t *entries;
  size_t entries_cnt, entries_cap;
  uint32_t *slots; /* index + 1; 0 is free */
  size_t slot_mask;
  char **chunks;
  size_t chunks_cnt, chunks_cap;
  size_t chunk_used, chunk_sz;
};

vt_strings_t *vt_strings_new(void) {
  vt_strings_t *strings = vt_mem_new(1, sizeof *strings);
  strings->slot_mask = 255;
  strings->slots = vt_mem_new(256, sizeof *strings->slots);
  vt_strings_intern(strings, "", 0);
  return strings;
}

void vt_strings_delete(vt_strings_t *strings) {
  if (!strings) return;
  for (size_t i = 0; i < strings->chunks_cnt; i++) free(strings->chunks[i]);
  free(strings->chunks);
  free(strings->entries);
  free(strings->slots);
  free(strings);
}

static char *store(vt_strings_t *strings, char const *p, size_t sz) {
  if (!strings->chunks_cnt || strings->chunk_sz - strings->chunk_used < sz + 1) {
    strings->chunk_sz = sz + 1 > CHUNK_SZ ? sz + 1 : CHUNK_SZ;
    strings->chunk_used = 0;
    char *chunk = vt_mem_resize(NULL, strings->chunk_sz, 1);
    VT_PUSH(strings->chunks, chunk);
  }
  char *copy = strings->chunks[strings->chunks_cnt - 1] + strings->chunk_used;
  if (sz) memcpy(copy, p, sz);
  copy[sz] = 0;
  strings->chunk_used += sz + 1;
  return copy;
}

static void grow_slots(vt_strings_t *strings) {
  size_t mask = 2 * strings->slot_mask + 1;
  uint32_t *slots = vt_mem_new(mask + 1, sizeof *slots);
  for (size_t i = 0; i < strings->entries_cnt; i++) {
    size_t slot = strings->entries[i].hash & mask;
    while (slots[slot]) slot = (slot + 1) & mask;
    slots[slot] = (uint32_t)i + 1;
  }
  free(strings->slots);
  strings->slots = slots;
  strings->slot_mask = mask;
}

uint32_t vt_strings_intern(vt_strings_t *strings, char const *p, size_t sz) {
  if (!sz) p = ""; /* may be NULL: no build-id, say */
  uint64_t hash = XXH3_64bits(p, sz);
  size_t slot = hash & strings->slot_mask;
  for (; strings->slots[slot]; slot = (slot + 1) & strings->slot_mask) {
    entry_t const *entry = &strings->entries[strings->slots[slot] - 1];
    if (entry->hash == hash && entry->sz == sz && !memcmp(entry->p, p, sz))
      return strings->slots[slot] - 1;
  }
  entry_t entry = {store(strings, p, sz), sz, hash};
  VT_PUSH(strings->entries, entry);
  strings->slots[slot] = (uint32_t)strings->entries_cnt;
  if (2 * strings->entries_cnt > strings->slot_mask) grow_slots(strings);
  return (uint32_t)strings->entries_cnt - 1;
}

uint32_t vt_strings_intern_cstr(vt_strings_t *strings, char const *cstr) {
  return vt_strings_intern(strings, cstr, strlen(cstr));
}

char const *vt_strings_get(vt_strings_t const *strings, uint32_t index, size_t *sz) {
  if (index >= strings->entries_cnt) index = 0;
  if (sz) *sz = strings->entries[index].sz;
  return strings->entries[index].p;
}

uint32_t vt_strings_cnt(vt_strings_t const *strings) { return (uint32_t)strings->entries_cnt; }
