/* See filter.h. The machine is the classic BPF of seccomp(2): an accumulator, an index register, 16
   words of scratch, and a packet that is a struct seccomp_data. */
#include "preload/filter.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#else
#define ARCH AUDIT_ARCH_AARCH64
#endif
#define SOME_MEMORY   0x7f0000000000u /* what addresses look like */
#define MADV_POPULATE 23

typedef struct {
  uint32_t a, x, scratch[BPF_MEMWORDS];
  struct seccomp_data const *call;
} machine_t;

static void load(machine_t *m, struct sock_filter const *f) {
  uint32_t value = f->k;
  switch (BPF_MODE(f->code)) {
  case BPF_ABS:
    value = 0;
    if (f->k <= sizeof *m->call - sizeof value)
      memcpy(&value, (uint8_t const *)m->call + f->k, sizeof value);
    break;
  case BPF_MEM: value = m->scratch[f->k % BPF_MEMWORDS]; break;
  case BPF_LEN: value = sizeof *m->call; break;
  default: break; /* BPF_IMM */
  }
  *(BPF_CLASS(f->code) == BPF_LD ? &m->a : &m->x) = value;
}

static void calculate(machine_t *m, struct sock_filter const *f) {
  uint32_t b = BPF_SRC(f->code) == BPF_X ? m->x : f->k;
  switch (BPF_OP(f->code)) {
  case BPF_ADD: m->a += b; break;
  case BPF_SUB: m->a -= b; break;
  case BPF_MUL: m->a *= b; break;
  case BPF_DIV: m->a = b ? m->a / b : 0; break;
  case BPF_AND: m->a &= b; break;
  case BPF_OR: m->a |= b; break;
  case BPF_XOR: m->a ^= b; break;
  case BPF_LSH: m->a = b < 32 ? m->a << b : 0; break;
  case BPF_RSH: m->a = b < 32 ? m->a >> b : 0; break;
  case BPF_NEG: m->a = -m->a; break;
  default: break;
  }
}

/* distance is how far to jump. */
static uint32_t distance(machine_t const *m, struct sock_filter const *f) {
  uint32_t b = BPF_SRC(f->code) == BPF_X ? m->x : f->k;
  switch (BPF_OP(f->code)) {
  case BPF_JA: return f->k;
  case BPF_JEQ: return m->a == b ? f->jt : f->jf;
  case BPF_JGT: return m->a > b ? f->jt : f->jf;
  case BPF_JGE: return m->a >= b ? f->jt : f->jf;
  default: return m->a & b ? f->jt : f->jf; /* BPF_JSET */
  }
}

/* verdict runs the filter on one call; jumps lead forward only. */
static uint32_t verdict(struct sock_fprog const *filter, struct seccomp_data const *call) {
  machine_t m = {.call = call};
  for (uint32_t pc = 0; pc < filter->len; pc++) {
    struct sock_filter const *f = &filter->filter[pc];
    switch (BPF_CLASS(f->code)) {
    case BPF_LD:
    case BPF_LDX: load(&m, f); break;
    case BPF_ST: m.scratch[f->k % BPF_MEMWORDS] = m.a; break;
    case BPF_STX: m.scratch[f->k % BPF_MEMWORDS] = m.x; break;
    case BPF_ALU: calculate(&m, f); break;
    case BPF_JMP: pc += distance(&m, f); break;
    case BPF_RET: return BPF_RVAL(f->code) == BPF_A ? m.a : f->k;
    default:
      if (BPF_MISCOP(f->code) == BPF_TAX)
        m.x = m.a;
      else
        m.a = m.x;
    }
  }
  return SECCOMP_RET_KILL_PROCESS;
}

static const struct {
  int what;
  int nr;
  uint64_t args[3];
} calls[] = {
    {VT_FILTER_MEMORY, SYS_madvise, {SOME_MEMORY, 65536, MADV_POPULATE}},
    {VT_FILTER_MEMORY, SYS_madvise, {SOME_MEMORY, 65536, MADV_DONTNEED}},
    {VT_FILTER_MEMORY, SYS_munmap, {SOME_MEMORY, 65536}},
    {VT_FILTER_ASK, SYS_rt_sigprocmask, {UINT64_MAX, SOME_MEMORY}},
    {VT_FILTER_ASK, SYS_sigaltstack, {0, SOME_MEMORY}},
    {VT_FILTER_OPEN, SYS_openat, {(uint64_t)-100, SOME_MEMORY}},
    {VT_FILTER_OPEN, SYS_close, {3}},
    {VT_FILTER_OPEN, SYS_read, {3, SOME_MEMORY, 16}},
    {VT_FILTER_OPEN, SYS_fcntl, {3}},
    {VT_FILTER_OPEN, SYS_fstat, {3, SOME_MEMORY}},
    {VT_FILTER_OPEN, SYS_newfstatat, {(uint64_t)-100, SOME_MEMORY, SOME_MEMORY}},
    {VT_FILTER_OPEN, SYS_ftruncate, {3, 65536}},
    {VT_FILTER_OPEN, SYS_mremap, {SOME_MEMORY, 0, 65536}},
    {VT_FILTER_OPEN, SYS_madvise, {SOME_MEMORY, 65536, MADV_DONTFORK}},
    {VT_FILTER_OPEN, SYS_prctl, {16, SOME_MEMORY}},
    {VT_FILTER_OPEN, SYS_uname, {SOME_MEMORY}},
    {VT_FILTER_OPEN, SYS_getpid, {0}},
    {VT_FILTER_OPEN, SYS_getppid, {0}},
    {VT_FILTER_OPEN, SYS_gettid, {0}},
    {VT_FILTER_OPEN, SYS_getcwd, {SOME_MEMORY, 4096}},
    {VT_FILTER_OPEN, SYS_readlinkat, {(uint64_t)-100, SOME_MEMORY, SOME_MEMORY}},
    {VT_FILTER_OPEN, SYS_unlinkat, {(uint64_t)-100, SOME_MEMORY}},
    {VT_FILTER_OPEN, SYS_mkdirat, {(uint64_t)-100, SOME_MEMORY}},
    {VT_FILTER_OPEN, SYS_prlimit64, {0, 1}},
};

int vt_filter_allows(struct sock_fprog const *filter) {
  int allowed = VT_FILTER_ALL;
  if (!filter || !filter->filter) return allowed;
  for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
    struct seccomp_data call = {
        .nr = calls[i].nr, .arch = ARCH, .instruction_pointer = (uint64_t)vt_filter_allows};
    memcpy(call.args, calls[i].args, sizeof calls[i].args);
    uint32_t action = verdict(filter, &call) & SECCOMP_RET_ACTION_FULL;
    if (action != SECCOMP_RET_ALLOW && action != SECCOMP_RET_LOG) allowed &= ~calls[i].what;
  }
  return allowed;
}
