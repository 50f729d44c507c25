/* A thread says that it is busy before it looks whether to record: who ends a recording, and begins one anew in the same
   process, overlooks nobody (vt_enter, vt_thread_all_out). We run ourselves under the shim and have the processor stop at
   each access to the gate (debug register 0); at each the thread must be busy already. */
#include "preload/process.h"
#include "tests/unit/tap.h"

#include <fcntl.h>
#include <gelf.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAIRS 5
#define WATCH ((1 << 0) | (3 << 16) | (3 << 18)) /* DR7: register 0; reads and writes; of four bytes */

/* Where things are in the shim's file. */
typedef struct {
  uint64_t gate;   /* the word */
  uint64_t tls;    /* vt_tls in the module's thread-local storage, less … */
  uint64_t offset; /* … what the word at this address holds when it is loaded: from the thread pointer */
} places_t;

static void look_through_symbols(Elf_Data *data, GElf_Shdr const *sh, Elf *elf, places_t *p) {
  GElf_Sym s;
  for (int i = 0; gelf_getsym(data, i, &s); i++) {
    char const *name = elf_strptr(elf, sh->sh_link, s.st_name);
    if (name && !strcmp(name, "vt_gate")) p->gate = s.st_value;
    if (name && !strcmp(name, "vt_tls")) p->tls += s.st_value;
  }
}

static void look_through_relocations(Elf_Data *data, places_t *p) {
  GElf_Rela r;
  for (int i = 0; gelf_getrela(data, i, &r); i++) {
    if (GELF_R_TYPE(r.r_info) != R_X86_64_TPOFF64) continue;
    p->offset = r.r_offset;
    p->tls -= (uint64_t)r.r_addend;
  }
}

static places_t find(char const *path) {
  places_t p = {0};
  elf_version(EV_CURRENT);
  Elf *elf = elf_begin(open(path, O_RDONLY | O_CLOEXEC), ELF_C_READ, NULL);
  for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn));) {
    GElf_Shdr sh;
    if (!gelf_getshdr(scn, &sh)) continue;
    if (sh.sh_type == SHT_SYMTAB) look_through_symbols(elf_getdata(scn, NULL), &sh, elf, &p);
    if (sh.sh_type == SHT_RELA) look_through_relocations(elf_getdata(scn, NULL), &p);
  }
  elf_end(elf);
  return p;
}

/* base is where a process has the shim. */
static uint64_t base(pid_t pid) {
  char path[64], line[4200];
  unsigned long long start = 0;
  snprintf(path, sizeof path, "/proc/%d/maps", pid);
  FILE *file = fopen(path, "re");
  while (file && fgets(line, sizeof line, file))
    if (strstr(line, "libvaltrace.so") && sscanf(line, "%llx", &start) == 1) break;
  if (file) fclose(file);
  return start;
}

static void allocate(int pairs) {
  for (int i = 0; i < pairs; i++) {
    void *volatile block = malloc(24);
    free(block);
  }
}

/* steps is what is looked at, between two stops. */
static void steps(void) {
  allocate(100);
  raise(SIGSTOP);
  allocate(PAIRS);
  raise(SIGSTOP);
}

static pid_t start(char const *self, char const *shim, char const *folder, char const *sample) {
  char output[4200];
  snprintf(output, sizeof output, "%s/t.vtr", folder);
  pid_t pid = fork();
  if (pid) return pid;
  ptrace(PTRACE_TRACEME, 0, NULL, NULL);
  setenv("LD_PRELOAD", shim, 1);
  setenv("VALTRACE_OUTPUT", output, 1);
  if (sample) setenv("VALTRACE_SAMPLE", sample, 1);
  execl(self, self, "steps", (char *)NULL);
  _exit(3);
}

/* go_on lets it run to the next stop; returns the signal, 0: it has ended. */
static int go_on(pid_t pid) {
  int status;
  ptrace(PTRACE_CONT, pid, NULL, NULL);
  return waitpid(pid, &status, 0) == pid && WIFSTOPPED(status) ? WSTOPSIG(status) : 0;
}

static uint64_t busy(pid_t pid, uint64_t at, places_t const *p) {
  struct user_regs_struct regs;
  ptrace(PTRACE_GETREGS, pid, NULL, &regs);
  uint64_t tls = regs.fs_base + (uint64_t)ptrace(PTRACE_PEEKDATA, pid, at + p->offset, NULL) + p->tls;
  return (uint64_t)ptrace(PTRACE_PEEKDATA, pid, tls + offsetof(vt_tls_t, busy), NULL);
}

static int watch(pid_t pid, uint64_t address) {
  return ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[0]), address) ||
         ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[7]), WATCH);
}

static void check(char const *self, char const *shim, char const *folder, char const *sample) {
  int status, looks = 0, busy_looks = 0, signal;
  char const *way = sample ? "a sample" : "everything";
  places_t p = find(shim);
  pid_t pid = start(self, shim, folder, sample);
  waitpid(pid, &status, 0); /* exec */
  while ((signal = go_on(pid)) && signal != SIGSTOP) continue;
  uint64_t at = base(pid);
  if (watch(pid, at + p.gate)) {
    ok(1, "%s: # SKIP no debug registers", way);
    kill(pid, SIGKILL);
    return;
  }
  while ((signal = go_on(pid)) == SIGTRAP) {
    looks++;
    busy_looks += busy(pid, at, &p) != 0;
  }
  ok(signal == SIGSTOP && looks >= 2 * PAIRS, "%s: %d looks at the gate in %d events", way, looks, 2 * PAIRS);
  ok(busy_looks == looks, "%s: at %d of them the thread was busy", way, busy_looks);
  kill(pid, SIGKILL);
  waitpid(pid, &status, 0);
}

int main(int argc, char **argv) {
  char shim[4096], folder[] = "/tmp/valtest-XXXXXX", self[4096] = "", trace[64];
  if (argc > 1 && !strcmp(argv[1], "steps")) {
    steps();
    return 0;
  }
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  if (n < 0 || !mkdtemp(folder)) return 2;
  snprintf(shim, sizeof shim, "%.*s/../lib/libvaltrace.so", (int)(strrchr(self, '/') - self), self);
  check(self, shim, folder, NULL);
  check(self, shim, folder, "1000000000");
  snprintf(trace, sizeof trace, "%s/t.vtr", folder);
  unlink(trace);
  rmdir(folder);
  return done_testing();
}
