/* Prints what it sees of its environment, then starts argv[2…] in the way argv[1] says, and prints again: what
   a recorder needs is neither seen nor lost, whatever a program does to its environment. */
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wordexp.h>

static char path[] = "PATH=/usr/bin:/bin", one[] = "OWN=1";
static char *own[] = {path, one, NULL};
static char **first; /* environ as it was when main began */
static char **program;

static void show(char **env) {
  for (; env && *env; env++) puts(*env);
  printf("LD_PRELOAD: %s\n", getenv("LD_PRELOAD"));
  printf("VALTRACE_COLLECTOR: %s\n", getenv("VALTRACE_COLLECTOR"));
}

static void finish(pid_t pid) {
  int status;
  waitpid(pid, &status, 0);
  printf("ended with %d\n", status);
}

static void in_child(void (*exec)(void)) {
  pid_t pid = fork();
  if (!pid) {
    exec();
    _exit(99);
  }
  finish(pid);
}

static void exec_own(void) { execve(program[0], program, own); }
static void exec_search(void) { execvpe(program[0], program, own); }
static void exec_list(void) { execle(program[0], program[0], program[1], (char *)NULL, own); }
static void exec_cleared(void) {
  clearenv();
  execv(program[0], program);
}
static void exec_set(void) {
  setenv("MORE", "2", 1);
  unsetenv("LD_PRELOAD");
  execv(program[0], program);
}
static void exec_saved(void) {
  environ = own;
  environ = first;
  execv(program[0], program);
}
static void exec_descriptor(void) { fexecve(open(program[0], O_RDONLY | O_CLOEXEC), program, own); }
static void exec_call(void) { syscall(SYS_execve, program[0], program, own); }
static void exec_null(void) { execve(program[0], program, NULL); }

static void way_vfork(void) {
  pid_t pid = vfork();
  if (!pid) {
    execve(program[0], program, own);
    _exit(99);
  }
  finish(pid);
}
static void way_spawn(void) {
  pid_t pid = 0;
  posix_spawn(&pid, program[0], NULL, NULL, program, own);
  finish(pid);
}
static void way_system(void) { printf("%d\n", system(program[0])); }
static void way_emptied(void) { /* system must find no environment, and leave none */
  clearenv();
  way_system();
  show(environ);
  way_system();
}
static void *changes(void *done) {
  for (int i = 0; !*(int volatile *)done; i++) setenv("CHANGES", i & 1 ? "odd" : "even", 1);
  setenv("CHANGES", "no more", 1);
  return NULL;
}
static void way_threads(void) { /* the environment is changed meanwhile */
  int done = 0;
  pthread_t thread;
  pthread_create(&thread, NULL, changes, &done);
  way_system();
  done = 1;
  pthread_join(thread, NULL);
}
static void way_popen(void) {
  char line[64];
  FILE *pipe = popen(program[0], "r");
  while (pipe && fgets(line, sizeof line, pipe)) fputs(line, stdout);
  printf("%d\n", pipe ? pclose(pipe) : -1);
}
static void way_words(void) {
  wordexp_t words;
  char text[512];
  snprintf(text, sizeof text, "$(%s)", program[0]);
  if (!wordexp(text, &words, 0)) puts(words.we_wordv[0]);
}

static struct {
  char const *name;
  void (*way)(void), (*exec)(void);
} const ways[] = {{"vfork", way_vfork, NULL},      {"spawn", way_spawn, NULL},     {"system", way_system, NULL}, {"emptied", way_emptied, NULL},
                  {"popen", way_popen, NULL},      {"wordexp", way_words, NULL},   {"threads", way_threads, NULL},
                  {"own", NULL, exec_own},         {"search", NULL, exec_search},  {"list", NULL, exec_list},
                  {"cleared", NULL, exec_cleared}, {"set", NULL, exec_set},        {"saved", NULL, exec_saved},
                  {"call", NULL, exec_call},       {"null", NULL, exec_null},      {"descriptor", NULL, exec_descriptor}};

int main(int argc, char **argv, char **env) {
  setvbuf(stdout, NULL, _IONBF, 0);
  if (argc < 3) return 2;
  first = environ;
  program = argv + 2;
#ifdef __GLIBC__ /* musl gives main what the kernel gave it */
  show(env);
#else
  show(env ? environ : NULL);
#endif
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    if (strcmp(argv[1], ways[i].name)) continue;
    if (ways[i].exec) in_child(ways[i].exec);
    if (ways[i].way) ways[i].way();
  }
  show(environ);
  return 0;
}
