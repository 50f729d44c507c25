/* Makes processes in every way there is; parent and child both allocate. argv[1] picks the way; argv[2] children
   are a storm of them. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static char const *self;
static _Atomic int stopping;
static int storm = 300; /* how many children a storm has */

static void churn(int n) {
  for (int i = 0; i < n; i++) {
    void *volatile p = malloc((size_t)(i % 300 + 1));
    free(p);
  }
}
static int status_of(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}
static void *churn_on(void *arg) {
  while (!stopping) {
    churn(50);
    usleep(20);
  }
  return arg;
}
static void say(char const *what, int status) {
  churn(3);
  printf("%s %d\n", what, status);
}

static void way_fork(void) {
  pid_t pid = fork();
  if (!pid) {
    churn(100);
    exit(3);
  }
  say("fork", status_of(pid));
}
static void way_fork_storm(void) { /* children of a process whose threads allocate all the time */
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, churn_on, NULL);
  int ok = 0;
  for (int i = 0; i < storm; i++) {
    pid_t pid = fork();
    if (!pid) {
      churn(20);
      if (i % 2) exit(5);
      _exit(5);
    }
    ok += status_of(pid) == 5;
  }
  stopping = 1;
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  say("children that ended well:", ok);
}
static void way_fork_threads(void) { /* threads fork at once */
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, churn_on, NULL);
  way_fork();
  way_fork();
  stopping = 1;
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
}
static void way_vfork(void) {
  char *block = malloc(500);
  pid_t pid = vfork();
  if (!pid) {
    free(malloc(77)); /* in the parent's memory */
    execl(self, self, "child", NULL);
    _exit(9);
  }
  say("vfork exec", status_of(pid));
  pid = vfork();
  if (!pid) {
    execl("/no/such/program", "x", NULL);
    _exit(4);
  }
  say("vfork failed exec", status_of(pid));
  free(block);
}
/* The parent is killed while its vfork child, which writes as it, goes on in its memory, when standard input tells it. */
static void way_vfork_killed(void) {
  int ends[2];
  char byte;
  if (pipe(ends)) exit(1);
  pid_t pid = fork();
  if (!pid) {
    churn(10);
    pid_t parent = getpid();
    if (!vfork()) {
      kill(parent, SIGKILL);
      while (getppid() == parent) sched_yield();
      if (read(0, &byte, 1) < 0) _exit(8);
      churn(5000);
      execl(self, self, "child", NULL);
      _exit(9);
    }
  }
  close(ends[1]);
  say("killed parent", status_of(pid));
  say("child of it", (int)read(ends[0], &byte, 1));
}
static void way_spawn(void) {
  char *argv[] = {(char *)self, (char *)"child", NULL};
  pid_t pid = 0;
  int error = posix_spawn(&pid, self, NULL, NULL, argv, environ);
  say("its status", status_of(pid));
  say("posix_spawn", error);
  say("posix_spawn of nothing", posix_spawn(&pid, "/no/such", NULL, NULL, argv, environ));
}
static int shared_child(void *arg) {
  churn(100);
  *(int volatile *)arg = 7;
  return 6;
}
static void way_clone_vm(void) { /* shares memory, is another process; the parent waits */
  int volatile value = 0;
  char *stack = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  pid_t pid = clone(shared_child, stack + (1 << 20), CLONE_VM | CLONE_VFORK | SIGCHLD, (void *)&value);
  say("clone", status_of(pid));
  say("value", value);
}
static void way_raw(void) { /* fork that atfork handlers do not see */
  pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (!pid) {
    churn(100);
    _exit(2);
  }
  churn(100);
  say("raw clone", status_of(pid));
}
static void way_system(void) {
  say("system", system("echo from the shell") >> 8);
  FILE *pipe = popen("echo through a pipe; exit 3", "r");
  char line[100] = "";
  say(fgets(line, sizeof line, pipe) ? line : "nothing", 0);
  say("pclose", pclose(pipe) >> 8);
}
static void way_daemon(void) { /* the grandchild outlives everybody: it sees the end of a pipe they hold */
  int ends[2], gone[2];
  char byte = 0;
  if (pipe(ends) || pipe(gone)) exit(1);
  pid_t pid = fork();
  if (!pid) {
    setsid();
    if (fork()) _exit(0);
    if (chdir("/")) _exit(1);
    churn(200);
    close(ends[0]);
    close(gone[1]);
    byte = (char)write(ends[1], "x", 1);
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; fd++) dup2(null, fd);
    (void)!read(gone[0], &byte, 1);
    churn(200);
    exit(0);
  }
  say("daemon's parent", status_of(pid));
  say("daemon said", (int)read(ends[0], &byte, 1));
}
static void way_exec(void) { /* execle drops the environment */
  char *none[] = {NULL}, *some[] = {(char *)"HOME=/", (char *)"VALTEST=1", NULL};
  pid_t pid = fork();
  if (!pid) {
    execle(self, self, "child", NULL, none);
    _exit(9);
  }
  say("execle", status_of(pid));
  pid = fork();
  if (!pid) {
    churn(10);
    char *argv[] = {(char *)self, (char *)"env", NULL};
    execve(self, argv, some);
    _exit(9);
  }
  say("execve", status_of(pid));
  pid = fork();
  if (!pid) {
    execlp("no-such-program", "x", NULL);
    churn(10);
    _exit(8);
  }
  say("failed exec", status_of(pid));
}
static void way_exec_thread(void) { /* exec from a thread while others allocate */
  pthread_t thread;
  for (int i = 0; i < 3; i++) pthread_create(&thread, NULL, churn_on, NULL);
  churn(1000);
  execl(self, self, "child", NULL);
}
static void way_child(void) {
  churn(30);
  puts("a child");
  exit(21);
}
static void way_env(void) { /* a program sees the environment it was given */
  for (char **e = environ; *e; e++)
    if (strncmp(*e, "LD_PRELOAD", 10) && strncmp(*e, "VALT", 4)) puts(*e);
}

static struct {
  char const *name;
  void (*way)(void);
} const ways[] = {{"fork", way_fork},         {"fork-storm", way_fork_storm},
                  {"vfork", way_vfork},       {"spawn", way_spawn},
                  {"clone-vm", way_clone_vm}, {"raw", way_raw},
                  {"system", way_system},     {"daemon", way_daemon},
                  {"exec", way_exec},         {"exec-thread", way_exec_thread},
                  {"child", way_child},       {"env", way_env},
                  {"fork-threads", way_fork_threads},
                  {"vfork-killed", way_vfork_killed}};

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  self = argv[0];
  churn(1);
  if (argc > 2) storm = atoi(argv[2]);
  for (size_t i = 0; argc > 1 && i < sizeof ways / sizeof *ways; i++)
    if (!strcmp(argv[1], ways[i].name)) ways[i].way();
  return 0;
}
