/* Allocates in a signal handler that interrupts storms of malloc, realloc and free (behind libbump,
   where that is allowed), and with a second argument jumps out of the handler. It runs argv[1] times. */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

static volatile sig_atomic_t ticks;
static void *volatile sink;
static sigjmp_buf out;
static int jumping, wanted;

static void on_tick(int signo) {
  (void)signo;
  ticks++;
  void *p = malloc(40);
  p = realloc(p, 80);
  free(p);
  if (jumping) siglongjmp(out, 1);
}

static void storm_once(int i) {
  void *p = malloc((size_t)(i % 500));
  sink = p = realloc(p, (size_t)(i % 700 + 1));
  free(p);
}

int main(int argc, char **argv) {
  wanted = argc > 1 ? atoi(argv[1]) : 1;
  jumping = argc > 2;
  struct sigaction action = {.sa_handler = on_tick};
  sigaction(SIGALRM, &action, NULL);
  struct itimerval fast = {{0, 150}, {0, 150}}, off = {{0, 0}, {0, 0}};
  sigsetjmp(out, 1);
  if (ticks < wanted) setitimer(ITIMER_REAL, &fast, NULL);
  for (int i = 0; ticks < wanted; i++) storm_once(i);
  setitimer(ITIMER_REAL, &off, NULL);
  puts("done");
  return 0;
}
