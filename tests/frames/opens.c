/* opens LIBPYTHON ROUNDS CODE: opens an interpreter, runs code in it, ends and closes it, again and again, while other
   threads allocate. Exits with 2 if it was not unloaded in between. ROUNDS apart: once, in a namespace of its own and
   alone. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static _Atomic int stop;

/* Not as fast as can be: the trace is to be read. */
static void *allocate(void *arg) {
  for (struct timespec pause = {.tv_nsec = 20000}; !atomic_load(&stop); nanosleep(&pause, NULL)) free(malloc(100));
  return arg;
}

static int run(char const *path, char const *code, int apart) {
  void *library = apart ? dlmopen(LM_ID_NEWLM, path, RTLD_NOW) : dlopen(path, RTLD_NOW | RTLD_GLOBAL);
  if (!library) return puts(dlerror()), 1;
  *(int *)dlsym(library, "Py_NoSiteFlag") = 1; /* fewer events */
  ((void (*)(int))dlsym(library, "Py_InitializeEx"))(0);
  int failed = ((int (*)(char const *, void *))dlsym(library, "PyRun_SimpleStringFlags"))(code, NULL);
  failed |= ((int (*)(void))dlsym(library, "Py_FinalizeEx"))();
  if (apart) return failed;
  dlclose(library);
  return failed ? 1 : dlopen(path, RTLD_NOW | RTLD_NOLOAD) ? 2 : 0;
}

int main(int argc, char **argv) {
  pthread_t threads[2];
  int failed = argc < 4;
  if (!failed && argv[2][0] == 'a') return run(argv[1], argv[3], 1);
  for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, allocate, NULL);
  for (int i = 0; !failed && i < atoi(argv[2]); i++) failed = run(argv[1], argv[3], 0);
  atomic_store(&stop, 1);
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  return failed;
}
