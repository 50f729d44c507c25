/* A library that has a thread before the program begins. */
#include <pthread.h>
#include <unistd.h>

static void *rest(void *arg) {
  for (;;) pause();
  return arg;
}

__attribute__((constructor)) static void begin(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, rest, NULL);
}
