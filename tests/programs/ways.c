/* Rarer ways to start another program: argv[1] says which, argv[2...] what. */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int spawn_closed(char **argv) {
  posix_spawn_file_actions_t actions;
  pid_t pid;
  int status = -1;
  posix_spawn_file_actions_init(&actions);
  for (int fd = 3; fd < 1100; fd++) posix_spawn_file_actions_addclose(&actions, fd);
  if (posix_spawn(&pid, argv[0], &actions, NULL, argv, environ)) return 9;
  waitpid(pid, &status, 0);
  posix_spawn_file_actions_destroy(&actions);
  return WEXITSTATUS(status);
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  int fd = open(argv[2], O_RDONLY | O_CLOEXEC);
  for (int i = 0; i < 100; i++) free(malloc((size_t)i));
  if (!strcmp(argv[1], "fexecve")) fexecve(fd, argv + 2, environ);
  if (!strcmp(argv[1], "execveat")) execveat(fd, "", argv + 2, environ, AT_EMPTY_PATH);
  if (!strcmp(argv[1], "spawn-closed")) return spawn_closed(argv + 2);
  return 8;
}
