/* The account of mappings against a naive model: an array that says, for every page of a small
   address space, which record mapped it. */
#include "analyzer/memory/mappings.h"
#include "tests/unit/tap.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE    4096ul
#define PAGES   64
#define RECORDS 200
#define ROUNDS  400
#define NOBODY  (-1)

typedef struct {
  int owner[PAGES]; /* index of a record, or NOBODY */
  int counted[PAGES];
  uint64_t mapped, peak;
} naive_t;

static vt_trace_mapping_t records[RECORDS];

static void set_pages(naive_t *n, size_t first, size_t cnt, int owner, int counted) {
  for (size_t i = first; i < first + cnt && i < PAGES; i++) {
    n->owner[i] = owner;
    n->counted[i] = counted;
  }
  n->mapped = 0;
  for (size_t i = 0; i < PAGES; i++) n->mapped += n->counted[i] ? PAGE : 0;
}

static void note_peak(naive_t *n) {
  if (n->mapped > n->peak) n->peak = n->mapped;
}

static void apply(naive_t *n, int i) {
  vt_trace_mapping_t const *r = &records[i];
  size_t at = r->address / PAGE, old = r->old_address / PAGE;
  int counted = r->op == VT_MAPPING_MAP && !r->by_allocator && r->prot != PROT_NONE;
  if (r->op == VT_MAPPING_REMAP) {
    counted = n->owner[old] != NOBODY ? n->counted[old] : !r->by_allocator;
    set_pages(n, old, r->old_size / PAGE, NOBODY, 0);
  }
  set_pages(n, at, (r->size + PAGE - 1) / PAGE, r->op == VT_MAPPING_UNMAP ? NOBODY : i, counted);
  if (r->op != VT_MAPPING_UNMAP) note_peak(n);
}

static vt_trace_mapping_t random_record(uint64_t time) {
  vt_trace_mapping_t r = {.time = time, .begun = time};
  r.op = 1 + rand() % 3;
  r.address = (uint64_t)(rand() % (PAGES - 10)) * PAGE;
  r.size =
      (1 + (uint64_t)(rand() % 9)) * PAGE - (r.op == VT_MAPPING_UNMAP ? (uint64_t)(rand() % 2) : 0);
  r.old_address = (uint64_t)(rand() % (PAGES - 10)) * PAGE;
  r.old_size = (1 + (uint64_t)(rand() % 9)) * PAGE;
  r.prot = rand() % 4 ? PROT_READ : PROT_NONE;
  r.by_allocator = rand() % 5 == 0;
  return r;
}

/* same: every page has the same owner in both. */
static int same(naive_t const *n, vt_mappings_t const *m) {
  for (size_t i = 0; i < PAGES; i++) {
    vt_mapped_t const *piece = vt_mappings_find(m, i * PAGE);
    if (piece ? (int)piece->record != n->owner[i] : n->owner[i] != NOBODY) return 0;
  }
  return n->mapped == m->mapped_bytes && n->peak == m->peak_bytes;
}

/* Records in the file are in order of time within a thread only. */
static void shuffle(vt_trace_mapping_t *out, size_t cnt) {
  for (size_t i = 1; i < cnt; i++) {
    size_t k = (size_t)rand() % (i + 1);
    vt_trace_mapping_t r = out[i];
    out[i] = out[k];
    out[k] = r;
  }
}

static int round_agrees(void) {
  naive_t n = {.mapped = 0};
  for (size_t i = 0; i < PAGES; i++) n.owner[i] = NOBODY;
  size_t cnt = 1 + (size_t)(rand() % RECORDS);
  for (size_t i = 0; i < cnt; i++) records[i] = random_record(1 + i);
  shuffle(records, cnt);
  int *order = calloc(cnt, sizeof *order);
  for (size_t t = 1; t <= cnt; t++)
    for (size_t i = 0; i < cnt; i++)
      if (records[i].time == t) order[t - 1] = (int)i;
  for (size_t t = 0; t < cnt; t++) apply(&n, order[t]);
  vt_mappings_t m = vt_mappings_run(records, cnt);
  int good = same(&n, &m);
  vt_mappings_free(&m);
  free(order);
  return good;
}

/* A range that another thread mapped while mremap, which had left it, had not yet returned. */
static void overtaken(void) {
  vt_trace_mapping_t r[] = {
      {.time = 10, .begun = 9, .op = VT_MAPPING_MAP, .address = PAGE, .size = PAGE, .prot = 1},
      {.time = 30,
       .begun = 20,
       .op = VT_MAPPING_REMAP,
       .address = 8 * PAGE,
       .size = 2 * PAGE,
       .old_address = PAGE,
       .old_size = PAGE},
      {.time = 25, .begun = 24, .op = VT_MAPPING_MAP, .address = PAGE, .size = PAGE, .prot = 1}};
  r[1].prot = 0;
  vt_mappings_t m = vt_mappings_run(r, 3);
  vt_mapped_t const *other = vt_mappings_find(&m, PAGE);
  ok(other && other->record == 2, "a mapping made while mremap was under way stays");
  vt_mappings_free(&m);
}

static void breaks(void) {
  vt_trace_mapping_t r[] = {
      {.time = 1,
       .op = VT_MAPPING_MAP,
       .api = VT_MAPPING_SBRK,
       .address = 100,
       .size = 50,
       .prot = 3},
      {.time = 2, .op = VT_MAPPING_UNMAP, .api = VT_MAPPING_SBRK, .address = 130, .size = 20}};
  vt_mappings_t m = vt_mappings_run(r, 2);
  is_ulong(m.mapped_bytes, 30, "the break moves by bytes");
  vt_mappings_free(&m);
}

int main(void) {
  unsigned seed = (unsigned)(getenv("SEED") ? atoi(getenv("SEED")) : 20261130);
  printf("# SEED=%u\n", seed);
  srand(seed);
  int agreed = 0;
  while (agreed < ROUNDS && round_agrees()) agreed++;
  is_ulong((unsigned long)agreed, ROUNDS, "rounds of random calls agree with the naive model");
  overtaken();
  breaks();
  return done_testing();
}
