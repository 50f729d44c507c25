/* What a recorder must leave as it is: signal masks, what the loader counts of objects, the locale. Printed
   after allocations in the first thread, in another one and in a child, after a name was given and a
   library opened. */
#include <dlfcn.h>
#include <link.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int count(struct dl_phdr_info *info, size_t sz, void *out) {
  unsigned long long *counts = out;
  (void)sz;
  counts[0]++;
  counts[1] = info->dlpi_adds;
  counts[2] = info->dlpi_subs;
  return 0;
}

static unsigned long long before[3];

static void tell(char const *where) {
  unsigned long long now[3] = {0};
  sigset_t mask;
  unsigned long bits = 0;
  for (int i = 0; i < 1000; i++) free(malloc((size_t)i));
  pthread_sigmask(SIG_SETMASK, NULL, &mask);
  for (int i = 1; i < 64; i++) bits |= (unsigned long)(sigismember(&mask, i) == 1) << i;
  dl_iterate_phdr(count, now);
  printf("%s: mask %lx, objects %lld, loaded %lld, unloaded %lld, locale %s\n", where, bits, (long long)(now[0] - before[0]),
         (long long)(now[1] - before[1]), (long long)(now[2] - before[2]), setlocale(LC_ALL, NULL));
}

static void *thread(void *arg) {
  prctl(PR_SET_NAME, "named");
  tell("thread");
  return arg;
}

int main(void) {
  pthread_t t;
  sigset_t mask;
  setvbuf(stdout, NULL, _IONBF, 0);
  dl_iterate_phdr(count, before);
  tell("first");
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &mask, NULL);
  if (!pthread_create(&t, NULL, thread, NULL)) pthread_join(t, NULL);
  setlocale(LC_ALL, "C.UTF-8");
  void *library = dlopen("libm.so.6", RTLD_NOW);
  tell("opened");
  if (library) dlclose(library);
  pid_t pid = fork();
  if (pid) waitpid(pid, NULL, 0);
  tell(pid ? "after a fork" : "child");
  return 0;
}
