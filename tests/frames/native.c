/* What the tests of Python frames call by ctypes: native code that allocates without the interpreter's
   lock, in a signal handler, and in callbacks. */
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
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

static ucontext_t here, aside;
static void (*aside_function)(void);
static void run_aside(void) { aside_function(); }

/* allocate_beside calls a function of Python's on a stack of its own, as coroutines do that know nothing of the
   interpreter. When that calls come_back, a block is allocated here, while the interpreter's state says that the function
   runs. Then it is let end. `state`, of 3.12 only: where a thread's state has its cframe, which is restored but for the
   frame in it. */
void allocate_beside(void (*function)(void), size_t size, void ***state) {
  void **own = state ? *state : NULL;
  aside_function = function;
  getcontext(&aside);
  aside.uc_stack.ss_sp = malloc(aside.uc_stack.ss_size = 1 << 20);
  aside.uc_link = &here;
  makecontext(&aside, run_aside, 0);
  swapcontext(&here, &aside);
  if (!state) {
    free(malloc(size));
  } else {
    void **other = *state, *frame = *own;
    *state = own;
    free(malloc(100)); /* with the frames of this stack, as they are known */
    *own = *other;
    free(malloc(size));
    *own = frame;
    *state = other;
  }
  swapcontext(&here, &aside);
  free(aside.uc_stack.ss_sp);
}
void come_back(void) { swapcontext(&aside, &here); }

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
