/* The unwinder where control flow is not a plain tree of calls: signals at any instruction and on
   alternate stacks, longjmp, coroutines, vfork, lazy binding, code without CFI, and registers that
   point nowhere. Oracles: shadow.h. */
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include "tests/unit/trace/shadow.h"

static flow_t flow;   /* of the main thread */
static flow_t nested; /* of signal handlers that interrupt it */

NOINLINE static void leaf(void) {
  ENTER();
  flow_capture(&flow);
  LEAVE();
}

/* ---- longjmp ---- */

static jmp_buf target;

NOINLINE static void jumps(uint32_t depth) {
  ENTER();
  leaf();
  if (depth) jumps(depth - 1);
  if (!depth) longjmp(target, 1);
  LEAVE();
}

NOINLINE static void test_longjmp(void) {
  ENTER();
  for (volatile uint32_t i = 0; i < 50; i++) {
    uint32_t cnt = shadow->cnt;
    if (!setjmp(target)) jumps(i * 7 % 11);
    shadow->cnt = cnt;
    leaf();
  }
  LEAVE();
  flow_verdict(&flow, "longjmp");
}

/* ---- signals ---- */

static flow_t *handler_flow;
static volatile uint64_t inexact; /* interrupted pcs that the capture has otherwise */

static void handler(int signal_number, siginfo_t *info, void *context) {
  ucontext_t *uc = (ucontext_t *)context;
  uint64_t rip = (uint64_t)uc->uc_mcontext.gregs[REG_RIP];
  (void)info;
  ENTER();
  flow_capture(handler_flow);
  vt_stack_t const *stack = &handler_flow->last;
  inexact += stack->depth < 3 || vt_frame_pc(stack, stack->depth - 3) != rip + 1;
  if (signal_number == SIGILL) uc->uc_mcontext.gregs[REG_RIP] += 2;
  LEAVE();
}

static void handle(int signal_number, int flags) {
  struct sigaction action;
  memset(&action, 0, sizeof(action));
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | flags;
  sigaction(signal_number, &action, NULL);
}

/* Faults at its first instruction: the row of pc - 1 would be the preceding function's. */
void fault_first(void);
__asm__(".text\n"
        "preceding: .cfi_startproc\n"
        "  sub $4096, %rsp\n  .cfi_adjust_cfa_offset 4096\n  nop\n"
        "  .cfi_endproc\n"
        ".globl fault_first\n"
        "fault_first: .cfi_startproc\n  ud2\n  ret\n  .cfi_endproc\n");

NOINLINE static void raises(uint32_t depth) {
  ENTER();
  leaf();
  if (depth) {
    raises(depth - 1);
  } else {
    ENTER_GAP();
    raise(SIGUSR1);
    raise(SIGUSR2);
    fault_first();
    shadow->cnt--;
  }
  leaf();
  LEAVE();
}

static void test_signals(flow_t *used, char const *name) {
  handler_flow = used;
  handle(SIGUSR1, 0);
  handle(SIGUSR2, SA_ONSTACK);
  handle(SIGILL, SA_ONSTACK | SA_NODEFER);
  ENTER();
  for (uint32_t i = 0; i < 40; i++) raises(i % 5);
  LEAVE();
  flow_verdict(used, name);
  if (used != &flow) flow_verdict(&flow, "around signals");
  is_ulong(SANITIZED ? 0 : inexact, 0, "interrupted instructions are exact");
}

/* Is interrupted at two places; below its stack pointer lies the address of the first. */
void interrupted_twice(void);
__asm__(".globl interrupted_twice\n"
        "interrupted_twice: .cfi_startproc\n"
        "  lea 1f(%rip), %rax\n  mov %rax, -8(%rsp)\n"
        "1: ud2\n"
        "  nop\n"
        "  ud2\n  ret\n  .cfi_endproc\n");

NOINLINE static void test_interrupted_twice(void) {
  ENTER();
  ENTER_GAP();
  inexact = 0;
  handle(SIGILL, SA_NODEFER);
  interrupted_twice();
  shadow->cnt--;
  LEAVE();
  flow_verdict(handler_flow, "interrupted twice");
  is_ulong(SANITIZED ? 0 : inexact, 0, "the second interruption is not taken for the first");
}

/* Every instruction of lazily bound calls, prologues and epilogues, by single-stepping. */
static volatile uint64_t stepped;

static void on_step(int signal_number, siginfo_t *info, void *context) {
  (void)signal_number, (void)info, (void)context;
  uint32_t cnt = shadow->cnt;
  ENTER_GAP();
  ENTER();
  stepped++;
  flow_capture(&nested);
  shadow->cnt = cnt;
}

static volatile uint64_t sink;

NOINLINE static uint64_t stepped_realigned(uint64_t n) {
  _Alignas(64) volatile char aligned[64];
  volatile char *mem = (volatile char *)__builtin_alloca(n);
  aligned[0] = mem[0] = (char)n;
  sink += (uint64_t)strtol("12", NULL, (int)n);
  return (uint64_t)(aligned[0] + mem[0]);
}

#define SET_TRAP(change)                                                                           \
  "pushf\n\t .cfi_adjust_cfa_offset 8\n\t" change ", (%%rsp)\n\t popf\n\t .cfi_adjust_cfa_offset " \
  "-8"

NOINLINE static void stepped_region(void) {
  __asm__ volatile(SET_TRAP("orq $0x100")::: "memory", "cc");
  sink += stepped_realigned(16);
  sink += (uint64_t)atoi("42");
  sink += (uint64_t)getppid();
  __asm__ volatile(SET_TRAP("andq $~0x100")::: "memory", "cc");
}

static void test_stepping(void) {
  struct sigaction action;
  memset(&action, 0, sizeof(action));
  action.sa_sigaction = on_step;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGTRAP, &action, NULL);
  stepped_region();
  printf("# %lu instructions, %lu general steps\n", (unsigned long)stepped,
         (unsigned long)vt_unwind_counters(nested.u)->generals);
  /* gcc's CFI is wrong for three instructions: in the epilogue of a realigned frame rbp counts as
     saved relative to rbp when it is popped already. */
  ok(nested.truncated <= 3, "cut where CFI is wrong only: %lu", (unsigned long)nested.truncated);
  nested.truncated = 0;
  flow_verdict(&nested, "at every instruction");
}

/* Handlers that interrupt captures at random, with a state of their own. */
static shadow_t *timer_shadow;

static void on_timer(int signal_number) {
  (void)signal_number;
  shadow_t *interrupted = shadow;
  shadow = timer_shadow;
  shadow->cnt = 0;
  ENTER_GAP();
  ENTER();
  flow_capture(&nested);
  shadow = interrupted;
}

NOINLINE static void jump_until(uint64_t captures) {
  ENTER();
  while (*(volatile uint64_t *)&nested.captures < captures) {
    uint32_t cnt = shadow->cnt;
    if (!setjmp(target)) jumps((uint32_t)nested.captures % 9);
    shadow->cnt = cnt;
  }
  LEAVE();
}

static void test_timer(void) {
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
  struct itimerspec period = {{0, 200000}, {0, 200000}};
  struct sigaction action;
  memset(&action, 0, sizeof(action));
  action.sa_handler = on_timer;
  action.sa_flags = SA_ONSTACK | SA_RESTART;
  sigaction(SIGALRM, &action, NULL);
  timer_shadow = shadow_new();
  flow.check_every = 0; /* libunwind would be entered twice */
  timer_create(CLOCK_MONOTONIC, &event, &timer);
  timer_settime(timer, 0, &period, NULL);
  jump_until(300);
  timer_delete(timer);
  flow.check_every = 1;
  nested.wrong_frames -= nested.libunwind_wrong;
  flow_verdict(&nested, "timer");
  flow_verdict(&flow, "interrupted by a timer");
}

/* ---- coroutines ---- */

#define COROUTINES 5

typedef struct {
  ucontext_t context;
  shadow_t *shadow;
  uint32_t depth;
} coroutine_t;

static coroutine_t coroutines[COROUTINES];
static coroutine_t *running;

static void switch_to(coroutine_t *next) {
  coroutine_t *from = running;
  running = next;
  shadow = next->shadow;
  swapcontext(&from->context, &next->context);
}

NOINLINE static void coroutine_body(uint32_t depth) {
  ENTER();
  leaf();
  if (depth) coroutine_body(depth - 1);
  switch_to(&coroutines[next_random() % COROUTINES]);
  leaf();
  LEAVE();
}

static void coroutine_main(void) {
  ENTER();
  for (;;) {
    coroutine_body((uint32_t)next_random() % 12);
    switch_to(&coroutines[0]);
  }
}

static void test_coroutines(void) {
  size_t sz = 256 << 10;
  char *stacks = (char *)map_zeroed(sz * COROUTINES);
  uint32_t cnt = shadow->cnt;
  coroutines[0].shadow = shadow;
  running = &coroutines[0];
  for (uint32_t i = 1; i < COROUTINES; i++) {
    coroutines[i].shadow = shadow_new();
    getcontext(&coroutines[i].context);
    coroutines[i].context.uc_stack.ss_sp = stacks + i * sz;
    coroutines[i].context.uc_stack.ss_size = sz;
    makecontext(&coroutines[i].context, coroutine_main, 0);
  }
  for (uint32_t i = 0; i < 1000; i++) {
    switch_to(&coroutines[1 + next_random() % (COROUTINES - 1)]);
    leaf();
  }
  shadow->cnt = cnt;
  flow_verdict(&flow, "coroutines");
}

/* ---- vfork: the child captures on its parent's stack, with its parent's state ---- */

NOINLINE static void vforks(void) {
  ENTER();
  leaf();
  pid_t child = vfork();
  if (!child) {
    flow_capture(&flow);
    _exit(0);
  }
  leaf();
  waitpid(child, NULL, 0);
  LEAVE();
}

static void test_vfork(void) {
  for (int i = 0; i < 5; i++) vforks();
  flow_verdict(&flow, "vfork");
}

/* ---- lazy binding: an IFUNC resolver runs under _dl_runtime_resolve, whose CFA is in rbx ---- */

static void in_resolver(void) {
  ENTER_GAP();
  flow_capture(&flow);
  flow_capture(&flow); /* across the barrier again */
  shadow->cnt--;
}

NOINLINE static void binds(void *library) {
  void (*calls)(void);
  void *address = dlsym(library, "calls_lazily");
  memcpy(&calls, &address, sizeof(calls));
  ENTER();
  if (calls) calls();
  LEAVE();
}

static void test_lazy_binding(char const *folder) {
  char path[4096];
  snprintf(path, sizeof(path), "%s/libvtlazy.so", folder);
  unsetenv("LD_BIND_NOW");
  void *library = dlopen(path, RTLD_LAZY);
  if (!ok(library != NULL, "lazily bound library loads")) return;
  void (**callback)(void) = (void (**)(void))dlsym(library, "in_resolver");
  *callback = in_resolver;
  uint64_t before = vt_unwind_counters(flow.u)->generals;
  binds(library);
  ok(vt_unwind_counters(flow.u)->generals > before, "a general step was needed");
  flow_verdict(&flow, "under _dl_runtime_resolve");
}

/* ---- a function that ends in a noreturn call: its return address is the next function ---- */

__attribute__((used)) static void never_returns(void) {
  ENTER();
  flow_capture(&flow);
  longjmp(target, 1);
}
void ends_in_call(void);
__asm__(".globl ends_in_call\n"
        "ends_in_call: .cfi_startproc\n"
        "  push %rbx\n  .cfi_adjust_cfa_offset 8\n"
        "  sub $32, %rsp\n  .cfi_adjust_cfa_offset 32\n"
        "  call never_returns\n  .cfi_endproc\n"
        "following: .cfi_startproc\n  .cfi_def_cfa_offset 4096\n  nop\n  .cfi_endproc\n");

NOINLINE static void test_noreturn(void) {
  ENTER();
  uint32_t cnt = shadow->cnt;
  ENTER_GAP();
  if (!setjmp(target)) ends_in_call();
  shadow->cnt = cnt;
  LEAVE();
  flow_verdict(&flow, "function ending in a noreturn call");
}

/* ---- code without CFI ---- */

static void in_jit(void) {
  ENTER();
  ENTER_GAP();
  flow_capture(&flow);
  shadow->cnt--;
  LEAVE();
}

/* push %rbp; mov %rsp,%rbp; call *%rdi; pop %rbp; ret */
static uint8_t const with_fp[] = {0x55, 0x48, 0x89, 0xE5, 0xFF, 0xD7, 0x5D, 0xC3};
/* push %rbp; mov %rsi,%rbp; call *%rdi; test %eax,%eax; pop %rbp; ret: rbp holds anything, and the
   way to the return is not read */
static uint8_t const without_fp[] = {0x55, 0x48, 0x89, 0xF5, 0xFF, 0xD7, 0x85, 0xC0, 0x5D, 0xC3};
/* The same, and the way to the return is plain. */
static uint8_t const plain_exit[] = {0x55, 0x48, 0x89, 0xF5, 0xFF, 0xD7, 0x5D, 0xC3};
/* push %rbp; push %r12; sub $24,%rsp; mov %rsi,%rbp; call *%rdi; xor %eax,%eax; add $24,%rsp; pop %r12;
   pop %rbp; ret */
static uint8_t const long_exit[] = {0x55, 0x41, 0x54, 0x48, 0x83, 0xEC, 24,   0x48, 0x89, 0xF5, 0xFF,
                                    0xD7, 0x31, 0xC0, 0x48, 0x83, 0xC4, 24,   0x41, 0x5C, 0x5D, 0xC3};
/* push %rbp; mov %rsp,%rbp; sub $512,%rsp; call *%rdi; leave; ret */
static uint8_t const leave_exit[] = {0x55, 0x48, 0x89, 0xE5, 0x48, 0x81, 0xEC, 0,
                                     2,    0,    0,    0xFF, 0xD7, 0xC9, 0xC3};
/* sub $24,%rsp; mov %rbp,16(%rsp); mov %rsi,%rbp; call *%rdi; mov 16(%rsp),%rbp; add $24,%rsp; ret */
static uint8_t const loading_exit[] = {0x48, 0x83, 0xEC, 24,   0x48, 0x89, 0x6C, 0x24, 16,
                                       0x48, 0x89, 0xF5, 0xFF, 0xD7, 0x48, 0x8B, 0x6C, 0x24,
                                       16,   0x48, 0x83, 0xC4, 24,   0xC3};

/* push %rbp; mov %rsp,%rbp; lea back(%rip),%rax; push %rax; jmp *%rdi; six nops; back: nop; pop
   %rbp; ret: the callback returns to where no call was made */
static uint8_t const pushing[] = {0x55, 0x48, 0x89, 0xE5, 0x48, 0x8D, 0x05, 9,
                                  0,    0,    0,    0x50, 0xFF, 0xE7, 0x90, 0x90,
                                  0x90, 0x90, 0x90, 0x90, 0x90, 0x5D, 0xC3};

typedef void jit_t(void (*callback)(void), uint64_t rbp);

static jit_t *jit(uint8_t const *code, size_t sz) {
  jit_t *function;
  void *mem =
      mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy(mem, code, sz);
  memcpy(&function, &mem, sizeof(mem));
  return function;
}

NOINLINE static void in_jit_fp(void) {
  ENTER();
  flow_capture(&flow);
  LEAVE();
}

NOINLINE static void calls_jit(jit_t *function, void (*callback)(void), uint64_t rbp) {
  ENTER();
  ENTER_GAP();
  function(callback, rbp);
  shadow->cnt--;
  LEAVE();
}

static uint64_t executable_lo, executable_asked;
static int executable(uint64_t addr, uint64_t *lo, uint64_t *hi) {
  executable_asked++;
  *lo = executable_lo;
  *hi = executable_lo + 4096;
  return addr >= *lo && addr < *hi;
}

/* Return addresses that follow no call are believed in executable memory only, which is asked for
   once. */
static void test_jit_pushing(void) {
  jit_t *function = jit(pushing, sizeof(pushing));
  int (*asked)(uint64_t addr, uint64_t *lo, uint64_t *hi) = vt_unwind_executable;
  vt_unwind_executable = NULL;
  calls_jit(function, in_jit_fp, 0);
  ok(flow.captures == 1 && flow.truncated == 1, "pushed return address: cut without knowledge");
  flow.captures = flow.truncated = flow.wrong_shadow = flow.wrong_frames = flow.libunwind_wrong = 0;
  memcpy(&executable_lo, &function, sizeof(executable_lo));
  vt_unwind_executable = executable;
  for (int i = 0; i < 30; i++) calls_jit(function, in_jit_fp, 0);
  flow.wrong_frames -= flow.libunwind_wrong;
  ok(flow.truncated == 0 && executable_asked == 1, "pushed return address: followed");
  flow_verdict(&flow, "generated code that pushes return addresses");
  vt_unwind_executable = asked;
}

/* After an answer that it is not executable the next ones are not asked for: the stack is cut, and unwound again it may
   have more frames, which is no fault of either. */
static void test_jit_unasked(void) {
  jit_t *function = jit(pushing, sizeof(pushing));
  int (*asked)(uint64_t addr, uint64_t *lo, uint64_t *hi) = vt_unwind_executable;
  flow.captures = flow.truncated = flow.wrong_shadow = flow.wrong_frames = flow.libunwind_wrong = 0;
  executable_lo = 0;
  vt_unwind_executable = executable;
  calls_jit(function, in_jit_fp, 0);
  memcpy(&executable_lo, &function, sizeof(executable_lo));
  for (int i = 0; i < 20; i++) calls_jit(function, in_jit_fp, 0);
  ok(flow.truncated > 1 && flow.truncated < 21, "cut until it is asked again: %lu of 21", (unsigned long)flow.truncated);
  is_ulong(flow.wrong_frames - flow.libunwind_wrong, 0, "and not called different");
  flow.captures = flow.truncated = flow.wrong_shadow = flow.wrong_frames = flow.libunwind_wrong = 0;
  vt_unwind_executable = asked;
}

/* Code without CFI and frame pointers whose way to the return is plain: its caller's rbp is anything,
   the place of the return address is what the code says. */
static void test_exits(void) {
  jit_t *functions[] = {jit(plain_exit, sizeof plain_exit), jit(long_exit, sizeof long_exit),
                        jit(leave_exit, sizeof leave_exit), jit(loading_exit, sizeof loading_exit)};
  for (uint32_t i = 0; i < 4; i++) {
    calls_jit(functions[i], in_jit_fp, 0);
    calls_jit(functions[i], in_jit_fp, (uint64_t)(uintptr_t)__builtin_frame_address(0));
    calls_jit(functions[i], in_jit_fp, 0xdeadbeef);
  }
  flow.wrong_frames -= flow.libunwind_wrong;
  flow_verdict(&flow, "generated code that is read on to its return");
}

/* As HotSpot's methods: push %rbp; sub $16,%rsp; mov %rsi,%rbp; call *%rdi; test %eax,%eax; add $16,%rsp;
   pop %rbp; ret */
static uint8_t const sized[] = {0x55, 0x48, 0x83, 0xEC, 16,   0x48, 0x89, 0xF5, 0xFF, 0xD7,
                                0x85, 0xC0, 0x48, 0x83, 0xC4, 16,   0x5D, 0xC3};
#define SIZED_SZ 4 /* where the size of the frame is, */
#define SIZED_OUT 15
/* The same with a frame of 4096 bytes. */
static uint8_t const sized_more[] = {0x55, 0x48, 0x81, 0xEC, 0,    16,   0, 0, 0x48, 0x89, 0xF5,
                                     0xFF, 0xD7, 0x85, 0xC0, 0x48, 0x81, 0xC4, 0, 16,  0,    0,
                                     0x5D, 0xC3};

static void test_sized(void) {
  jit_t *function = jit(sized, sizeof sized), *more = jit(sized_more, sizeof sized_more);
  uint8_t *code;
  memcpy(&code, &function, sizeof code);
  for (int i = 0; i < 4; i++) {
    uint64_t inside = (uint64_t)(uintptr_t)__builtin_frame_address(0);
    calls_jit(function, in_jit_fp, i & 1 ? inside : 0xdeadbeef);
    calls_jit(more, in_jit_fp, i & 1 ? inside : 0);
    code[SIZED_SZ] = code[SIZED_OUT] = i & 1 ? 16 : 48; /* other code in its place, the same addresses */
  }
  flow.wrong_frames -= flow.libunwind_wrong;
  flow_verdict(&flow, "generated code that begins like HotSpot's");
}

/* outer: push %rbp; mov %rsi,%rbp; call inner; test %eax,%eax; pop %rbp; ret; at 32 inner: sub $8,%rsp;
   call *%rdi; test %eax,%eax; add $8,%rsp; ret. The frame pointer that inner finds is not its own and
   not outer's. */
static uint8_t const skipped[45] = {0x55, 0x48, 0x89, 0xF5, 0xE8, 23, 0, 0, 0, 0x85, 0xC0, 0x5D, 0xC3,
                                    [32] = 0x48, 0x83, 0xEC, 8, 0xFF, 0xD7, 0x85, 0xC0, 0x48, 0x83,
                                    0xC4, 8, 0xC3};

NOINLINE static void test_skipped(void) {
  jit_t *function = jit(skipped, sizeof skipped);
  memcpy(&executable_lo, &function, sizeof(executable_lo));
  vt_unwind_executable = executable;
  for (int i = 0; i < 3; i++)
    calls_jit(function, in_jit, (uint64_t)(uintptr_t)__builtin_frame_address(0));
  is_ulong(flow.truncated, 3, "a frame pointer that skips a caller is none");
  ok(flow.last.depth == 3, "the stack is cut there");
  vt_unwind_executable = NULL;
  executable_asked = 0;
  flow.captures = flow.truncated = flow.wrong_shadow = flow.wrong_frames = flow.libunwind_wrong = 0;
}

/* sub $16,%rsp; push %rbp; mov %rsi,%rbp; call *%rdi; test %eax,%eax; pop %rbp; add $16,%rsp; ret: needs
   its table */
static uint8_t const tabled[] = {0x48, 0x83, 0xEC, 16,   0x55, 0x48, 0x89, 0xF5, 0xFF, 0xD7,
                                 0x85, 0xC0, 0x5D, 0x48, 0x83, 0xC4, 16,   0xC3};

/* CIE: version 1, "zR", code alignment 1, data alignment -8, return address in 16, pointers relative and
   4 bytes; CFA rsp + 8, return address at CFA - 8. FDE for 18 bytes: from 4 on CFA rsp + 24, from 5 on
   rsp + 32 and rbp at CFA - 32. Then the end. */
static uint8_t const table[] = {20, 0, 0, 0, 0, 0, 0, 0, 1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x1B,
                                0x0C, 7, 8, 0x90, 1, 0, 0,
                                24, 0, 0, 0, 28, 0, 0, 0, 0, 0, 0, 0, 18, 0, 0, 0, 0,
                                0x44, 0x0E, 24, 0x41, 0x0E, 32, 0x86, 4, 0, 0, 0,
                                0, 0, 0, 0};
#define TABLE_PC   32 /* where the FDE has the distance to its function */
#define TABLE_RULE 17 /* of the CIE */

static uint8_t *table_for(jit_t *function) {
  uint8_t *section = (uint8_t *)map_zeroed(4096);
  uint64_t at;
  memcpy(&at, &function, sizeof at);
  memcpy(section, table, sizeof table);
  int32_t distance = (int32_t)(at - (uint64_t)(uintptr_t)(section + TABLE_PC));
  memcpy(section + TABLE_PC, &distance, sizeof distance);
  return section;
}

static void test_registered(void) {
  jit_t *function = jit(tabled, sizeof tabled);
  uint8_t *section = table_for(function), *dummy = table_for(function), *endless = table_for(function);
  calls_jit(function, in_jit, 0xdeadbeef);
  is_ulong(flow.truncated, 1, "code without table is cut");
  memset(dummy + TABLE_RULE, 0, 5); /* as LuaJIT's: there for its personality, without a rule */
  memset(dummy + 41, 0, 8);
  vt_unwind_register(dummy);
  calls_jit(function, in_jit, 0xdeadbeef);
  is_ulong(flow.truncated, 2, "with a table that has no rules, too");
  vt_unwind_deregister(dummy);
  memset(endless + sizeof table - 4, 0x7F, 4096 + 4 - sizeof table);
  vt_unwind_register(endless);
  calls_jit(function, in_jit, 0xdeadbeef);
  is_ulong(flow.truncated, 3, "or one without an end");
  vt_unwind_deregister(endless);
  flow.captures = flow.truncated = flow.wrong_shadow = flow.wrong_frames = flow.libunwind_wrong = 0;
  vt_unwind_register(section);
  for (int i = 0; i < 9; i++) calls_jit(function, in_jit_fp, 0xdeadbeef);
  flow.wrong_frames -= flow.libunwind_wrong;
  flow_verdict(&flow, "generated code with a registered table");
  vt_unwind_deregister(section);
  munmap(section, 4096);
  calls_jit(function, in_jit, 0xdeadbeef);
  is_ulong(flow.truncated, 1, "forgotten when it is deregistered");
  flow.captures = flow.truncated = flow.wrong_shadow = flow.wrong_frames = flow.libunwind_wrong = 0;
}

/* ---- a JIT that keeps a record of its calls: chains of functions of all kinds, side by side ---- */

enum { FRAMED, SIZED, PLAIN_EXIT, TABLED, KEEPS_RBP, USES_RBP, KINDS };
#define CHAIN_MAX 12

typedef struct {
  uint8_t *at;
  uint64_t ra[CHAIN_MAX]; /* of each call, from inside out: the first one calls in_chain */
  int kind[CHAIN_MAX];
  int cnt;
  uint8_t *tables[CHAIN_MAX];
  int tables_cnt;
} chain_t;

static chain_t chain;
static uint64_t chain_wrong, chain_cut, chain_cut_early, chain_whole;

static void emit(void const *code, size_t sz) {
  memcpy(chain.at, code, sz);
  chain.at += sz;
}
#define EMIT(bytes) emit(bytes, sizeof(bytes) - 1)

static void emit32(uint32_t value) { emit(&value, 4); }

static uint8_t *put_uleb(uint8_t *p, uint32_t value) {
  for (; value >= 128; value >>= 7) *p++ = (uint8_t)(value | 128);
  *p++ = (uint8_t)value;
  return p;
}

/* A table for a function that begins at code: sub $frame,%rsp (7 bytes); push %rbp. */
static void register_table(uint8_t *code, uint32_t sz, uint32_t frame) {
  uint8_t *section = (uint8_t *)map_zeroed(4096), *p = section + 41;
  memcpy(section, table, 41);
  int32_t distance = (int32_t)(code - (section + TABLE_PC));
  memcpy(section + TABLE_PC, &distance, 4);
  memcpy(section + TABLE_PC + 4, &sz, 4);
  *p++ = 0x47, *p++ = 0x0E, p = put_uleb(p, frame + 8);
  *p++ = 0x41, *p++ = 0x0E, p = put_uleb(p, frame + 16);
  *p++ = 0x86, p = put_uleb(p, (frame + 16) / 8);
  section[24] = (uint8_t)((p - section - 28 + 7) & ~7);
  vt_unwind_register(section);
  chain.tables[chain.tables_cnt++] = section;
}

/* What a function that uses rbp freely may have in it. */
static void emit_garbage(void) {
  uint64_t r = next_random(), here = (uint64_t)(uintptr_t)__builtin_frame_address(0);
  uint64_t value = r % 4 == 0 ? 0 : r % 4 == 1 ? r : here + (r >> 8) % 4096 * 8;
  EMIT("\x48\xBD");
  emit(&value, 8);
}

static void emit_call(uint64_t callee) {
  EMIT("\x48\xB8");
  emit(&callee, 8);
  EMIT("\xFF\xD0");
  chain.ra[chain.cnt] = (uint64_t)(uintptr_t)chain.at;
}

/* A function of that kind with a frame of so many bytes, a multiple of 16, that calls callee. */
static void emit_function(int kind, uint32_t frame, uint64_t callee) {
  static char const *const begin[KINDS] = {"\x55\x48\x8B\xEC", "\x55", "\x55\x41\x54", "", "", "\x55\x41\x54"};
  uint8_t *start = chain.at;
  uint32_t odd = kind == PLAIN_EXIT || kind == KEEPS_RBP || kind == USES_RBP ? 8 : 0;
  emit(begin[kind], strlen(begin[kind]));
  EMIT("\x48\x81\xEC");
  emit32(frame + odd);
  if (kind == TABLED) EMIT("\x55");
  if (kind != FRAMED && kind != KEEPS_RBP) emit_garbage();
  emit_call(callee);
  if (kind != PLAIN_EXIT) EMIT("\x85\xC0"); /* test %eax,%eax */
  if (kind == FRAMED) {
    EMIT("\xC9\xC3");
  } else {
    if (kind == TABLED) EMIT("\x5D");
    EMIT("\x48\x81\xC4");
    emit32(frame + odd);
    if (kind == PLAIN_EXIT || kind == USES_RBP) EMIT("\x41\x5C");
    if (kind != KEEPS_RBP && kind != TABLED) EMIT("\x5D");
    EMIT("\xC3");
  }
  if (kind == TABLED) register_table(start, (uint32_t)(chain.at - start), frame);
  chain.at += -(uint64_t)(uintptr_t)chain.at & 15;
}

/* The frames are those of the record, from inside out; or as many as there are before a cut, which only
   a function that says nothing of its frame may cause. */
static void in_chain(void) {
  flow_capture(&flow);
  vt_stack_t const *stack = &flow.last;
  uint32_t left = stack->depth - 1, end = stack->truncated; /* frames outside of in_chain's */
  int k = 0;
  while (k < chain.cnt && left > end && vt_frame_pc(stack, left - 1) == chain.ra[k]) k++, left--;
  if (k == chain.cnt && left > end) {
    chain_whole++;
    chain_wrong += left < end + 2 || vt_frame_pc(stack, left - 2) != shadow->ra[shadow->cnt - 1];
  } else if (k < chain.cnt && (left > end || !end)) {
    chain_wrong++;
  } else {
    chain_cut++;
    chain_cut_early += !k || chain.kind[k - 1] < KEEPS_RBP;
  }
  __asm__ volatile("" ::: "memory");
}

NOINLINE static void calls_chain(uint64_t entry) {
  void (*function)(void);
  ENTER();
  memcpy(&function, &entry, sizeof entry);
  function();
  LEAVE();
}

static void make_chain(uint8_t *page) {
  void (*innermost)(void) = in_chain;
  uint64_t callee;
  memcpy(&callee, &innermost, sizeof callee);
  while (chain.tables_cnt) {
    vt_unwind_deregister(chain.tables[--chain.tables_cnt]);
    munmap(chain.tables[chain.tables_cnt], 4096);
  }
  memset(page, 0, 4096);
  chain.at = page;
  chain.cnt = 0;
  for (int want = 1 + (int)(next_random() % CHAIN_MAX); chain.cnt < want; chain.cnt++) {
    uint64_t here = (uint64_t)(uintptr_t)chain.at;
    chain.kind[chain.cnt] = (int)(next_random() % KINDS);
    emit_function(chain.kind[chain.cnt], (uint32_t)(next_random() % 40) * 16, callee);
    callee = here;
  }
  calls_chain(callee);
}

NOINLINE static void test_chains(int rounds, int told) {
  uint8_t *page = (uint8_t *)mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy(&executable_lo, &page, sizeof executable_lo);
  vt_unwind_executable = executable;
  chain_wrong = chain_whole = chain_cut = chain_cut_early = 0;
  ENTER();
  for (int i = 0; i < rounds; i++) {
    if (told) vt_unwind_epoch_begin(), vt_unwind_epoch_end();
    make_chain(page);
  }
  LEAVE();
  printf("# %lu whole, %lu cut\n", (unsigned long)chain_whole, (unsigned long)chain_cut);
  is_ulong(chain_wrong, 0, "chains of generated code: no wrong frame");
  ok(chain_whole > 0 && chain_cut > 0, "of %d", rounds);
  /* Random constants in the code may look like instructions, rarely. */
  if (told)
    ok(chain_cut_early <= (uint64_t)rounds / 200, "%lu cut where code does not tell nothing",
       (unsigned long)chain_cut_early);
  is_ulong(flow.wrong_frames - flow.libunwind_wrong, 0, "as unwinding in full");
  is_ulong(flow.wrong_delta, 0, "deltas lead from each stack to the next");
  vt_unwind_executable = NULL;
  vt_unwind_epoch_begin();
  vt_unwind_epoch_end();
  flow.captures = flow.truncated = flow.wrong_shadow = flow.wrong_frames = flow.libunwind_wrong = 0;
}

static void test_jit(void) {
  jit_t *good = jit(with_fp, sizeof(with_fp)), *bad = jit(without_fp, sizeof(without_fp));
  for (int i = 0; i < 3; i++) calls_jit(good, in_jit_fp, 0);
  uint64_t other = flow.libunwind_wrong;
  flow.wrong_frames -= other;
  flow_verdict(&flow, "generated code with frame pointers");
  uint64_t inside = (uint64_t)(uintptr_t)__builtin_frame_address(0);
  uint64_t const wild[] = {0, /* no root: such code may keep anything in rbp */
                           1,
                           8,
                           0xdeadbeef,
                           inside + 1,
                           inside,
                           inside + (1 << 19),
                           ~(uint64_t)0,
                           ~(uint64_t)7,
                           (uint64_t)1 << 47,
                           (uint64_t)(uintptr_t)&flow,
                           (uint64_t)1 << 63};
  uint32_t cnt = sizeof(wild) / sizeof(*wild);
  uint32_t cut_there = 0;
  for (uint32_t i = 0; i < cnt; i++) {
    calls_jit(bad, in_jit, wild[i]);
    cut_there += flow.last.depth == 3;
  }
  printf("# %lu of %u wild frame pointers cut the stack\n", (unsigned long)flow.truncated, cnt);
  ok(flow.captures == cnt && cut_there >= cnt - 1, "generated code without: cut there, no crash");
  is_ulong(flow.wrong_delta, 0, "deltas of truncated stacks");
  is_ulong(flow.wrong_frames - flow.libunwind_wrong, 0, "truncated as unwinding in full is");
  flow.captures = flow.truncated = flow.wrong_shadow = flow.wrong_frames = flow.libunwind_wrong = 0;
}

/* ---- a libc whose signal restorer has no CFI ---- */

/* mov $15, %rax; syscall */
static uint8_t const restorer[] = {0x48, 0xC7, 0xC0, 0x0F, 0, 0, 0, 0x0F, 0x05};

static void test_restorer(void) {
  struct {
    void (*handler)(int signal_number, siginfo_t *info, void *context);
    uint64_t flags;
    jit_t *restorer;
    uint64_t mask;
  } action = {handler, SA_SIGINFO | 0x04000000 /* SA_RESTORER */, jit(restorer, sizeof(restorer)),
              0};
  if (syscall(SYS_rt_sigaction, SIGUSR1, &action, NULL, 8)) abort();
  inexact = 0;
  ENTER();
  ENTER_GAP();
  for (int i = 0; i < 3; i++) raise(SIGUSR1);
  shadow->cnt--;
  LEAVE();
  is_ulong(SANITIZED ? 0 : inexact, 0, "interrupted instructions are exact");
  flow.wrong_frames -= flow.libunwind_wrong; /* it does not know this restorer */
  flow_verdict(handler_flow, "restorer without CFI");
}

/* ---- a stack that ends by a zero return address, until there is another one ---- */

/* Calls callback on the stack that ends at top, whose last word is this function's return address
   as far as CFI tells. */
void on_stack(uint64_t *top, void (*callback)(void));
/* Is a return address, of the outermost frame there is. */
void new_root(void);
__asm__(".globl on_stack\n"
        "on_stack: .cfi_startproc\n"
        "  push %rbx\n  .cfi_adjust_cfa_offset 8\n"
        "  mov %rsp, %rbx\n  lea -8(%rdi), %rsp\n  .cfi_def_cfa_offset 8\n"
        "  call *%rsi\n"
        "  mov %rbx, %rsp\n  .cfi_def_cfa_offset 16\n"
        "  pop %rbx\n  .cfi_def_cfa_offset 8\n  ret\n  .cfi_endproc\n"
        "  .cfi_startproc\n  .cfi_undefined %rip\n  call on_stack\n"
        ".globl new_root\nnew_root: nop\n  .cfi_endproc\n");

static uint32_t depth_there;
static void on_other_stack(void) {
  flow_capture(&flow);
  depth_there = flow.last.depth;
  __asm__ volatile("" ::: "memory");
}

static void test_end(void) {
  shadow_t *outside = shadow;
  uint64_t *stack = (uint64_t *)map_zeroed(64 << 10),
           *top = stack + (64 << 7) - 7; /* aligned as a call wants it */
  shadow = shadow_new();
  flow.check_every = 0; /* cannot find back to the hook's caller from another stack */
  on_stack(top, on_other_stack);
  uint32_t before = depth_there;
  on_stack(top, on_other_stack);
  is_ulong(depth_there, before, "a zero return address ends the stack");
  top[-1] = (uint64_t)(uintptr_t)&new_root;
  on_stack(top, on_other_stack);
  is_ulong(depth_there, before + 1, "until it is none");
  shadow = outside;
  flow.check_every = 1;
  flow_verdict(&flow, "end of a stack");
}

/* ---- stacks that were made to begin at an address that nobody called ---- */

/* As boost.context does: the entry's return address is that of code that ends the process, which is in
   rbp, too. Not to be returned to. */
void entered(uint64_t *top, void (*callback)(void));
extern char entry_end[];
/* The function before it ends with an instruction that is no call. */
extern char adjacent[];
__asm__(".globl entered, entry_end\n"
        "entered:\n"
        "  mov %rdi, %rsp\n  lea entry_end(%rip), %rbp\n  push %rbp\n  jmp *%rsi\n"
        "entry_end:\n"
        "  xor %rdi, %rdi\n  call abort@PLT\n  hlt\n"
        ".globl adjacent\n"
        "  .cfi_startproc\n  .cfi_def_cfa_offset 64\n  mov %rax, %rbx\n"
        "  jmp *%rbx\n  .cfi_endproc\n"
        "adjacent: .cfi_startproc\n  nop\n  ret\n  .cfi_endproc\n"
        "  mov %rax, %rbx\n"
        ".globl not_an_entry\nnot_an_entry: jmp *%rbx\n");
extern char not_an_entry[];

static void leaves(void) {
  flow_capture(&flow);
  longjmp(target, 1);
}

static void is_end(char const *address, uint64_t depth, uint64_t truncated, char const *name) {
  is_ulong(flow.last.depth, depth, name);
  ok(flow.last.truncated == truncated &&
         (truncated || vt_frame_pc(&flow.last, 0) == (uint64_t)(uintptr_t)address),
     "%s is %s", name, truncated ? "cut" : "whole");
}

static void test_entries(void) {
  shadow_t *outside = shadow;
  uint64_t *stack = (uint64_t *)map_zeroed(64 << 10), *top = stack + (64 << 7) - 16;
  shadow = shadow_new();
  flow.check_every = 0;
  for (int i = 0; i < 3; i++)
    if (!setjmp(target)) entered(top, leaves);
  is_end(entry_end, 2, 0, "a stack that begins where the process ends");
  top++; /* aligned as on_stack's call wants it */
  top[-1] = (uint64_t)(uintptr_t)adjacent;
  top[7] = (uint64_t)(uintptr_t)&new_root; /* where the function before it would return to */
  on_stack(top, on_other_stack);
  is_end(adjacent, 3, 0, "a stack that begins at a function next to another");
  top[-1] = (uint64_t)(uintptr_t)not_an_entry;
  on_stack(top, on_other_stack);
  ok(flow.last.truncated, "an address that follows no call and ends nothing is cut");
  shadow = outside;
  flow.check_every = 1;
  flow.truncated = 0;
  flow_verdict(&flow, "made stacks");
}

/* ---- Go's calls of C: asmcgocall leaves a goroutine's stack for the thread's ---- */

/* Has the instructions of runtime.asmcgocall after its call (but for those of its thread-local storage),
   of a function that calls it, and of runtime.goexit. */
void go_calls(void (*callback)(void), uint64_t *g);
extern char go_after[], go_caller[], go_exit[];
__asm__(".globl go_calls, go_after, go_caller, go_exit\n"
        "go_calls: .cfi_startproc\n"
        "  push %rbp\n  push %rbx\n  push %r12\n  .cfi_adjust_cfa_offset 24\n"
        "  mov %rsp, %rbx\n  mov %rsi, %r12\n"
        "  mov 8(%rsi), %rsp\n"
        "  lea go_exit(%rip), %rax\n  push %rax\n  xor %ebp, %ebp\n  jmp go_function\n"
        "go_back:\n"
        "  mov %rbx, %rsp\n  pop %r12\n  pop %rbx\n  pop %rbp\n  ret\n"
        "  .cfi_endproc\n"
        "go_function:\n"
        "  sub $24, %rsp\n  mov %rbp, 16(%rsp)\n  lea 16(%rsp), %rbp\n"
        "  call go_asmcgocall\n"
        "go_caller: cmp $0, %eax\n  jmp go_back\n"
        "go_asmcgocall:\n"
        "  mov %rsp, %rdx\n  lea -64(%rbx), %rsp\n  and $-16, %rsp\n"
        "  mov %r12, 48(%rsp)\n  mov 8(%r12), %rax\n  sub %rdx, %rax\n  mov %rax, 40(%rsp)\n"
        "  call *%rdi\n"
        "go_after:\n"
        "  mov 48(%rsp), %rdi\n  mov 8(%rdi), %rsi\n  sub 40(%rsp), %rsi\n"
        "  nop\n"
        "  mov %rsi, %rsp\n  mov %eax, 24(%rsp)\n  ret\n"
        "  nop\n"
        "go_exit:\n"
        "  call abort@PLT\n  nop\n");

static uint64_t wrong_go;
static void from_go(void) {
  flow_capture(&flow);
  vt_stack_t const *stack = &flow.last;
  char const *want[] = {go_exit, go_caller, go_after};
  wrong_go += stack->depth != 4 || stack->truncated;
  for (uint32_t i = 0; i < 3 && i < stack->depth; i++)
    wrong_go += vt_frame_pc(stack, i) != (uint64_t)(uintptr_t)want[i];
  __asm__ volatile("" ::: "memory");
}

NOINLINE static void test_go(void) {
  shadow_t *outside = shadow;
  uint64_t *stack = (uint64_t *)map_zeroed(64 << 10), g[2] = {0, (uint64_t)(uintptr_t)(stack + 8000)};
  shadow = shadow_new();
  for (int i = 0; i < 5; i++) go_calls(from_go, g);
  is_ulong(wrong_go, 0, "a call from Go: the goroutine's frames, to its end");
  shadow = outside;
  flow.wrong_frames -= flow.libunwind_wrong;
  flow_verdict(&flow, "calls from Go");
}

/* ---- stack use, by painting ---- */

static void captures_there(void) {
  uint64_t *fp = (uint64_t *)__builtin_frame_address(0);
  vt_caller_t caller = {fp[1], (uint64_t)(uintptr_t)(fp + 2), fp[0]};
  vt_stack_t stack;
  vt_unwind_capture(flow.u, &caller, &stack);
  depth_there = stack.depth;
}

static uint64_t stack_use(void) {
  enum { WORDS = 8192 };
  static uint64_t *stack;
  uint64_t i = 0;
  if (!stack) stack = (uint64_t *)map_zeroed(WORDS * 8);
  for (uint64_t k = 0; k < WORDS; k++) stack[k] = 0x5555555555555555u;
  stack[WORDS - 8] = (uint64_t)(uintptr_t)&new_root;
  on_stack(&stack[WORDS - 7], captures_there);
  while (stack[i] == 0x5555555555555555u) i++;
  return (WORDS - 7 - i) * 8;
}

static void test_stack_use(void) {
  vt_unwind_reset(flow.u);
  vt_unwind_epoch_begin();
  vt_unwind_epoch_end();
  uint64_t parsing = stack_use(), ordinary = stack_use();
  ok(SANITIZED || parsing < 2048, "a capture that parses rules uses %lu bytes of stack",
     (unsigned long)parsing);
  ok(SANITIZED || ordinary < 1024, "an ordinary one %lu", (unsigned long)ordinary);
  is_ulong(depth_there, 2, "the stack was captured");
  vt_unwind_reset(flow.u);
  flow.mirror_cnt = 0;
}

/* ---- no memory for the memo ---- */

NOINLINE static uint32_t deeper(uint32_t left) {
  ENTER();
  if (left) deeper(left - 1);
  flow_capture(&flow);
  LEAVE();
  return left;
}

/* Fills the array to the last frame at one of the depths tried. */
NOINLINE static uint32_t fills(uint32_t left) {
  ENTER();
  if (left) {
    fills(left - 1);
  } else {
    vt_unwind_reset(flow.u);
    flow.mirror_cnt = 0;
    flow_capture(&flow);
    leaf();
    leaf();
  }
  LEAVE();
  return left;
}

static void test_no_memory(void) {
  struct rlimit old, none;
  getrlimit(RLIMIT_AS, &old);
  none = old;
  none.rlim_cur = 1;
  flow_t used = flow;
  flow_init(&flow, 0);
  deeper(900); /* touches the stack */
  vt_unwind_fini(flow.u);
  memset(&flow.wrong_shadow, 0, sizeof(flow.wrong_shadow));
  flow.mirror_cnt = 0;
  flow.captures = flow.truncated = 0;
  setrlimit(RLIMIT_AS, &none);
  for (uint32_t depth = 560; depth < 590; depth++) {
    deeper(depth);
    fills(depth);
  }
  deeper(800);
  leaf();
  setrlimit(RLIMIT_AS, &old);
  ok(flow.truncated > 0 && flow.truncated < flow.captures, "%lu of %lu cut without memory",
     (unsigned long)flow.truncated, (unsigned long)flow.captures);
  is_ulong(flow.wrong_delta, 0, "deltas lead from each stack to the next");
  flow.truncated = flow.wrong_shadow = 0;
  deeper(800);
  flow_verdict(&flow, "with memory again");
  flow = used;
}

/* ---- damaged stacks: whatever the registers and the memory hold, no crash ---- */

static void test_damaged(void) {
  uint64_t cnt = 2048, bytes = cnt * 8, truncated = 0;
  uint8_t *mem = (uint8_t *)map_zeroed(bytes + 8192);
  mprotect(mem + bytes, 8192, PROT_NONE); /* the end of the stack */
  uint64_t *words = (uint64_t *)(void *)mem;
  uint64_t text = (uint64_t)(uintptr_t)&raises & ~(uint64_t)4095;
  uint64_t libc = (uint64_t)(uintptr_t)&waitpid & ~(uint64_t)4095;
  vt_unwind_t *u = vt_unwind_new(map_zeroed(VT_UNWIND_STATE_SZ));
  for (uint32_t round = 0; round < 20000; round++) {
    for (uint64_t i = 0; i < 64; i++) {
      uint64_t r = next_random(), kind = r % 8, *word = &words[next_random() % cnt];
      *word = kind < 3    ? text + r / 8 % 8192
              : kind < 5  ? libc + r / 8 % 65536
              : kind == 5 ? 0
              : kind == 6 ? (uint64_t)(uintptr_t)&words[r / 8 % cnt]
                          : r;
    }
    uint64_t at = next_random() % cnt;
    vt_caller_t caller = {text + next_random() % 8192, (uint64_t)(uintptr_t)&words[at], 0};
    caller.rbp =
        next_random() % 4 ? (uint64_t)(uintptr_t)&words[next_random() % cnt] : next_random();
    vt_stack_t stack;
    vt_unwind_capture(u, &caller, &stack);
    truncated += stack.truncated;
    if (!stack.depth || vt_frame_pc(&stack, stack.depth - 1) != caller.pc) ok(0, "innermost frame");
  }
  ok(truncated > 10000, "damaged stacks: %lu of 20000 cut, no crash", (unsigned long)truncated);
}

int main(int argc, char **argv) {
  char *alternate = (char *)map_zeroed(256 << 10);
  stack_t stack = {.ss_sp = alternate, .ss_size = 256 << 10};
  char *slash = strrchr(argv[0], '/');
  (void)argc;
  if (slash) *slash = 0;
  shadow = shadow_new();
  sigaltstack(&stack, NULL);
  random_state ^= (uint64_t)getpid() << 20;
  printf("# SEED=%lu\n", (unsigned long)random_state);
  vt_unwind_global_init(map_zeroed(VT_UNWIND_GLOBAL_SZ), VT_UNWIND_GLOBAL_SZ);
  if (vt_unwind_load_libunwind()) printf("# without libunwind\n");
  flow_init(&flow, 1);
  flow_init(&nested, 1);
  test_stepping(); /* first: nothing is bound yet */
  test_lazy_binding(slash ? argv[0] : ".");
  test_longjmp();
  test_signals(&nested, "signals with another state");
  test_signals(&flow, "signals with the same state");
  test_interrupted_twice();
  test_timer();
  test_coroutines();
  test_vfork();
  test_noreturn();
  vt_unwind_confine(VT_UNWIND_NO_QUESTIONS); /* nor may it be looked at whether its code can be read */
  vt_unwind_epoch_begin();
  vt_unwind_epoch_end();
  test_noreturn();
  vt_unwind_confine(VT_UNWIND_ASKS);
  test_jit();
  test_exits();
  test_sized();
  test_skipped();
  test_registered();
  test_jit_pushing();
  test_jit_unasked();
  test_restorer();
  test_end();
  test_entries();
  test_go();
  test_chains(2000, 1);
  test_chains(2000, 0); /* code is replaced without notice */
  test_stack_use();
  if (!SANITIZED) test_no_memory();
  test_damaged();
  return done_testing();
}
