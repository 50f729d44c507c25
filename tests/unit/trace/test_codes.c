/* The table of codes when it has no room: a number that was given and not kept ends with the code, too. What is
   derived from addresses is void when vt_codes_voided moves. */
#include "core/trace/frames/codes.h"
#include "tests/unit/tap.h"

#define CODES ((uint64_t)200 * 1000) /* more than there is room for */
#define SZ    176

static uint64_t code_at(uint64_t i) { return ((uint64_t)1 << 40) + i * SZ; }

static uint64_t voided(void) { return atomic_load(&vt_codes_voided); }

int main(void) {
  uint64_t kept = 0, ended = 0, without_number = 0;
  int is_new;
  ok(!vt_codes_init(), "tables");
  for (uint64_t i = 0; i < CODES; i++) without_number += !vt_codes_add(code_at(i), 1, i << 20, &is_new);
  is_ulong(without_number, 0, "each code has a number");
  for (uint64_t i = 0; i < CODES; i++) kept += vt_codes_find(code_at(i), 1) != 0;
  ok(kept && kept < CODES, "%lu of %lu are kept", (unsigned long)kept, (unsigned long)CODES);
  for (uint64_t i = 0; i < CODES; i++) {
    uint64_t before = voided();
    vt_codes_freed((void const *)code_at(i));
    ended += voided() != before;
  }
  is_ulong(ended, CODES, "the end of each is told");
  return done_testing();
}
