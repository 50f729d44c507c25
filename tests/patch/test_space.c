/* Where room is taken in address spaces that are made up. */
#include "analyzer/patch/space.h"
#include "tests/unit/tap.h"

#include <string.h>

#define GIB  (UINT64_C(1) << 30)
#define CODE UINT64_C(0x7f0000000000)
#define SZ   UINT64_C(8192)

/* Parts that nobody frees. */
#define PART(from, to, name) {.start = (from), .end = (to), .path = (char[]){name}}
#define SPACE(...)                                                                                                     \
  {.parts = (vt_space_part_t[16]){__VA_ARGS__}, .parts_cnt = sizeof((vt_space_part_t[]){__VA_ARGS__}) / sizeof(vt_space_part_t), \
   .parts_cap = 16}

static int is_free(vt_space_t const *space, uint64_t at) {
  for (size_t i = 0; i < space->parts_cnt; i++)
    if (!space->parts[i].taken && at < space->parts[i].end && space->parts[i].start < at + SZ) return 0;
  return 1;
}

static int reaches(uint64_t at, uint64_t low, uint64_t high) { return at + SZ - low < 2 * GIB - 4096 || high - at < 2 * GIB - 4096; }

static void test_wide(void) {
  vt_space_t space = SPACE(PART(CODE - 4 * SZ, CODE - 3 * SZ, "/lib/a"), PART(CODE, CODE + 64 * SZ, "/lib/b"));
  uint64_t first = vt_space_room(&space, CODE, CODE + 64 * SZ, SZ), second = vt_space_room(&space, CODE, CODE + 64 * SZ, SZ);
  ok(first && first < CODE - 4 * SZ - GIB / 8, "a hole that a library may have left, or will fill, is not taken where there is a wide gap");
  ok(is_free(&space, first) && reaches(first, CODE, CODE + 64 * SZ), "what is taken is free, and in reach");
  ok(second == first - SZ && is_free(&space, second), "the next is beside it");
}

static void test_narrow(void) {
  vt_space_t space = SPACE(PART(0x10000, 0x400000 - 2 * SZ, "/a"), PART(0x400000, 0x500000, "/bin/b"),
                           PART(0x500000 + SZ / 2, CODE, "[heap]"));
  ok(vt_space_room(&space, 0x400000, 0x500000, SZ) == 0x400000 - SZ, "without one the nearest gap serves");
  ok(vt_space_room(&space, 0x400000, 0x500000, SZ) == 0x400000 - 2 * SZ, "to its end");
  ok(!vt_space_room(&space, 0x400000, 0x500000, SZ), "and then there is none");
}

static void test_growing(void) {
  vt_space_t heap = SPACE(PART(0x10000, 0x500000, "/bin/b"), PART(0x500000, 0x600000, "[heap]"), PART(0x600000 + GIB / 2, CODE, ""));
  vt_space_t stack = SPACE(PART(0x10000, CODE, "/bin/b"), PART(CODE + GIB, CODE + GIB + SZ, "[stack]"));
  ok(!vt_space_room(&heap, 0x400000, 0x500000, SZ), "the heap grows");
  ok(!vt_space_room(&stack, CODE - SZ, CODE, SZ), "the stack grows");
}

static void test_far(void) {
  vt_space_t space = SPACE(PART(0x10000, CODE, ""), PART(CODE + SZ, CODE + 4 * GIB, ""));
  ok(!vt_space_room(&space, CODE + 3 * GIB, CODE + 4 * GIB, SZ), "out of reach is out of reach");
}

int main(void) {
  test_wide();
  test_narrow();
  test_growing();
  test_far();
  return done_testing();
}
