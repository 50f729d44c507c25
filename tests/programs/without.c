/* without FEATURE[,FEATURE]… COMMAND [ARG…]: runs a command as on a kernel that lacks these system calls: a
   filter answers for it, to the command and to all that it starts. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What an older kernel answers; advice: to madvise with this one only. */
static struct {
  char const *name;
  unsigned nr;
  int error, advice;
} const features[] = {
    {"populate", SYS_madvise, EINVAL, 23 /* MADV_POPULATE_WRITE, Linux 5.14 */},
    {"close_range", SYS_close_range, ENOSYS, 0}, /* 5.9 */
    {"pidfd", SYS_pidfd_open, ENOSYS, 0},        /* 5.3 */
    {"clone3", SYS_clone3, ENOSYS, 0},           /* 5.3 */
    {"wipeonfork", SYS_madvise, EINVAL, 18},     /* 4.14 */
    {"memfd", SYS_memfd_create, ENOSYS, 0},      /* 3.17 */
    {"getrandom", SYS_getrandom, ENOSYS, 0},     /* 3.17 */
    {"renameat2", SYS_renameat2, ENOSYS, 0},     /* 3.15 */
};
#define FEATURES (sizeof features / sizeof features[0])

static struct sock_filter code[6 * FEATURES + 2];
static unsigned short cnt;

static void put(struct sock_filter f) { code[cnt++] = f; }

#define LOAD(field) (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define UNLESS(value, skip) (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)
#define ANSWER(value) (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, value)

static void take_away(size_t i) {
  int advised = features[i].advice != 0;
  put(LOAD(nr));
  put(UNLESS(features[i].nr, advised ? 3 : 1));
  if (advised) {
    put(LOAD(args[2]));
    put(UNLESS((unsigned)features[i].advice, 1));
  }
  put(ANSWER(SECCOMP_RET_ERRNO | (unsigned)features[i].error));
}

static int take_away_named(char const *name, size_t sz) {
  for (size_t i = 0; i < FEATURES; i++)
    if (strlen(features[i].name) == sz && !memcmp(features[i].name, name, sz)) return take_away(i), 0;
  return fprintf(stderr, "without: no feature %.*s\n", (int)sz, name);
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  for (char const *name = argv[1]; *name; name += strspn(name, ",")) {
    size_t sz = strcspn(name, ",");
    if (take_away_named(name, sz)) return 2;
    name += sz;
  }
  put(ANSWER(SECCOMP_RET_ALLOW));
  struct sock_fprog program = {.len = cnt, .filter = code};
  prctl(PR_SET_NO_NEW_PRIVS, getuid() ? 1 : 0, 0, 0, 0);
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) return perror("without"), 2;
  execvp(argv[2], argv + 2);
  return perror(argv[2]), 127;
}
