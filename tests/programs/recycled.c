/* Threads that all get the same number from the kernel, one after the other: recycled N. Thread i
   allocates i % 7 + 1 blocks of 500 bytes and keeps the first one in three; each fifth is named
   "wI". Needs a namespace of process numbers of its own and the right to set its next number.
   Prints that number and how many threads had it. */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static long number; /* of all threads */
static int had_it;

static void *body(void *arg) {
  int i = (int)(intptr_t)arg;
  char name[16];
  snprintf(name, sizeof name, "w%d", i);
  if (i % 5 == 0) pthread_setname_np(pthread_self(), name);
  had_it += syscall(SYS_gettid) == number;
  for (int k = 0; k <= i % 7; k++) {
    void *volatile block = malloc(500);
    if (k || i % 3) free(block);
  }
  return NULL;
}

int main(int argc, char **argv) {
  int cnt = argc > 1 ? atoi(argv[1]) : 1;
  int last = open("/proc/sys/kernel/ns_last_pid", O_RDWR);
  char text[16];
  number = getpid() + 100;
  int sz = snprintf(text, sizeof text, "%ld", number - 1);
  for (int i = 0; i < cnt; i++) {
    pthread_t thread;
    if (pwrite(last, text, (size_t)sz, 0) != sz) return 3;
    if (pthread_create(&thread, NULL, body, (void *)(intptr_t)i)) return 9;
    pthread_join(thread, NULL); /* returns before the kernel has the number back */
    while (!syscall(SYS_tgkill, getpid(), number, 0)) sched_yield();
  }
  printf("%ld %d\n", number, had_it);
  return 0;
}
