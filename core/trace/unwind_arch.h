/* What the unwinder knows about x86-64: register numbers, the kernel's signal frame, the system
   call that tells readable pages, and the registers of the running function. Another architecture
   replaces this file; DWARF and the memo do not change. */
#ifndef VT_CORE_TRACE_UNWIND_ARCH_H
#define VT_CORE_TRACE_UNWIND_ARCH_H

#include <stdint.h>
#include <string.h>

#ifndef __x86_64__
#error "the unwinder knows x86-64 only"
#endif

/* DWARF register numbers (System V ABI, AMD64 supplement, figure 3.36). */
enum { VT_REG_RBX = 3, VT_REG_RBP = 6, VT_REG_RSP = 7, VT_REG_R12 = 12, VT_REG_RIP = 16 };
#define VT_REG_CNT 17

/* Numbers of registers in instructions. */
enum { VT_PUSHED_RSP = 4, VT_PUSHED_RBP = 5 };

/* Where the return address lies, relative to the CFA, in every frame without special CFI. */
#define VT_RA_OFF (-8)

/* Registers in the kernel's signal frame relative to rsp in the restorer: ucontext.uc_mcontext. */
#define VT_SIGNAL_RBP_OFF 120
#define VT_SIGNAL_RSP_OFF 160
#define VT_SIGNAL_RIP_OFF 168

#define VT_PROBE_PAGE ((uint64_t)4096)

/* Is the page of addr readable? rt_sigprocmask reads its set before it refuses the invalid `how`:
   EFAULT tells that the read failed. No effect otherwise, errno untouched. (A null set is not read
   at all, so page 0 is taken as unreadable.) */
static inline int vt_arch_readable(uint64_t addr) {
  register uint64_t size __asm__("r10") = 8;
  int64_t result;
  if (addr < VT_PROBE_PAGE) return 0;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "0"((int64_t)14), "D"((int64_t)-1), "S"(addr & ~(uint64_t)7), "d"((int64_t)0),
                     "r"(size)
                   : "rcx", "r11", "memory");
  return result != -14;
}

/* Registers a function must preserve, sp and pc, as they are here; others are 0. */
static inline __attribute__((always_inline)) void vt_arch_registers(uint64_t reg[VT_REG_CNT]) {
  memset(reg, 0, VT_REG_CNT * sizeof(*reg));
  __asm__ volatile("movq %%rbx, 24(%0)\n\t"
                   "movq %%rbp, 48(%0)\n\t"
                   "movq %%rsp, 56(%0)\n\t"
                   "movq %%r12, 96(%0)\n\t"
                   "movq %%r13, 104(%0)\n\t"
                   "movq %%r14, 112(%0)\n\t"
                   "movq %%r15, 120(%0)\n\t"
                   "leaq 0(%%rip), %%rcx\n\t"
                   "movq %%rcx, 128(%0)"
                   :
                   : "r"(reg)
                   : "rcx", "memory");
}

#define VT_RESTORER_SZ 9

/* Are these the 9 bytes of `mov $15, %rax; syscall`: the restorer of a libc without CFI for it? */
static inline int vt_arch_is_restorer(uint64_t first, uint8_t last) {
  return first == 0x0F0000000FC0C748u && last == 0x05;
}

/* Could a call instruction end where these 8 bytes end (the last one in the highest byte)? */
static inline int vt_arch_follows_call(uint64_t before) {
  if ((uint8_t)(before >> 24) == 0xE8) return 1;
  for (int len = 2; len <= 7; len++) {
    uint64_t insn = before >> 8 * (8 - len);
    uint32_t modrm = (uint8_t)(insn >> 8), mod = modrm >> 6, rm = modrm & 7;
    if ((uint8_t)insn != 0xFF || ((modrm >> 3) & 7) != 2) continue;
    int sib = mod != 3 && rm == 4;
    int disp = mod == 1 ? 1 : mod == 2 || (mod == 0 && rm == 5) ? 4 : 0;
    if (sib && mod == 0 && ((insn >> 16) & 7) == 5) disp = 4;
    if (len == 2 + sib + disp) return 1;
  }
  return 0;
}

#endif
