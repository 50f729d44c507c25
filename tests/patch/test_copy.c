/* The copies of displaced instructions. First by execution: functions written for it are run through
   their copies. Then of every function of the C library and this program: the disassembly of the copy,
   which names absolute addresses, is that of the original. */
#include "analyzer/patch/copy.h"
#include "tests/unit/tap.h"

#include <Zydis/Zydis.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FUNCTION(name, ...)                                                                        \
  extern char copy_##name[] __asm__("copy_" #name);                                                \
  __asm__(".pushsection .text; .p2align 4; .globl copy_" #name "; .type copy_" #name                \
          ", @function; copy_" #name ": .cfi_startproc; " __VA_ARGS__                               \
          "; .cfi_endproc; .size copy_" #name ", . - copy_" #name "; .p2align 4; .popsection")

uint64_t copied_word = 0x1234567890;
uint64_t (*copied_pointer)(void);
uint64_t (*copied_tail)(void);

/* Each takes a number and returns one. */
FUNCTION(plain, "lea 3(%rdi,%rdi,4), %rax; ret");
FUNCTION(word, "mov copied_word(%rip), %rax; add %rdi, %rax; ret");
FUNCTION(compare, "cmpl $0x34567890, copied_word(%rip); sete %al; movzbl %al, %eax; add %rdi, %rax; ret");
FUNCTION(jcc, "test %rdi, %rdi; je 1f; lea 7(%rdi), %rax; ret; 1: mov $99, %eax; ret");
FUNCTION(jcc_far, "test $1, %dil; jne 1f; lea 8(%rdi), %rax; ret; .skip 300, 0x90; 1: mov $98, %eax; ret");
FUNCTION(jump, "jmp 1f; .skip 40, 0x90; 1: lea 9(%rdi), %rax; ret");
FUNCTION(helper, "mov (%rsp), %rax; ret"); /* where it returns to */
FUNCTION(call, "call copy_helper; add %rdi, %rax; ret");
FUNCTION(call_linked, "call *copied_pointer(%rip); add %rdi, %rax; ret");
FUNCTION(call_register, "lea copy_helper(%rip), %rax; call *%rax; ret");
FUNCTION(call_soon, "mov %rsi, %rdx; call *%rsi; add %rdi, %rax; ret");
FUNCTION(tail_linked, "jmp *copied_tail(%rip)");
FUNCTION(framed, "endbr64; push %rbp; mov %rsp, %rbp; lea 1(%rdi), %rax; pop %rbp; ret");
FUNCTION(padded, "mov %edi, %eax; ret");
FUNCTION(profiled, "push %rbp; mov %rsp, %rbp; call copy_helper; mov %edi, %ecx; add %rcx, %rax; pop %rbp; ret");
/* These cannot be patched. */
FUNCTION(loop, "mov %edi, %ecx; 1: loop 1b; mov %edi, %eax; ret");
FUNCTION(call_first, "call *%rsi; add %rdi, %rax; ret");
FUNCTION(call_stack, "mov %rdi, %rdi; call *8(%rsp); ret");
FUNCTION(short, "ret; .globl copy_next; copy_next: mov %edi, %eax; ret");

typedef uint64_t function_t(uint64_t, void *);

static uint8_t *room(void const *near) {
  for (uintptr_t at = ((uintptr_t)near & ~(uintptr_t)0xfff) - (64 << 20);; at -= 1 << 20) {
    void *p = mmap((void *)at, 1 << 16, PROT_READ | PROT_WRITE | PROT_EXEC,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (p != MAP_FAILED) return p;
  }
}

static uint64_t bias; /* of this program */
static vt_elf_code_t own;
static uint8_t *slots;

/* copy_of makes the copy of a function; NULL and *why: it is refused. */
static function_t *copy_of(void const *function, char const **why) {
  static size_t used;
  vt_displaced_t d;
  vt_patch_function_t f = {0};
  vt_patch_kind_t kind = {0};
  uint8_t *slot = slots + VT_PATCH_SLOT_SZ * used++;
  *why = vt_displace(&own, (uint64_t)function - bias, &d);
  if (!*why) *why = vt_copy_write(&d, &kind, bias, (uint64_t)slot, (uint64_t)slots + 0x8000, &f);
  if (*why) return NULL;
  memcpy(slot, f.slot, sizeof f.slot);
  return (function_t *)(slot + VT_PATCH_COPY_OFF);
}

static void same(char const *name, void *function) {
  char const *why;
  function_t *original = (function_t *)function, *copy = copy_of(function, &why);
  int wrong = 0;
  for (uint64_t i = 0; copy && i < 10; i++) wrong += original(i, copy_helper) != copy(i, copy_helper);
  ok(copy && !wrong, "the copy does the same: %s", name);
}

static void refused(char const *name, void const *function, char const *wanted) {
  char const *why;
  function_t *copy = copy_of(function, &why);
  ok(!copy && strstr(why, wanted), "refused, %s: %s", wanted, name);
}

static void run_copies(void) {
  copied_pointer = (uint64_t(*)(void))copy_helper;
  copied_tail = (uint64_t(*)(void))copy_plain;
#define SAME(name) same(#name, copy_##name)
  SAME(plain);
  SAME(word);
  SAME(compare);
  SAME(jcc);
  SAME(jcc_far);
  SAME(jump);
  SAME(call);
  SAME(call_linked);
  SAME(call_register);
  SAME(call_soon);
  SAME(tail_linked);
  SAME(framed);
  SAME(padded);
  SAME(profiled);
  refused("loop", copy_loop, "cannot be moved");
  refused("call_first", copy_call_first, "returns where the jump would be");
  refused("call_stack", copy_call_stack, "cannot be moved");
  refused("short", copy_short, "too short");
}

/* text is the disassembly of one instruction as if it were at `address`; returns its size. */
static size_t text(char out[128], uint8_t const *p, size_t left, uint64_t address) {
  ZydisDisassembledInstruction insn;
  if (!ZYAN_SUCCESS(ZydisDisassembleATT(ZYDIS_MACHINE_MODE_LONG_64, address, p, left, &insn))) return 0;
  snprintf(out, 128, "%s", insn.text);
  return insn.info.length;
}

/* same_text compares a copy with its original. */
static int same_text(vt_displaced_t const *d, vt_patch_function_t const *f, uint64_t slot) {
  size_t from = 0, to = VT_PATCH_COPY_OFF, sz;
  char a[128], b[128], want[160];
  for (uint32_t i = 0; i < d->insn_cnt; i++) {
    if (!(sz = text(a, d->bytes + from, d->sz - from, d->address + from))) return 0;
    from += sz;
    if (!(sz = text(b, f->slot + to, sizeof f->slot - to, slot + to))) return 0;
    to += sz;
    if (strncmp(a, "call", 4)) {
      if (strcmp(a, b)) return 0;
      continue;
    }
    uint64_t back;
    memcpy(&back, f->slot + VT_PATCH_WORD_OFF, sizeof back);
    if (strncmp(b, "push", 4) || back != d->address + from) return 0;
    if (!(sz = text(b, f->slot + to, sizeof f->slot - to, slot + to))) return 0;
    to += sz;
    snprintf(want, sizeof want, "jmp%s", a + 4);
    if (strcmp(want, b)) return 0;
  }
  if (d->ends) return 1;
  text(b, f->slot + to, sizeof f->slot - to, slot + to);
  snprintf(want, sizeof want, "jmp 0x%016llX", (unsigned long long)(d->address + d->sz));
  return !strcmp(b, want);
}

static void compare_all(char const *path) {
  vt_elf_code_t code;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  size_t good = 0, bad = 0;
  if (fd < 0 || vt_elf_code_open(&code, fd) || vt_elf_code_read(&code)) {
    ok(0, "%s can be read", path);
    return;
  }
  uint64_t slot = (code.high + (16 << 20)) & ~(uint64_t)0xfff;
  for (size_t i = 0; i < code.starts_cnt; i++) {
    vt_displaced_t d;
    vt_patch_function_t f = {0};
    vt_patch_kind_t kind = {0};
    if (vt_displace(&code, code.starts[i], &d)) continue;
    if (vt_copy_write(&d, &kind, 0, slot, slot + 4096, &f) || !same_text(&d, &f, slot))
      bad++;
    else
      good++;
  }
  ok(good > 30 && !bad, "%s: %zu copies read as their originals, %zu do not", path, good, bad);
  vt_elf_code_close(&code);
  close(fd);
}

int main(void) {
  Dl_info libc;
  struct link_map *map = NULL;
  int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  void *self = dlopen(NULL, RTLD_NOW);
  dlinfo(self, RTLD_DI_LINKMAP, &map);
  bias = map->l_addr;
  slots = room(copy_plain);
  ok(!vt_elf_code_open(&own, fd) && !vt_elf_code_read(&own), "this program's code can be read");
  run_copies();
  compare_all("/proc/self/exe");
  dladdr((void *)puts, &libc);
  compare_all(libc.dli_fname);
  vt_elf_code_close(&own);
  return done_testing();
}
