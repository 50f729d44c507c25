/* A program that would notice an heir: by waiting, by signals, by the end of a pipe, by an exec
 * that fails. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "valtrace/annotate.h"

#define CHILDREN 20

static int volatile signals;
static int wait_flags = __WALL; /* sees children of every kind */
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
    int status, got = waitpid(-1, &status, wait_flags);
    waited += got == pid && WEXITSTATUS(status) == i;
    others += waitpid(-1, &status, wait_flags) != -1 || errno != ECHILD;
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
  int got = waitpid(-1, NULL, wait_flags);
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

/* What was on the stack before is of no further use. */
static __attribute__((noinline)) void wipe(void) {
  char volatile dead[16384];
  memset((char *)dead, 0, sizeof dead);
}

static __attribute__((noinline)) void lose(int cnt) {
  for (int i = 0; i < cnt; i++) memset(malloc(5000), 0, 5000);
}

/* Frees that go past every preloaded library, as after dlopen with RTLD_DEEPBIND; of every size that the allocator
   keeps in another way. 10 blocks are lost. */
static __attribute__((noinline)) void free_unseen(void) {
  void (*real)(void *) = (void (*)(void *))dlsym(dlopen("libc.so.6", RTLD_NOW), "free");
  for (size_t sz = 1; sz < 400000; sz += 1 + sz / 4) {
    void *few[12];
    for (int i = 0; i < 12; i++) few[i] = calloc(1, sz);
    for (int i = 0; i < 12; i++) real(few[i]);
  }
}
static int unseen(void) {
  free_unseen();
  lose(10);
  kept[0] = malloc(100);
  wipe();
  return 0;
}

/* While recording is paused a list gets nodes, of which recorded blocks hang, and other recorded blocks are freed. 10
   blocks are lost, 10 hang on the list. */
static __attribute__((noinline)) void be_paused(void) {
  void **list = calloc(1, 64), *freed[40];
  for (int i = 0; i < 40; i++) freed[i] = malloc((size_t)(20 + 60 * i));
  kept[0] = list;
  vt_pause();
  for (int i = 0; i < 10; i++) {
    void **node = calloc(2, 8);
    node[0] = list[0];
    list[0] = node;
  }
  for (int i = 0; i < 40; i++) free(freed[i]);
  memset(freed, 0, sizeof freed);
  vt_resume();
  for (void **node = list[0]; node; node = node[0]) node[1] = calloc(1, 30);
}
static int pauses(void) {
  be_paused();
  lose(10);
  wipe();
  return 0;
}

/* 20 TiB of addresses, as a sanitizer's shadow has, with the only pointer to a block in them. */
static int reserves(void) {
  size_t sz = (size_t)20 << 40;
  char *p = mmap(NULL, sz, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) return 3;
  *(void **)(p + sz / 3 / 8 * 8) = malloc(100);
  wipe();
  return 0;
}

/* A process is killed while another one lives in its memory, which ends before the first one does. */
static int held[2];
static char sharer_stack[16384] __attribute__((aligned(16)));
static int share(void *arg) {
  char c;
  close(held[1]);
  return read(held[0], &c, 1) == 0 ? 0 : (int)(long)arg;
}
static int shares(void) {
  int over[2];
  char c;
  if (pipe(held) || pipe(over)) return 2;
  pid_t pid = fork();
  if (pid == 0) {
    kept[0] = malloc(100);
    close(over[0]);
    if (clone(share, sharer_stack + sizeof sharer_stack, CLONE_VM, NULL) < 0) _exit(2);
    kill(getpid(), SIGKILL);
  }
  close(over[1]);
  waitpid(pid, NULL, 0);
  if (write(1, "killed\n", 7) != 7 || read(0, &c, 1) < 0) return 2; /* until the collector has seen it */
  close(held[1]);
  return read(over[0], &c, 1) == 0 ? 0 : 2;
}

/* Two threads move the only pointers to 2,000 blocks about as fast as they can: all but the few that are on their way are
   somewhere at each moment. */
#define MOVED 2000
static void *_Atomic places[2 * MOVED];
static void *move(void *arg) {
  for (uint64_t x = (uint64_t)arg;;) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    void *p = atomic_exchange(&places[(x >> 33) % (2 * MOVED)], NULL), *none = NULL;
    for (uint64_t to = x >> 20; p && !atomic_compare_exchange_strong(&places[to % (2 * MOVED)], &none, p); to++) none = NULL;
  }
  return NULL;
}
static int moves(void) {
  pthread_t thread;
  for (int i = 0; i < MOVED; i++) places[i] = malloc(40);
  for (long i = 1; i <= 2; i++) pthread_create(&thread, NULL, move, (void *)i);
  for (;;) pause();
  return 0;
}

/* Has most memory in the middle: at each byte of input it goes on, from there to a small end. */
#define RISEN 96
static int rises(void) {
  static void *blocks[RISEN];
  char byte;
  lose(100);
  wipe();
  for (int i = 0; i < RISEN; i++) blocks[i] = memset(malloc(1 << 19), 1, 1 << 19);
  if (read(STDIN_FILENO, &byte, 1) != 1) return 1;
  for (int i = 0; i < RISEN; i++) free(blocks[i]);
  return 0;
}

/* has_child: by a way that sees a sentinel. */
static int has_child(void) { return waitpid(-1, NULL, __WALL | WNOHANG) == 0; }

/* Each call ends the sentinel that the process has: they change nothing, but take away what could be had again. */
static int do_nothing(int which) {
  switch (which) {
  case 0: return setuid(getuid());
  case 1: return seteuid(geteuid());
  case 2: return setreuid((uid_t)-1, (uid_t)-1);
  case 3: return setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1);
  case 4: return setgid(getgid());
  case 5: return setegid(getegid());
  case 6: return setregid((gid_t)-1, (gid_t)-1);
  case 7: return setresgid((gid_t)-1, (gid_t)-1, (gid_t)-1);
  case 8: return unshare(0);
  case 9: return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  case 10: return (int)syscall(SYS_setuid, getuid());
  case 11: return (int)syscall(SYS_setresgid, -1, -1, -1);
  default: return -2;
  }
}

static int gives_up(void) {
  for (int i = 0; i < 12; i++) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
      kept[0] = malloc(100);
      int before = has_child(), failed = do_nothing(i);
      printf("%d: %d, then %d\n", i, before, failed ? -1 : has_child());
      exit(0);
    }
    waitpid(pid, NULL, 0);
  }
  return 0;
}

int main(int argc, char **argv) {
  static struct {
    char const *name;
    int (*run)(void);
  } const ways[] = {
      {"waiter", waiter}, {"failing", failing}, {"ends", ends}, {"inherits", inherits},
      {"unseen", unseen}, {"pauses", pauses},   {"reserves", reserves}, {"shares", shares},
      {"gives up", gives_up}, {"moves", moves}, {"rises", rises}};
  static char out[256];
  if (argc > 2) path = argv[2];
  if (argc > 2 && !strcmp(path, "plain")) wait_flags = 0;
  setvbuf(stdout, out, _IOFBF, sizeof out);
  for (size_t i = 0; i < sizeof ways / sizeof *ways && argc > 1; i++)
    if (!strcmp(argv[1], ways[i].name)) return ways[i].run();
  return 2;
}
