/* Allocates and frees argv[1] blocks a second, as evenly as sleeps of 10 ms allow, until it is killed; 256 live at a time. */
#include <stdlib.h>
#include <time.h>

#define STEPS 100 /* a second */

int main(int argc, char **argv) {
  static void *kept[256];
  long each = argc > 1 ? atol(argv[1]) / STEPS : 1;
  struct timespec next;
  clock_gettime(CLOCK_MONOTONIC, &next);
  for (unsigned long n = 0;;) {
    for (long i = 0; i < each; i++, n++) {
      free(kept[n % 256]);
      kept[n % 256] = malloc(16 + n * 37 % 500);
    }
    next.tv_nsec += 1000000000 / STEPS;
    if (next.tv_nsec >= 1000000000) next.tv_nsec -= 1000000000, next.tv_sec++;
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
  }
}
