/* Starts another program (argv[2...]) in ways of which no hook hears, and keeps 300 blocks of 77
   bytes before and 300 after it. argv[1] says which way. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void keep(void) {
  for (int i = 0; i < 300; i++) {
    char *volatile p = malloc(77);
    *p = 1;
  }
}
static char *given(char const *name) { /* the NAME=value that this program was started with */
  static char copies[2][4096];
  static int cnt;
  char const *value = getenv(name);
  if (!value) return NULL;
  snprintf(copies[cnt], sizeof copies[cnt], "%s=%s", name, value);
  return copies[cnt++];
}
/* Only what asks for a recording: what a program has that copied its environment before the shim
   could tell anything, or that keeps one of its own (Go). */
static void raw_execve(char **argv) {
  char *env[3] = {given("LD_PRELOAD")};
  if (env[0]) env[1] = given("VALTRACE_OUTPUT");
  long volatile number = SYS_execve;
  register char **r_env __asm__("rdx") = env;
  register char **r_argv __asm__("rsi") = argv;
  register char *r_path __asm__("rdi") = argv[0];
  __asm__ volatile("syscall"
                   : "+a"(number)
                   : "r"(r_path), "r"(r_argv), "r"(r_env)
                   : "rcx", "r11", "memory");
  _exit(127);
}
static void raw_child(char **argv) {
  pid_t pid = fork();
  if (!pid) raw_execve(argv);
  waitpid(pid, NULL, 0);
}
static void run_popen(char const *command) {
  char line[100];
  FILE *pipe = popen(command, "r");
  while (pipe && fgets(line, sizeof line, pipe)) fputs(line, stdout);
  if (pipe) pclose(pipe);
}
static void outlive(char const *command) { /* a daemon: its parent has ended */
  pid_t parent = getpid();
  if (fork()) {
    keep();
    _exit(0);
  }
  while (getppid() == parent) usleep(1000);
  if (system(command)) puts("system failed");
  _exit(0);
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  setvbuf(stdout, NULL, _IONBF, 0);
  keep();
  if (!strcmp(argv[1], "system") && system(argv[2])) puts("system failed");
  if (!strcmp(argv[1], "popen")) run_popen(argv[2]);
  if (!strcmp(argv[1], "daemon")) outlive(argv[2]);
  if (!strcmp(argv[1], "raw")) raw_child(argv + 2);
  if (!strcmp(argv[1], "exec")) raw_execve(argv + 2);
  keep();
  return 0;
}
