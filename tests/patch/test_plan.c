/* Plans of files that are not what they say: a program with an allocator is damaged at random, cut, and planned
   for. Nothing may crash, and what is planned must lie in the file's code. The seed is printed. */
#include "analyzer/patch/plan.h"
#include "tests/unit/tap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 400

static uint8_t *file;
static size_t file_sz;

static int load(char const *path) {
  struct stat st;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &st)) return -1;
  file_sz = (size_t)st.st_size;
  file = malloc(file_sz);
  ssize_t n = file ? read(fd, file, file_sz) : -1;
  close(fd);
  return n == (ssize_t)file_sz ? 0 : -1;
}

static vt_plan_t plan_of(uint8_t const *bytes, size_t sz) {
  vt_patch_givens_t none = {0};
  int fd = memfd_create("plan", MFD_CLOEXEC);
  if (write(fd, bytes, sz) != (ssize_t)sz) abort();
  vt_plan_t plan = vt_plan_make(fd, VT_PLAN_FIRST, &none, 0);
  close(fd);
  return plan;
}

/* hit is a place worth damaging: the headers, or anywhere. */
static size_t hit(void) {
  size_t areas[] = {64, 1024, file_sz};
  size_t from = rand() % 4 ? 0 : file_sz - 4096; /* section headers are at the end */
  return (from + (size_t)rand() % areas[rand() % 3]) % file_sz;
}

/* damaged returns how many functions were planned for although they are nowhere. */
static int damaged(void) {
  static uint8_t const odd[] = {0, 1, 0x7f, 0x80, 0xff};
  uint8_t *copy = malloc(file_sz);
  int wrong = 0;
  memcpy(copy, file, file_sz);
  for (int i = rand() % 8; i >= 0; i--)
    copy[hit()] = rand() % 2 ? odd[rand() % 5] : (uint8_t)rand();
  vt_plan_t plan = plan_of(copy, rand() % 4 ? file_sz : (size_t)rand() % file_sz);
  for (size_t i = 0; i < plan.functions_cnt; i++)
    wrong += !plan.functions[i].why[0] && plan.functions[i].displaced.sz < VT_JUMP_SZ;
  vt_plan_free(&plan);
  free(copy);
  return wrong;
}

int main(int argc, char **argv) {
  unsigned seed = argc > 1 ? (unsigned)atoi(argv[1]) : (unsigned)time(NULL);
  char const *build = getenv("BUILD");
  char path[4096];
  int wrong = 0;
  snprintf(path, sizeof path, "%s/programs/own_static", build ? build : "build");
  printf("# seed %u\n", seed);
  srand(seed);
  if (!ok(!load(path), "%s can be read", path)) return done_testing();
  vt_plan_t whole = plan_of(file, file_sz);
  ok(whole.covered && whole.functions_cnt == 4, "undamaged: four functions are planned for");
  vt_plan_free(&whole);
  for (int i = 0; i < ROUNDS; i++) wrong += damaged();
  ok(!wrong, "%d damaged files: nothing is planned without room for a jump", ROUNDS);
  free(file);
  return done_testing();
}
