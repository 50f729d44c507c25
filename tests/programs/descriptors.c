/* Closes, reuses and overwrites every file descriptor it can, then writes to files of its own. A
   tracer that still believes in a descriptor would write into them. argv[1] picks the way. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void churn(int n) {
  for (int i = 0; i < n; i++) {
    void *volatile p = malloc((size_t)(i % 300 + 1));
    if (i % 3) free(p);
  }
}
static long top(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur > 65536 ? 65536 : (long)limit.rlim_cur;
}
static void close_all(void) {
  for (int fd = 3; fd < top(); fd++) close(fd);
}
static void close_seen(void) { /* as programs do that read /proc/self/fd */
  int fds[1024], n = 0;
  DIR *dir = opendir("/proc/self/fd");
  for (struct dirent *e; dir && (e = readdir(dir)) && n < 1024;) fds[n++] = atoi(e->d_name);
  if (dir) closedir(dir);
  for (int i = 0; i < n; i++)
    if (fds[i] > 2) close(fds[i]);
}
static void close_range_all(void) {
  if (close_range(3, ~0U, 0)) close_all();
}
static void take_over(void) { /* every number now means our own file */
  int file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
  for (int fd = 3; fd < 1100; fd++) dup2(file, fd);
  churn(3000);
  struct stat st;
  fstat(500, &st);
  printf("own file has %ld bytes\n", (long)st.st_size);
}
static void reuse(void) { /* descriptors below 64 again, with our data in them */
  close_all();
  for (int i = 0; i < 60; i++) {
    int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
    if (write(fd, "mine", 4) != 4) abort();
  }
  churn(3000);
  int intact = 0;
  for (int fd = 3; fd < 63; fd++) {
    struct stat st;
    intact += !fstat(fd, &st) && st.st_size == 4;
  }
  printf("intact files: %d\n", intact);
}
static void lowest(void) { /* numbers of new descriptors are what programs expect */
  int fd = open("/dev/null", O_RDONLY);
  printf("first descriptor %d\n", fd);
  int open_count = 0;
  for (int i = 0; i < 64; i++) open_count += fcntl(i, F_GETFD) >= 0;
  printf("open below 64: %d\n", open_count);
}
static void std_closed(void) {
  close(0), close(1), close(2);
  int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
  churn(3000);
  _exit(fd == 0 ? 0 : 11);
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  char const *way = argc > 1 ? argv[1] : "";
  churn(10);
  if (!strcmp(way, "image")) return 5;
  if (!strcmp(way, "lowest")) lowest();
  if (!strcmp(way, "std-closed")) std_closed();
  if (!strcmp(way, "reuse")) reuse();
  if (!strcmp(way, "take-over")) take_over();
  if (!strcmp(way, "close-all")) close_all();
  if (!strcmp(way, "close-seen")) close_seen();
  if (!strcmp(way, "close-range")) close_range_all();
  churn(3000);
  pid_t pid = fork(); /* a child without any inherited descriptor */
  if (!pid) {
    churn(100);
    execl(argv[0], argv[0], "image", NULL);
    _exit(9);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  printf("%s %d\n", way, status);
  return 0;
}
