/* Makes code while it runs, says what it made in the ways run-times do, and allocates from there.
   Usage: made FILE map|stale|dump. FILE: the trace, awaited before anything is done; one that ends in '-' is
   completed by this process's number and ".vtr". */
#include <elf.h>
#include <fcntl.h>
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
  printf("%d %lx\n", (int)getpid(), (unsigned long)(uintptr_t)memory);
  return 0;
}
