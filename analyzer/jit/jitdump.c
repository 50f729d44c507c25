/* See jitdump.h. */
#include "analyzer/jit/jitdump.h"

#include <elf.h>

#define MAGIC      0x4A695444u /* "JiTD", read in the byte order of who wrote it */
#define VERSION    1
#define HEADER_SZ  40
#define FLAG_TICKS 1
#define RECORD_SZ  16 /* id u32, size u32, time u64 */
#define LOAD       0
#define MOVE       1
#define LOAD_SZ    (RECORD_SZ + 40) /* up to the name */
#define MOVE_SZ    (RECORD_SZ + 48)
#define CODES_MAX  ((size_t)1 << 20)

static size_t read_header(vt_jitdump_t *dump, uint8_t const *p, size_t sz) {
  if (sz < HEADER_SZ) return 0;
  uint32_t header_sz = vt_load32(p + 8);
  dump->begun = 1;
  dump->refused = vt_load32(p) != MAGIC || vt_load32(p + 4) != VERSION ||
                  vt_load32(p + 12) != EM_X86_64 || header_sz < HEADER_SZ;
  dump->in_ticks = vt_load64(p + 32) & FLAG_TICKS;
  dump->skip = header_sz;
  return 0;
}

static uint64_t tick_of(vt_jitdump_t const *dump, uint64_t time, vt_jit_clock_t const *clock) {
  if (dump->in_ticks) return time;
  if (time >= clock->monotonic_ns) return clock->tick;
  unsigned __int128 ago = (unsigned __int128)(clock->monotonic_ns - time) * clock->tick_hz;
  uint64_t ticks = (uint64_t)(ago / 1000000000u);
  return ticks < clock->tick ? clock->tick - ticks : 0;
}

static void load(vt_jitdump_t *dump, vt_jit_names_t *names, uint8_t const *p, size_t sz,
                 uint64_t tick) {
  size_t room = sz - LOAD_SZ;
  char const *text = (char const *)p + LOAD_SZ;
  size_t name_sz = strnlen(text, room);
  if (name_sz == room) return;
  vt_jit_name_t name = {.tick = tick,
                        .address = vt_load64(p + RECORD_SZ + 16),
                        .size = vt_load64(p + RECORD_SZ + 24),
                        .name = text,
                        .name_sz = name_sz};
  vt_jit_names_add(names, &name);
  if (dump->codes_cnt == CODES_MAX) return;
  char *copy = vt_mem_copy(text, name_sz);
  VT_PUSH(dump->codes, ((vt_jitdump_code_t){vt_load64(p + RECORD_SZ + 32), copy}));
}

static void move(vt_jitdump_t const *dump, vt_jit_names_t *names, uint8_t const *p, uint64_t tick) {
  uint64_t index = vt_load64(p + RECORD_SZ + 40);
  for (size_t i = dump->codes_cnt; i--;) {
    if (dump->codes[i].index != index) continue;
    vt_jit_name_t name = {.tick = tick,
                          .address = vt_load64(p + RECORD_SZ + 24),
                          .size = vt_load64(p + RECORD_SZ + 32),
                          .name = dump->codes[i].name,
                          .name_sz = strlen(dump->codes[i].name)};
    vt_jit_names_add(names, &name);
    return;
  }
}

static void read_record(vt_jitdump_t *dump, vt_jit_names_t *names, uint8_t const *p, size_t sz,
                        vt_jit_clock_t const *clock) {
  uint64_t tick = tick_of(dump, vt_load64(p + 8), clock);
  if (vt_load32(p) == LOAD && sz >= LOAD_SZ) load(dump, names, p, sz, tick);
  if (vt_load32(p) == MOVE && sz >= MOVE_SZ) move(dump, names, p, tick);
}

/* A record's end need not be there for its name to be: code comes last. */
#define HEAD_MAX ((size_t)8192)

size_t vt_jitdump_read(vt_jitdump_t *dump, vt_jit_names_t *names, uint8_t const *data, size_t sz,
                       vt_jit_clock_t const *clock) {
  size_t at = dump->begun ? 0 : read_header(dump, data, sz);
  while (dump->begun) {
    size_t left = sz - at, skipped = dump->skip < left ? (size_t)dump->skip : left;
    at += skipped;
    dump->skip -= skipped;
    left -= skipped;
    if (dump->refused) return sz;
    if (left < RECORD_SZ) break;
    uint32_t total = vt_load32(data + at + 4);
    if (total < RECORD_SZ) dump->refused = 1;
    if (left < total && left < HEAD_MAX) break;
    if (total >= RECORD_SZ)
      read_record(dump, names, data + at, left < total ? left : total, clock);
    dump->skip = total;
  }
  return at;
}

void vt_jitdump_free(vt_jitdump_t *dump) {
  for (size_t i = 0; i < dump->codes_cnt; i++) free(dump->codes[i].name);
  free(dump->codes);
  *dump = (vt_jitdump_t){0};
}
