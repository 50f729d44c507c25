/* A program that would notice an heir: by waiting, by signals, by the end of a pipe, by an exec
 * that fails. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN 20

static int volatile signals;
static void *volatile kept[8];

static void on_child(int number) {
  (void)number;
  signals++;
}

/* Every child is waited for, and nobody else; each gave one signal. */
static int waiter(void) {
  int waited = 0, others = 0;
  sigset_t child, before;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  signal(SIGCHLD, on_child);
  for (int i = 0; i < CHILDREN; i++) {
    sigprocmask(SIG_BLOCK, &child, &before);
    pid_t pid = fork();
    if (pid == 0) {
      kept[0] = malloc(100);
      if (i % 2) _exit(i);
      exit(i);
    }
    while (signals <= i) sigsuspend(&before);
    int status, got = waitpid(-1, &status, __WALL);
    waited += got == pid && WEXITSTATUS(status) == i;
    others += waitpid(-1, &status, __WALL) != -1 || errno != ECHILD;
    sigprocmask(SIG_SETMASK, &before, NULL);
  }
  printf("%d children, %d others, %d signals\n", waited, others, signals);
  return 0;
}

/* An exec that fails leaves nothing behind. */
static int failing(void) {
  void **list = malloc(64);
  kept[0] = list;
  signal(SIGCHLD, on_child);
  for (int i = 0; i < 3; i++) execl("/dev/null/none", "none", (char *)NULL);
  list[0] = malloc(40);
  int got = waitpid(-1, NULL, __WALL);
  printf("%d %s, %d signals\n", got, strerror(errno), signals);
  return 0;
}

/* Ends, but not before it is told to; the reader of the pipe it has opened sees the end of it. */
static char const *path;
static int ends(void) {
  char c;
  int fd = open(path, O_WRONLY);
  kept[0] = malloc(1000);
  if (write(fd, "ready", 5) != 5) return 2;
  return read(0, &c, 1) == 1 ? 7 : 2;
}

/* A forked child's blocks hang on its parent's, which its trace does not list. */
static int inherits(void) {
  void **head = malloc(64);
  kept[0] = head;
  memset(head, 0, 64);
  pid_t pid = fork();
  if (pid == 0) {
    for (int i = 0; i < 10; i++) {
      void **node = malloc(40);
      node[0] = head[0];
      head[0] = node;
    }
    exit(0);
  }
  waitpid(pid, NULL, 0);
  return 0;
}

int main(int argc, char **argv) {
  static struct {
    char const *name;
    int (*run)(void);
  } const ways[] = {
      {"waiter", waiter}, {"failing", failing}, {"ends", ends}, {"inherits", inherits}};
  static char out[256];
  if (argc > 2) path = argv[2];
  setvbuf(stdout, out, _IOFBF, sizeof out);
  for (size_t i = 0; i < sizeof ways / sizeof *ways && argc > 1; i++)
    if (!strcmp(argv[1], ways[i].name)) return ways[i].run();
  return 2;
}
