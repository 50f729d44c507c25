/* Half of its allocations, a line, a wait for a line of input, the other half, a line, an end: argv is
   how many pairs of an allocation and a free each half has, the MiB that are touched and freed
   before the wait, and the end ("exit", "kill", "raw": of the process; "child": a child that no
   hook sees end, "killed-child": one that frees its parent's blocks and is killed, then exit). The sizes do not compress well. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEPT 1024

static void *kept[KEPT];
static unsigned long state = 88172645463325252ul;

static void half(long cnt) {
  for (long i = 0; i < cnt; i++) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    void **slot = &kept[state % KEPT];
    free(*slot);
    *slot = malloc(state >> 20 & 4095);
  }
}

static void touch(size_t sz) {
  char *volatile p = sz ? malloc(sz) : NULL;
  if (p) memset(p, 1, sz);
  free(p);
}

/* say prints a line with the highest resident size so far in KiB, as the kernel tells it. */
static void say(char const *what) {
  char text[4096] = "", line[64];
  FILE *status = fopen("/proc/self/status", "r");
  size_t sz = status ? fread(text, 1, sizeof text - 1, status) : 0;
  text[sz] = 0;
  char const *at = strstr(text, "VmHWM:");
  if (status) fclose(status);
  int len = snprintf(line, sizeof line, "%s %ld\n", what, at ? strtol(at + 6, NULL, 10) : 0);
  if (write(STDOUT_FILENO, line, (size_t)len) != len) _exit(9);
}

int main(int argc, char **argv) {
  char c;
  long cnt = argc > 1 ? atol(argv[1]) : 0;
  char const *how = argc > 3 ? argv[3] : "exit";
  half(cnt);
  touch(argc > 2 ? (size_t)atol(argv[2]) << 20 : 0);
  say("half");
  if (read(STDIN_FILENO, &c, 1) != 1) return 8;
  half(cnt);
  say("all");
  if (!strcmp(how, "kill")) raise(SIGKILL);
  if (!strcmp(how, "raw")) syscall(SYS_exit_group, 6);
  if (!strcmp(how, "child") || !strcmp(how, "killed-child")) {
    pid_t child = fork();
    if (!child) {
      free(malloc(1));
      for (int i = 0; i < KEPT && how[0] == 'k'; i++) free(kept[i]);
      if (how[0] == 'k') raise(SIGKILL);
      syscall(SYS_exit_group, 6);
    }
    waitpid(child, NULL, 0);
  }
  return 0;
}
