/* Goes once through everything a recorder must follow: constructor, threads, many events, a child
   that exits and one that is spawned, a failed exec and one that replaces the image. */
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* From many frames below, and every other time from few, so that the record is long. */
static __attribute__((noinline)) void *take(int levels, size_t sz) {
  void *volatile p = levels ? take(levels - 1, sz) : malloc(sz);
  return p;
}
static void churn(int n) {
  for (int i = 0; i < n; i++) {
    void *volatile p = take(i % 2 * 40, (size_t)(i % 200 + 1));
    if (i % 10 == 0) p = realloc(p, 500);
    if (i % 20) free(p);
  }
}
static void *thread(void *arg) {
  churn(200);
  return arg;
}
static int wait_for(pid_t pid) {
  int status = -1;
  waitpid(pid, &status, 0);
  return WEXITSTATUS(status);
}
static void last_image(char const *name) {
  churn(100);
  printf("%s: %s\n", name, getenv("STAGES_KEPT") ? "kept" : "lost");
  exit(3);
}

int main(int argc, char **argv) {
  char name1[] = "spawned", name2[] = "last";
  char *spawned[] = {argv[0], name1, NULL}, *last[] = {argv[0], name2, NULL};
  char kept[] = "STAGES_KEPT=1", *environment[] = {kept, NULL};
  extern char **environ;
  pid_t pid;
  setvbuf(stdout, NULL, _IOLBF, 512);
  if (argc > 1) last_image(argv[1]);
  churn(600);
  pthread_t t[2];
  for (int i = 0; i < 2; i++) pthread_create(&t[i], NULL, thread, NULL);
  for (int i = 0; i < 2; i++) pthread_join(t[i], NULL);
  puts("threads");
  if (!(pid = fork())) {
    churn(100);
    _exit(5);
  }
  printf("fork %d\n", wait_for(pid));
  if (posix_spawn(&pid, argv[0], NULL, NULL, spawned, environ)) return 9;
  printf("spawn %d\n", wait_for(pid));
  execv("/no/such/program", last);
  churn(100);
  puts("exec");
  execve(argv[0], last, environment);
  return 8;
}
