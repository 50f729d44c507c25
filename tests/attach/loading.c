/* loading: what the loader's locks meet while somebody attaches. Two threads open and close a library whose constructor takes
   a lock that others hold around malloc; others make threads, fork, spawn, and ask the loader for its list. Runs until its
   standard input ends. A byte there is answered by one when each of them has gone on since. With PLUGIN it is that library. */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern pthread_mutex_t loading_lock;

#ifdef PLUGIN
static void *kept;

__attribute__((constructor)) static void begin(void) {
  pthread_mutex_lock(&loading_lock);
  kept = malloc(100);
  pthread_mutex_unlock(&loading_lock);
}

__attribute__((destructor)) static void end(void) { free(kept); }
#else

#define THREADS 7
#define REST_US 2000 /* so that traces stay small, and machines usable */

pthread_mutex_t loading_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_int over;
static atomic_uint steps[THREADS];
static char library[4096];
extern char **environ;

static void hold(void) {
  pthread_mutex_lock(&loading_lock);
  for (int i = 0; i < 20; i++) free(malloc((size_t)i * 100));
  pthread_mutex_unlock(&loading_lock);
}

static void open_and_close(void) {
  void *opened = dlopen(library, RTLD_NOW);
  if (!opened || dlclose(opened)) abort();
}

static void *briefly(void *arg) { return free(malloc(50)), arg; }

static void make_thread(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, briefly, NULL) || pthread_join(thread, NULL)) abort();
}

static void wait_for(pid_t pid) {
  int status;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) abort();
  if (status) abort();
}

static void fork_one(void) {
  pid_t pid = fork();
  if (!pid) {
    free(malloc(70));
    _exit(0);
  }
  wait_for(pid);
}

static void spawn_one(void) {
  char *argv[] = {(char[]){"true"}, NULL};
  pid_t pid;
  if (posix_spawnp(&pid, "true", NULL, NULL, argv, environ)) abort();
  wait_for(pid);
}

static int see(struct dl_phdr_info *info, size_t sz, void *context) { return (void)info, (void)sz, (void)context, free(malloc(30)), 0; }

static void iterate(void) { dl_iterate_phdr(see, NULL); }

static void *work(void *arg) {
  static void (*const works[THREADS])(void) = {open_and_close, open_and_close, hold, make_thread, fork_one, spawn_one, iterate};
  size_t i = (size_t)((atomic_uint *)arg - steps);
  while (!over) {
    works[i]();
    steps[i]++;
    usleep(REST_US);
  }
  return NULL;
}

static void await_all(void) {
  for (int i = 0; i < THREADS; i++)
    for (unsigned from = steps[i]; steps[i] < from + 2;) usleep(REST_US);
}

int main(int argc, char **argv) {
  pthread_t threads[THREADS];
  char byte;
  if (argc != 2) return 2;
  snprintf(library, sizeof library, "%s", argv[1]);
  for (int i = 0; i < THREADS; i++)
    if (pthread_create(&threads[i], NULL, work, &steps[i])) return 1;
  while (read(0, &byte, 1) == 1) {
    await_all();
    if (write(1, &byte, 1) != 1) return 1;
  }
  over = 1;
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  return 0;
}
#endif
