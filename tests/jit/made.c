/* Makes code while it runs, says what it made in the ways run-times do, and allocates from there.
   Usage: made FILE map|stale|dump|gdb|again. FILE: the trace, awaited before anything is done; one that ends in '-' is
   completed by this process's number and ".vtr". */
#include <elf.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void *volatile sink;
static __attribute__((noinline)) void allocate(void) {
  sink = malloc(64);
  __asm__ volatile("" ::: "memory");
}

/* push %rbp; mov %rsp,%rbp; call *%rdi; test %eax,%eax; pop %rbp; ret */
static uint8_t const code[] = {0x55, 0x48, 0x89, 0xE5, 0xFF, 0xD7, 0x85, 0xC0, 0x5D, 0xC3};
#define PIECE 64

typedef void function_t(void (*callback)(void));
static uint8_t *memory;

static void run(int piece, int times) {
  void *at = memory + PIECE * piece;
  function_t *function;
  memcpy(at, code, sizeof code);
  memcpy(&function, &at, sizeof function);
  for (int i = 0; i < times; i++) function(allocate);
}

static FILE *map;
static void line(int piece, char const *prefix, char const *name) {
  fprintf(map, "%s%lx %x %s\n", prefix, (unsigned long)(uintptr_t)(memory + PIECE * piece), PIECE, name);
  fflush(map);
}

static void write_map(void) {
  char path[64];
  snprintf(path, sizeof path, "/tmp/perf-%d.map", (int)getpid());
  map = fopen(path, "w");
  line(0, "", "LazyCompile:~first file with blanks.js:1");
  run(0, 10);
  line(1, "0x", "second;</script>");
  run(1, 20);
  run(2, 30); /* has no name */
  fputs("nonsense\n10 zz name\n 5 5 five\n0 0 nothing\nffffffffffffffff 8 kernel\n", map);
  line(3, "", "before");
  run(3, 40);
  line(3, "", "after"); /* other code in its place */
  run(3, 1);
  fputs("an unfinished line", map);
  fclose(map);
}

/* A function of the program's own file, without tables as such code is, that can be run anywhere. */
__asm__(".text\n.globl mapped_twice\n.type mapped_twice, @function\nmapped_twice:\n"
        "push %rbp\nmov %rsp, %rbp\ncall *%rdi\ntest %eax, %eax\npop %rbp\nret\n.size mapped_twice, . - mapped_twice\n");
extern char const mapped_twice[], __executable_start[];

/* Runs it where it is mapped a second time, and then from memory that holds something else by the end. */
static void map_again(void) {
  size_t at = (size_t)(mapped_twice - __executable_start), page = at & ~(size_t)4095;
  int file = open("/proc/self/exe", O_RDONLY);
  for (int times = 50; times > 0; times -= 43) {
    char *copy = mmap(NULL, 8192, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, (off_t)page), *entry = copy + (at - page);
    function_t *function;
    memcpy(&function, &entry, sizeof function);
    for (int i = 0; i < times; i++) function(allocate);
    if (times == 7) mmap(copy, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  }
  close(file);
}

/* What another process of this number left is none of this one's. */
static void write_stale(void) {
  char path[64];
  struct timespec const old[2] = {{1000000000, 0}, {1000000000, 0}};
  snprintf(path, sizeof path, "/tmp/perf-%d.map", (int)getpid());
  map = fopen(path, "w");
  line(0, "", "stale");
  fclose(map);
  utimensat(AT_FDCWD, path, old, 0);
  run(0, 10);
}

static void put(FILE *file, void const *p, size_t sz) { fwrite(p, 1, sz, file); }
static void put32(FILE *file, uint32_t v) { put(file, &v, sizeof v); }
static void put64(FILE *file, uint64_t v) { put(file, &v, sizeof v); }

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void record(FILE *file, uint32_t id, uint32_t sz) {
  put32(file, id);
  put32(file, 16 + sz);
  put64(file, now());
}

static void load(FILE *file, int piece, uint64_t index, char const *name) {
  uint64_t at = (uint64_t)(uintptr_t)(memory + PIECE * piece);
  record(file, 0, (uint32_t)(40 + strlen(name) + 1 + sizeof code));
  put32(file, (uint32_t)getpid());
  put32(file, (uint32_t)getpid());
  put64(file, at);
  put64(file, at);
  put64(file, PIECE);
  put64(file, index);
  put(file, name, strlen(name) + 1);
  put(file, code, sizeof code);
}

static void move(FILE *file, int from, int to, uint64_t index) {
  record(file, 1, 48);
  put32(file, (uint32_t)getpid());
  put32(file, (uint32_t)getpid());
  put64(file, (uint64_t)(uintptr_t)(memory + PIECE * to));
  put64(file, (uint64_t)(uintptr_t)(memory + PIECE * from));
  put64(file, (uint64_t)(uintptr_t)(memory + PIECE * to));
  put64(file, PIECE);
  put64(file, index);
}

static void write_dump(void) {
  char path[64];
  snprintf(path, sizeof path, "jit-%d.dump", (int)getpid());
  FILE *file = fopen(path, "w+");
  put32(file, 0x4A695444);
  put32(file, 1);
  put32(file, 40);
  put32(file, EM_X86_64);
  put32(file, 0);
  put32(file, (uint32_t)getpid());
  put64(file, now());
  put64(file, 0);
  fflush(file);
  mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fileno(file), 0);
  load(file, 0, 0, "first");
  run(0, 10);
  record(file, 2, 100); /* debug information, of no interest */
  for (int i = 0; i < 100; i++) fputc(0, file);
  load(file, 1, 1, "moves");
  run(1, 20);
  move(file, 1, 2, 1);
  run(2, 30);
  record(file, 3, 0);
  fclose(file);
}

/* GDB's interface for JITs. */
typedef struct entry {
  struct entry *next, *previous;
  void const *file;
  uint64_t sz;
} entry_t;
__attribute__((visibility("default"))) struct {
  uint32_t version, action;
  entry_t *relevant, *first;
} __jit_debug_descriptor = {.version = 1};
__attribute__((visibility("default"), noinline)) void __jit_debug_register_code(void) { __asm__ volatile(""); }

/* A file of one function: with its address, or to be placed by its section's. */
typedef struct {
  Elf64_Ehdr head;
  Elf64_Shdr sections[4];
  Elf64_Sym symbols[2];
  char names[64];
} elf_t;

static elf_t *elf_of(int piece, char const *name, int is_placed) {
  uint64_t at = (uint64_t)(uintptr_t)(memory + PIECE * piece);
  elf_t *f = calloc(1, sizeof *f);
  memcpy(f->head.e_ident, "\177ELF\2\1\1", 7);
  f->head.e_type = is_placed ? ET_REL : ET_EXEC;
  f->head.e_shoff = offsetof(elf_t, sections);
  f->head.e_shentsize = sizeof f->sections[0];
  f->head.e_shnum = 4;
  f->sections[1] = (Elf64_Shdr){.sh_type = SHT_NOBITS, .sh_flags = SHF_ALLOC | SHF_EXECINSTR, .sh_addr = at - 16, .sh_size = PIECE};
  f->sections[2] = (Elf64_Shdr){.sh_type = SHT_SYMTAB, .sh_offset = offsetof(elf_t, symbols), .sh_size = sizeof f->symbols, .sh_link = 3};
  f->sections[3] = (Elf64_Shdr){.sh_type = SHT_STRTAB, .sh_offset = offsetof(elf_t, names), .sh_size = sizeof f->names};
  f->symbols[1] = (Elf64_Sym){.st_name = 1, .st_info = STT_FUNC, .st_shndx = 1, .st_value = is_placed ? 16 : at, .st_size = PIECE};
  strcpy(f->names + 1, name);
  return f;
}

static entry_t *tell_gdb(void const *file, uint64_t sz) {
  entry_t *e = malloc(sizeof *e);
  *e = (entry_t){__jit_debug_descriptor.first, NULL, file, sz};
  __jit_debug_descriptor.first = __jit_debug_descriptor.relevant = e;
  __jit_debug_register_code();
  return e;
}

/* The first function is gone when the second is made, whose file lies in the same place; of others nothing can be read. */
static void tell_debuggers(void) {
  elf_t *file = elf_of(0, "first", 0);
  entry_t *e = tell_gdb(file, sizeof *file);
  run(0, 10);
  __jit_debug_descriptor.first = e->next;
  elf_t *second = elf_of(1, "second", 1);
  memcpy(file, second, sizeof *file);
  tell_gdb(file, sizeof *file);
  run(1, 20);
  tell_gdb(elf_of(2, "cut", 0), sizeof *file - sizeof file->names);
  tell_gdb((void *)16, 1000);
  tell_gdb(file, (uint64_t)1 << 60);
  tell_gdb("no ELF file, but long enough to be one: or is it not? it is not, whatever is said of it", 64);
  run(2, 30);
  elf_t *last = elf_of(3, "last", 0);
  tell_gdb(last, sizeof *last);
  run(3, 40);
}

int main(int argc, char **argv) {
  struct stat st;
  char trace[4096];
  if (argc < 3) return 2;
  if (argv[1][strlen(argv[1]) - 1] == '-')
    snprintf(trace, sizeof trace, "%s%d.vtr", argv[1], (int)getpid());
  else
    snprintf(trace, sizeof trace, "%s", argv[1]);
  memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  free(malloc(1));
  while (stat(trace, &st)) usleep(1000);
  if (!strcmp(argv[2], "map")) write_map();
  if (!strcmp(argv[2], "stale")) write_stale();
  if (!strcmp(argv[2], "dump")) write_dump();
  if (!strcmp(argv[2], "gdb")) tell_debuggers();
  if (!strcmp(argv[2], "again")) map_again();
  printf("%d %lx\n", (int)getpid(), (unsigned long)(uintptr_t)memory);
  return 0;
}
