/* The scanner against a naive model on random memory: which block a word points into is found by
   looking at all of them, reachability by the closure of a matrix, components by mutual
   reachability. Then the forms of interior pointers, one by one. */
#include "analyzer/snapshot/scan.h"
#include "tests/unit/tap.h"

#include <stdlib.h>
#include <string.h>

#define BASE    ((uint64_t)0x7f1200345000)
#define MEMORY  ((size_t)1 << 22)
#define MAX     40
#define ROUNDS  300
#define ROOT_SZ (3 * VT_PAGE)
#define CODE    ((uint64_t)0x400000)

typedef struct {
  uint8_t *bytes; /* of [BASE,+MEMORY): roots first */
  vt_live_block_t blocks[MAX];
  uint32_t cnt;
} world_t;

static int read_world(void *context, uint64_t address, void *buffer, size_t sz) {
  world_t const *w = context;
  if (address < BASE || address + sz > BASE + MEMORY) return -1;
  memcpy(buffer, w->bytes + (address - BASE), sz);
  return 0;
}

static int is_zero(world_t const *w, uint64_t page) {
  if (page >= BASE + MEMORY) return 0;
  for (size_t i = 0; i < VT_PAGE; i++)
    if (w->bytes[page - BASE + i]) return 0;
  return 1;
}

static int run_of_world(void *context, uint64_t *start, uint64_t *end) {
  world_t const *w = context;
  uint64_t page = *start & ~(VT_PAGE - 1), stop = *end;
  while (page < stop && is_zero(w, page)) page += VT_PAGE;
  if (page >= stop) return 0;
  if (page > *start) *start = page;
  while (page < stop && !is_zero(w, page)) page += VT_PAGE;
  if (page < stop) *end = page;
  return 1;
}

static void put(world_t *w, uint64_t address, uint64_t value) {
  memcpy(w->bytes + (address - BASE), &value, 8);
}

static uint64_t get(world_t const *w, uint64_t address) {
  uint64_t value;
  memcpy(&value, w->bytes + (address - BASE), 8);
  return value;
}

static uint64_t random_below(uint64_t n) { return ((uint64_t)rand() << 31 ^ (uint64_t)rand()) % n; }

/* ---- the naive model ---- */

typedef struct {
  uint8_t strong[MAX + 1][MAX], any[MAX + 1][MAX]; /* source MAX: the roots */
} matrix_t;

static void note(world_t const *w, matrix_t *m, uint64_t location, uint32_t source) {
  uint64_t value = get(w, location);
  for (uint32_t i = 0; i < w->cnt; i++) {
    uint64_t sz = w->blocks[i].size ? w->blocks[i].size : 1;
    if (value - w->blocks[i].start >= sz || i == source) continue;
    m->any[source][i] = 1;
    if (value - w->blocks[i].start < 8) m->strong[source][i] = 1;
  }
}

static void fill_matrix(world_t const *w, matrix_t *m) {
  memset(m, 0, sizeof *m);
  for (uint64_t a = BASE; a < BASE + ROOT_SZ; a += 8) note(w, m, a, MAX);
  for (uint32_t i = 0; i < w->cnt; i++) {
    uint64_t end = w->blocks[i].start + w->blocks[i].size;
    for (uint64_t a = (w->blocks[i].start + 7) & ~7ull; a + 8 <= end; a += 8) note(w, m, a, i);
  }
}

static void close_over(uint8_t reach[MAX + 1][MAX], uint32_t cnt) {
  for (uint32_t k = 0; k < cnt; k++)
    for (uint32_t i = 0; i <= MAX; i++)
      for (uint32_t j = 0; reach[i][k] && j < cnt; j++) reach[i][j] |= reach[k][j];
}

/* Among the lost: does the block lie in a group that nothing outside points to, and is it the
 * largest? */
static vt_class_t naive_lost(world_t const *w, uint8_t const *lost, uint8_t reach[MAX + 1][MAX],
                             uint32_t b) {
  for (uint32_t i = 0; i < w->cnt; i++) {
    if (!lost[i] || i == b) continue;
    if (reach[i][b] && !reach[b][i]) return VT_CLASS_INDIRECT;
    if (!(reach[i][b] && reach[b][i])) continue;
    if (w->blocks[i].size > w->blocks[b].size || (w->blocks[i].size == w->blocks[b].size && i < b))
      return VT_CLASS_INDIRECT;
  }
  return VT_CLASS_DEFINITE;
}

static void naive(world_t const *w, uint8_t *kinds) {
  static matrix_t m;
  uint8_t lost[MAX];
  fill_matrix(w, &m);
  close_over(m.strong, w->cnt);
  close_over(m.any, w->cnt);
  for (uint32_t i = 0; i < w->cnt; i++) lost[i] = !m.any[MAX][i];
  for (uint32_t i = 0; i < w->cnt; i++)
    kinds[i] = m.strong[MAX][i] ? VT_CLASS_REACHABLE
               : !lost[i]       ? VT_CLASS_POSSIBLE
                                : (uint8_t)naive_lost(w, lost, m.any, i);
}

/* ---- random worlds ---- */

static void place_blocks(world_t *w) {
  uint64_t at = BASE + ROOT_SZ + random_below(64);
  w->cnt = 0;
  for (uint32_t n = 1 + (uint32_t)random_below(MAX - 1); w->cnt < n; w->cnt++) {
    uint64_t sz = random_below(4) ? random_below(200) : random_below(3 * VT_PAGE);
    if (random_below(40) == 0) sz = ((uint64_t)1 << 20) + random_below(100);
    if (at + sz > BASE + MEMORY - VT_PAGE) break;
    w->blocks[w->cnt] = (vt_live_block_t){at, sz};
    at += (sz ? sz : 1) + (random_below(2) ? random_below(40) : random_below(3 * VT_PAGE));
  }
}

/* A pointer to a start, a tagged one, an odd one into the middle, one beyond the end, or none. */
static uint64_t random_word(world_t const *w) {
  vt_live_block_t const *b = &w->blocks[random_below(w->cnt)];
  switch (random_below(9)) {
  case 0: return b->start + random_below(8);
  case 1: return b->start + b->size;
  case 2: return b->size > 20 ? ((b->start + 9 + random_below(b->size - 18)) | 1) : 0;
  case 3: return random_below(UINT32_MAX);
  case 4: return (BASE + random_below(MEMORY)) | 1;
  default: return b->start;
  }
}

static void write_words(world_t *w) {
  for (uint64_t n = random_below(8); n > 0; n--)
    put(w, BASE + random_below(ROOT_SZ / 8) * 8, random_word(w));
  for (uint64_t n = random_below(3 * w->cnt); n > 0; n--) {
    vt_live_block_t const *b = &w->blocks[random_below(w->cnt)];
    if (b->size < 16) continue;
    put(w, (b->start + random_below(b->size - 15) + 7) & ~7ull, random_word(w));
  }
}

/* The scanner's opinion; blocks go in shuffled. Returns 0 when something could not be read. */
static int judge(world_t *w, vt_areas_t const *areas, uint8_t *kinds, int high_tags) {
  vt_memory_t memory = {read_world, run_of_world, w};
  vt_live_block_t *copy = malloc(sizeof *copy * (w->cnt + 1));
  memcpy(copy, w->blocks, sizeof *copy * w->cnt);
  for (uint32_t i = w->cnt; i > 1; i--) {
    uint32_t k = (uint32_t)random_below(i);
    vt_live_block_t t = copy[i - 1];
    copy[i - 1] = copy[k];
    copy[k] = t;
  }
  vt_live_t live = vt_live_make(copy, w->cnt);
  vt_root_t root = {.start = BASE, .end = BASE + ROOT_SZ};
  vt_scan_t scan = {&memory, areas, &live, &root, 1, high_tags, 0};
  vt_graph_t graph;
  int whole = vt_scan_run(&scan, &graph) != UINT64_MAX;
  if (whole) {
    vt_judged_t v = vt_graph_judge(&graph, vt_live_size_of, &live);
    memcpy(kinds, v.kinds, w->cnt);
    vt_judged_free(&v);
  }
  vt_graph_free(&graph);
  vt_live_free(&live);
  return whole;
}

static int round_agrees(world_t *w, unsigned *seen) {
  static vt_areas_t const none;
  uint8_t got[MAX], want[MAX];
  memset(w->bytes, 0, MEMORY);
  do place_blocks(w);
  while (!w->cnt);
  write_words(w);
  if (!judge(w, &none, got, 0)) return 0;
  naive(w, want);
  for (uint32_t i = 0; i < w->cnt; i++) {
    if (got[i] != want[i]) printf("# block %u: got %d want %d\n", i, got[i], want[i]);
    if (got[i] != want[i]) return 0;
    seen[want[i]]++;
  }
  return 1;
}

/* ---- forms of interior pointers ---- */

/* One block of `size` bytes with words in it, and a pointer to `at` in a root. */
typedef struct {
  char const *name;
  uint64_t size, at;
  uint64_t words[4]
                [2]; /* offset, value; value 1: where the block begins, 2: where the pointer lies */
  vt_class_t kind;
} form_t;

static form_t const forms[] = {
    {"the middle of nothing in particular", 100, 40, {{0, 7}}, VT_CLASS_POSSIBLE},
    {"a length in front", 100, 8, {{0, 92}}, VT_CLASS_REACHABLE},
    {"a wrong length in front", 100, 8, {{0, 93}}, VT_CLASS_POSSIBLE},
    {"the cookie of new[]", 8 + 12 * 5, 8, {{0, 5}}, VT_CLASS_REACHABLE},
    {"the cookie of new[] of aligned elements", 16 + 32 * 3, 16, {{8, 3}}, VT_CLASS_REACHABLE},
    {"no cookie", 8 + 12 * 5, 8, {{0, 7}}, VT_CLASS_POSSIBLE},
    {"a copy-on-write string", 25 + 30, 24, {{0, 12}, {8, 30}, {16, 0}}, VT_CLASS_REACHABLE},
    {"a longer string than its capacity", 25 + 30, 24, {{0, 31}, {8, 30}}, VT_CLASS_POSSIBLE},
    {"a second base", 64, 24, {{0, CODE + 16}, {24, CODE + 64}}, VT_CLASS_REACHABLE},
    {"a second base without a table", 64, 24, {{0, CODE + 16}, {24, 64}}, VT_CLASS_POSSIBLE},
    {"aligned by hand", 200, 64, {{56, 1}}, VT_CLASS_REACHABLE},
    {"a thread's vector of TLS blocks", 16 * 20, 16, {{0, 18}}, VT_CLASS_REACHABLE},
    {"a list node that points back", 96, 48, {{48 + 8, 2}}, VT_CLASS_REACHABLE},
    {"one past the end", 96, 96, {{0, 0}}, VT_CLASS_DEFINITE},
    {"before the start", 96, (uint64_t)-8, {{0, 0}}, VT_CLASS_DEFINITE},
    {"a tag in the low bits", 96, 5, {{0, 0}}, VT_CLASS_REACHABLE},
};

static void check_form(world_t *w, form_t const *f) {
  vt_area_t code = {CODE, CODE + VT_PAGE, VT_AREA_PRIVATE | VT_AREA_FILE, "/bin/x"};
  vt_areas_t areas = {.areas = &code, .areas_cnt = 1};
  uint8_t kind = 0;
  memset(w->bytes, 0, MEMORY);
  w->cnt = 1;
  w->blocks[0] = (vt_live_block_t){BASE + ROOT_SZ + 64, f->size};
  for (int i = 0; i < 4; i++) {
    uint64_t value = f->words[i][1];
    if (value == 1) value = w->blocks[0].start;
    if (value == 2) value = BASE + 80;
    if (value) put(w, w->blocks[0].start + f->words[i][0], value);
  }
  put(w, BASE + 80, w->blocks[0].start + f->at);
  judge(w, &areas, &kind, 0);
  is_ulong(kind, f->kind, f->name);
}

static void check_others(world_t *w) {
  static vt_areas_t const none;
  uint8_t kind = 0;
  memset(w->bytes, 0, MEMORY);
  w->cnt = 1;
  w->blocks[0] = (vt_live_block_t){BASE + ROOT_SZ, 32};
  put(w, BASE, w->blocks[0].start | (uint64_t)0xabc0 << 48);
  judge(w, &none, &kind, 0);
  is_ulong(kind, VT_CLASS_DEFINITE, "a tag in the top bits");
  judge(w, &none, &kind, 1);
  is_ulong(kind, VT_CLASS_REACHABLE, "the same with high_tags");
  w->blocks[0].start = BASE + MEMORY - 16;
  memset(w->bytes, 1, MEMORY);
  ok(!judge(w, &none, &kind, 0), "memory that cannot be read: no verdict");
}

int main(void) {
  unsigned seed = (unsigned)(getenv("SEED") ? atoi(getenv("SEED")) : 20261130);
  unsigned seen[VT_CLASS_DEFINITE + 1] = {0};
  world_t w = {.bytes = malloc(MEMORY)};
  printf("# SEED=%u\n", seed);
  srand(seed);
  int agreed = 0;
  while (agreed < ROUNDS && round_agrees(&w, seen)) agreed++;
  is_ulong((unsigned long)agreed, ROUNDS, "random memories are judged as by the naive model");
  ok(seen[VT_CLASS_REACHABLE] > 99 && seen[VT_CLASS_POSSIBLE] > 99 &&
         seen[VT_CLASS_INDIRECT] > 99 && seen[VT_CLASS_DEFINITE] > 99,
     "every kind occurred often");
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) check_form(&w, &forms[i]);
  check_others(&w);
  free(w.bytes);
  return done_testing();
}
