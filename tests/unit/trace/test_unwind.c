/* The unwinder on ordinary code: chains, recursion that is random in depth, shape and registers,
   deep stacks, variable and realigned frames, threads. Oracles: see shadow.h, and glibc's
   backtrace(). */
#include <alloca.h>
#include <execinfo.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>
#include "tests/unit/trace/shadow.h"

static flow_t flow;

NOINLINE static void chain3(void) {
  ENTER();
  flow_capture(&flow);
  LEAVE();
}
NOINLINE static void chain2(int twice) {
  ENTER();
  chain3();
  if (twice) flow_capture(&flow);
  LEAVE();
}
NOINLINE static void chain1(void) {
  ENTER();
  for (int i = 0; i < 5; i++) chain2(i & 1);
  chain2(1); /* the same frames from another return address */
  LEAVE();
}

static void test_chain(void) {
  for (int i = 0; i < 3; i++) chain1();
  flow_verdict(&flow, "chain");
  vt_unwind_counters_t const *counters = vt_unwind_counters(flow.u);
  ok(counters->joins > 0 && counters->mismatches > 0, "the memo joined and noticed changes");
}

/* glibc agrees beyond main, too. */
NOINLINE static void compare_with_glibc(void) {
  void *pcs[256];
  ENTER();
  flow_capture(&flow);
  int cnt = backtrace(pcs, 256);
  int same = (uint32_t)cnt == flow.last.depth;
  for (int i = 1; same && i < cnt; i++)
    same =
        (uint64_t)(uintptr_t)pcs[i] == vt_frame_pc(&flow.last, flow.last.depth - 1 - (uint32_t)i);
  ok(same || SANITIZED, "depth %u: as glibc's backtrace, to the root", flow.last.depth);
  LEAVE();
}

/* ---- random walk through functions of different frames ---- */

static uint32_t budget, thousands = 4; /* captures of a walk; rounds and captures of the larger tests */
static void random_step(uint32_t depth);

/* From one of two call sites, so that equal frames differ in nothing but a return address. */
#define RANDOM_STEP(depth)                                                                         \
  do {                                                                                             \
    if (next_random() & 1) {                                                                       \
      random_step(depth);                                                                          \
      __asm__ volatile("# one site");                                                              \
    } else {                                                                                       \
      random_step(depth);                                                                          \
      __asm__ volatile("# another site");                                                          \
    }                                                                                              \
  } while (0)

NOINLINE static uint64_t frame_plain(uint32_t depth) {
  ENTER();
  RANDOM_STEP(depth);
  LEAVE();
  return depth;
}
NOINLINE static uint64_t frame_alloca(uint32_t depth) {
  ENTER();
  uint32_t sz = 16 + (uint32_t)(next_random() % 600);
  volatile char *mem = (volatile char *)alloca(sz);
  mem[0] = mem[sz - 1] = 1;
  RANDOM_STEP(depth);
  LEAVE();
  return mem[0];
}
NOINLINE static uint64_t frame_realigned(uint32_t depth) {
  ENTER();
  _Alignas(64) volatile char aligned[128];
  volatile char *mem = (volatile char *)alloca(16 + next_random() % 200);
  aligned[0] = mem[0] = 1;
  RANDOM_STEP(depth);
  LEAVE();
  return aligned[0];
}
/* Many arguments on the stack and every callee-saved register in use, rbp as any other. */
NOINLINE static uint64_t frame_full(uint32_t depth, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                                    uint64_t e, uint64_t f, uint64_t g) {
  ENTER();
  uint64_t x = a * b, y = c + d * 3, z = e ^ f, w = g - a, v = a | e, t = b & f;
  RANDOM_STEP(depth);
  LEAVE();
  return x + y * 2 + z * 3 + w * 5 + v * 7 + t * 11 + a + b + c + d + e + f + g;
}
NOINLINE static uint64_t frame_big(uint32_t depth) {
  ENTER();
  volatile char mem[40000];
  mem[0] = mem[sizeof(mem) - 1] = 1;
  RANDOM_STEP(depth);
  LEAVE();
  return mem[0];
}
__attribute__((optimize("no-omit-frame-pointer"))) NOINLINE static uint64_t
frame_fp(uint32_t depth) {
  ENTER();
  RANDOM_STEP(depth);
  LEAVE();
  return depth;
}

NOINLINE static void random_step(uint32_t depth) {
  static volatile uint64_t sink;
  ENTER();
  while (budget && next_random() % 8) {
    if (next_random() % 3 == 0 || depth > 60) {
      budget--;
      flow_capture(&flow);
      continue;
    }
    uint64_t r = next_random();
    switch (r % 16) {
    case 0:
    case 1:
    case 2:
    case 3: sink += frame_plain(depth + 1); break;
    case 4:
    case 5: sink += frame_alloca(depth + 1); break;
    case 6:
    case 7: sink += frame_realigned(depth + 1); break;
    case 8:
    case 9:
    case 10: sink += frame_fp(depth + 1); break;
    case 11: sink += frame_big(depth + 1); break;
    default: sink += frame_full(depth + 1, r, r + 1, r + 2, r + 3, r + 4, r + 5, r + 6);
    }
  }
  LEAVE();
}

static void test_random(void) {
  struct timespec now;
  char const *given = getenv("SEED");
  clock_gettime(CLOCK_REALTIME, &now);
  random_state = given ? strtoull(given, NULL, 0) : (uint64_t)now.tv_nsec * 2654435761u + 1;
  printf("# SEED=%lu\n", (unsigned long)random_state);
  budget = thousands * 1000;
  while (budget) random_step(0);
  flow_verdict(&flow, "random walk");
}

/* ---- the same few places again and again: trails ---- */

static uint64_t again(uint32_t level);

/* What is chosen at a level changes now and then. */
static uint64_t chosen(uint32_t level) {
  static uint64_t choice[8];
  if (next_random() % 256 == 0) choice[level] = next_random();
  return choice[level];
}

#define AGAIN(level)                                                                               \
  do {                                                                                             \
    if (chosen(level) & 1) {                                                                       \
      again(level);                                                                                \
      __asm__ volatile("# one site");                                                              \
    } else {                                                                                       \
      again(level);                                                                                \
      __asm__ volatile("# another site");                                                          \
    }                                                                                              \
  } while (0)

/* All frames of a level are of one size, so that what is inside them lies at the same place. */
NOINLINE static uint64_t again_plain(uint32_t level) {
  ENTER();
  AGAIN(level);
  LEAVE();
  return level;
}
/* rbp is an ordinary register here, with a value of its own each time. */
NOINLINE static uint64_t again_any_rbp(uint32_t level) {
  ENTER();
  __asm__ volatile("mov %0, %%rbp" ::"r"(next_random()) : "rbp");
  AGAIN(level);
  LEAVE();
  return level;
}
__attribute__((optimize("no-omit-frame-pointer"))) NOINLINE static uint64_t
again_fp(uint32_t level) {
  ENTER();
  AGAIN(level);
  LEAVE();
  return level;
}
/* Its stack pointer below is one of two, its CFA is found through rbp. */
NOINLINE static uint64_t again_alloca(uint32_t level) {
  ENTER();
  volatile char *mem = (volatile char *)alloca(16 + (chosen(level) >> 1 & 1) * 64);
  mem[0] = 1;
  AGAIN(level);
  LEAVE();
  return mem[0];
}

NOINLINE static uint64_t again(uint32_t level) {
  uint64_t sum = 0;
  ENTER();
  for (uint32_t i = 1 + next_random() % 3; level < 6 && i--;) {
    if (next_random() % 4 == 0) flow_capture(&flow);
    switch (chosen(level) >> 2 & 3) {
    case 0: sum += again_plain(level + 1); break;
    case 1: sum += again_any_rbp(level + 1); break;
    case 2: sum += again_alloca(level + 1); break;
    default: sum += again_fp(level + 1); break;
    }
    if (next_random() % 4 == 0) flow_capture(&flow);
  }
  if (level == 6) flow_capture(&flow);
  LEAVE();
  return sum;
}

static void test_again(void) {
  uint64_t captures = vt_unwind_counters(flow.u)->captures, trails = vt_unwind_counters(flow.u)->trails;
  for (uint32_t i = 0; i < thousands * 1000; i++) again(3);
  flow_verdict(&flow, "the same places again");
  captures = vt_unwind_counters(flow.u)->captures - captures;
  trails = vt_unwind_counters(flow.u)->trails - trails;
  ok(trails > captures / 3, "%lu of %lu captures took trails", (unsigned long)trails,
     (unsigned long)captures);
}

/* A realigned function at the same place below callers whose stack pointers differ: the return
   address it had is still where it was, but no longer its return address. */
NOINLINE static char realigned_leaf(void) {
  ENTER();
  _Alignas(128) volatile char aligned[128];
  volatile char *mem = (volatile char *)alloca(next_random() % 2 + 1);
  aligned[0] = mem[0] = 1;
  flow_capture(&flow);
  LEAVE();
  return aligned[0];
}

NOINLINE static void test_realigned(void) {
  ENTER();
  for (uint32_t i = 0; i < 8; i++) {
    realigned_leaf();
    volatile char *shift = (volatile char *)alloca(16);
    realigned_leaf();
    __asm__ volatile("# another site" ::"r"(shift) : "memory");
  }
  LEAVE();
  flow_verdict(&flow, "realigned frames");
}

/* The same for a saved rbp: the inner frames are equal, but the function they return to lies lower
   than before, which only its rbp tells; where it was its return address still is. */
NOINLINE static void saves_rbp(void (*hook)(void)) {
  ENTER();
  __asm__ volatile("" ::: "rbp");
  hook();
  LEAVE();
}
/* Two functions with frames of one size that save rbp at different places; what saves_high left at
   its place stays there under saves_low. */
void saves_high(void (*hook)(void));
void saves_low(void (*hook)(void));
__asm__(".text\n"
        ".globl saves_high\n"
        "saves_high: .cfi_startproc\n"
        "push %rbp\n .cfi_adjust_cfa_offset 8\n .cfi_rel_offset rbp, 0\n"
        "sub $48, %rsp\n .cfi_adjust_cfa_offset 48\n"
        "xor %ebp, %ebp\n"
        "call *%rdi\n"
        "add $48, %rsp\n .cfi_adjust_cfa_offset -48\n"
        "pop %rbp\n .cfi_adjust_cfa_offset -8\n .cfi_restore rbp\n"
        "ret\n"
        ".cfi_endproc\n"
        ".globl saves_low\n"
        "saves_low: .cfi_startproc\n"
        "sub $56, %rsp\n .cfi_adjust_cfa_offset 56\n"
        "mov %rbp, (%rsp)\n .cfi_rel_offset rbp, 0\n"
        "xor %ebp, %ebp\n"
        "call *%rdi\n"
        "mov (%rsp), %rbp\n .cfi_restore rbp\n"
        "add $56, %rsp\n .cfi_adjust_cfa_offset -56\n"
        "ret\n"
        ".cfi_endproc\n");

static void in_saver(void) {
  ENTER();
  flow_capture(&flow);
  LEAVE();
}

typedef void saver_t(void (*hook)(void));

/* Its stack pointer is the same for the same `want`, wherever its frame begins. */
NOINLINE static char reaches_down_to(uint64_t want, saver_t *saver) {
  ENTER();
  volatile char *mem =
      (volatile char *)alloca((uint64_t)(uintptr_t)__builtin_frame_address(0) - want);
  mem[0] = 1;
  ENTER_GAP(); /* the saver's frame */
  if (saver) saver(in_saver);
  shadow->cnt--;
  if (!saver) flow_capture(&flow);
  LEAVE();
  return mem[0];
}

/* first and second: what is called, from one site, before the frame moves and after. */
NOINLINE static void move_frames(saver_t *first, saver_t *second) {
  uint64_t want = (uint64_t)(uintptr_t)__builtin_frame_address(0) - 4096;
  saver_t *volatile order[] = {first, second, second, first};
  ENTER();
  for (uint32_t i = 0; i < 8; i++) {
    for (uint32_t n = 0; n < 6; n++) reaches_down_to(want, order[n / 3]);
    volatile char *shift = (volatile char *)alloca(16);
    for (uint32_t n = 6; n < 12; n++) reaches_down_to(want, order[n / 3]);
    __asm__ volatile("# another site" ::"r"(shift) : "memory");
  }
  LEAVE();
}

static void test_saved_rbp(void) {
  saver_t *const savers[] = {NULL, saves_rbp, saves_high, saves_low};
  for (uint32_t i = 0; i < 16; i++) move_frames(savers[i / 4], savers[i % 4]);
  flow_verdict(&flow, "saved rbp");
}

/* ---- depth ---- */

NOINLINE static uint64_t deep(uint32_t left, uint32_t at_bottom) {
  ENTER();
  if (!left) {
    for (uint32_t i = 0; i < at_bottom; i++) chain2(1);
  } else {
    deep(left - 1, at_bottom);
  }
  if (left % 1000 == 1) flow_capture(&flow);
  LEAVE();
  return left;
}

static void *deep_thread(void *arg) {
  uint32_t depth = *(uint32_t *)arg;
  shadow = shadow_new();
  vt_unwind_reset(flow.u);
  flow.mirror_cnt = 0;
  deep(depth, 3);
  return NULL;
}

/* In a thread whose stack is large enough. */
static void test_deep(uint32_t depth) {
  pthread_attr_t attr;
  pthread_t thread;
  char name[32];
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, (size_t)depth * 128 + (1 << 20));
  if (pthread_create(&thread, &attr, deep_thread, &depth)) abort();
  pthread_join(thread, NULL);
  snprintf(name, sizeof(name), "%u deep", depth);
  flow_verdict(&flow, name);
  ok(vt_unwind_counters(flow.u)->mapped <= ((uint64_t)depth + 100) * 96, "memo of %lu bytes",
     (unsigned long)vt_unwind_counters(flow.u)->mapped);
  vt_unwind_reset(flow.u);
  flow.mirror_cnt = 0;
}

int main(void) {
  if (getenv("VALTEST_LONG")) thousands = 30;
  shadow = shadow_new();
  is_ulong((unsigned long)vt_unwind_global_init(NULL, 1), (unsigned long)-22, "no memory: EINVAL");
  vt_unwind_global_init(map_zeroed(VT_UNWIND_GLOBAL_SZ), VT_UNWIND_GLOBAL_SZ);
  if (vt_unwind_load_libunwind()) printf("# without libunwind\n");
  flow_init(&flow, 1);
  test_chain();
  compare_with_glibc();
  test_random();
  test_again();
  test_realigned();
  test_saved_rbp();
  flow.check_every = 2;
  test_deep(5000);
  flow.check_every = 50;
  if (!SANITIZED) test_deep(100000);
  ok(!vt_unwind_counters(flow.u)->generals, "nothing needed general steps");
  return done_testing();
}
