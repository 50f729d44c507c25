/* See codes.h. Two tables with open addressing and a bounded number of probes. An entry of the first
   goes from free (or void) over BUSY to the address of a code, and to VOID when that is freed; the
   number is written in between and published by the address. */
#include "core/trace/frames/codes.h"
#include "core/trace/sys.h"

#define BY_ADDRESS ((uint32_t)1 << 17)
#define BY_CONTENT ((uint32_t)1 << 16)
#define PROBES     32

enum { FREE = 0, VOID = 1, BUSY = 2 };

typedef struct {
  _Atomic uint64_t code;
  _Atomic uint64_t id_print; /* number, and the print in the upper half */
} address_t;

typedef struct {
  _Atomic uint64_t content; /* FREE: none */
  _Atomic uint64_t id;      /* 0: about to be written */
} content_t;

typedef struct {
  address_t by_address[BY_ADDRESS];
  content_t by_content[BY_CONTENT];
} tables_t;

_Atomic uint64_t vt_codes_filter[(1u << VT_CODES_FILTER_BITS) / 64];
_Atomic uint64_t vt_codes_voided;
static tables_t *tables;
static _Atomic uint32_t last_id;
static _Atomic uint32_t unnoted; /* there was no room for a code's address: nobody knows any more what a free voids */

int vt_codes_init(void) {
  if (!tables) tables = vt_sys_memory(sizeof *tables);
  return tables ? 0 : -1;
}

void vt_codes_forked(void) {
  if (tables) vt_sys_madvise(tables, sizeof *tables, MADV_DONTNEED);
  atomic_fetch_add_explicit(&vt_codes_voided, 1, memory_order_relaxed);
}

void const *vt_codes_memory(size_t *sz) {
  *sz = tables ? sizeof *tables : 0;
  return tables;
}

static address_t *slot_at(uint64_t code, uint32_t i) {
  return &tables->by_address[(vt_codes_hash(code) + i) % BY_ADDRESS];
}

uint32_t vt_codes_find(uint64_t code, uint32_t print) {
  for (uint32_t i = 0; i < PROBES; i++) {
    address_t *slot = slot_at(code, i);
    uint64_t at = atomic_load_explicit(&slot->code, memory_order_acquire);
    if (at == FREE) return 0;
    if (at != code) continue;
    uint64_t found = atomic_load_explicit(&slot->id_print, memory_order_relaxed);
    if (found >> 32 == print) return (uint32_t)found;
  }
  return 0;
}

static void note_address(uint64_t code, uint64_t id_print) {
  uint32_t bit = vt_codes_hash(code) >> (32 - VT_CODES_FILTER_BITS);
  atomic_fetch_or_explicit(&vt_codes_filter[bit / 64], (uint64_t)1 << bit % 64,
                           memory_order_relaxed);
  for (uint32_t i = 0; i < PROBES; i++) {
    address_t *slot = slot_at(code, i);
    uint64_t at = atomic_load_explicit(&slot->code, memory_order_relaxed);
    if (at > VOID || !atomic_compare_exchange_strong_explicit(
                         &slot->code, &at, BUSY, memory_order_relaxed, memory_order_relaxed))
      continue;
    atomic_store_explicit(&slot->id_print, id_print, memory_order_relaxed);
    /* Pairs with the acquire in vt_codes_find. */
    atomic_store_explicit(&slot->code, code, memory_order_release);
    return;
  }
  atomic_store_explicit(&unnoted, 1, memory_order_relaxed);
}

/* id_of is the number of a content, a new one if it is not known. */
static uint32_t id_of(uint64_t content, int *is_new) {
  content |= 1;
  for (uint32_t i = 0; i < PROBES; i++) {
    content_t *slot = &tables->by_content[(uint32_t)((content >> 32) + i) % BY_CONTENT];
    uint64_t at = atomic_load_explicit(&slot->content, memory_order_acquire), id;
    *is_new = at == FREE && atomic_compare_exchange_strong_explicit(
                                &slot->content, &at, content, memory_order_acq_rel,
                                memory_order_acquire);
    if (*is_new) {
      id = atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
      atomic_store_explicit(&slot->id, id, memory_order_release);
      return (uint32_t)id;
    }
    /* Another thread may just be about to write it: then this one has a number of its own. */
    if (at == content && (id = atomic_load_explicit(&slot->id, memory_order_acquire)))
      return (uint32_t)id;
  }
  *is_new = 1;
  return atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
}

uint32_t vt_codes_add(uint64_t code, uint32_t print, uint64_t content, int *is_new) {
  uint32_t id = id_of(content, is_new);
  note_address(code, id | (uint64_t)print << 32);
  return id;
}

void vt_codes_freed_slow(uint64_t code) {
  if (!tables) return;
  if (atomic_load_explicit(&unnoted, memory_order_relaxed))
    atomic_fetch_add_explicit(&vt_codes_voided, 1, memory_order_release);
  for (uint32_t i = 0; i < PROBES; i++) {
    address_t *slot = slot_at(code, i);
    uint64_t at = atomic_load_explicit(&slot->code, memory_order_acquire);
    if (at == FREE) return;
    if (at != code || !atomic_compare_exchange_strong_explicit(
                          &slot->code, &at, VOID, memory_order_acq_rel, memory_order_relaxed))
      continue;
    atomic_fetch_add_explicit(&vt_codes_voided, 1, memory_order_release);
  }
}
