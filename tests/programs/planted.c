/* Leaks and temporary allocations at known sites, sizes and counts; PLANTED below is the truth that
   the tests compare reports with: they read this file. Everything else is freed, and the standard
   library has no buffer left (stdout is unbuffered).

   PLANTED leak plant_simple 10 1000
   PLANTED leak plant_calloc 3 600
   PLANTED leak plant_realloc 5 25000
   PLANTED leak plant_shrunk 1 16
   PLANTED leak plant_failed_realloc 1 400
   PLANTED leak plant_thread 40 12800
   PLANTED leak plant_cross_realloc 8 4096
   PLANTED leak plant_aligned 2 8192
   PLANTED leak plant_library 7 777
   PLANTED leak plant_zero 4 0
   PLANTED temporary plant_temporary 1000
   PLANTED temporary plant_temporary_thread 80
   PLANTED temporary plant_realloc_temporary 30 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SITE __attribute__((noinline, noclone))
static void *volatile keep;
static void *handed[8];

SITE static void plant_simple(void) {
  for (int i = 0; i < 10; i++) keep = malloc(100);
}
SITE static void plant_calloc(void) {
  for (int i = 0; i < 3; i++) keep = calloc(10, 20);
}
SITE static void plant_realloc(void) {
  for (int i = 0; i < 5; i++) {
    void *p = malloc(10);
    for (size_t sz = 1000; sz <= 5000; sz += 1000) p = realloc(p, sz);
    keep = p;
  }
}
SITE static void plant_shrunk(void) { keep = realloc(malloc(10000), 16); }
SITE static void plant_failed_realloc(void) {
  void *p = malloc(400);
  size_t volatile huge = SIZE_MAX / 2;
  if (!realloc(p, huge)) keep = p;
}
SITE static void plant_aligned(void) {
  void *p = NULL;
  if (!posix_memalign(&p, 4096, 4096)) keep = p;
  keep = aligned_alloc(64, 4096);
}
SITE static void plant_zero(void) {
  for (int i = 0; i < 4; i++) keep = malloc(0);
}
SITE static void plant_thread(void) {
  for (int i = 0; i < 10; i++) keep = malloc(320);
}
SITE static void plant_temporary_thread(void) {
  for (int i = 0; i < 20; i++) {
    keep = malloc(24);
    free(keep);
  }
}
SITE static void plant_temporary(void) {
  for (size_t i = 0; i < 1000; i++) {
    keep = malloc(i + 1);
    free(keep);
  }
}
SITE static void plant_realloc_temporary(void) { /* the new block of a realloc is freed at once */
  for (int i = 0; i < 30; i++) {
    void *p = malloc(10);
    keep = realloc(p, 2000);
    free(keep);
  }
}
static void join(void *(*body)(void *), int count, void *arg) {
  pthread_t threads[4];
  for (int i = 0; i < count; i++) pthread_create(&threads[i], NULL, body, arg);
  for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
}
static void *free_it(void *arg) {
  free(arg);
  return NULL;
}
SITE static void not_temporary(void) { /* always another allocation of the thread in between */
  void *older = malloc(30);
  for (int i = 0; i < 500; i++) {
    keep = malloc(40);
    free(older);
    older = keep;
  }
  keep = malloc(50);
  free(older);
  void *volatile last = malloc(60);
  free(keep);
  join(free_it, 1, last);
}
static void *thread_body(void *arg) {
  plant_thread();
  plant_temporary_thread();
  return arg;
}
static void *hand_out(void *arg) {
  for (int i = 0; i < 8; i++) handed[i] = malloc(64);
  return arg;
}
SITE static void *plant_cross_realloc(void *arg) { /* blocks of another thread grow here */
  for (int i = 0; i < 8; i++) {
    handed[i] = realloc(handed[i], 512);
    keep = handed[i];
  }
  return arg;
}
int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
  if (library) {
    void (*plant)(void) = (void (*)(void))dlsym(library, "plant");
    plant();
    dlclose(library);
  }
  plant_simple(), plant_calloc(), plant_realloc(), plant_shrunk(), plant_failed_realloc();
  plant_aligned(), plant_zero(), plant_temporary(), plant_realloc_temporary();
  join(thread_body, 4, NULL);
  join(hand_out, 1, NULL);
  join(plant_cross_realloc, 1, NULL);
  not_temporary();
  puts("planted");
  return 0;
}
