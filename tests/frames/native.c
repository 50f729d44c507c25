/* What the tests of Python frames call by ctypes: native code that allocates without the interpreter's
   lock, in a signal handler, and in callbacks. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* Allocates until the process ends, telling after the first block that it has begun. */
void spin(volatile int *begun) {
  for (;;) {
    free(malloc(77777));
    *begun = 1;
  }
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
