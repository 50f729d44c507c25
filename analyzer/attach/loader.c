/* See loader.h. The loader runs in the traced process, at a point where the program itself has called an
   allocator: no thread is hijacked. While nothing is to be loaded a call costs a comparison and goes on
   to the real function.

   One caller wins, by compare-and-swap. Not one that is called by ranges of code that may hold locks
   of the loader (the C library: a thread is being made, a handler registered; ld.so), nor one on whose
   stack dl_iterate_phdr may be: what that calls runs under a lock that dlopen takes after those which
   making a thread takes, and would wait for each other. What looks like a return to it in the first
   MiB of the stack counts, old ones too: another call will do. Nor a child: fork's or vfork's has another number. In a process with threads the caller may hold any
   lock of the program's, so it only makes a thread, which holds none, and goes on. In a process with
   one thread that would make the C library take locks for ever: the caller loads the shim itself.
   Either runs with signals blocked, on a stack of its own, and keeps errno and all registers. */
#include "analyzer/attach/loader.h"

#include <stddef.h>

#define AT(field, name) _Static_assert(offsetof(vt_attach_t, field) == VT_ATTACH_OFF_##name, "the loader looks there")
AT(pid, PID);
AT(restart, RESTART);
AT(stack, STACK);
AT(dlopen, DLOPEN);
AT(dlerror, DLERROR);
AT(pthread_create, CREATE);
AT(pthread_detach, DETACH);
AT(errno_location, ERRNO);
AT(thread, THREAD);
AT(shim_device, SHIM_DEV);
AT(shim_inode, SHIM_INO);
AT(vectors, VECTORS);
AT(range_cnt, RANGE_CNT);
AT(shim, SHIM);
AT(tasks, TASKS);
AT(ranges, RANGES);
AT(iterate, ITERATE);
AT(iterate_end, ITERATE_END);
AT(text, TEXT);

#if defined(__x86_64__)
#include <cpuid.h>

#define OSXSAVE (1u << 27)
#define STACK_SEEN 1048576
#define KEPT    0xe7u /* x87, SSE, AVX, and the three parts of AVX-512 */

#define STRING(x) #x
#define NUMBER(x) STRING(x)
#define OFF(name) NUMBER(VT_ATTACH_OFF_##name)

__asm__(
    ".section .rodata\n"
    ".balign 64\n"
    ".globl vt_loader_code, vt_loader_code_end, vt_loader_plain, vt_loader_keep\n"
    ".hidden vt_loader_code, vt_loader_code_end, vt_loader_plain, vt_loader_keep\n"
    "vt_loader_code:\n"
    ".Lcode:\n"
    ".ascii \"" VT_ATTACH_MAGIC "\"\n"

    /* The descriptor is in r9; r11 and rax are free. */
    ".balign 16\n"
    "vt_loader_plain:\n"
    "  leaq .Lcode+" NUMBER(VT_ATTACH_CODE_SZ) "(%rip), %r11\n"
    "  cmpl $" NUMBER(VT_ATTACH_WAITING) ", (%r11)\n"
    "  je 1f\n"
    "  jmp *8(%r9)\n"
    "1: pushq %r9\n"
    "  call .Lconsider\n"
    "  popq %r9\n"
    "  jmp *8(%r9)\n"

    /* The descriptor is on the stack, and all registers and flags are to be kept. Between the two last
       instructions its place is in the red zone, which handlers leave alone. */
    "vt_loader_keep:\n"
    "  call .Lconsider\n"
    "  pushq %rax\n"
    "  movq 8(%rsp), %rax\n"
    "  movq 8(%rax), %rax\n"
    "  movq %rax, 8(%rsp)\n"
    "  popq %rax\n"
    "  leaq 8(%rsp), %rsp\n"
    "  jmp *-8(%rsp)\n"

    /* On the stack: return address, descriptor, and where the function returns to. Keeps all registers. */
    ".Lconsider:\n"
    "  pushfq\n"
    "  cld\n"
    "  pushq %rax; pushq %rbx; pushq %rcx; pushq %rdx; pushq %rsi; pushq %rdi; pushq %rbp\n"
    "  pushq %r8; pushq %r9; pushq %r10; pushq %r11; pushq %r12; pushq %r13; pushq %r14; pushq %r15\n"
    "  leaq .Lcode+" NUMBER(VT_ATTACH_CODE_SZ) "(%rip), %rbx\n"
    "  cmpl $" NUMBER(VT_ATTACH_WAITING) ", (%rbx)\n"
    "  jne .Lout\n"
    "  movq 144(%rsp), %rax\n" /* 16 registers and flags, return address, descriptor */
    "  movl " OFF(RANGE_CNT) "(%rbx), %ecx\n"
    "  leaq " OFF(RANGES) "(%rbx), %rsi\n"
    "1: testl %ecx, %ecx\n"
    "  jz 3f\n"
    "  cmpq (%rsi), %rax\n"
    "  jb 2f\n"
    "  cmpq 8(%rsi), %rax\n"
    "  jb .Lout\n"
    "2: addq $16, %rsi\n"
    "  decl %ecx\n"
    "  jmp 1b\n"
    "3: call .Literates\n"
    "  jc .Lout\n"
    "  movl $39, %eax\n" /* getpid */
    "  syscall\n"
    "  cmpl " OFF(PID) "(%rbx), %eax\n"
    "  jne .Lout\n"
    "  movl $" NUMBER(VT_ATTACH_WAITING) ", %eax\n"
    "  movl $" NUMBER(VT_ATTACH_LOADING) ", %ecx\n"
    "  lock cmpxchgl %ecx, (%rbx)\n"
    "  jne .Lout\n"

    "  movq %rsp, %r12\n"
    "  movq " OFF(STACK) "(%rbx), %rsp\n"
    "  subq $16384, %rsp\n"
    "  movq %rsp, %r13\n"
    "  xorl %edx, %edx\n"
    "  movl " OFF(VECTORS) "(%rbx), %eax\n"
    "  testl %eax, %eax\n"
    "  jz 1f\n"
    "  xsave (%r13)\n"
    "  jmp 2f\n"
    "1: fxsave (%r13)\n"
    "2: subq $256, %rsp\n"
    "  movq $-1, (%rsp)\n"
    "  movl $14, %eax\n" /* rt_sigprocmask(SIG_SETMASK, …) */
    "  movl $2, %edi\n"
    "  movq %rsp, %rsi\n"
    "  leaq 8(%rsp), %rdx\n"
    "  movl $8, %r10d\n"
    "  syscall\n"
    "  call *" OFF(ERRNO) "(%rbx)\n"
    "  movl (%rax), %r14d\n"
    "  cmpq $0, " OFF(RESTART) "(%rbx)\n"
    "  je 3f\n"
    "  movq %rbx, %rdi\n"
    "  call *" OFF(RESTART) "(%rbx)\n"
    "  jmp .Ldone\n"
    "3: movl $4, %eax\n" /* stat */
    "  leaq " OFF(TASKS) "(%rbx), %rdi\n"
    "  leaq 64(%rsp), %rsi\n"
    "  syscall\n"
    "  testl %eax, %eax\n"
    "  jnz 4f\n"
    "  cmpq $3, 64+16(%rsp)\n" /* st_nlink: itself, its parent, and one for each thread */
    "  ja 4f\n"
    "  movq %rbx, %rdi\n"
    "  call .Lload\n"
    "  jmp .Ldone\n"
    "4: cmpq $0, " OFF(CREATE) "(%rbx)\n"
    "  je 5f\n"
    "  leaq " OFF(THREAD) "(%rbx), %rdi\n"
    "  xorl %esi, %esi\n"
    "  leaq .Lload(%rip), %rdx\n"
    "  movq %rbx, %rcx\n"
    "  call *" OFF(CREATE) "(%rbx)\n"
    "  testl %eax, %eax\n"
    "  jnz 5f\n"
    "  movq " OFF(THREAD) "(%rbx), %rdi\n"
    "  call *" OFF(DETACH) "(%rbx)\n"
    "  jmp .Ldone\n"
    "5: leaq .Lno_thread(%rip), %rsi\n"
    "  movq %rbx, %rdi\n"
    "  call .Lfail\n"
    ".Ldone:\n"
    "  call *" OFF(ERRNO) "(%rbx)\n"
    "  movl %r14d, (%rax)\n"
    "  movl $14, %eax\n"
    "  movl $2, %edi\n"
    "  leaq 8(%rsp), %rsi\n"
    "  xorl %edx, %edx\n"
    "  movl $8, %r10d\n"
    "  syscall\n"
    "  xorl %edx, %edx\n"
    "  movl " OFF(VECTORS) "(%rbx), %eax\n"
    "  testl %eax, %eax\n"
    "  jz 1f\n"
    "  xrstor (%r13)\n"
    "  jmp 2f\n"
    "1: fxrstor (%r13)\n"
    "2: movq %r12, %rsp\n"
    ".Lout:\n"
    "  popq %r15; popq %r14; popq %r13; popq %r12; popq %r11; popq %r10; popq %r9; popq %r8\n"
    "  popq %rbp; popq %rdi; popq %rsi; popq %rdx; popq %rcx; popq %rbx; popq %rax\n"
    "  popfq\n"
    "  ret\n"

    /* Carry: a word between the stack pointer and the thread's own data, or a page that cannot be read, or the MiB's
       end, is in dl_iterate_phdr. The kernel reads a page first: it takes the set, and refuses what to do with it. */
    ".Literates:\n"
    "  movq %rsp, %rbp\n"
    "  leaq " NUMBER(STACK_SEEN) "(%rsp), %r12\n"
    "  movq %fs:0, %rax\n"
    "  cmpq %rsp, %rax\n"
    "  jb 1f\n"
    "  cmpq %r12, %rax\n"
    "  cmovbq %rax, %r12\n"
    "1: movl $14, %eax\n" /* rt_sigprocmask */
    "  movl $-1, %edi\n"
    "  movq %rbp, %rsi\n"
    "  xorl %edx, %edx\n"
    "  movl $8, %r10d\n"
    "  syscall\n"
    "  cmpl $-14, %eax\n" /* EFAULT */
    "  je 4f\n"
    "2: movq (%rbp), %rax\n"
    "  cmpq " OFF(ITERATE) "(%rbx), %rax\n"
    "  jb 3f\n"
    "  cmpq " OFF(ITERATE_END) "(%rbx), %rax\n"
    "  jb 5f\n"
    "3: addq $8, %rbp\n"
    "  cmpq %r12, %rbp\n"
    "  jae 4f\n"
    "  testl $4095, %ebp\n"
    "  jnz 2b\n"
    "  jmp 1b\n"
    "4: clc\n"
    "5: ret\n" /* the comparison has set it */

    /* void *load(vt_attach_t *): a thread's function, too. The descriptor may lead elsewhere by now. */
    ".Lload:\n"
    "  pushq %rbx\n"
    "  movq %rdi, %rbx\n"
    "  subq $144, %rsp\n"
    "  movl $4, %eax\n" /* stat */
    "  leaq " OFF(SHIM) "(%rbx), %rdi\n"
    "  movq %rsp, %rsi\n"
    "  syscall\n"
    "  leaq .Lno_file(%rip), %rsi\n"
    "  testl %eax, %eax\n"
    "  jnz 1f\n"
    "  movq (%rsp), %rax\n"
    "  cmpq " OFF(SHIM_DEV) "(%rbx), %rax\n"
    "  jne 1f\n"
    "  movq 8(%rsp), %rax\n"
    "  cmpq " OFF(SHIM_INO) "(%rbx), %rax\n"
    "  jne 1f\n"
    "  leaq " OFF(SHIM) "(%rbx), %rdi\n"
    "  movl $0x1002, %esi\n" /* RTLD_NOW | RTLD_NODELETE */
    "  call *" OFF(DLOPEN) "(%rbx)\n"
    "  testq %rax, %rax\n"
    "  jnz 2f\n"
    "  leaq .Lno_reason(%rip), %rax\n"
    "  cmpq $0, " OFF(DLERROR) "(%rbx)\n"
    "  je 3f\n"
    "  call *" OFF(DLERROR) "(%rbx)\n"
    "3: leaq .Lno_reason(%rip), %rsi\n"
    "  testq %rax, %rax\n"
    "  cmovnzq %rax, %rsi\n"
    "1: movq %rbx, %rdi\n"
    "  call .Lfail\n"
    "2: xorl %eax, %eax\n"
    "  addq $144, %rsp\n"
    "  popq %rbx\n"
    "  ret\n"

    /* void fail(vt_attach_t *, char const *why) */
    ".Lfail:\n"
    "  xorl %ecx, %ecx\n"
    "1: movb (%rsi,%rcx), %al\n"
    "  movb %al, " OFF(TEXT) "(%rdi,%rcx)\n"
    "  testb %al, %al\n"
    "  jz 2f\n"
    "  incl %ecx\n"
    "  cmpl $" NUMBER(VT_ATTACH_TEXT_SZ) "-1, %ecx\n"
    "  jb 1b\n"
    "2: movb $0, " OFF(TEXT) "(%rdi,%rcx)\n"
    "  movl $" NUMBER(VT_ATTACH_FAILED) ", (%rdi)\n"
    "  ret\n"
    ".Lno_thread: .asciz \"no thread can be made in it\"\n"
    ".Lno_file: .asciz \"it has closed the descriptor of the recorder, or sees no /proc\"\n"
    ".Lno_reason: .asciz \"dlopen failed\"\n"
    "vt_loader_code_end:\n"
    ".text\n");

uint32_t vt_loader_vectors(void) {
  uint32_t a, b, c, d, low, high;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & OSXSAVE)) return 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low & KEPT;
}

#else /* the plans are made for x86-64 */
uint8_t const vt_loader_code[1], vt_loader_code_end[1], vt_loader_plain[1], vt_loader_keep[1];
uint32_t vt_loader_vectors(void) { return 0; }
#endif
