/* Copy and rest are the function: random functions are run, patched, and run again in a child. They branch to and fro,
   also into their first bytes, are entered in the middle by a second name, read memory relative to themselves, call
   at the beginning what tells where it returns to, and some are short. The seed is printed. */
#include "analyzer/patch/plan.h"
#include "tests/patch/assembled.h"
#include "tests/unit/tap.h"

#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define FUNCTIONS 300
#define INPUTS    6
#define PAGE      ((uintptr_t)4096)

typedef uint64_t function_t(uint64_t, uint64_t, uint64_t);

static char text[1 << 20];
static size_t text_sz;

static void say(char const *line) {
  text_sz += (size_t)snprintf(text + text_sz, sizeof text - text_sz, "%s\n", line);
}

/* say_any says one of the instructions; rdx counts how often a loop may go round, and is left alone. */
static void say_any(void) {
  static char const *const some[] = {
      "mov %edi, %eax",          "lea 3(%rdi,%rsi,2), %rax", "add word(%rip), %rax",       "cmpl $5, word(%rip)",
      "xor %rsi, %rax",          "test $1, %dil",            "movabs $0x123456789ab, %rcx", "add %rcx, %rax",
      "nop",                     "adc $7, %rax",             "lea word(%rip), %r8",        "movl $9, other(%rip)",
      "mov pointer(%rip), %rcx", "rol $3, %rax",             "imul $77, %rsi, %rax",       "movzbl word+2(%rip), %ecx",
      "add other(%rip), %rcx",   "cmp %rsi, %rdi",           "push %rax; pop %rcx",        "sete %al"};
  say(some[(size_t)rand() % (sizeof some / sizeof some[0])]);
}

static void say_special(int far) {
  static char const *const near_by[] = {"jz 9f", "jc 9f", "jle 9f", "jno 9f", "ja 9f", "call helper", "call *pointer(%rip)",
                                        "lea helper(%rip), %rcx; call *%rcx", "jmp 9f"};
  say(near_by[(size_t)rand() % (sizeof near_by / sizeof near_by[0])]);
  if (far) say(".skip 200, 0x90");
}

static void say_function(int i) {
  char line[160];
  int special = rand() % 4, entered = rand() % 8, back = rand() % 6, cnt = 1 + rand() % 6;
  snprintf(line, sizeof line, ".p2align 4\n.globl f%d_malloc\n.type f%d_malloc, @function\nf%d_malloc:%s", i, i, i,
           rand() % 3 ? "" : " endbr64");
  say(line);
  for (int k = 0; k < cnt; k++) {
    if (k == entered) snprintf(line, sizeof line, ".globl f%d_inner\nf%d_inner:", i, i), say(line);
    if (k == back) say("1:");
    if (k == special) say_special(!(rand() % 4));
    say_any();
  }
  if (back < cnt) say("dec %edx\njg 1b");
  say("9: ret");
  snprintf(line, sizeof line, ".p2align %d\n.globl f%d_free\n.type f%d_free, @function\nf%d_free: lea 1(%%rdi), %%rax\n"
           "lea 1(%%rax), %%rax\nret", rand() % 2 ? 4 : 0, i, i, i);
  say(line);
}

static vt_patch_givens_t write_functions(void) {
  vt_patch_givens_t givens = {.list = calloc(2 * FUNCTIONS, sizeof *givens.list)};
  say(".data\n.globl word\nword: .quad 0x1234567\nother: .quad 5\npointer: .quad helper\n.text\nhelper: mov (%rsp), %rcx\n"
      "add %rcx, %rax\nret");
  for (int i = 0; i < FUNCTIONS; i++) {
    say_function(i);
    snprintf(givens.list[givens.cnt++].name, VT_PATCH_NAME_SZ, "f%d_malloc", i);
    snprintf(givens.list[givens.cnt++].name, VT_PATCH_NAME_SZ, "f%d_free", i);
  }
  say(".section .note.GNU-stack, \"\", @progbits");
  return givens;
}

/* run runs all functions, and what enters them in the middle; the memory that they change is as before for each. */
static void run(void *module, uint64_t *out) {
  uint64_t *word = dlsym(module, "word");
  char name[32];
  for (int i = 0; i < 2 * FUNCTIONS; i++) {
    snprintf(name, sizeof name, i % 2 ? "f%d_inner" : "f%d_malloc", i / 2);
    function_t *f = (function_t *)dlsym(module, name);
    for (uint64_t n = 0; n < INPUTS; n++) {
      word[0] = 0x1234567 + (n & 1);
      word[1] = 5;
      __asm__ volatile("" ::: "memory");
      out[i * INPUTS + (int)n] = f ? f(n, 3 - n, n % 4) * 31 + word[1] : 0;
    }
  }
}

static uint8_t *room(uintptr_t near, size_t sz) {
  for (uintptr_t at = (near & ~(PAGE - 1)) - (64 << 20);; at -= 1 << 20) {
    void *p = mmap((void *)at, sz, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (p != MAP_FAILED) return p;
  }
}

/* patch patches what is not refused, with hooks that go on to the copies; returns how many these are. */
static size_t patch(vt_plan_t const *plan, uint64_t bias) {
  size_t done = 0, sz = plan->functions_cnt * VT_PATCH_SLOT_SZ;
  uint8_t *slots = room(bias, 2 * sz);
  vt_patch_descriptor_t *d = (vt_patch_descriptor_t *)(slots + sz);
  for (size_t i = 0; i < plan->functions_cnt; i++) {
    vt_planned_t const *p = &plan->functions[i];
    vt_patch_kind_t kind = p->what.kind;
    vt_patch_function_t f = {0};
    uint8_t *slot = slots + i * VT_PATCH_SLOT_SZ;
    kind.keeps = 0; /* what keeps registers is the shim's */
    if (p->why[0] || vt_copy_write(&p->displaced, &kind, bias, (uint64_t)slot, (uint64_t)&d[i], &f)) continue;
    d[i] = (vt_patch_descriptor_t){.hook = slot + VT_PATCH_COPY_OFF};
    memcpy(slot, f.slot, sizeof f.slot);
    void *page = (void *)(f.address & ~(PAGE - 1));
    if (mprotect(page, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC)) mprotect(page, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
    if (memcmp((void *)f.address, f.before, f.sz)) abort();
    memcpy((void *)f.address, f.after, f.sz);
    done++;
  }
  return done;
}

static int differs(void *module, vt_plan_t const *plan) {
  static uint64_t before[2 * FUNCTIONS * INPUTS], after[2 * FUNCTIONS * INPUTS];
  struct link_map *map;
  dlinfo(module, RTLD_DI_LINKMAP, &map);
  run(module, before);
  size_t cnt = patch(plan, map->l_addr);
  run(module, after);
  for (int i = 0; i < 2 * FUNCTIONS * INPUTS; i++)
    if (before[i] != after[i]) {
      printf("# function %d, input %d: %lx, patched %lx\n", i / INPUTS / 2, i % INPUTS, before[i], after[i]);
      return 1;
    }
  printf("# %zu are patched\n", cnt);
  return 0;
}

static int in_child(void *module, vt_plan_t const *plan) {
  int status;
  fflush(stdout);
  pid_t child = fork();
  if (!child) {
    alarm(20); /* a loop without end */
    int bad = differs(module, plan);
    fflush(stdout);
    _exit(bad);
  }
  if (waitpid(child, &status, 0) != child) return -1;
  if (WIFSIGNALED(status)) printf("# killed by signal %d\n", WTERMSIG(status));
  return status;
}

int main(int argc, char **argv) {
  unsigned seed = argc > 1 ? (unsigned)atoi(argv[1]) : (unsigned)time(NULL);
  char path[64];
  size_t good = 0;
  printf("# seed %u\n", seed);
  srand(seed);
  vt_patch_givens_t givens = write_functions();
  int fd = assembled("gcc", "-shared -Wl,-Bsymbolic", text);
  vt_plan_t plan = vt_plan_make(fd, VT_PLAN_FIRST, &givens, 0);
  for (size_t i = 0; i < plan.functions_cnt; i++) good += !plan.functions[i].why[0];
  ok(good > FUNCTIONS / 4 && good < plan.functions_cnt, "of %zu functions %zu are patched, not all", plan.functions_cnt, good);
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (ok(module != NULL, "they are loaded")) ok(!in_child(module, &plan), "patched, they do what they did");
  vt_plan_free(&plan);
  free(givens.list);
  return done_testing();
}
