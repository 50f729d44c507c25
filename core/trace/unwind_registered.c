/* Unwind tables of generated code, as its makers register them. libgcc keeps its own list of them under a
   lock and sorts it at the first exception; here a table is an entry in a lock-free list that is looked
   through when a rule is not cached, which for code with tables is once per return address.

   An entry is free (section NULL), being filled (BUSY), or valid; what it says is written before the
   release of `section`. Linearization: that release, and the release of NULL. */
#include "core/trace/sys.h"
#include "core/trace/unwind_impl.h"

#define PIECES_MAX 128
#define PIECE      512 /* entries that are made at a time */

typedef struct {
  _Atomic(uint8_t const *) section;
  uint8_t const *end;
  uint64_t lo, hi; /* all its code lies in [lo,hi) */
} registered_t;

static uint8_t const busy[1];
static _Atomic(registered_t *) pieces[PIECES_MAX];
static _Atomic uint32_t used; /* entries that have ever been taken: the rest is free */

static registered_t *entry_at(uint32_t i) {
  /* Pairs with the exchange in make_piece. */
  registered_t *piece = atomic_load_explicit(&pieces[i / PIECE], memory_order_acquire);
  return piece ? &piece[i % PIECE] : NULL;
}

static registered_t *make_piece(uint32_t i) {
  registered_t *piece = vt_sys_memory(PIECE * sizeof *piece), *none = NULL;
  if (!piece) return NULL;
  if (!atomic_compare_exchange_strong_explicit(&pieces[i / PIECE], &none, piece,
                                               memory_order_acq_rel, memory_order_acquire))
    vt_sys_munmap(piece, PIECE * sizeof *piece);
  return entry_at(i);
}

/* take makes the first free entry busy. */
static registered_t *take(void) {
  for (uint32_t i = 0; i < PIECES_MAX * PIECE; i++) {
    registered_t *entry = entry_at(i);
    uint8_t const *none = NULL;
    if (!entry && !(entry = make_piece(i))) return NULL;
    if (!atomic_compare_exchange_strong_explicit(&entry->section, &none, busy, memory_order_acquire,
                                                 memory_order_relaxed))
      continue;
    uint32_t cnt = atomic_load_explicit(&used, memory_order_relaxed);
    while (cnt <= i && !atomic_compare_exchange_weak_explicit(
                           &used, &cnt, i + 1, memory_order_release, memory_order_relaxed))
      continue;
    return entry;
  }
  return NULL;
}

int vt_registered_find(uint64_t pc, uint8_t const **start, uint8_t const **end) {
  /* Pairs with the release in take: the pieces are there. */
  uint32_t cnt = atomic_load_explicit(&used, memory_order_acquire);
  for (uint32_t i = 0; i < cnt; i++) {
    registered_t *entry = entry_at(i);
    /* Pairs with the release in vt_unwind_register. */
    uint8_t const *section = atomic_load_explicit(&entry->section, memory_order_acquire);
    if (!section || section == busy || pc - entry->lo >= entry->hi - entry->lo) continue;
    *start = section;
    *end = entry->end;
    return 1;
  }
  return 0;
}

#define SECTION_MAX ((uint64_t)64 << 20)

static int is_readable(uint64_t from, uint64_t to) {
  for (from &= ~(VT_PROBE_PAGE - 1); from < to; from += VT_PROBE_PAGE)
    if (!vt_readable(from)) return 0;
  return 1;
}

/* end_of is the end of the table, behind its last entry's zero; NULL: there is none in sight. */
static uint8_t const *end_of(uint8_t const *section) {
  uint64_t start = (uint64_t)(uintptr_t)section, at = start, known = start;
  while (at - start < SECTION_MAX) {
    if (at + 4 > known && !is_readable(at, known = at + 4)) return NULL;
    uint32_t sz = 0;
    memcpy(&sz, (void const *)(uintptr_t)at, sizeof sz);
    at += 4 + (uint64_t)sz;
    if (!sz) return (uint8_t const *)(uintptr_t)at;
    if (sz >= SECTION_MAX || !is_readable(known, at)) return NULL; /* 64-bit lengths are not used */
    known = at;
  }
  return NULL;
}

static void widen(void *context, uint64_t begin, uint64_t limit) {
  registered_t *entry = context;
  if (begin >= limit || limit >> 47) return;
  if (begin < entry->lo) entry->lo = begin;
  if (limit > entry->hi) entry->hi = limit;
}

void vt_unwind_register(void const *section) {
  uint8_t const *end = end_of(section);
  registered_t *entry = end ? take() : NULL;
  if (!entry) return;
  entry->end = end;
  entry->lo = UINT64_MAX;
  entry->hi = 0;
  vt_cfi_functions(section, end, widen, entry);
  if (entry->lo >= entry->hi) section = NULL;
  atomic_store_explicit(&entry->section, section, memory_order_release);
}

void vt_unwind_deregister(void const *section) {
  vt_unwind_epoch_begin();
  uint32_t cnt = atomic_load_explicit(&used, memory_order_acquire);
  for (uint32_t i = 0; i < cnt; i++) {
    uint8_t const *same = section;
    if (atomic_compare_exchange_strong_explicit(&entry_at(i)->section, &same, NULL,
                                                memory_order_release, memory_order_relaxed))
      break; /* one for each time it was registered */
  }
  vt_unwind_epoch_end();
}
