/* What the planner refuses, and what it does instead: functions written for it, of which each has a family of its own
   (its prefix), assembled by gcc and by clang. */
#include "analyzer/patch/plan.h"
#include "tests/patch/assembled.h"
#include "tests/unit/tap.h"
#include "valtrace/trace_format.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* fn begins a function; good is one of twelve bytes that can be patched. */
#define MACROS                                                                                     \
  ".macro fn name\n .p2align 4, 0xcc\n .globl \\name\n .type \\name, @function\n \\name:\n .endm\n"  \
  ".macro good name\n fn \\name\n lea 1(%rdi), %rax\n lea 2(%rax), %rax\n lea 3(%rax), %rax\n ret\n .endm\n"

static char const *const names[] = {"endbr_malloc",   "branch_malloc", "back_malloc",  "symbol_malloc", "short_malloc",
                                    "zeros_malloc",   "nops_malloc",   "ifunc_malloc", "plt_malloc",    "data16_malloc",
                                    "address_malloc", "called_malloc", "asks_malloc",  "part_malloc",   "part_calloc",
                                    "part_realloc",   "half_malloc",   "lonely_malloc"};
#define CNT (sizeof names / sizeof names[0])

static char const functions[] = MACROS
    "good target\n"
    "fn endbr_malloc; endbr64; push %rbx; mov %rdi, %rbx; mov %rbx, %rax; pop %rbx; ret; good endbr_free\n"
    "fn branch_malloc; lea 1(%rdi), %rax; 1: lea 2(%rax), %rax; ret; good branch_free\n"
    "fn elsewhere; mov %rdi, %rax; jmp 1b\n" /* 1 is in branch_malloc */
    "fn back_malloc; mov %edi, %ecx; 2: lea 1(%rax), %rax; dec %ecx; jnz 2b; ret; good back_free\n"
    "fn symbol_malloc; lea 1(%rdi), %rax; .globl inner; inner: lea 2(%rax), %rax; ret; good symbol_free\n"
    "fn short_malloc; mov %edi, %eax; ret; .globl close; .type close, @function; close: mov %esi, %eax; ret; good short_free\n"
    "fn zeros_malloc; mov %edi, %eax; ret; .byte 0, 0, 0, 0; good zeros_free\n"
    "fn nops_malloc; mov %edi, %eax; ret; nop; nop; nop; good nops_free\n"
    ".p2align 4; .globl ifunc_malloc; .type ifunc_malloc, @gnu_indirect_function; ifunc_malloc: lea target(%rip), %rax; ret\n"
    "good ifunc_free\n"
    ".pushsection .plt.own, \"ax\", @progbits; good plt_malloc; .popsection; good plt_free\n"
    "fn data16_malloc; .byte 0x66, 0xe8, 0, 0, 0, 0, 0; ret; nop; good data16_free\n"
    "fn address_malloc; .byte 0x67; mov target(%rip), %eax; ret; good address_free\n"
    /* Who calls it may know which registers it leaves alone, unless it calls what nobody knows. */
    "good called_malloc; good called_free; fn caller; call called_malloc; call asks_malloc; ret\n"
    "fn asks_malloc; lea 1(%rdi), %rax; lea 2(%rax), %rax; sub $8, %rsp; call *%rax; add $8, %rsp; ret; good asks_free\n"
    /* One that is no malloc or free is refused alone; one that only jumps to a patched one need not be told. */
    "fn part_malloc; 7: lea 1(%rdi), %rax; lea 2(%rax), %rax; ret; good part_free; \n"
    "fn part_calloc; mov %edi, %eax; ret; .globl close2; close2: nop; ret\n"
    "fn part_realloc; jmp 7b; .globl close3; close3: ret\n"
    "good half_malloc; good half_calloc; fn half_free; mov %edi, %eax; ret; .globl close4; close4: ret\n"
    "good lonely_malloc\n"
    "good _Znwm; good _ZdaPv; fn _ZdlPv; ret; .globl close5; close5: ret\n"
    ".section .note.GNU-stack, \"\", @progbits\n";

static vt_plan_t plan_of(char const *compiler, char const *options, char const *text, vt_plan_way_t way,
                         vt_patch_givens_t const *givens) {
  vt_patch_givens_t const none = {0};
  int fd = assembled(compiler, options, text);
  vt_plan_t plan = vt_plan_make(fd, way, givens ? givens : &none, 0);
  close(fd);
  return plan;
}

static vt_planned_t const *in(vt_plan_t const *plan, char const *name) {
  for (size_t i = 0; i < plan->functions_cnt; i++)
    if (!strcmp(plan->functions[i].name, name)) return &plan->functions[i];
  return NULL;
}

/* is_why: is a function planned for, and refused for this reason; ""? not refused. */
static void is_why(vt_plan_t const *plan, char const *name, char const *why) {
  vt_planned_t const *p = in(plan, name);
  int good = p && (*why ? strstr(p->why, why) != NULL : !p->why[0]);
  if (!ok(good, "%s: %s", name, *why ? why : "is patched")) printf("# %s\n", p ? p->why : "not in the plan");
}

static void is_absent(vt_plan_t const *plan, char const *name, char const *what) {
  ok(!in(plan, name), "%s: %s", name, what);
}

static vt_patch_givens_t all_given(void) {
  static vt_patch_given_t list[CNT * 2 + 1];
  vt_patch_givens_t givens = {.list = list};
  for (size_t i = 0; i < CNT; i++) {
    snprintf(list[givens.cnt++].name, sizeof list->name, "%s", names[i]);
    if (!strstr(names[i], "_malloc")) continue;
    size_t family = strlen(names[i]) - strlen("malloc");
    snprintf(list[givens.cnt++].name, sizeof list->name, "%.*sfree", (int)family, names[i]);
  }
  strcpy(list[givens.cnt++].name, "half_calloc");
  for (size_t i = 0; i < givens.cnt; i++)
    if (!strcmp(list[i].name, "lonely_free")) list[i] = list[--givens.cnt];
  return givens;
}

static void check_moved(vt_plan_t const *plan) {
  vt_planned_t const *p = in(plan, "endbr_malloc");
  is_why(plan, "endbr_malloc", "");
  ok(p && p->displaced.address == p->entry + 4, "endbr64 stays where it is");
  p = in(plan, "nops_malloc");
  is_why(plan, "nops_malloc", "");
  ok(p && p->displaced.sz == VT_JUMP_SZ && p->displaced.insn_cnt == 2, "padding gives room for the jump");
  ok(in(plan, "called_malloc") && in(plan, "called_malloc")->what.kind.keeps, "called directly: all registers are kept");
  ok(in(plan, "asks_malloc") && !in(plan, "asks_malloc")->what.kind.keeps, "calls what is not known: they need not be");
}

static void check_allocators(vt_plan_t const *plan) {
  is_why(plan, "part_malloc", "");
  is_why(plan, "part_calloc", "too short");
  is_absent(plan, "part_realloc", "jumps to one that is patched: nothing is to be told");
  is_absent(plan, "lonely_malloc", "no allocator, as nothing frees");
  is_why(plan, "half_free", "too short");
  is_why(plan, "half_malloc", "its allocator's half_free: it is too short");
  is_why(plan, "half_calloc", "its allocator's half_free: it is too short");
  is_why(plan, "_ZdlPv", "too short");
  is_why(plan, "_Znwm", "");
  is_why(plan, "_ZdaPv", "");
}

static void check_refused(char const *compiler) {
  vt_patch_givens_t givens = all_given();
  vt_plan_t plan = plan_of(compiler, "-shared -Wl,-Bsymbolic", functions, VT_PLAN_FIRST, &givens);
  printf("# %s\n", compiler);
  is_why(&plan, "branch_malloc", "other code leads into");
  is_why(&plan, "branch_free", "its allocator's branch_malloc");
  is_why(&plan, "back_malloc", "other code leads into");
  is_why(&plan, "symbol_malloc", "too short");
  is_why(&plan, "short_malloc", "too short");
  is_why(&plan, "zeros_malloc", "too short");
  is_absent(&plan, "ifunc_malloc", "what chooses an implementation is none");
  is_why(&plan, "plt_malloc", "not in the code of the file");
  is_why(&plan, "data16_malloc", "cannot be moved");
  is_why(&plan, "address_malloc", "cannot be moved");
  check_moved(&plan);
  check_allocators(&plan);
  vt_plan_free(&plan);
}

/* Whole modules. */
static char const pair[] = MACROS "good malloc; good free\n";
static char const calling[] = MACROS ".globl malloc; .set malloc, own; .globl free; .set free, own2\n"
                                     ".hidden own, own2; good own; good own2; .type malloc, @function; .type free, @function\n"
                                     "fn user; call own; call own2; ret\n";
static char const changed[] = MACROS "good malloc; good free; fn user; movabs $user, %rax; ret\n";
static char const watched[] = MACROS "good malloc; good free; good __asan_init\n";
static char const python[] = MACROS "good mi_malloc; good mi_free; good _PyMem_MiMalloc\n";
static char const linked[] = MACROS "fn _start; mov $malloc, %edi; mov $free, %esi; call malloc; call free; ret\n";
static char const near[] = MACROS "good free; fn malloc; 1: lea 1(%rdi), %rax; lea 2(%rax), %rax; ret; fn user; jmp 1b\n";

static void check_module(char const *options, char const *text, vt_plan_way_t way, size_t cnt, char const *why,
                         char const *name) {
  vt_plan_t plan = plan_of("gcc", options, text, way, NULL);
  size_t good = 0;
  for (size_t i = 0; i < plan.functions_cnt; i++)
    good += *why ? strstr(plan.functions[i].why, why) != NULL : !plan.functions[i].why[0];
  if (!ok(plan.functions_cnt == cnt && good == cnt && plan.covered == (cnt && !*why), "%s", name))
    printf("# %zu functions, of %zu it is so; covered: %d\n", plan.functions_cnt, good, plan.covered);
  vt_plan_free(&plan);
}

static void check_modules(void) {
  check_module("-shared", pair, VT_PLAN_FIRST, 2, "", "malloc and free are an allocator");
  check_module("-shared", pair, VT_PLAN_REACHED, 0, "", "a library's are left to preloading");
  check_module("-shared -Wl,-Bsymbolic", pair, VT_PLAN_REACHED, 2, "", "unless it is bound to itself");
  check_module("-shared", calling, VT_PLAN_REACHED, 2, "", "or calls them directly");
  check_module("-shared -Wl,-z,notext", changed, VT_PLAN_FIRST, 2, "text relocations", "code that the loader changes");
  check_module("-shared", watched, VT_PLAN_FIRST, 2, "sanitizer", "what a sanitizer watches");
  check_module("-shared", python, VT_PLAN_FIRST, 0, "", "CPython's own mimalloc is left alone");
  check_module("-no-pie -nodefaultlibs -lc", linked, VT_PLAN_FIRST, 0, "", "undefined symbols with an address are none");
  check_module("-shared", near, VT_PLAN_LIBC, 2, "in a way that cannot be changed", "a short jump within the C library");
}

/* Functions of several names. Nothing that allocates may be other, which is an interpreter's; nothing that frees may
   seem not to fit. */
static char const several[] = MACROS ".macro also name, of\n .globl \\name\n .type \\name, @function\n .set \\name, \\of\n .endm\n"
    "good malloc; also _Znwm, malloc; also tc_new, malloc; good _Znam; good calloc; also _ZnamRKSt9nothrow_t, _Znam\n"
    "good free; good _ZdlPv; good _ZdaPv; also free_sized, free\n"
    "good mi_malloc; also mi_calloc, mi_malloc; good mi_free; also mi_cfree, mi_free\n"
    "good tc_newarray; also tc_new_nothrow, tc_newarray; good tc_free; also tc_delete, tc_free\n"
    "good tc_delete_sized; good tc_deletearray; good tc_malloc\n"
    "good je_malloc; good je_free; also tc_delete_nothrow, je_free; good je_realloc; also je_cfree, je_realloc\n";

static void check_several(void) {
  static struct { char const *name; uint8_t api; } const wanted[] = {
      {"malloc", VT_API_MALLOC}, {"_Znam", VT_API_NEW_ARRAY}, {"free_sized", VT_API_FREE}, {"_ZdlPv", VT_API_OTHER},
      {"_ZdaPv", VT_API_OTHER}, {"mi_calloc", VT_API_CALLOC}, {"mi_cfree", VT_API_FREE}, {"tc_new_nothrow", VT_API_NEW},
      {"tc_delete", VT_API_OTHER}, {"tc_delete_sized", VT_API_OTHER}, {"tc_deletearray", VT_API_OTHER},
      {"je_free", VT_API_OTHER}};
  vt_plan_t plan = plan_of("gcc", "-shared", several, VT_PLAN_FIRST, NULL);
  for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
    vt_planned_t const *p = in(&plan, wanted[i].name);
    if (!ok(p && !p->why[0] && p->what.kind.api == wanted[i].api, "several names: %s has api %d", wanted[i].name, wanted[i].api))
      printf("# %d %s\n", p ? p->what.kind.api : -1, p ? p->why : "");
  }
  is_why(&plan, "je_cfree", "one of its names allocates");
  is_why(&plan, "je_malloc", "");
  vt_plan_free(&plan);
}

static void check_reach(void) {
  vt_plan_t plan = plan_of("gcc", "-shared", calling, VT_PLAN_LIBC, NULL);
  vt_planned_t const *p = plan.functions_cnt ? &plan.functions[0] : NULL;
  vt_patch_function_t f = {0};
  if (ok(p && !p->why[0] && p->sites_cnt == 1, "the C library's own call is known")) {
    uint64_t far = (uint64_t)3 << 31, near_by = 1 << 20;
    ok(!vt_copy_write(&p->displaced, &p->what.kind, 0, near_by, near_by + 4096, &f), "a slot in reach");
    char const *why = vt_copy_write(&p->displaced, &p->what.kind, 0, far, far + 4096, &f);
    ok(why && strstr(why, "within reach"), "a slot out of reach is refused");
  }
  vt_plan_free(&plan);
}

int main(void) {
  check_refused("gcc");
  if (!system("command -v clang >/dev/null")) check_refused("clang");
  check_modules();
  check_several();
  check_reach();
  return done_testing();
}
