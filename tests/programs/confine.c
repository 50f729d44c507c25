/* Locks itself in, in the way argv[1] names, and allocates on: sandboxes, other roots, limits. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void churn(int n) {
  for (int i = 0; i < n; i++) {
    void *volatile p = malloc((size_t)(i % 300 + 1));
    if (i % 50) free(p);
  }
}
static void *churn_thread(void *arg) {
  churn(100);
  return arg;
}
/* The stack where it has not been yet; what it allocates there has to be recorded. */
static int deep(int levels) {
  char volatile room[1000];
  room[0] = (char)levels;
  if (levels) return deep(levels - 1) + room[0];
  free(malloc(40));
  return room[0];
}
static void strict(void) { /* read, write, exit only: no brk, so stay within what there is */
  free(malloc(100000));
  prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
  deep(900);
  for (int i = 0; i < 10000; i++) {
    void *volatile p = malloc((size_t)(i % 900 + 1));
    free(p);
  }
  if (write(1, "strict\n", 7) != 7) syscall(SYS_exit, 2);
  syscall(SYS_exit, 0);
}
#define COUNT(list) (sizeof(list) / sizeof *(list))

/* install kills the process for anything but these calls: through prctl, or by the raw call. */
static void install(int const *allowed, size_t cnt, int raw) {
  struct sock_filter code[100];
  int n = 0;
  code[n++] =
      (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  for (size_t i = 0; i < cnt; i++) {
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)allowed[i], 0, 1);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  }
  code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  struct sock_fprog program = {.len = (unsigned short)n, .filter = code};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (raw ? syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program)
          : prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
    puts("no filter");
}
/* What a plain program with threads needs: with gettid allowed, or without. */
static void filter(int raw) {
  static int const allowed[] = {SYS_read,       SYS_write,           SYS_brk,
                                SYS_mmap,       SYS_munmap,          SYS_mremap,
                                SYS_mprotect,   SYS_futex,           SYS_exit_group,
                                SYS_exit,       SYS_clone3,          SYS_clone,
                                SYS_rseq,       SYS_set_robust_list, SYS_rt_sigprocmask,
                                SYS_newfstatat, SYS_fstat,           SYS_sched_getaffinity,
                                SYS_getrandom,  SYS_rt_sigaction,    SYS_madvise,
                                SYS_gettid};
  install(allowed, COUNT(allowed) - (size_t)raw, raw);
  churn(2000);
  pthread_t thread;
  for (int i = 0; i < 20; i++) {
    if (pthread_create(&thread, NULL, churn_thread, NULL)) break;
    pthread_join(thread, NULL);
  }
}
/* What one thread needs to allocate, no more. */
static void tight(int pairs) {
  static int const allowed[] = {SYS_read, SYS_write, SYS_brk, SYS_mmap, SYS_munmap, SYS_exit_group};
  install(allowed, COUNT(allowed), 0);
  printf("%d\n", deep(900) != 0);
  churn(pairs);
}
/* The same and to fork: there is no way to begin a trace. */
static void tight_fork(void) {
  static int const allowed[] = {
      SYS_read,           SYS_write,           SYS_brk,    SYS_mmap,
      SYS_munmap,         SYS_clone,           SYS_wait4,  SYS_futex,
      SYS_rt_sigprocmask, SYS_set_robust_list, SYS_gettid, SYS_exit_group};
  install(allowed, COUNT(allowed), 0);
  for (int i = 0, status = -1; i < 3; i++, status = -1) {
    pid_t pid = fork();
    if (!pid) {
      churn(3000);
      _exit(i);
    }
    waitpid(pid, &status, 0);
    printf("child %d: %x\n", i, (unsigned)status);
  }
}
/* A filter that is none, and one in a vfork child that shares this memory: nothing changes here. */
static void not_ours(void) {
  if (!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL)) puts("a filter of nothing");
  pid_t pid = vfork();
  if (!pid) {
    static int const allowed[] = {SYS_write,  SYS_brk,    SYS_mmap,
                                  SYS_munmap, SYS_getpid, SYS_exit_group};
    install(allowed, COUNT(allowed), 0);
    free(malloc(100));
    _exit(0);
  }
  int status;
  waitpid(pid, &status, 0);
  printf("child: %x\n", (unsigned)status);
}
static void limit(int what, rlim_t value) {
  struct rlimit l = {value, value};
  if (setrlimit(what, &l)) puts("setrlimit failed");
}
static void other_root(void) {
  char folder[] = "/tmp/valtest-root-XXXXXX";
  int outside = open("/", O_RDONLY | O_DIRECTORY);
  if (!mkdtemp(folder) || chroot(folder) || chdir("/")) puts("no chroot");
  if (unlinkat(outside, folder + 1, AT_REMOVEDIR)) puts("not removed");
  close(outside);
  churn(2000);
}
static void other_user(void) {
  if (setgid(65534) || setuid(65534)) puts("no setuid");
  churn(2000);
  pid_t pid = fork();
  if (!pid) {
    churn(100);
    _exit(0);
  }
  waitpid(pid, NULL, 0);
}
static void other_namespaces(void) {
  if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC)) puts("no unshare");
  churn(2000);
  pid_t pid = fork();
  if (!pid) {
    churn(100);
    _exit(0);
  }
  waitpid(pid, NULL, 0);
}
static void little_memory(void) { /* the heap hits the limit and says so, nothing else breaks */
  limit(RLIMIT_AS, 900 << 20);
  size_t got = 0;
  void *list = NULL;
  for (void **p; got < 4000 && (p = malloc(1 << 20)); got++) {
    *p = list;
    list = p;
  }
  printf("ran out: %d\n", got < 4000 && errno == ENOMEM);
  for (void *next; list; list = next) {
    next = *(void **)list;
    free(list);
  }
  churn(2000);
}

static unsigned long status_kib(char const *key) {
  char line[256];
  unsigned long kib = 0;
  FILE *file = fopen("/proc/self/status", "r");
  while (file && fgets(line, sizeof line, file))
    if (!strncmp(line, key, strlen(key))) kib = strtoul(line + strlen(key), NULL, 10);
  if (file) fclose(file);
  return kib;
}
/* locked: with no more memory to be locked than argv[2] KiB; without privilege the kernel compares the
   whole address space with that. */
static void locked(unsigned long kib) {
  limit(RLIMIT_MEMLOCK, kib << 10);
  if (!getuid() && setuid(65534)) exit(8);
  if (mlockall(MCL_CURRENT | MCL_FUTURE)) printf("mlockall: %s\n", strerror(errno));
  churn(8000);
  printf("locked: %s\n", status_kib("VmLck:") > kib - 3000 ? "too much" : "the program's own");
}
/* little_room: no address space beyond some MiB more than there is. */
static void little_room(void) {
  limit(RLIMIT_AS, (status_kib("VmSize:") + 3000) << 10);
  for (int i = 0; i < 3000; i++) { /* a record of 1.5 KiB each */
    void *volatile p = malloc((size_t)(i % 300 + 1));
    deep(180);
    if (i % 50) free(p);
  }
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  char const *way = argc > 1 ? argv[1] : "";
  churn(10);
  if (!strcmp(way, "strict")) strict();
  if (!strcmp(way, "filter")) filter(0);
  if (!strcmp(way, "raw-filter")) filter(1);
  if (!strcmp(way, "tight")) tight(0);
  if (!strcmp(way, "tight-long")) tight(200000);
  if (!strcmp(way, "tight-fork")) tight_fork();
  if (!strcmp(way, "not-ours")) not_ours();
  if (!strcmp(way, "chroot")) other_root();
  if (!strcmp(way, "setuid")) other_user();
  if (!strcmp(way, "unshare")) other_namespaces();
  if (!strcmp(way, "as")) little_memory();
  if (!strcmp(way, "as-late")) little_room();
  if (!strcmp(way, "size")) return printf("%lu\n", status_kib("VmSize:")) < 0;
  if (!strcmp(way, "locked")) {
    locked(argc > 2 ? strtoul(argv[2], NULL, 10) : 0);
    return 0;
  }
  if (!strcmp(way, "fsize")) limit(RLIMIT_FSIZE, 4096);
  if (!strcmp(way, "fsize0")) limit(RLIMIT_FSIZE, 0);
  if (!strcmp(way, "nofile")) limit(RLIMIT_NOFILE, 3);
  if (!strcmp(way, "chdir") && chdir("/")) return 9;
  if (argc > 2) { /* the limit holds from the start of the next image */
    execv(argv[2], argv + 2);
    return 127;
  }
  churn(3000);
  if (strcmp(way, "fsize0")) printf("%s: done\n", way);
  return 0;
}
