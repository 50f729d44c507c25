/* Opens and closes two libraries with allocators of their own in two threads, while others allocate, map
   memory and fork. Prints how many blocks the libraries gave. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 40

static atomic_int over;

static void *load(void *path) {
  unsigned long given = 0;
  for (int i = 0; i < ROUNDS; i++) {
    void *library = dlopen(path, RTLD_NOW);
    unsigned long (*churn)(unsigned long) =
        library ? (unsigned long (*)(unsigned long))dlsym(library, "bound_churn") : NULL;
    if (!churn) abort();
    given += churn(20);
    dlclose(library);
  }
  return (void *)given;
}

static void *map(void *arg) {
  while (!over) {
    void *p = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    free(malloc(100));
    munmap(p, 8192);
  }
  return arg;
}

static void *fork_often(void *arg) {
  while (!over) {
    pid_t child = fork();
    if (!child) _exit(0);
    waitpid(child, NULL, 0);
    usleep(1000);
  }
  return arg;
}

int main(int argc, char **argv) {
  pthread_t threads[5];
  unsigned long given = 0;
  void *result;
  if (argc < 3) return 2;
  for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, load, argv[1 + i]);
  for (int i = 2; i < 4; i++) pthread_create(&threads[i], NULL, map, NULL);
  pthread_create(&threads[4], NULL, fork_often, NULL);
  for (int i = 0; i < 2; i++) {
    pthread_join(threads[i], &result);
    given += (unsigned long)result;
  }
  over = 1;
  for (int i = 2; i < 5; i++) pthread_join(threads[i], NULL);
  fprintf(stderr, "%lu\n", given);
  return 0;
}
