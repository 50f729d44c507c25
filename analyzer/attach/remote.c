/* See remote.h. Layout of the frame: struct rt_sigframe of the kernel (arch/x86/include/asm/sigframe.h), struct
   sigcontext_64 and struct _fpx_sw_bytes (asm/sigcontext.h). */
#include "analyzer/attach/remote.h"

#include <errno.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <elf.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define RED_ZONE     128
#define XSTATE_MAX   16384
#define SW_BYTES_OFF 464 /* of the area that fxsave leaves to software */
#define FP_MAGIC1    0x46505853u
#define FP_MAGIC2    0x46505845u
#define AMX          ((uint64_t)3 << 17) /* not in the frame of a thread that has not asked for it */
#define FRAME_FP_OFF 520 /* the frame lies as a function expects the stack that returns to it */
#define UC_FLAGS     7 /* UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS */
#define NO_CHANGE    0x7fff /* no flags of an alternate stack: it stays what it is */
#define TRAPPED      0x80
#define DIRECTION    0x400 /* of the flags */

typedef struct {
  uint64_t back; /* address of __restore_rt */
  uint64_t flags, link;
  uint64_t stack_sp;
  uint32_t stack_flags, unused;
  uint64_t stack_sz;
  uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
  uint16_t cs, gs, fs, ss;
  uint64_t err, trapno, oldmask, cr2, fp, reserved[8];
  uint64_t mask;
} frame_t;
_Static_assert(sizeof(frame_t) == 8 + 40 + 256 + 8, "the kernel's");

/* xstate_size is how much the features take in memory, in the standard layout. */
static uint32_t xstate_size(uint64_t features) {
  uint32_t sz = 576, a, b, c, d;
  for (unsigned i = 2; i < 63; i++)
    if (features >> i & 1 && __get_cpuid_count(0xd, i, &a, &b, &c, &d) && a + b > sz) sz = a + b;
  return sz;
}

/* read_vectors reads what the thread has in its vector registers, as a signal frame holds it; returns its size. */
static uint32_t read_vectors(pid_t tid, uint8_t *out) {
  struct iovec io = {out, XSTATE_MAX};
  if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_X86_XSTATE, &io)) return 0;
  uint64_t features;
  memcpy(&features, out + SW_BYTES_OFF, sizeof features);
  features &= ~AMX;
  uint32_t sz = xstate_size(features), whole = sz + 4, magic = FP_MAGIC1, end = FP_MAGIC2;
  if (sz > io.iov_len) return 0;
  memset(out + SW_BYTES_OFF, 0, 48);
  memcpy(out + SW_BYTES_OFF, &magic, 4);
  memcpy(out + SW_BYTES_OFF + 4, &whole, 4);
  memcpy(out + SW_BYTES_OFF + 8, &features, 8);
  memcpy(out + SW_BYTES_OFF + 16, &sz, 4);
  memcpy(out + sz, &end, 4);
  return whole;
}

/* The kernel's own codes of a call that was interrupted and is to be made again (include/linux/errno.h). */
static void make_again(frame_t *f, vt_registers_t const *regs) {
  long result = (long)regs->rax;
  if ((long)regs->orig_rax < 0 || !(result == -512 || result == -513 || result == -514 || result == -516)) return;
  f->rax = result == -516 ? SYS_restart_syscall : regs->orig_rax;
  f->rip -= 2;
}

static frame_t frame_of(vt_remote_t const *r) {
  vt_registers_t const *g = &r->thread->regs;
  frame_t f = {.back = r->sigreturn, .flags = UC_FLAGS, .stack_flags = NO_CHANGE,
               .r8 = g->r8, .r9 = g->r9, .r10 = g->r10, .r11 = g->r11, .r12 = g->r12, .r13 = g->r13,
               .r14 = g->r14, .r15 = g->r15, .rdi = g->rdi, .rsi = g->rsi, .rbp = g->rbp, .rbx = g->rbx,
               .rdx = g->rdx, .rax = g->rax, .rcx = g->rcx, .rsp = g->rsp, .rip = g->rip,
               .eflags = g->eflags, .cs = (uint16_t)g->cs, .gs = (uint16_t)g->gs, .fs = (uint16_t)g->fs,
               .ss = (uint16_t)g->ss, .fp = r->frame + FRAME_FP_OFF, .mask = r->mask};
  make_again(&f, g);
  return f;
}

/* room_below is how much unused memory there surely is below a thread's stack pointer: none where it is on a stack that
   the program made (coroutines, signal stacks), as nobody knows where that ends. Its own is the kernel's, or ends in its
   descriptor, to which fs points. */
static uint64_t room_below(vt_space_t const *space, vt_registers_t const *regs) {
  for (size_t i = 0; i < space->parts_cnt; i++) {
    vt_space_part_t const *p = &space->parts[i];
    if (regs->rsp < p->start || regs->rsp >= p->end) continue;
    int own = !strcmp(p->path, "[stack]") || (regs->rsp < regs->fs_base && regs->fs_base < p->end);
    return own ? regs->rsp - p->start : 0;
  }
  return 0;
}

/* choose takes the process's first thread if it can: its stack is the kernel's, and larger than others. */
static vt_stop_thread_t const *choose(vt_stop_t const *stop, vt_space_t const *space, uint64_t room) {
  for (size_t i = 0; i < stop->threads_cnt; i++)
    if (room_below(space, &stop->threads[i].regs) >= XSTATE_MAX + room) return &stop->threads[i];
  return NULL;
}

static int write_back_way(vt_remote_t *r) {
  static uint8_t vectors[XSTATE_MAX + 64];
  uint32_t sz = read_vectors(r->thread->tid, vectors);
  if (!sz || ptrace(PTRACE_GETSIGMASK, r->thread->tid, sizeof r->mask, &r->mask)) return -1;
  r->frame = ((r->thread->regs.rsp - RED_ZONE - FRAME_FP_OFF - sz) & ~(uint64_t)63) - 8;
  frame_t f = frame_of(r);
  return pwrite(r->mem, vectors, sz, (off_t)(r->frame + FRAME_FP_OFF)) == (ssize_t)sz &&
                 pwrite(r->mem, &f, sizeof f, (off_t)r->frame) == (ssize_t)sizeof f
             ? 0
             : -1;
}

int vt_remote_begin(vt_remote_t *r, vt_space_t const *space, uint64_t room) {
  r->thread = choose(r->stop, space, room);
  return r->thread ? write_back_way(r) : -1;
}

/* run_to makes the thread run to the next entry to or return from a system call. */
static int run_to_call(vt_remote_t const *r, pid_t tid) {
  for (long signal = 0;;) {
    if (ptrace(PTRACE_SYSCALL, tid, NULL, signal)) return -1;
    int status = vt_stop_wait(r->stop, tid);
    if (status < 0) return -1;
    if (WSTOPSIG(status) == (SIGTRAP | TRAPPED)) return 0;
    signal = vt_stop_is_trap(status) ? 0 : WSTOPSIG(status); /* SIGSTOP cannot be blocked */
  }
}

/* Signals are blocked only once the thread has its way back, which restores the mask. */
long vt_remote_call(vt_remote_t *r, long nr, uint64_t const args[6]) {
  vt_registers_t regs = r->thread->regs;
  uint64_t every = UINT64_MAX;
  pid_t tid = r->thread->tid;
  regs.rax = (uint64_t)nr;
  regs.orig_rax = UINT64_MAX;
  regs.rdi = args[0];
  regs.rsi = args[1];
  regs.rdx = args[2];
  regs.r10 = args[3];
  regs.r8 = args[4];
  regs.r9 = args[5];
  regs.rip = r->syscall;
  regs.rsp = r->frame;
  if (ptrace(PTRACE_SETREGS, tid, NULL, &regs) || ptrace(PTRACE_SETSIGMASK, tid, sizeof every, &every) ||
      run_to_call(r, tid) || run_to_call(r, tid) || ptrace(PTRACE_GETREGS, tid, NULL, &regs))
    return -ESRCH;
  return (long)regs.rax;
}

static int get(vt_remote_t const *r, vt_registers_t *regs) {
  return ptrace(PTRACE_GETREGS, r->thread->tid, NULL, regs) ? -1 : 0;
}

/* The function returns to the way back, whose call tells that it is over; behind that the thread has what it had. */
int vt_remote_run(vt_remote_t *r, uint64_t function, uint64_t argument) {
  vt_registers_t regs = r->thread->regs;
  uint64_t every = UINT64_MAX;
  pid_t tid = r->thread->tid;
  regs.orig_rax = UINT64_MAX;
  regs.rdi = argument;
  regs.rip = function;
  regs.rsp = r->frame;
  regs.eflags &= ~(uint64_t)DIRECTION;
  if (ptrace(PTRACE_SETREGS, tid, NULL, &regs) || ptrace(PTRACE_SETSIGMASK, tid, sizeof every, &every)) return -1;
  do
    if (run_to_call(r, tid) || get(r, &regs)) return -1;
  while (regs.orig_rax != SYS_rt_sigreturn);
  return run_to_call(r, tid);
}

/* The registers are given back where the kernel looks whether a call is to be made again: not behind a call
   of ours, but in a stop that is asked for, before the thread runs on. */
void vt_remote_end(vt_remote_t *r) {
  pid_t tid = r->thread->tid;
  if (!r->frame) return;
  ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
  ptrace(PTRACE_CONT, tid, NULL, NULL);
  int status = vt_stop_wait(r->stop, tid);
  while (status >= 0 && !vt_stop_is_trap(status)) {
    ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
    ptrace(PTRACE_CONT, tid, NULL, NULL);
    status = vt_stop_wait(r->stop, tid);
  }
  ptrace(PTRACE_SETSIGMASK, tid, sizeof r->mask, &r->mask);
  ptrace(PTRACE_SETREGS, tid, NULL, &r->thread->regs);
}

#else
int vt_remote_begin(vt_remote_t *r, vt_space_t const *space, uint64_t room) { return (void)r, (void)space, (void)room, -1; }
int vt_remote_run(vt_remote_t *r, uint64_t function, uint64_t argument) { return (void)r, (void)function, (void)argument, -1; }
long vt_remote_call(vt_remote_t *r, long nr, uint64_t const args[6]) { return (void)r, (void)nr, (void)args, -ENOSYS; }
void vt_remote_end(vt_remote_t *r) { (void)r; }
#endif
