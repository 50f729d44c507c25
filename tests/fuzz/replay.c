/* Runs a fuzz target over a corpus without a fuzzer: each file as it is, and then with random damage
   behind correct checksums, which is where a fuzzer would have to search long. */
#include "tests/unit/tap.h"
#include "valtrace/trace_format.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define MUTANTS 300

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t sz);

static uint64_t state;
static uint32_t roll(uint32_t n) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(state >> 33) % n;
}

/* reseal makes all checksums right that can be found by walking from the header. */
static void reseal(uint8_t *p, size_t sz) {
  if (sz < 16) return;
  uint32_t header = vt_load32(p + VT_HEADER_OFF_SZ);
  if (header < 104 || header > sz) return;
  vt_store64(p + header - 8, XXH64(p, header - 8, 0));
  for (size_t at = header; at + VT_CHUNK_HEADER_SZ <= sz;) {
    uint64_t payload = vt_load64(p + at + VT_CHUNK_OFF_SZ);
    if (vt_load32(p + at) != VT_CHUNK_MAGIC || payload > sz - at - VT_CHUNK_HEADER_SZ) return;
    size_t covered = payload;
    if (vt_load16(p + at + VT_CHUNK_OFF_TYPE) == VT_CHUNK_SEGMENT && payload > 96) {
      uint64_t committed = vt_load64(p + at + VT_SEGMENT_OFF_COMMITTED);
      if (committed <= payload - 96) covered = 96 + committed;
    }
    XXH64_state_t hash;
    XXH64_reset(&hash, 0);
    XXH64_update(&hash, p + at, VT_CHUNK_OFF_CHECKSUM);
    XXH64_update(&hash, p + at + VT_CHUNK_HEADER_SZ, covered);
    vt_store64(p + at + VT_CHUNK_OFF_CHECKSUM, XXH64_digest(&hash));
    at += VT_CHUNK_HEADER_SZ + vt_pad8(payload);
  }
}

static void mutate(uint8_t *p, size_t sz) {
  for (uint32_t n = 1 + roll(8); n--;) {
    size_t at = roll(2) ? roll((uint32_t)sz) : 96 + roll((uint32_t)(sz > 600 ? 500 : sz - 96));
    if (at >= sz) continue;
    if (roll(3)) p[at] ^= (uint8_t)(1u << roll(8));
    else p[at] = (uint8_t)(roll(2) ? 0xff : 0);
  }
  if (roll(4)) reseal(p, sz);
}

static void run_file(char const *folder, char const *name) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *f = fopen(path, "rb");
  if (!f) return;
  uint8_t *data = malloc((size_t)4 << 20), *copy = malloc((size_t)4 << 20);
  size_t sz = fread(data, 1, (size_t)4 << 20, f);
  fclose(f);
  LLVMFuzzerTestOneInput(data, sz);
  for (int i = 0; i < MUTANTS && sz > 200; i++) {
    memcpy(copy, data, sz);
    mutate(copy, sz);
    LLVMFuzzerTestOneInput(copy, roll(5) ? sz : roll((uint32_t)sz));
  }
  free(data);
  free(copy);
  ok(1, "%s and %d mutants survive", name, MUTANTS);
}

int main(int argc, char **argv) {
  state = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t)time(NULL);
  printf("# seed %llu\n", (unsigned long long)state);
  char const *folder = argc > 1 ? argv[1] : "tests/golden";
  DIR *dir = opendir(folder);
  for (struct dirent *e; dir && (e = readdir(dir));)
    if (strstr(e->d_name, ".vtr")) run_file(folder, e->d_name);
  if (dir) closedir(dir);
  ok(dir && tap_run > 0, "%s holds a corpus", folder);
  return done_testing();
}
