/* The reader on traces made by the packer: the same events come back in order of time, whatever is
   cut or damaged is said and everything else used. The oracle is the array of events that went in. */
#include "analyzer/trace/packer.h"
#include "analyzer/trace/reader.h"
#include "tests/unit/tap.h"
#include "tests/unit/trace/random_events.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define HZ 1000000000u
#define START 5000000u
#define STREAMS 5

static char path[64];
static vt_codec_t *codec;
static vt_event_t *expected; /* in order of time, ticks in units */
static size_t expected_cnt;

static int by_time(void const *a, void const *b) {
  vt_event_t const *x = a, *y = b;
  return x->time < y->time ? -1 : x->time > y->time;
}

static void put_module(vt_packer_t *p) {
  vt_bytes_t b = {0};
  vt_bytes_u64(&b, START + 10);
  vt_bytes_u32(&b, 0);
  vt_bytes_u32(&b, 0);
  vt_bytes_u64(&b, 0x7f0000000000);
  vt_bytes_u64(&b, 0x7f0000000000);
  vt_bytes_u64(&b, 0x7f0000010000);
  vt_bytes_u32(&b, 0);
  vt_bytes_string(&b, "\x12\x34", 2);
  vt_bytes_string(&b, "/lib/x.so", 9);
  vt_bytes_u32(&b, 1);
  vt_bytes_u64(&b, 0x7f0000001000);
  vt_bytes_u64(&b, 0x7f0000002000);
  vt_bytes_u64(&b, 0x1000);
  vt_packer_message(p, VT_CHUNK_MODULE, 0, b.data, b.sz);
  vt_bytes_free(&b);
}

static void name_threads(vt_packer_t *p) {
  for (uint32_t i = 0; i < RANDOM_THREADS; i++)
    vt_thread_ids_index(&p->threads, (vt_thread_id_t){.tid = i, .number = i + 1});
}

/* make_trace writes `cnt` events over STREAMS streams and remembers them. */
static void make_trace(size_t cnt) {
  vt_error_t error;
  vt_packer_t p;
  vt_header_t h = {.arch = 62, .endian = 1, .pointer_sz = 8, .page_sz = 4096, .pid = 42,
                   .tick_hz = HZ, .start_tick = START, .host = "h", .host_sz = 1,
                   .executable = "/bin/prog", .executable_sz = 9, .command = "prog\0-x", .command_sz = 8};
  vt_packer_open(&p, vt_writer_open(path, &error), codec, &h);
  put_module(&p);
  name_threads(&p);
  random_source_t source[STREAMS];
  for (uint32_t i = 0; i < STREAMS; i++)
    source[i] = (random_source_t){.top = 0x10000 * (i + 1), .time = START, .tid = i, .stacks = 200};
  uint32_t node = vt_trie_child(&p.trie, 0, 0);
  for (int i = 0; i < 300; i++) node = vt_trie_child(&p.trie, 1 + roll(node), 0x7f0000001000 + roll(99));
  free(expected);
  expected = malloc(cnt * sizeof *expected);
  for (expected_cnt = 0; expected_cnt < cnt; expected_cnt++) {
    uint32_t stream = roll(STREAMS);
    vt_event_t *e = vt_packer_room(&p, stream);
    do *e = random_event(&source[stream]);
    while (e->time > (uint64_t)1 << 62);
    expected[expected_cnt] = *e;
    expected[expected_cnt].time = e->time >> p.header.time_shift << p.header.time_shift;
    vt_packer_add(&p, stream, 1);
    if (!roll(2000)) vt_packer_flush(&p);
  }
  vt_packer_finish(&p, 1);
  qsort(expected, cnt, sizeof *expected, by_time);
}

/* What a run delivered. */
typedef struct {
  vt_reader_t *r;
  vt_event_t *events;
  size_t cnt;
  uint64_t last;
  int disorder;
} got_t;

static int collect(void *context, vt_event_t const *events, size_t cnt) {
  got_t *g = context;
  size_t threads;
  vt_trace_thread_t const *thread = vt_reader_threads(g->r, &threads);
  g->events = realloc(g->events, (g->cnt + cnt) * sizeof *g->events);
  for (size_t i = 0; i < cnt; i++) {
    vt_event_t e = events[i];
    g->disorder |= e.time < g->last || e.thread >= threads;
    g->last = e.time;
    if (e.thread < threads) e.thread = thread[e.thread].tid;
    g->events[g->cnt++] = e;
  }
  return 0;
}

static got_t read_all(vt_error_t *error) {
  got_t g = {.r = vt_reader_open(path, error)};
  if (g.r) vt_reader_run(g.r, &(vt_reader_sink_t){.events = collect, .context = &g});
  return g;
}

static void done_with(got_t *g) {
  vt_reader_close(g->r);
  free(g->events);
}

/* hash_of does not depend on the order of events, of which ties have none. */
static uint64_t hash_of(vt_event_t const *e, int ticks) {
  uint64_t time = ticks ? (e->time > START ? e->time - START : 0) : e->time;
  uint64_t v[] = {time, e->address, e->size, e->align, e->tag, e->stack, e->thread, e->heap, e->kind, e->api};
  uint64_t h = 0;
  for (size_t i = 0; i < sizeof v / sizeof *v; i++) h = (h ^ v[i]) * 0x9E3779B97F4A7C15u + (h >> 29);
  return h;
}

static void whole(size_t cnt) {
  vt_error_t error;
  make_trace(cnt);
  got_t g = read_all(&error);
  uint64_t want = 0, have = 0;
  for (size_t i = 0; i < cnt; i++) want += hash_of(&expected[i], 1);
  for (size_t i = 0; i < g.cnt; i++) have += hash_of(&g.events[i], 0);
  ok(g.cnt == cnt && want == have && !g.disorder, "%zu events of %d streams come back in order", cnt,
     STREAMS);
  vt_integrity_t const *in = vt_reader_integrity(g.r);
  ok(in->ended && !in->torn_bytes && !in->damaged_chunks && !in->missing_chunks && !in->bad_events,
     "nothing is said to be missing");
  size_t before = g.cnt;
  got_t again = {.r = g.r};
  vt_reader_run(g.r, &(vt_reader_sink_t){.events = collect, .context = &again});
  free(again.events);
  ok(vt_reader_integrity(g.r)->events == before, "a second run delivers as many");
  vt_trace_frame_t frames[512];
  size_t n = vt_reader_expand(g.r, 50, frames, 512), modules;
  ok(n && frames[0].module == 0 && frames[0].offset == frames[0].pc - 1 - 0x7f0000000000,
     "frames know their module and offset");
  ok(vt_reader_modules(g.r, &modules)[0].build_id_sz == 2 && modules == 1 &&
         vt_reader_info(g.r)->argc == 2 && !strcmp(vt_reader_info(g.r)->argv[1], "-x"),
     "header and module are as written");
  done_with(&g);
}

/* Operations on whole heaps come between the events where they belong. */
typedef struct {
  uint64_t last;
  size_t ops;
  int disorder;
} ordered_t;

static int on_events(void *context, vt_event_t const *events, size_t cnt) {
  ordered_t *o = context;
  for (size_t i = 0; i < cnt; i++) {
    o->disorder |= events[i].time < o->last;
    o->last = events[i].time;
  }
  return 0;
}

static void on_heap_op(void *context, vt_trace_heap_op_t const *op) {
  ordered_t *o = context;
  /* Like an event's, the time is kept in units. */
  uint64_t unit = (uint64_t)1 << vt_packer_shift(HZ);
  o->disorder |= op->time < o->last || op->tag * 1000 / unit * unit != op->time;
  o->last = op->time;
  o->ops++;
}

static void heap_ops(void) {
  vt_error_t error;
  vt_packer_t p;
  vt_header_t h = {.tick_hz = HZ, .start_tick = START, .host = "", .executable = "", .command = ""};
  vt_packer_open(&p, vt_writer_open(path, &error), codec, &h);
  name_threads(&p);
  for (uint64_t i = 0; i < 300; i++) { /* written in reverse order of time */
    vt_bytes_t b = {0};
    vt_bytes_u64(&b, START + (300 - i) * 1000);
    vt_bytes_u32(&b, 1);
    vt_bytes_u32(&b, VT_HEAP_OP_TAG_FREE);
    vt_bytes_u64(&b, 300 - i);
    vt_packer_message(&p, VT_CHUNK_HEAP_OP, 0, b.data, b.sz);
    vt_bytes_free(&b);
  }
  for (uint64_t i = 0; i < 10000; i++) {
    *vt_packer_room(&p, 1) = (vt_event_t){.kind = VT_EVENT_FREE, .time = START + i * 40, .address = i};
    vt_packer_add(&p, 1, 1);
  }
  vt_packer_finish(&p, 1);
  ordered_t o = {0};
  vt_reader_t *r = vt_reader_open(path, &error);
  vt_reader_run(r, &(vt_reader_sink_t){on_events, on_heap_op, &o});
  ok(o.ops == 300 && !o.disorder, "operations on heaps come where their time is");
  vt_reader_close(r);
}

#define SLOTS 40 /* places for modules; a module begins in its slot and may reach into the next */

/* loaded writes a module that lies in a slot until it is unloaded. */
static void loaded(vt_packer_t *p, uint32_t id, uint32_t epoch, uint32_t slot) {
  vt_bytes_t b = {0};
  uint64_t start = 0x100000 + slot * 0x10000 + 0x1000 * roll(2), end = start + 0x1000 + 0x800 * roll(24);
  vt_bytes_u64(&b, START + id);
  vt_bytes_u32(&b, epoch);
  vt_bytes_u32(&b, id);
  vt_bytes_u64(&b, start);
  vt_bytes_u64(&b, start);
  vt_bytes_u64(&b, end);
  vt_bytes_u32(&b, 0);
  vt_bytes_string(&b, "", 0);
  vt_bytes_string(&b, "/m", 2);
  vt_bytes_u32(&b, 0);
  vt_packer_message(p, VT_CHUNK_MODULE, 0, b.data, b.sz);
  vt_bytes_free(&b);
}

static void unloaded(vt_packer_t *p, uint32_t id, uint32_t epoch) {
  vt_bytes_t b = {0};
  vt_bytes_u64(&b, START + id);
  vt_bytes_u32(&b, epoch);
  vt_bytes_u32(&b, id);
  vt_packer_message(p, VT_CHUNK_MODULE_UNLOAD, 0, b.data, b.sz);
  vt_bytes_free(&b);
}

/* Is `module` one of those that had code at `address` in `epoch`, or are there none? */
static int right_module(vt_reader_t const *r, uint32_t module, uint32_t epoch, uint64_t address) {
  size_t cnt, held = 0;
  vt_trace_module_t const *m = vt_reader_modules(r, &cnt);
  for (size_t i = 0; i < cnt; i++) {
    int holds = address >= m[i].start && address < m[i].end && epoch >= m[i].load_epoch && epoch < m[i].unload_epoch;
    if (holds && i == module) return 1;
    held += (size_t)holds;
  }
  return !held && module == VT_NO_MODULE;
}

/* modules_come_and_go: loads and unloads in 2,000 epochs, at few places; then any address in any epoch. */
static void modules_come_and_go(void) {
  vt_error_t error;
  vt_packer_t p;
  vt_header_t h = {.tick_hz = HZ, .start_tick = START, .host = "", .executable = "", .command = ""};
  uint32_t in_slot[SLOTS] = {0}, id = 0, wrong = 0;
  vt_packer_open(&p, vt_writer_open(path, &error), codec, &h);
  for (uint32_t epoch = 1; epoch < 2000; epoch++) {
    uint32_t slot = roll(3) ? roll(4) : roll(SLOTS);
    if (in_slot[slot])
      unloaded(&p, in_slot[slot] - 1, epoch);
    else
      loaded(&p, id, epoch, slot);
    in_slot[slot] = in_slot[slot] ? 0 : ++id;
  }
  vt_packer_finish(&p, 1);
  vt_reader_t *r = vt_reader_open(path, &error);
  for (int i = 0; i < 100000; i++) {
    uint32_t epoch = roll(2100);
    uint64_t address = 0xf0000 + random_u64() % (SLOTS * 0x10000 + 0x20000);
    wrong += !right_module(r, vt_reader_module_at(r, epoch, address), epoch, address);
  }
  ok(!wrong, "the module of an address is found in every epoch, but %u times of 100,000", wrong);
  vt_reader_close(r);
}

static uint8_t *load(size_t *sz) {
  FILE *f = fopen(path, "rb");
  fseek(f, 0, SEEK_END);
  *sz = (size_t)ftell(f);
  rewind(f);
  uint8_t *p = malloc(*sz);
  if (fread(p, 1, *sz, f) != *sz) *sz = 0;
  fclose(f);
  return p;
}

static void store(uint8_t const *p, size_t sz) {
  FILE *f = fopen(path, "wb");
  if (sz) fwrite(p, 1, sz, f);
  fclose(f);
}


static void truncated(void) {
  vt_error_t error;
  size_t sz, refused = 0, wrong = 0, silent = 0;
  make_trace(60);
  uint8_t *p = load(&sz);
  size_t header = vt_load32(p + VT_HEADER_OFF_SZ);
  for (size_t cut = 0; cut < sz; cut++) {
    store(p, cut);
    got_t g = read_all(&error);
    if (!g.r) {
      refused++;
      continue;
    }
    vt_integrity_t const *in = vt_reader_integrity(g.r);
    wrong += g.cnt > expected_cnt || g.disorder || (in->torn_bytes && in->torn_off + in->torn_bytes != cut);
    silent += in->ended;
    done_with(&g);
  }
  is_ulong(refused, header, "a file cut inside the header is refused, any other is read");
  is_ulong(wrong, 0, "cut anywhere: no more events than there were, the torn tail reaches the end");
  is_ulong(silent, 0, "a cut file never claims to be complete");
  free(p);
}

static void flipped(void) {
  vt_error_t error;
  size_t sz, wrong = 0, unnoticed = 0;
  make_trace(3000);
  uint8_t *p = load(&sz);
  size_t header = vt_load32(p + VT_HEADER_OFF_SZ);
  for (int i = 0; i < 300; i++) {
    size_t at = roll((uint32_t)sz);
    p[at] ^= (uint8_t)(1u << roll(8));
    uint8_t saved = p[at];
    store(p, sz);
    got_t g = read_all(&error);
    if (g.r) {
      vt_integrity_t const *in = vt_reader_integrity(g.r);
      wrong += g.cnt > expected_cnt || g.disorder;
      /* Padding between chunks is not covered by a checksum. */
      unnoticed += !in->torn_bytes && !in->damaged_chunks && g.cnt != expected_cnt;
    } else {
      wrong += at >= header;
    }
    done_with(&g);
    p[at] = saved;
    store(p, sz);
    free(p);
    make_trace(3000);
    p = load(&sz);
  }
  is_ulong(wrong, 0, "a flipped bit costs events of its chunk only");
  is_ulong(unnoticed, 0, "and is never silent about it");
  free(p);
}

/* absurd overwrites the size of the nth chunk. */
static void absurd(uint64_t size, char const *name) {
  vt_error_t error;
  size_t sz;
  make_trace(5000);
  uint8_t *p = load(&sz);
  size_t at = vt_load32(p + VT_HEADER_OFF_SZ); /* the module's chunk */
  vt_store64(p + at + VT_CHUNK_OFF_SZ, size);
  store(p, sz);
  got_t g = read_all(&error);
  ok(g.r && g.cnt == expected_cnt && vt_reader_integrity(g.r)->damaged_chunks == 1 &&
         vt_reader_integrity(g.r)->damage_off == at,
     "%s costs that chunk only", name);
  done_with(&g);
  free(p);
}

/* foreign appends a chunk of an unknown type and tells whether the trace opens. */
static int foreign(uint16_t flags) {
  vt_error_t error;
  make_trace(100);
  vt_writer_t *w = vt_writer_append(path, 99, &error);
  vt_writer_copy(w, 900, flags, 0, (uint8_t const *)"future", 6);
  vt_writer_close(w);
  got_t g = read_all(&error);
  int opened = g.r != NULL && g.cnt == 100 && vt_reader_integrity(g.r)->unknown_chunks == 1;
  done_with(&g);
  return opened;
}

static void headers(void) {
  vt_error_t error;
  size_t sz;
  make_trace(10);
  uint8_t *p = load(&sz);
  vt_store64(p + VT_HEADER_OFF_REQUIRED, (uint64_t)1 << 37);
  store(p, sz);
  ok(!vt_reader_open(path, &error) && strstr(error.why, "37"), "an unknown feature is refused by number");
  vt_store64(p + VT_HEADER_OFF_REQUIRED, 0);
  vt_store16(p + VT_HEADER_OFF_MIN_READER, 9);
  store(p, sz);
  ok(!vt_reader_open(path, &error) && strstr(error.why, "version 9"), "a newer version is refused");
  store((uint8_t const *)"hello", 5);
  ok(!vt_reader_open(path, &error) && !strcmp(error.why, "not a valtrace trace"), "text is no trace");
  store(NULL, 0);
  ok(!vt_reader_open(path, &error) && !strcmp(error.why, "the file is empty"), "nor is nothing");
  unlink(path);
  ok(!vt_reader_open(path, &error), "nor a file that is not there");
  ok(!vt_reader_open("/tmp", &error), "nor a folder");
  free(p);
}

int main(int argc, char **argv) {
  random_state = argc > 1 ? strtoull(argv[1], NULL, 0) : (uint64_t)time(NULL) * 2 + 1;
  printf("# seed %llu\n", (unsigned long long)random_state);
  snprintf(path, sizeof path, "/tmp/test_reader.%d.vtr", (int)getpid());
  codec = vt_codec_new();
  whole(1);
  whole(1000);
  whole(300000);
  heap_ops();
  modules_come_and_go();
  truncated();
  flipped();
  absurd((uint64_t)1 << 60, "a chunk length of 2^60");
  absurd(0, "a chunk length of 0");
  absurd(100000000, "a chunk length beyond the file");
  ok(foreign(0), "an unknown optional chunk is skipped");
  ok(!foreign(VT_CHUNK_FLAG_REQUIRED), "an unknown required chunk is refused");
  headers();
  unlink(path);
  vt_codec_delete(codec);
  free(expected);
  return done_testing();
}
