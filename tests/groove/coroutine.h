#ifndef TESTS_GROOVE_COROUTINE_H
#define TESTS_GROOVE_COROUTINE_H

/* Switching between stacks of one thread without a system call (swapcontext makes two), so that
   millions of interleavings take seconds.  x86-64 only. */

#include <stdint.h>

/* Saves the callee-saved registers on this stack, its pointer to *from, and continues at to. */
void coroutine_switch(void **from, void *to);

__asm__(".text\n"
        ".globl coroutine_switch\n"
        ".type coroutine_switch,@function\n"
        "coroutine_switch:\n"
        "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
        "  movq %rsp, (%rdi)\n"
        "  movq %rsi, %rsp\n"
        "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n"
        "  ret\n"
        ".size coroutine_switch,.-coroutine_switch\n");

/* What to switch to for the first time: entry, which must not return, on the stack below top. */
static inline void *coroutine_new(void *top, void (*entry)(void)) {
  uintptr_t *sp = (uintptr_t *)((uintptr_t)top & ~(uintptr_t)15);
  *--sp = 0; /* where entry's caller would be: keeps the alignment the ABI wants */
  *--sp = (uintptr_t)entry;
  for (int i = 0; i < 6; i++) *--sp = 0;
  return sp;
}

#endif
