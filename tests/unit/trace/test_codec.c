/* Packed events and stack nodes: random ones come back the same, and no damaged payload makes the
   decoder leave its input or its output (run under SAN=address to see that). */
#include "analyzer/trace/codec.h"
#include "analyzer/trace/trie.h"
#include "tests/unit/tap.h"
#include "tests/unit/trace/random_events.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SHIFT 5

static vt_codec_t *codec;
static vt_thread_ids_t threads;

/* The threads that random events name: many have the same number in the kernel. */
static void make_threads(void) {
  vt_thread_ids_init(&threads);
  for (uint32_t i = 0; i < RANDOM_THREADS; i++)
    vt_thread_ids_index(&threads, (vt_thread_id_t){.tid = 7 + i % 50, .number = i});
}

static vt_event_t *make_events(size_t cnt) {
  vt_event_t *events = malloc(cnt * sizeof *events);
  random_source_t source = {.top = 0x555500001000, .time = 1000000, .tid = 7, .stacks = 5000};
  for (size_t i = 0; i < cnt; i++) {
    events[i] = random_event(&source);
    if (events[i].kind != VT_EVENT_FREE || roll(3)) continue;
    events[i].size = roll(20) ? roll(3) * 16 : random_u64() >> 1 >> roll(63);
    if (!roll(10)) events[i].align = (uint64_t)1 << roll(40);
  }
  return events;
}

/* same compares what was decoded with what went in, whose time is kept in units. What a delete was told may be left
   out, but never be another thing. */
static int same(vt_event_t e, vt_event_t const *decoded) {
  e.time = e.time >> SHIFT << SHIFT;
  if (e.kind == VT_EVENT_FREE && !e.align && !decoded->size) e.size = 0;
  return !memcmp(&e, decoded, sizeof e);
}

static void round_trip(size_t cnt) {
  vt_event_t *events = make_events(cnt), *out = calloc(cnt, sizeof *out);
  vt_bytes_t b = {0};
  size_t good = 0;
  vt_codec_encode(codec, events, cnt, SHIFT, &threads, &b);
  int complete = vt_codec_count(b.data, b.sz) == cnt &&
                 vt_codec_decode(codec, b.data, b.sz, SHIFT, &threads, out) == cnt;
  while (good < cnt && same(events[good], &out[good])) good++;
  ok(complete && good == cnt, "%zu events come back (%zu bytes)", cnt, b.sz);
  vt_bytes_free(&b);
  free(events);
  free(out);
}

/* A delete that is told `said` of a block of this chunk that has `size` bytes (0: of one from elsewhere). */
typedef struct {
  uint64_t said, size;
} delete_t;

static size_t deletions(delete_t const *list, size_t cnt, vt_event_t *events) {
  size_t n = 0;
  for (size_t i = 0; i < cnt; i++) {
    uint64_t address = 0x10000 + 64 * i;
    if (list[i].size)
      events[n++] = (vt_event_t){.kind = VT_EVENT_ALLOC, .api = VT_API_NEW, .address = address, .size = list[i].size, .stack = 1};
    events[n++] = (vt_event_t){.kind = VT_EVENT_FREE, .api = VT_API_DELETE, .address = address, .size = list[i].said, .stack = 2};
  }
  return n;
}

#define DELETES_MAX 100
static void deletes(delete_t const *list, size_t cnt, uint64_t const *want, char const *name) {
  vt_event_t events[2 * DELETES_MAX], out[2 * DELETES_MAX] = {0};
  vt_bytes_t b = {0};
  size_t n = deletions(list, cnt, events), k = 0, wrong = 0;
  vt_codec_encode(codec, events, n, SHIFT, &threads, &b);
  if (vt_codec_decode(codec, b.data, b.sz, SHIFT, &threads, out) != n) wrong = cnt;
  for (size_t i = 0; i < n; i++)
    if (out[i].kind == VT_EVENT_FREE) wrong += out[i].size != want[k++];
  is_ulong(wrong, 0, name);
  vt_bytes_free(&b);
}

static void told(void) {
  delete_t list[DELETES_MAX];
  uint64_t want[DELETES_MAX];
  deletes((delete_t[]){{24, 24}, {8, 24}, {0, 24}}, 3, (uint64_t[]){0, 8, 0}, "of a block of this chunk only a wrong size is told");
  deletes((delete_t[]){{24, 0}, {24, 0}, {0, 0}, {8, 0}, {24, 24}, {8, 0}}, 6, (uint64_t[]){24, 24, 0, 8, 0, 8},
          "of another block each is told");
  for (size_t i = 0; i < DELETES_MAX; i++) {
    list[i] = (delete_t){1 + i, 0};
    want[i] = i < 32 ? 1 + i : 0;
  }
  list[DELETES_MAX - 1] = (delete_t){7, 8};
  want[DELETES_MAX - 1] = 7;
  deletes(list, DELETES_MAX, want, "of a stack that is told many sizes 32 are, and those of blocks of this chunk");
}

/* decode_copy decodes an exact-size copy, so that a sanitizer sees every step beyond it. Returns the
   number of events, which must not exceed what the payload says. */
static size_t decode_copy(uint8_t const *p, size_t sz) {
  uint8_t *copy = malloc(sz ? sz : 1);
  memcpy(copy, p, sz);
  uint32_t cnt = vt_codec_count(copy, sz);
  vt_event_t *out = malloc((cnt ? cnt : 1) * sizeof *out);
  size_t got = vt_codec_decode(codec, copy, sz, SHIFT, &threads, out);
  free(out);
  free(copy);
  return got <= cnt ? got : SIZE_MAX;
}

static void truncated(void) {
  vt_event_t *events = make_events(400);
  vt_bytes_t b = {0};
  size_t whole = 0, beyond = 0;
  vt_codec_encode(codec, events, 400, SHIFT, &threads, &b);
  for (size_t sz = 0; sz < b.sz; sz++) {
    size_t got = decode_copy(b.data, sz);
    whole += got == 400;
    beyond += got == SIZE_MAX;
  }
  is_ulong(whole + beyond, 0, "a payload cut at any byte is never taken for whole");
  vt_bytes_free(&b);
  free(events);
}

static void damaged(unsigned rounds) {
  vt_event_t *events = make_events(300);
  vt_bytes_t b = {0};
  size_t beyond = 0;
  vt_codec_encode(codec, events, 300, SHIFT, &threads, &b);
  uint8_t *copy = malloc(b.sz);
  for (unsigned i = 0; i < rounds; i++) {
    memcpy(copy, b.data, b.sz);
    for (uint32_t k = 1 + roll(4); k--;) copy[roll((uint32_t)b.sz)] ^= (uint8_t)(1u << roll(8));
    if (!roll(3)) vt_store32(copy + 24 + 16 * roll(4) + 4 * roll(4), (uint32_t)random_u64());
    beyond += decode_copy(copy, b.sz) == SIZE_MAX;
  }
  is_ulong(beyond, 0, "flipped bits and absurd lengths stay within bounds");
  free(copy);
  vt_bytes_free(&b);
  free(events);
}

#define OBJECTS 3000

/* Objects of three sizes, as an interpreter makes them from its pools one after the other: all are allocated, or all
   are freed. */
static vt_event_t object(uint32_t i, int freed, uint8_t api) {
  uint32_t kind = i % 3;
  vt_event_t e = {.kind = freed ? VT_EVENT_FREE : VT_EVENT_ALLOC, .api = api, .stack = 10 + kind + 3 * (uint32_t)freed};
  e.size = freed ? 0 : 32 << kind;
  e.address = 0x7f0000000000 + ((uint64_t)kind << 24) + (uint64_t)(i / 3) * (32u << kind);
  return e;
}

/* pooled returns the size of their payload; *features: what it requires. */
static size_t pooled(int freed, uint8_t api, uint64_t *features) {
  vt_event_t events[OBJECTS], out[OBJECTS];
  vt_bytes_t b = {0};
  for (uint32_t i = 0; i < OBJECTS; i++) events[i] = object(i, freed, api);
  *features = vt_codec_encode(codec, events, OBJECTS, SHIFT, &threads, &b);
  size_t got = vt_codec_decode(codec, b.data, b.sz, SHIFT, &threads, out), good = 0;
  while (good < got && same(events[good], &out[good])) good++;
  ok(good == OBJECTS, "blocks %s by api %u come back", freed ? "freed" : "allocated", api);
  size_t sz = b.sz;
  vt_bytes_free(&b);
  return sz;
}

static void pools(void) {
  for (int freed = 0; freed < 2; freed++) {
    uint64_t python, others;
    size_t small = pooled(freed, VT_API_OTHER, &python), large = pooled(freed, VT_API_MALLOC, &others);
    ok(python == VT_REQUIRED_POOLS && !others, "only an interpreter's blocks require that a reader knows pools");
    ok(small < 400 && large > 2 * small, "addresses from pools are foreseen: %zu bytes, else %zu", small, large);
  }
}

static void trie_round_trip(void) {
  vt_trie_t a, b;
  vt_bytes_t first = {0}, second = {0};
  vt_trie_init(&a);
  vt_trie_init(&b);
  uint32_t node = vt_trie_child(&a, 0, 3);
  for (int i = 0; i < 20000; i++) {
    if (i == 9000) vt_trie_encode(&a, 1, &first);
    if (!roll(5)) node = 1 + roll(a.cnt - 1);
    node = vt_trie_child(&a, node, 0x7f0000000000 + random_u64() % 5000);
  }
  uint32_t split = 1 + vt_load32(first.data + 4);
  vt_trie_encode(&a, split, &second);
  ok(!vt_trie_decode(&b, first.data, first.sz) && !vt_trie_decode(&b, second.data, second.sz),
     "stack nodes in two chunks are accepted");
  ok(a.cnt == b.cnt && !memcmp(a.pc, b.pc, a.cnt * sizeof *a.pc) &&
         !memcmp(a.parent, b.parent, a.cnt * sizeof *a.parent),
     "the %u nodes come back", a.cnt);
  ok(vt_trie_decode(&b, first.data, first.sz) < 0, "nodes that are known already are refused");
  size_t accepted = 0;
  for (size_t sz = 0; sz < first.sz; sz += 1 + roll(50)) {
    uint8_t *copy = malloc(sz ? sz : 1);
    vt_trie_t c;
    vt_trie_init(&c);
    memcpy(copy, first.data, sz);
    accepted += !vt_trie_decode(&c, copy, sz);
    for (uint32_t n = 1; n < c.cnt; n++) accepted += c.parent[n] >= n;
    vt_trie_fini(&c);
    free(copy);
  }
  is_ulong(accepted, 0, "cut node lists are refused, no parent is a later node");
  vt_bytes_free(&first);
  vt_bytes_free(&second);
  vt_trie_fini(&a);
  vt_trie_fini(&b);
}

int main(int argc, char **argv) {
  random_state = argc > 1 ? strtoull(argv[1], NULL, 0) : (uint64_t)time(NULL) * 2 + 1;
  printf("# seed %llu\n", (unsigned long long)random_state);
  make_threads();
  codec = vt_codec_new();
  round_trip(1);
  round_trip(2);
  round_trip(100);
  round_trip(VT_CODEC_EVENTS);
  round_trip(100000);
  told();
  truncated();
  damaged(4000);
  pools();
  trie_round_trip();
  vt_codec_delete(codec);
  vt_thread_ids_fini(&threads);
  return done_testing();
}
