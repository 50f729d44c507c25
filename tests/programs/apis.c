/* Calls every allocation function, also with arguments that must fail, and prints what callers can
   see of glibc's semantics: results, alignment, errno. argv[1] picks one group. */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void cfree_old(void *p);
__asm__(".symver cfree_old,cfree@GLIBC_2.2.5");
void free_sized(void *p, size_t sz) __attribute__((weak));
void free_aligned_sized(void *p, size_t align, size_t sz) __attribute__((weak));

static size_t volatile huge = SIZE_MAX / 2;

static void show(char const *what, void *p, size_t align) {
  printf("%s: %s aligned %d errno %d\n", what, p ? "block" : "NULL", (int)((uintptr_t)p % align == 0),
         errno);
  errno = 0;
}

static void *touch(void *p, size_t sz) {
  if (p) memset(p, 0x5a, sz);
  return p;
}

static void group_basic(void) {
  void *a = touch(malloc(100), 100), *b = calloc(10, 20), *z = malloc(0), *zc = calloc(0, 8);
  show("malloc", a, 16);
  show("calloc", b, 16);
  show("malloc 0", z, 16);
  int zero = 1;
  for (int i = 0; i < 200; i++) zero &= ((char *)b)[i] == 0;
  printf("zeroed %d usable %d\n", zero, malloc_usable_size(a) >= 100);
  show("malloc huge", malloc(huge), 16);
  show("calloc overflow", calloc(huge, 4), 16);
  show("large", touch(malloc(3 << 20), 3 << 20), 16); /* kept */
  free(a), free(b), free(z), free(zc), free(NULL);
  errno = 77;
  free(malloc(5 << 20)); /* munmap inside */
  printf("errno after free %d\n", errno);
}

static void group_realloc(void) {
  char *p = realloc(NULL, 10);
  memcpy(p, "contents", 9);
  p = realloc(p, 100000);
  p = realloc(p, 200);
  p = realloc(p, 200);
  printf("%s\n", p);
  show("realloc huge", realloc(p, huge), 16);
  printf("still %s\n", p);
  show("realloc 0", realloc(p, 0), 16);
  show("reallocarray overflow", reallocarray(NULL, huge, 4), 16);
  char *q = reallocarray(NULL, 10, 30);
  memset(q, 1, 300);
  q = reallocarray(q, 100, 30);
  printf("kept %d\n", q[299]);
  show("reallocarray 0", reallocarray(q, 0, 30), 16);
  free(realloc(malloc(0), 0));
}

static void group_aligned(void) {
  void *p = (void *)8;
  errno = 77;
  printf("posix_memalign bad %d", posix_memalign(&p, 3, 10));
  printf(" errno %d pointer %p\n", errno, p);
  printf("posix_memalign huge %d errno %d\n", posix_memalign(&p, 64, huge), errno);
  errno = 0;
  printf("posix_memalign %d\n", posix_memalign(&p, 4096, 100));
  show("posix_memalign", touch(p, 100), 4096);
  void *a = aligned_alloc(256, 512), *m = memalign(1 << 16, 10), *v = valloc(10), *pv = pvalloc(10);
  show("aligned_alloc", touch(a, 512), 256);
  show("memalign", touch(m, 10), 1 << 16);
  show("valloc", touch(v, 10), (size_t)getpagesize());
  show("pvalloc", touch(pv, (size_t)getpagesize()), (size_t)getpagesize());
  show("memalign odd", m = realloc(m, 70000), 16);
  free(p), free(a), free(m), free(v), free(pv);
}

static void group_frees(void) {
  void *a = malloc(33), *b = malloc(44), *c = aligned_alloc(64, 128);
  cfree_old(a);
  cfree_old(NULL);
  if (free_sized)
    free_sized(b, 44);
  else
    free(b);
  if (free_aligned_sized)
    free_aligned_sized(c, 64, 128);
  else
    free(c);
  puts("freed");
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  char const *group = argc > 1 ? argv[1] : "";
  if (!strcmp(group, "basic")) group_basic();
  if (!strcmp(group, "realloc")) group_realloc();
  if (!strcmp(group, "aligned")) group_aligned();
  if (!strcmp(group, "frees")) group_frees();
  return 0;
}
