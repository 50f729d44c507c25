/* Ends in the way argv[1] names, after a known number of allocations that nobody frees. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void at_quick_exit_handler(void) { free(malloc(12)); }

static void end(char const *how) {
  if (!strcmp(how, "exit")) exit(3);
  if (!strcmp(how, "_exit")) _exit(4);
  if (!strcmp(how, "quick_exit")) quick_exit(5);
  if (!strcmp(how, "abort")) abort();
  if (!strcmp(how, "segv")) *(int volatile *)8 = 1;
  if (!strcmp(how, "kill")) kill(getpid(), SIGKILL);
  if (!strcmp(how, "term")) kill(getpid(), SIGTERM);
  if (!strcmp(how, "raw")) syscall(SYS_exit_group, 6);
  if (!strcmp(how, "double-free")) {
    void *volatile p = malloc(10), *volatile q = p;
    free(p);
    free(q);
  }
  if (!strcmp(how, "stack-overflow")) {
    char volatile frame[4096];
    frame[0] = 1;
    end(how);
    frame[1] = frame[0];
  }
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  at_quick_exit(at_quick_exit_handler);
  for (int i = 0; i < 1000; i++) {
    void *volatile p = malloc((size_t)i + 1);
    if (i % 2) free(p);
  }
  puts("ending");
  end(argc > 1 ? argv[1] : "");
  return 0;
}
