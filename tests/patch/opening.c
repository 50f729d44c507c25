/* Opens a library in one of several ways and lets it allocate: opening WAY LIBRARY FUNCTION. Prints how many
   allocations that were. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *rest(void *arg) {
  for (;;) pause();
  return arg;
}

static void *work(void *function) {
  return (void *)((unsigned long (*)(unsigned long))function)(500);
}

int main(int argc, char **argv) {
  pthread_t thread;
  if (argc < 4) return 2;
  char const *way = argv[1];
  if (strstr(way, "thread")) pthread_create(&thread, NULL, rest, NULL);
  int flags = RTLD_NOW | (strstr(way, "deep") ? RTLD_DEEPBIND : 0);
  void *library = strstr(way, "apart") ? dlmopen(LM_ID_NEWLM, argv[2], flags) : dlopen(argv[2], flags);
  void *function = library ? dlsym(library, argv[3]) : NULL, *result;
  if (!function) return 3;
  if (strstr(way, "thread")) { /* one that ends: the C library then frees what it has kept for it */
    pthread_create(&thread, NULL, work, function);
    pthread_join(thread, &result);
  } else {
    result = work(function);
  }
  fprintf(stderr, "%lu\n", (unsigned long)result);
  return 0;
}
