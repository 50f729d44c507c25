/* What the tests of Python frames call by ctypes: native code that allocates without the interpreter's
   lock, in a signal handler, and in callbacks. */
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Allocates until the process ends, and counts. */
void spin(volatile int *count) {
  for (;;) {
    free(malloc(77777));
    ++*count;
  }
}

/* reuse fills all small blocks that have been freed with what is no address, and returns when each of the counters that
   threads in spin count has grown by some thousand. */
void reuse(volatile int **counts, int cnt) {
  for (size_t sz = 16; sz <= 2048; sz += 16)
    for (int i = 0; i < 16; i++) memset(malloc(sz), 0x55, sz);
  for (int i = 0; i < cnt; i++)
    for (int before = *counts[i]; *counts[i] - before < 2000;) sched_yield();
}

static volatile size_t signal_size;
static void on_signal(int signal) {
  (void)signal;
  free(malloc(signal_size));
}

/* allocate_in_handler makes the handler of a signal allocate blocks of a size. */
void allocate_in_handler(int number, size_t size) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  signal_size = size;
  sigaction(number, &action, NULL);
}

/* call_back calls a function of Python's, and allocates before and after. */
void call_back(void (*function)(void), size_t size) {
  free(malloc(size));
  function();
  free(malloc(size + 1));
}

static int count_threads(void) {
  DIR *tasks = opendir("/proc/self/task");
  int cnt = -2; /* . and .. */
  while (readdir(tasks)) cnt++;
  closedir(tasks);
  return cnt;
}

static void wait_for_threads(void) {
  for (int i = 0; i < 1000; i++) memset(malloc(4000), 0, 4000); /* what has been freed is reused */
  for (int i = 0; i < 200 && count_threads() > 1; i++) usleep(1000);
}

/* linger makes the process reuse, when there is no interpreter any more, what that has freed, and wait until other
   threads have ended too, or for some time. */
void linger(void) { atexit(wait_for_threads); }
