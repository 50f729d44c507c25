/* What instructions at a return address tell where no table does: how the function returns, that it
   never does, or that Go's run-time goes back to a goroutine's stack. Such code is what the processor
   will execute next, so what it says is exact, as far as it can be read: instructions that are not
   known here end the reading. Like unwind_arch.h, all of this is x86-64. */
#include "core/trace/unwind_impl.h"

/* No memcpy: a sanitizer's would look for shadow memory of arbitrary addresses. */
uint64_t vt_code_before(uint64_t pc) {
  uint64_t page = (pc - 1) & ~(VT_PROBE_PAGE - 1);
  if (!vt_readable(page)) return 0;
  if (pc - page >= 8 || vt_readable(page - 1)) return vt_load(pc - 8);
  return vt_load(page) << 8 * (8 - (pc - page));
}

void vt_code_at(uint64_t pc, uint8_t code[VT_CODE_SZ]) {
  uint64_t end = (pc & ~(VT_PROBE_PAGE - 1)) + VT_PROBE_PAGE, cnt = VT_CODE_SZ;
  memset(code, 0, VT_CODE_SZ);
  if (!vt_readable(pc)) return;
  if (end - pc < cnt && !vt_readable(end)) cnt = end - pc;
  for (uint64_t i = 0; i < cnt; i++) code[i] = *(uint8_t const volatile *)(uintptr_t)(pc + i);
}

static int begins(uint8_t const *code, char const *bytes, size_t sz) {
  return !memcmp(code, bytes, sz);
}
#define BEGINS(code, bytes) begins(code, bytes, sizeof(bytes) - 1)

static int32_t load32(uint8_t const *p) {
  int32_t value;
  memcpy(&value, p, sizeof value);
  return value;
}

/* ---- the way to `ret` ---- */

#define STEPS_MAX 16
#define FRAME_MAX ((int64_t)1 << 20)

static size_t loads_rbp(vt_exit_t *e, int64_t at, size_t sz) {
  if (e->restores) return 0;
  e->restores = 1;
  e->rbp_at = at;
  return sz;
}

static size_t sets_sp(vt_exit_t *e, int64_t sp, size_t sz) {
  e->sp = sp;
  return sz;
}

/* rsp becomes rbp + off, with rbp as it was at the return address. */
static size_t takes_rbp(vt_exit_t *e, int64_t off, size_t sz) {
  if (e->restores) return 0;
  e->by_rbp = 1;
  return sets_sp(e, off, sz);
}

static size_t pops(vt_exit_t *e, uint32_t reg, size_t sz) {
  if (reg == VT_PUSHED_RSP || (reg == VT_PUSHED_RBP && sz == 1 && !loads_rbp(e, e->sp, sz)))
    return 0;
  return sets_sp(e, e->sp + 8, sz);
}

/* Moves to rax: the function's result. */
static size_t moves_result(uint8_t const *p) {
  if ((BEGINS(p, "\x31") || BEGINS(p, "\x33")) && p[1] == 0xC0) return 2; /* xor %eax,%eax */
  if (*p == 0x89 && (p[1] & 0xC7) == 0xC0) return 2;
  int wide = *p == 0x48 || *p == 0x4C || *p == 0x44; /* REX without B: the target is rax */
  return wide && p[1] == 0x89 && (p[2] & 0xC7) == 0xC0 ? 3 : 0;
}

/* Does one instruction; returns its size, or 0: not one that is known. */
static size_t does(vt_exit_t *e, uint8_t const *p) {
  if ((*p & 0xF8) == 0x58) return pops(e, *p & 7, 1);
  if (*p == 0x41 && (p[1] & 0xF8) == 0x58) return sets_sp(e, e->sp + 8, 2);
  if (*p == 0xC9) /* leave */
    return takes_rbp(e, 8, 1) ? loads_rbp(e, 0, 1) : 0;
  if (*p == 0x90) return 1;
  if (BEGINS(p, "\xC5\xF8\x77")) return 3;                             /* vzeroupper */
  if (BEGINS(p, "\x48\x83\xC4")) return sets_sp(e, e->sp + (int8_t)p[3], 4); /* add n,%rsp */
  if (BEGINS(p, "\x48\x81\xC4")) return sets_sp(e, e->sp + load32(p + 3), 7);
  if (BEGINS(p, "\x48\x8D\x64\x24")) return sets_sp(e, e->sp + (int8_t)p[4], 5); /* lea n(%rsp) */
  if (BEGINS(p, "\x48\x8D\xA4\x24")) return sets_sp(e, e->sp + load32(p + 4), 8);
  if (BEGINS(p, "\x48\x8B\x6C\x24")) return loads_rbp(e, e->sp + (int8_t)p[4], 5); /* mov n(%rsp) */
  if (BEGINS(p, "\x48\x8B\xAC\x24")) return loads_rbp(e, e->sp + load32(p + 4), 8);
  if (BEGINS(p, "\x48\x89\xEC")) return takes_rbp(e, 0, 3);              /* mov %rbp,%rsp */
  if (BEGINS(p, "\x48\x8D\x65")) return takes_rbp(e, (int8_t)p[3], 4); /* lea n(%rbp),%rsp */
  return moves_result(p);
}

static int is_ret(uint8_t const *p) {
  return *p == 0xC3 || *p == 0xC2 || BEGINS(p, "\xF3\xC3") || BEGINS(p, "\xF2\xC3");
}

#define INSTRUCTION_MAX 8

int vt_code_exits(uint8_t const code[VT_CODE_SZ], vt_exit_t *exit) {
  *exit = (vt_exit_t){0};
  size_t at = 0;
  for (int i = 0; i < STEPS_MAX && at + INSTRUCTION_MAX <= VT_CODE_SZ; i++) {
    if (is_ret(code + at))
      return !(exit->sp & 7) && exit->sp < FRAME_MAX && (exit->by_rbp || exit->sp >= 0);
    size_t sz = does(exit, code + at);
    if (!sz) return 0;
    at += sz;
  }
  return 0;
}

/* ---- how a function begins ---- */

#define HASHED 64

uint64_t vt_code_hash(uint64_t pc) {
  uint64_t hash = 0x9E3779B97F4A7C15u, from = pc - HASHED;
  if (!vt_readable(pc - 1) || (((pc - 1) ^ from) >= VT_PROBE_PAGE && !vt_readable(from))) return 0;
  for (; from < pc; from += 8) hash = (hash ^ vt_load(from)) * 0xD6E8FEB86659FD93u;
  return hash | 1;
}

static int begin_of(uint32_t word) {
  if (word == 0xEC8B4855 || word == 0xE5894855) return VT_BEGIN_FRAMED; /* push %rbp; mov %rsp,%rbp */
  if (word == 0xEC834855 || word == 0xEC814855) return VT_BEGIN_SIZED;  /* push %rbp; sub n,%rsp */
  return VT_BEGIN_UNKNOWN;
}

/* Does a function that has pushed rbp end here? pop %rbp or leave, then ret, a jump to another function, or
   HotSpot's question for a safepoint. */
static int returns(uint32_t word) {
  uint32_t first = word & 0xFF, next = word >> 8 & 0xFF;
  if (first != 0x5D && first != 0xC9) return 0;
  return next == 0xC3 || next == 0xC2 || next == 0xE9 || next == 0xEB || next == 0xFF ||
         word >> 8 == 0xA73B49;
}

int vt_code_begins(uint64_t address, uint64_t *frame_sz) {
  uint64_t last = address + 7;
  if (!vt_readable(address) || ((address ^ last) >= VT_PROBE_PAGE && !vt_readable(last)))
    return VT_BEGIN_UNKNOWN;
  uint64_t word = vt_load(address);
  int begin = begin_of((uint32_t)word);
  int32_t sz = (uint32_t)word == 0xEC834855 ? (int8_t)(word >> 32) : 0;
  if ((uint32_t)word == 0xEC814855) sz = (int32_t)(word >> 32 & 0xFFFFFF); /* enough for any frame */
  *frame_sz = (uint64_t)sz;
  return begin == VT_BEGIN_SIZED && (sz < 0 || (sz & 7)) ? VT_BEGIN_UNKNOWN : begin;
}

/* Does HotSpot's mov %eax,-n(%rsp), which looks for the end of the stack, come before? All its methods that
   call others begin so; where it is found there is no other function between. */
static int touches_stack(uint64_t begin) {
  return (vt_code_before(begin) >> 8 & 0xFFFFFF) == 0x248489;
}

int vt_code_begin(uint64_t pc, uint32_t *distance, uint64_t *frame_sz) {
  int returned = 0;
  if (!vt_readable(pc - 1)) return VT_BEGIN_UNKNOWN;
  for (uint32_t d = 4; d <= VT_CODE_BACK; d++) {
    uint64_t at = pc - d;
    uint32_t word;
    if (!((at + 1) & (VT_PROBE_PAGE - 1)) && !vt_readable(at)) return VT_BEGIN_UNKNOWN;
    __builtin_memcpy(&word, (void const *)(uintptr_t)at, sizeof word);
    returned |= returns(word);
    if (!begin_of(word)) continue;
    int begin = vt_code_begins(at, frame_sz);
    *distance = d;
    return returned && !touches_stack(at) ? VT_BEGIN_UNKNOWN : begin;
  }
  return VT_BEGIN_UNKNOWN;
}

/* ---- code that never returns ---- */

/* What is executed where code cannot go on: hlt, ud2. */
static int is_trap(uint8_t const *p) { return *p == 0xF4 || BEGINS(p, "\x0F\x0B"); }

int vt_code_ends(uint64_t before, uint8_t const code[VT_CODE_SZ]) {
  if (is_trap(code)) return 1;
  /* runtime.goexit of Go: nop, here, call, nop. The run-time's own traceback goes by that address. */
  if (before >> 56 == 0x90 && *code == 0xE8 && code[5] == 0x90) return 1;
  /* boost.context's make_fcontext: _exit(0), and if that should return, a trap. */
  size_t at = BEGINS(code, "\x48\x31\xFF") ? 3 : BEGINS(code, "\x31\xFF") ? 2 : 0;
  return code[at] == 0xE8 && is_trap(code + at + 5);
}

/* ---- Go ---- */

#define GO_SEARCH 16 /* thread-local storage may be looked for before */

int vt_code_go(uint8_t const code[VT_CODE_SZ]) {
  /* mov 40(%rsp),%rsi; mov %rsi,%rsp; mov %eax,24(%rsp); ret */
  if (BEGINS(code, "\x48\x8B\x74\x24\x28\x48\x89\xF4\x89\x44\x24\x18\xC3")) return VT_GO_STAYED;
  for (size_t i = 0; i < GO_SEARCH; i++) {
    /* mov 48(%rsp),%rdi; mov 8(%rdi),%rsi; sub 40(%rsp),%rsi; …; mov %rsi,%rsp; mov %eax,24(%rsp) */
    if (!BEGINS(code + i, "\x48\x8B\x7C\x24\x30\x48\x8B\x77\x08\x48\x2B\x74\x24\x28")) continue;
    for (size_t k = i + 14; k + 7 <= VT_CODE_SZ; k++)
      if (BEGINS(code + k, "\x48\x89\xF4\x89\x44\x24\x18")) return VT_GO_SWITCHED;
  }
  return VT_GO_NONE;
}
