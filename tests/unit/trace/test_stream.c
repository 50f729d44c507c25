/* Streams: random stacks written through core/trace/stream into a ring of this test's own come back
   the same through a naive decoder written from docs/trace-format.md. The unwinder is replaced by one
   that hands out the stacks the test made up. */
#include "core/trace/stream.h"
#include "tests/unit/tap.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define EVENTS 3000
#define DEPTH_MAX 40000

/* The made-up unwinder. */
static vt_frame_t previous_frames[DEPTH_MAX], current_frames[DEPTH_MAX];
static uint32_t previous_depth, epoch;
uint32_t vt_unwind_epoch(void) { return epoch; }

static uint64_t seed;
static uint32_t roll(uint32_t n) {
  seed = seed * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(seed >> 33) % n;
}

/* next_stack changes the inner end of the current stack, mostly a little, sometimes a lot. */
static vt_stack_t next_stack(uint32_t deepest) {
  uint32_t keep = previous_depth;
  uint32_t drop = roll(20) ? roll(4) : roll(keep + 1);
  keep = drop > keep ? 0 : keep - drop;
  uint32_t add = 1 + (roll(50) ? roll(5) : roll(deepest));
  uint32_t depth = keep + add > deepest ? deepest : keep + add;
  if (keep > depth) keep = depth;
  memcpy(current_frames, previous_frames, keep * sizeof *current_frames);
  for (uint32_t i = keep; i < depth; i++) current_frames[i].pc = 0x400000 + roll(100000);
  vt_stack_t s = {.frames = current_frames,
                  .keep = keep,
                  .depth = depth,
                  .prev_depth = previous_depth};
  memcpy(previous_frames, current_frames, depth * sizeof *previous_frames);
  previous_depth = depth;
  return s;
}

/* What was recorded, and the naive decoder's state. */
typedef struct {
  uint64_t tick, address, depth, epoch, stack_hash;
} seen_t;
static seen_t expected[EVENTS], decoded[EVENTS];
static uint32_t decoded_cnt;
static uint64_t stack[DEPTH_MAX + 1];
static uint32_t stack_depth;
static uint64_t decoded_epoch;

static uint64_t hash_step(uint64_t h, uint64_t pc) { return (h ^ pc) * 0x9E3779B97F4A7C15u + 1; }

static uint64_t hash_expected(vt_stack_t const *s, uint32_t max_depth) {
  uint64_t h = 0;
  uint32_t n = s->depth > max_depth ? max_depth : s->depth;
  for (uint32_t i = 0; i < n; i++) h = hash_step(h, s->frames[i].pc);
  return n < s->depth ? hash_step(h, VT_ADDRESS_CUT) : h;
}

static void push(uint8_t const *words, uint64_t n) {
  for (uint64_t i = 0; i < n; i++) stack[stack_depth++] = vt_load64(words + 8 * i);
}

static void note_event(uint64_t tick, uint64_t address) {
  uint64_t h = 0;
  for (uint32_t i = 0; i < stack_depth; i++) h = hash_step(h, stack[i]);
  if (decoded_cnt < EVENTS)
    decoded[decoded_cnt] = (seen_t){tick, address, stack_depth, decoded_epoch, h};
  decoded_cnt++;
}

static void decode_segment(uint8_t const *segment) {
  uint8_t const *p = segment + VT_SEGMENT_RECORDS_OFF;
  uint8_t const *end = p + vt_load64(segment + VT_SEGMENT_OFF_COMMITTED);
  uint64_t tick = vt_load64(segment + VT_SEGMENT_OFF_BASE_TICK);
  decoded_epoch = vt_load32(segment + VT_SEGMENT_OFF_EPOCH);
  if (!(vt_load32(segment + VT_SEGMENT_OFF_FLAGS) & VT_SEGMENT_FLAG_CONTINUES)) stack_depth = 0;
  while (p < end) { /* every record this test writes has one word after w0 */
    uint64_t w0 = vt_load64(p), w1 = vt_load64(p + 8);
    tick += w0 >> VT_W0_TIME_SHIFT;
    stack_depth -= (uint32_t)(w0 >> VT_W0_POP_SHIFT) & VT_W0_POP_MAX;
    p += 16;
    uint64_t n = (w0 & 15) == VT_KIND_FRAMES ? w1 : (w0 >> VT_W0_PUSH_SHIFT) & VT_W0_PUSH_MAX;
    push(p, n);
    p += 8 * n;
    if ((w0 & 15) == VT_KIND_TIME) tick = w1;
    if ((w0 & 15) == VT_KIND_EPOCH) decoded_epoch = w1;
    if ((w0 & 15) == VT_KIND_EPOCH || (w0 & 15) == VT_KIND_THREAD) stack_depth = 0;
    if ((w0 & 15) == VT_KIND_ALLOC) note_event(tick, w1 & (((uint64_t)1 << 48) - 1));
  }
}

#define SEGMENTS 64 /* of the ring */

/* next_full is the full segment that comes next in the stream, or -1. */
static int next_full(vt_ring_t *ring, uint32_t number) {
  for (uint32_t i = 0; i < atomic_load(&ring->limit); i++)
    if ((atomic_load(&ring->state[i]) & VT_SEGMENT_STATE_MASK) == VT_SEGMENT_FULL &&
        vt_load32(vt_ring_segment(ring, i) + VT_SEGMENT_OFF_NUMBER) == number)
      return (int)i;
  return -1;
}

/* The test is its own collector: it decodes full segments at once and frees them. */
static uint32_t drained;
static void drain(vt_ring_t *ring) {
  for (int i; (i = next_full(ring, drained)) >= 0; drained++) {
    decode_segment(vt_ring_segment(ring, (uint32_t)i));
    vt_store64(vt_ring_segment(ring, (uint32_t)i) + VT_SEGMENT_OFF_COMMITTED, 0);
    atomic_store(&ring->state[i], VT_SEGMENT_FREE);
  }
}

static void run(vt_ring_t *ring, uint32_t deepest, uint32_t max_depth, char const *name) {
  static vt_sink_t sink;
  sink = (vt_sink_t){.image = 1, .pid = 1, .ring = ring, .slot = 1};
  sink.pieces.base = (uint8_t *)ring;
  sink.pieces.base_sz = VT_RING_SEGMENTS_OFF;
  vt_stream_t s = {.sink = &sink, .depth = VT_DEPTH_UNKNOWN, .max_depth = max_depth, .writer = 1};
  uint64_t tick = 1000;
  previous_depth = decoded_cnt = stack_depth = drained = 0;
  s.epoch = epoch;
  for (uint32_t i = 0; i < EVENTS; i++) {
    tick += roll(100) ? roll(5000) : (uint64_t)roll(100) << 30;
    if (!roll(500)) {
      epoch += 2;
      previous_depth = 0; /* the real unwinder forgets its memo too */
    }
    if (!roll(700)) {
      vt_stream_thread(&s, i, i + 1);
      previous_depth = 0;
    }
    if (!roll(600)) s.depth = VT_DEPTH_UNKNOWN; /* as after a lost event or a longjmp out of a hook */
    vt_stack_t st = next_stack(deepest);
    vt_record_t r = {.w0 = VT_KIND_ALLOC, .tick = tick, .words = {0x1000 + i}, .word_cnt = 1};
    vt_stream_put(&s, &r, &st);
    uint32_t shown = st.depth > max_depth ? max_depth + 1 : st.depth;
    expected[i] = (seen_t){tick, 0x1000 + i, shown, epoch, hash_expected(&st, max_depth)};
    drain(ring);
  }
  vt_stream_finish(&s);
  drain(ring);
  if (deepest <= 300) ok(drained < 2 + EVENTS * 8 * deepest / 50000, "few segments: %u", drained);
  is_ulong(decoded_cnt, EVENTS, name);
  uint32_t same = 0;
  while (same < EVENTS && !memcmp(&expected[same], &decoded[same], sizeof *expected)) same++;
  if (same < EVENTS)
    printf("# event %u: tick %lu/%lu depth %lu/%lu epoch %lu/%lu (decoded/expected)\n", same,
           decoded[same].tick, expected[same].tick, decoded[same].depth, expected[same].depth,
           decoded[same].epoch, expected[same].epoch);
  is_ulong(same, EVENTS, "every event has its time, address, epoch and stack");
}

int main(int argc, char **argv) {
  seed = argc > 1 ? strtoull(argv[1], NULL, 0) : (uint64_t)time(NULL);
  printf("# seed %llu\n", (unsigned long long)seed);
  vt_ring_t *ring = mmap(NULL, VT_RING_SZ(SEGMENTS), PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  atomic_store(&ring->limit, SEGMENTS);
  run(ring, 30, UINT32_MAX, "shallow stacks");
  run(ring, 300, UINT32_MAX, "stacks of hundreds of frames");
  run(ring, 3000, UINT32_MAX, "stacks around the depth at which segments continue");
  run(ring, DEPTH_MAX, UINT32_MAX, "stacks larger than a segment");
  run(ring, 60, 20, "stacks cut at 20 frames");
  run(ring, 60, 1, "stacks cut at one frame");
  return done_testing();
}
