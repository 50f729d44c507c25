/* vt_patched_keep: where stubs lead whose function's callers may know which registers it leaves alone
   (gcc's -fipa-ra), and rely on it. The stub has pushed the descriptor; the stack need not be aligned.
   All registers but the result's are kept: the general ones and the flags on the stack, the vector
   registers by xsave, because libc's string functions, which the hook may call, use any of them. */
#include "preload/patched_keep.h"

#if defined(__x86_64__)
  .text
  .globl vt_patched_keep
  .hidden vt_patched_keep
  .type vt_patched_keep, @function
  .p2align 4
vt_patched_keep:
  .cfi_startproc
  .cfi_def_cfa_offset 16
  xchgq %rbp, (%rsp)          /* the descriptor; under it a frame as any */
  .cfi_offset %rbp, -16
  pushq %rbp
  .cfi_def_cfa_offset 24
  leaq 8(%rsp), %rbp
  .cfi_def_cfa %rbp, 16
  pushfq
  pushq %rax
  pushq %rcx
  pushq %rdx
  pushq %r10
  pushq %r11
  pushq %r9
  pushq %r8                   /* the five arguments, the first lowest */
  pushq %rcx
  pushq %rdx
  pushq %rsi
  pushq %rdi
  movq %rsp, %rdi
  movq -8(%rbp), %rsi
  movq %rbp, %rdx
  subq vt_keep_sz(%rip), %rsp
  andq $-64, %rsp
  xorl %eax, %eax
  movq %rax, 512(%rsp)        /* the header of the area */
  movq %rax, 520(%rsp)
  movq %rax, 528(%rsp)
  movq %rax, 536(%rsp)
  movq %rax, 544(%rsp)
  movq %rax, 552(%rsp)
  movq %rax, 560(%rsp)
  movq %rax, 568(%rsp)
  pushq %rdx
  pushq %rdi
  movl vt_keep_mask(%rip), %eax
  xorl %edx, %edx
  testl %eax, %eax
  jz 1f
  xsave 16(%rsp)
  jmp 2f
1: fxsave 16(%rsp)
2: popq %rdi
  popq %rdx
  cld
  call vt_patched_kept
  movq %rax, %r11
  movl vt_keep_mask(%rip), %eax
  xorl %edx, %edx
  testl %eax, %eax
  jz 3f
  xrstor (%rsp)
  jmp 4f
3: fxrstor (%rsp)
4: movq -8(%rbp), %rcx        /* the descriptor again */
  leaq -104(%rbp), %rsp
  popq %rdi
  popq %rsi
  popq %rdx
  addq $8, %rsp
  popq %r8
  popq %r9
  cmpb $0, VT_KEEP_VOID(%rcx)
  movq %r11, %rax
  popq %r11
  popq %r10
  popq %rdx
  popq %rcx
  je 5f
  popq %rax
  jmp 6f
5: leaq 8(%rsp), %rsp
6: popfq
  movq %rbp, %rsp
  popq %rbp
  .cfi_def_cfa %rsp, 8
  .cfi_restore %rbp
  ret
  .cfi_endproc
  .size vt_patched_keep, . - vt_patched_keep

  .section .note.GNU-stack, "", @progbits
#endif
