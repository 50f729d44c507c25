/* See branches.h. Decoding is linear, and begins anew where a function begins, so that data between
   functions spoils at most what is before the next one. Only functions are decoded that have bytes which would
   be the distance to a target, at whatever place: a few of a large program. */
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

/* is_near: may the function have a short branch to a target? */
static int is_near(vt_branch_target_t const *targets, size_t cnt, uint64_t from, uint64_t end) {
  size_t lo = VT_FIRST_NOT(cnt, i, targets[i].address + targets[i].sz + SHORT_MAX <= from);
  return lo < cnt && targets[lo].address <= end + ENDBR_SZ + SHORT_MAX;
}

/* may_lead: have four bytes from p on, of so many that run at `address`, the value of a distance to a target? The
   instruction ends behind the distance. */
static int may_lead(vt_branch_target_t *targets, size_t cnt, uint8_t const *p, uint64_t left, uint64_t address) {
  uint64_t low = targets[0].address - ENDBR_SZ, span = targets[cnt - 1].address + targets[cnt - 1].sz - low;
  for (uint64_t i = 0; i + 4 <= left; i++) {
    int32_t distance;
    memcpy(&distance, p + i, sizeof distance);
    uint64_t to = address + i + 4 + (uint64_t)(int64_t)distance;
    if (to - low < span && find(targets, cnt, to)) return 1;
  }
  return 0;
}

static void count_in(vt_elf_code_t const *code, vt_code_section_t const *s,
                     vt_branch_target_t *targets, size_t cnt) {
  vt_decoder_t decoder = vt_decoder();
  vt_insn_t insn;
  for (uint64_t from = s->start, end; from < s->end; from = end) {
    end = vt_elf_code_next(code, from);
    if (!is_near(targets, cnt, from, end) && !may_lead(targets, cnt, s->bytes + (from - s->start), end - from, from))
      continue;
    for (uint64_t p = from; p < end; p += insn.sz) {
      vt_decode(&decoder, s->bytes + (p - s->start), end - p, p, &insn);
      if (insn.kind == VT_INSN_CALL || insn.kind == VT_INSN_JUMP || insn.kind == VT_INSN_JUMP_IF)
        if (insn.is_direct) count(code, targets, cnt, from, &insn, p + insn.sz - 4);
    }
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
