/* See program.h. */
#include "analyzer/collector/program.h"
#include "analyzer/collector/owner.h"
#include "analyzer/util/mem.h"
#include "core/trace/executable.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define HEAD_SZ 4096

int vt_program_find(char *out, size_t cap, char const *file) {
  if (strchr(file, '/')) return snprintf(out, cap, "%s", file) < (int)cap ? 0 : -1;
  char const *path = getenv("PATH");
  for (char const *p = path ? path : "/bin:/usr/bin"; *p;) {
    size_t n = strcspn(p, ":");
    if (snprintf(out, cap, "%.*s/%s", (int)n, p, file) < (int)cap && access(out, X_OK) == 0)
      return 0;
    p += n + (p[n] == ':');
  }
  return -1;
}

static char const *elf_obstacle(unsigned char const *head, size_t sz) {
  Elf64_Ehdr eh;
  memcpy(&eh, head, sizeof eh);
  if (eh.e_ident[EI_CLASS] != ELFCLASS64)
    return "a 32-bit program, and the shim is a 64-bit library: it is not recorded";
#if defined(__x86_64__)
  if (eh.e_machine != EM_X86_64) return "made for another architecture: it is not recorded";
#endif
  for (unsigned i = 0; i < eh.e_phnum; i++) {
    Elf64_Phdr ph;
    if (eh.e_phoff + (i + 1) * sizeof ph > sz) return NULL;
    memcpy(&ph, head + eh.e_phoff + i * sizeof ph, sizeof ph);
    if (ph.p_type == PT_INTERP) return NULL;
  }
  return "statically linked (as pure Go programs are), so nothing can be preloaded: it is not "
         "recorded";
}

/* script_interpreter copies the interpreter of a "#!" line into out. */
static int script_interpreter(char *out, size_t cap, char const *head) {
  if (strncmp(head, "#!", 2)) return -1;
  head += 2 + strspn(head + 2, " \t");
  size_t n = strcspn(head, " \t\r\n");
  if (!n || n >= cap) return -1;
  memcpy(out, head, n);
  out[n] = '\0';
  return 0;
}

char const *vt_program_obstacle(char const *file) {
  char path[PATH_MAX], interpreter[PATH_MAX];
  unsigned char head[HEAD_SZ + 1] = {0};
  struct stat st;
  if (vt_program_find(path, sizeof path, file) || stat(path, &st)) return NULL;
  if (((st.st_mode & S_ISUID) && st.st_uid != geteuid()) ||
      ((st.st_mode & S_ISGID) && st.st_gid != getegid()))
    return "set-user-ID or set-group-ID, so the loader ignores LD_PRELOAD: it is not recorded";
  if (geteuid() && getxattr(path, "security.capability", NULL, 0) > 0)
    return "given file capabilities, so the loader ignores LD_PRELOAD: it is not recorded";
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return NULL;
  if (vt_executable_foreign(fd)) {
    close(fd);
    return "made for another C library than glibc and musl, which cannot load the shim: it is not recorded";
  }
  ssize_t n = read(fd, head, HEAD_SZ);
  close(fd);
  if (n < (ssize_t)sizeof(Elf64_Ehdr)) n = 0;
  if (vt_executable_is_loader(path)) return NULL;
  if (!memcmp(head, ELFMAG, SELFMAG)) return elf_obstacle(head, (size_t)n);
  if (script_interpreter(interpreter, sizeof interpreter, (char const *)head) == 0 &&
      strcmp(interpreter, path) && strncmp((char const *)head, "#!#!", 4))
    return vt_program_obstacle(interpreter);
  return NULL;
}

int vt_program_is_foreign(char const *file) {
  char path[PATH_MAX];
  int fd = vt_program_find(path, sizeof path, file) ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  int foreign = vt_executable_foreign(fd);
  close(fd);
  return foreign;
}

void vt_program_environment(char const *shim, char const *const *more) {
  char const *old = getenv("LD_PRELOAD");
  for (; *more; more += 2) setenv(more[0], more[1], 1);
  if (!shim) return;
  size_t sz = strlen(shim) + (old ? strlen(old) : 0) + 2;
  char *value = vt_mem_new(sz, 1);
  snprintf(value, sz, "%s%s%s", shim, old ? ":" : "", old ? old : ""); /* also of an empty one */
  setenv("LD_PRELOAD", value, 1);
  free(value);
}

#define FIRST_PID "VALTRACE_FIRST_PID="
static char first_pid[sizeof FIRST_PID + 60] = FIRST_PID;

static struct sigaction on_limit = {.sa_handler = SIG_DFL};

void vt_program_endure_limits(void) {
  sigaction(SIGXFSZ, &(struct sigaction){.sa_handler = SIG_IGN}, &on_limit);
}

/* be_program is the child: it tells the parent through the pipe only if exec fails. */
static void be_program(char **argv, void const *mask, struct sigaction const *on_child,
                       int report) {
  snprintf(first_pid, sizeof first_pid, FIRST_PID "%d.%llu.%llu", getpid(),
           (unsigned long long)vt_owner_started(getpid()),
           (unsigned long long)vt_owner_space()); /* the environment has it already */
  sigaction(SIGCHLD, on_child, NULL);
  sigaction(SIGXFSZ, &on_limit, NULL);
  sigprocmask(SIG_SETMASK, mask, NULL);
  execvp(argv[0], argv);
  int error = errno;
  (void)!write(report, &error, sizeof error);
  _exit(127);
}

pid_t vt_program_start(char **argv, void const *mask, int *error) {
  int pipe_fds[2];
  struct sigaction on_child, usual = {.sa_handler = SIG_DFL};
  putenv(first_pid);
  if (pipe2(pipe_fds, O_CLOEXEC)) return -1;
  sigaction(SIGCHLD, &usual,
            &on_child); /* who started us may ignore it: then nothing can be waited for */
  pid_t pid = fork();
  if (pid == 0) be_program(argv, mask, &on_child, pipe_fds[1]);
  close(pipe_fds[1]);
  ssize_t n = pid > 0 ? read(pipe_fds[0], error, sizeof *error) : 0;
  close(pipe_fds[0]);
  return n == (ssize_t)sizeof *error ? 0 : pid;
}
