/* See branches.h. Decoding is linear, and begins anew where a function begins, so that data between
   functions spoils at most what is before the next one. Only functions are decoded that have bytes which would
   be the distance to a target, at whatever place, and no further than to the last of these. */
#include "analyzer/patch/branches.h"
#include "analyzer/patch/decode.h"
#include "analyzer/util/mem.h"
#include "analyzer/util/search.h"

#include <stdlib.h>
#include <string.h>

#define ENDBR_SZ 4
#define SHORT_MAX 130 /* how far a branch with a distance of one byte may lead, from either end */
#define FUNCTIONS_MAX 2000 /* of one search for calls that leave the module */
#define PROFILED_SZ   9     /* how far behind its start a function may call the profiler */

/* find is the target whose bytes hold an address, or whose endbr64 begins there; NULL: none. */
static vt_branch_target_t *find(vt_branch_target_t *targets, size_t cnt, uint64_t address) {
  size_t lo = VT_FIRST_NOT(cnt, i, targets[i].address + targets[i].sz <= address);
  return lo < cnt && address + ENDBR_SZ >= targets[lo].address ? &targets[lo] : NULL;
}

/* count notes one branch from the function `from`; its last 4 bytes, which may be its distance, are at
   `site`. */
static void count(vt_elf_code_t const *code, vt_branch_target_t *targets, size_t cnt, uint64_t from,
                  vt_insn_t const *insn, uint64_t site) {
  uint64_t to = insn->target;
  vt_branch_target_t *t = find(targets, cnt, to), *self;
  if (!t) return;
  if (to > t->address) {
    t->into++;
    return;
  }
  if (to < t->address && (to + ENDBR_SZ != t->address || !vt_elf_code_is_start(code, to))) return;
  t->calls++;
  if (insn->sz > 4 && t->sites_cnt < VT_PATCH_SITES_MAX) t->sites[t->sites_cnt++] = site;
  self = find(targets, cnt, from);
  t->foreign += !self || from > self->address;
}

/* Addresses of targets and what leads to their entries: [low,low+span), 32 bits of them. */
typedef struct {
  uint32_t low, span;
} range_t;

static range_t range_of(vt_branch_target_t const *targets, size_t cnt) {
  uint64_t low = targets[0].address - ENDBR_SZ, end = targets[cnt - 1].address + targets[cnt - 1].sz;
  return (range_t){(uint32_t)low, end - low < UINT32_MAX ? (uint32_t)(end - low) : UINT32_MAX};
}

typedef uint32_t words_t __attribute__((vector_size(16), aligned(1), may_alias));
#define WORDS 4
#define BLOCK 64

/* leads_in: have four bytes at any place of a block, which runs at `address`, the value of a distance into the range? The
   instruction ends behind the distance. Reads BLOCK + 3 bytes. */
static int leads_in(uint8_t const *p, uint32_t address, range_t range) {
  words_t any = {0}, four = {0, 4, 8, 12};
  for (uint32_t shift = 0; shift < 4; shift++)
    for (uint32_t at = shift; at < BLOCK; at += 4 * WORDS)
      any |= (words_t)(*(words_t const *)(p + at) + four + (address + at + 4 - range.low) < range.span);
  return (any[0] | any[1] | any[2] | any[3]) != 0;
}

/* is_distance: is the value of the four bytes at p exactly that of a distance to a target? */
static int is_distance(vt_branch_target_t *targets, size_t cnt, uint8_t const *p, uint64_t address) {
  int32_t distance;
  memcpy(&distance, p, sizeof distance);
  return find(targets, cnt, address + 4 + (uint64_t)(int64_t)distance) != NULL;
}

/* next_distance is the first address from `from` on where four bytes have such a value, or the section's end. */
static uint64_t next_distance(vt_code_section_t const *s, vt_branch_target_t *targets, size_t cnt, range_t range,
                              uint64_t from) {
  while (from + 4 <= s->end) {
    uint8_t const *p = s->bytes + (from - s->start);
    int whole = s->end - from >= BLOCK + 3;
    if (whole && !leads_in(p, (uint32_t)from, range)) {
      from += BLOCK;
      continue;
    }
    for (uint64_t end = from + (whole ? BLOCK : s->end - 3 - from); from < end; from++, p++)
      if (is_distance(targets, cnt, p, from)) return from;
  }
  return s->end;
}

/* next_near is the first address from `from` on from which a short branch may lead to a target, or the section's end. */
static uint64_t next_near(vt_code_section_t const *s, vt_branch_target_t const *targets, size_t cnt, uint64_t from) {
  size_t lo = VT_FIRST_NOT(cnt, i, targets[i].address + targets[i].sz + SHORT_MAX <= from);
  uint64_t near = lo < cnt ? targets[lo].address - ENDBR_SZ - SHORT_MAX : s->end;
  if (near < from) near = from;
  return near < s->end ? near : s->end;
}

/* A place that may be a branch to a target: distances are looked for as decoding comes along. */
typedef struct {
  vt_code_section_t const *s;
  vt_branch_target_t *targets;
  size_t cnt;
  range_t range;
  uint64_t distance; /* the first from a place on that has been passed */
} places_t;

static uint64_t next_place(places_t *p, uint64_t from) {
  if (p->distance < from) p->distance = next_distance(p->s, p->targets, p->cnt, p->range, from);
  uint64_t near = next_near(p->s, p->targets, p->cnt, from);
  return near < p->distance ? near : p->distance;
}

/* count_from decodes the function at `from` as far as there are such places in it; returns where it stopped. */
static uint64_t count_from(vt_elf_code_t const *code, places_t *places, uint64_t from) {
  vt_decoder_t decoder = vt_decoder();
  vt_code_section_t const *s = places->s;
  uint64_t end = vt_elf_code_next(code, from), place = next_place(places, from), p = from;
  vt_insn_t insn;
  for (; p < end && place < end; p += insn.sz) {
    vt_decode(&decoder, s->bytes + (p - s->start), end - p, p, &insn);
    if (insn.kind == VT_INSN_CALL || insn.kind == VT_INSN_JUMP || insn.kind == VT_INSN_JUMP_IF)
      if (insn.is_direct) count(code, places->targets, places->cnt, from, &insn, p + insn.sz - 4);
    if (p + insn.sz > place) place = next_place(places, p + insn.sz);
  }
  return p < end ? end : p;
}

static void count_in(vt_elf_code_t const *code, vt_code_section_t const *s,
                     vt_branch_target_t *targets, size_t cnt) {
  places_t places = {s, targets, cnt, range_of(targets, cnt), 0};
  uint64_t done = s->start;
  for (uint64_t place; (place = next_place(&places, done)) < s->end;) {
    uint64_t from = vt_elf_code_begin(code, place);
    done = count_from(code, &places, from > done ? from : done);
  }
}

void vt_branches_count(vt_elf_code_t const *code, vt_branch_target_t *targets, size_t cnt) {
  for (size_t i = 0; i < code->sections_cnt; i++)
    if (!code->sections[i].linkage) count_in(code, &code->sections[i], targets, cnt);
}

/* The functions that one reaches; an open-addressing set and a list. */
typedef struct {
  uint64_t *seen;
  size_t seen_cnt, seen_cap;
} reached_t;

static void reach(reached_t *r, uint64_t address) {
  for (size_t i = 0; i < r->seen_cnt; i++)
    if (r->seen[i] == address) return;
  VT_PUSH(r->seen, address);
}

/* leaves: does this instruction of the function at `from` call what is not known? What a function calls
   at its very start may be the profiler, which keeps all registers. The call of a TLS descriptor
   (ff 10) keeps them, too. */
static int leaves(vt_elf_code_t const *code, uint64_t from, uint64_t p, vt_insn_t const *insn,
                  uint8_t const *bytes) {
  int call = insn->kind == VT_INSN_CALL;
  if (!call && insn->kind != VT_INSN_JUMP) return 0;
  if (call && p - from < PROFILED_SZ) return 0;
  if (!insn->is_direct) return call ? bytes[0] != 0xff || bytes[1] != 0x10 : insn->is_linked;
  vt_code_section_t const *to = vt_elf_code_section(code, insn->target);
  return !to || to->linkage;
}

/* look_through adds what the function at `from` calls; returns 1 as soon as it leaves. */
static int look_through(vt_elf_code_t const *code, vt_decoder_t *decoder, reached_t *r,
                        uint64_t from) {
  vt_code_section_t const *s = vt_elf_code_section(code, from);
  uint64_t end = vt_elf_code_next(code, from);
  vt_insn_t insn;
  for (uint64_t p = from; s && p < end; p += insn.sz) {
    uint8_t const *bytes = s->bytes + (p - s->start);
    vt_decode(decoder, bytes, end - p, p, &insn);
    if (leaves(code, from, p, &insn, bytes)) return 1;
    if (insn.kind != VT_INSN_PLAIN && insn.is_direct && (insn.target < from || insn.target >= end))
      reach(r, insn.target);
  }
  return 0;
}

int vt_branches_leave(vt_elf_code_t const *code, uint64_t address) {
  vt_decoder_t decoder = vt_decoder();
  reached_t r = {0};
  int left = 0;
  reach(&r, address);
  for (size_t i = 0; i < r.seen_cnt && i < FUNCTIONS_MAX && !left; i++)
    left = look_through(code, &decoder, &r, r.seen[i]);
  free(r.seen);
  return left;
}
