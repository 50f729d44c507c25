/* See glibc.h. */
#include "analyzer/snapshot/glibc.h"
#include "analyzer/util/mem.h"

#include <stdlib.h>

#define IS_MMAPPED ((uint64_t)2)
#define SIZE_BITS  ((uint64_t)7)
#define HEAD_MAX   256 /* what is before the arena's state in its first piece */

/* Words of malloc_state, in bytes. */
#define STATE_BINS      0x70
#define STATE_BIN_PAIRS 127
#define STATE_NEXT      0x870
#define STATE_SZ        0x898
#define EMPTY_MIN       24 /* empty lists that make it sure */

static int is_page(uint64_t v) { return !(v & (VT_PAGE - 1)); }
static int is_arena_start(uint64_t v) { return v && !(v & (VT_GLIBC_ARENA_ALIGN - 1)); }

/* heap_info: pointer to the arena's state, the piece before, size, size made accessible. */
int vt_glibc_arena(vt_memory_t const *memory, uint64_t address, vt_span_t *out) {
  uint64_t w[4], page = address, end = address + VT_PAGE;
  if (!memory->next_run(memory->context, &page, &end) || page != address) return 0;
  if (memory->read(memory->context, address, w, sizeof w)) return 0;
  int first = w[0] - address < HEAD_MAX && w[0] > address && !w[1];
  int later =
      is_arena_start(w[1]) && (w[0] & (VT_GLIBC_ARENA_ALIGN - 1)) < HEAD_MAX && w[0] > HEAD_MAX;
  if (!first && !later) return 0;
  if (!w[2] || !is_page(w[2]) || w[2] > VT_GLIBC_ARENA_ALIGN) return 0;
  if (!is_page(w[3]) || w[3] < w[2] || w[3] > VT_GLIBC_ARENA_ALIGN) return 0;
  *out = (vt_span_t){address, address + w[3]};
  return 1;
}

int vt_glibc_mapped(vt_memory_t const *memory, uint64_t block, uint64_t size, vt_span_t *out) {
  uint64_t w[2]; /* what is before the chunk, its size */
  if (block & 15 || memory->read(memory->context, block - 16, w, sizeof w)) return 0;
  uint64_t chunk = block - 16, sz = w[1] & ~SIZE_BITS;
  if (!(w[1] & IS_MMAPPED) || !is_page(w[0] + sz) || !is_page(chunk - w[0]) || w[0] > chunk)
    return 0;
  if (sz < size || sz > (uint64_t)1 << 46) return 0;
  *out = (vt_span_t){chunk - w[0], chunk + sz};
  return 1;
}

/* empty_lists counts the lists of a state at s[at] (in words) that point to themselves; 0 if what
   follows them is not a pointer to an arena. */
static int empty_lists(uint64_t const *s, uint64_t base, size_t at) {
  uint64_t state = base + 8 * at, next = s[at + STATE_NEXT / 8];
  int empty = 0;
  if (next != state && (!next || (next & (VT_GLIBC_ARENA_ALIGN - 1)) >= HEAD_MAX)) return 0;
  for (size_t i = 0; i < STATE_BIN_PAIRS; i++) {
    uint64_t const *pair = &s[at + STATE_BINS / 8 + 2 * i];
    uint64_t head = state + STATE_BINS + 16 * i - 16;
    empty += pair[0] == head && pair[1] == head;
    if (!pair[0] != !pair[1]) return 0;
  }
  return empty;
}

int vt_glibc_main_arena(vt_memory_t const *memory, uint64_t start, uint64_t end, vt_span_t *out) {
  size_t words = (size_t)(end - start) / 8;
  if (end - start < STATE_SZ || end - start > (uint64_t)16 << 20) return 0;
  uint64_t *s = vt_mem_resize(NULL, words, 8);
  int found = 0, failed = memory->read(memory->context, start, s, 8 * words);
  for (size_t at = 0; !failed && !found && at + STATE_SZ / 8 <= words; at++) {
    if (empty_lists(s, start, at) < EMPTY_MIN) continue;
    *out = (vt_span_t){start + 8 * at, start + 8 * at + STATE_SZ};
    found = 1;
  }
  free(s);
  return found;
}
