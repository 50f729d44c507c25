/* See target.h. The C library is that of the loader's first list (r_debug, link.h): those of other namespaces
   (dlmopen) serve other code. */
#include "analyzer/attach/target.h"
#include "analyzer/patch/elf_code.h"
#include "analyzer/util/kernel.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAPS_MAX         4096 /* objects of a list that makes sense */
#define STARTING_STEP_NS 5000000
#define STARTING_STEPS   400 /* two seconds: a loader may also be asked by the program to open something large */

int vt_target_read(vt_target_t const *t, uint64_t address, void *out, size_t sz) {
  return pread(t->mem, out, sz, (off_t)address) == (ssize_t)sz ? 0 : -1;
}

int vt_target_write(vt_target_t const *t, uint64_t address, void const *bytes, size_t sz) {
  return pwrite(t->mem, bytes, sz, (off_t)address) == (ssize_t)sz ? 0 : -1;
}

static int refuse(vt_target_t const *t, vt_error_t *error, char const *why, char const *advice) {
  vt_error_set(error, t->name, why, advice);
  return -1;
}

/* ---- what /proc says of it ---- */

typedef struct {
  char state;
  int tracer, filtered, shadow_stack;
  unsigned uids[4];
  uint32_t own_pid;
} status_t;

static void read_line(status_t *s, char const *line) {
  char const *last = strrchr(line, '\t');
  sscanf(line, "State: %c", &s->state);
  sscanf(line, "TracerPid: %d", &s->tracer);
  sscanf(line, "Seccomp: %d", &s->filtered);
  sscanf(line, "Uid: %u %u %u %u", &s->uids[0], &s->uids[1], &s->uids[2], &s->uids[3]);
  if (!strncmp(line, "NSpid:", 6) && last) s->own_pid = (uint32_t)strtoul(last, NULL, 10);
  if (!strncmp(line, "x86_Thread_features:", 20) && strstr(line, "shstk")) s->shadow_stack = 1;
}

static int read_status(pid_t pid, status_t *s) {
  char path[64], line[512];
  *s = (status_t){.own_pid = (uint32_t)pid};
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  FILE *file = fopen(path, "re");
  if (!file) return -1;
  while (fgets(line, sizeof line, file)) read_line(s, line);
  fclose(file);
  return 0;
}

static int is_ours(status_t const *s) {
  unsigned me = geteuid();
  return !me || (s->uids[0] == me && s->uids[1] == me && s->uids[2] == me);
}

static int yama(void) {
  int scope = 0;
  FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
  if (!file) return 0;
  if (fscanf(file, "%d", &scope) != 1) scope = 0;
  fclose(file);
  return scope;
}

static int look_at_status(vt_target_t *t, vt_error_t *error) {
  status_t s;
  char why[96];
  if (read_status(t->pid, &s)) return refuse(t, error, "there is no such process", "is the number right?");
  t->own_pid = s.own_pid;
  snprintf(why, sizeof why, "process %d traces it", s.tracer);
  if (s.state == 'Z' || s.state == 'X') return refuse(t, error, "it has ended", "its parent has not taken notice");
  if (!is_ours(&s)) return refuse(t, error, "it belongs to another user, or has changed its rights", "be that user, or root");
  if (s.tracer) return refuse(t, error, why, "end that debugger first");
  if (s.filtered)
    return refuse(t, error, "a seccomp filter may end it for what recording takes", "record it from its start, with `valtrace run`");
  if (s.shadow_stack) return refuse(t, error, "it has a shadow stack, which entries that are patched would break", "start it without");
  return 0;
}

/* is_kernels: a thread of the kernel has no memory of its own. */
static int is_kernels(vt_target_t const *t) {
  char path[64], target[8];
  snprintf(path, sizeof path, "/proc/%d/exe", t->pid);
  return readlink(path, target, sizeof target) < 0 && errno == ENOENT;
}

static int may_not(vt_target_t const *t, vt_error_t *error) {
  int scope = yama();
  if (scope == 3) return refuse(t, error, "this system lets nobody trace (kernel.yama.ptrace_scope is 3)", "record it from its start, with `valtrace run`");
  if (scope)
    return refuse(t, error, "this system lets only root trace it (kernel.yama.ptrace_scope)", "be root, or set it to 0");
  return refuse(t, error, "this user may not trace it", "be root, with CAP_SYS_PTRACE");
}

static int open_memory(vt_target_t *t, vt_error_t *error) {
  char path[64];
  if (is_kernels(t)) return refuse(t, error, "it is a thread of the kernel", "which allocates nothing");
  snprintf(path, sizeof path, "/proc/%d/mem", t->pid);
  t->mem = open(path, O_RDWR | O_CLOEXEC);
  return t->mem < 0 ? may_not(t, error) : 0;
}

/* ---- its C library ---- */

static int open_file(vt_target_t const *t, char const *path) {
  char name[PATH_MAX + 64];
  snprintf(name, sizeof name, "/proc/%d/%s%s", t->pid, path ? "root" : "exe", path ? path : "");
  return open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static int look_at_executable(vt_target_t const *t, vt_error_t *error) {
  Elf64_Ehdr eh = {0};
  int fd = open_file(t, NULL);
  ssize_t n = fd < 0 ? -1 : pread(fd, &eh, sizeof eh, 0);
  if (fd >= 0) close(fd);
  if (n != (ssize_t)sizeof eh || memcmp(eh.e_ident, ELFMAG, SELFMAG))
    return refuse(t, error, "its executable cannot be read", "be that user, or root");
#if defined(__x86_64__)
  if (eh.e_ident[EI_CLASS] == ELFCLASS64 && eh.e_machine == EM_X86_64) return 0;
#endif
  return refuse(t, error, "its code is not for a 64-bit x86 processor, which this is about", "record it from its start, with `valtrace run`");
}

static char const *base_name(char const *path) {
  char const *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static int begins(char const *path, char const *start) { return !strncmp(base_name(path), start, strlen(start)); }

static int is_libc(char const *path) { return begins(path, "libc.so.6") || begins(path, "libc-2."); }

/* auxv is an entry of what the kernel told the program at its start. */
static uint64_t auxv(vt_target_t const *t, uint64_t type) {
  char path[64];
  uint64_t pair[2] = {1, 0}, value = 0;
  snprintf(path, sizeof path, "/proc/%d/auxv", t->pid);
  FILE *file = fopen(path, "re");
  if (!file) return 0;
  while (!value && pair[0] && fread(pair, sizeof pair, 1, file) == 1)
    if (pair[0] == type) value = pair[1];
  fclose(file);
  return value;
}

/* debug_of is where the program's dynamic section says that the loader's list is. */
static uint64_t debug_of(vt_target_t const *t) {
  uint64_t phdr = auxv(t, AT_PHDR), cnt = auxv(t, AT_PHNUM), bias = 0, dynamic = 0;
  Elf64_Phdr ph;
  Elf64_Dyn d = {.d_tag = 1};
  for (uint64_t i = 0; i < cnt && !vt_target_read(t, phdr + i * sizeof ph, &ph, sizeof ph); i++) {
    if (ph.p_type == PT_PHDR) bias = phdr - ph.p_vaddr;
    if (ph.p_type == PT_DYNAMIC) dynamic = ph.p_vaddr;
  }
  for (uint64_t at = dynamic + bias; dynamic && d.d_tag && !vt_target_read(t, at, &d, sizeof d); at += sizeof d)
    if (d.d_tag == DT_DEBUG) return d.d_un.d_ptr;
  return 0;
}

/* listed_libc is where the dynamic section of the first list's C library is; 0: there is none. */
static uint64_t listed_libc(vt_target_t const *t) {
  struct r_debug debug;
  struct link_map map;
  char name[PATH_MAX];
  uint64_t at = debug_of(t);
  if (!at || vt_target_read(t, at, &debug, sizeof debug)) return 0;
  at = (uint64_t)debug.r_map;
  for (int i = 0; at && i < MAPS_MAX && !vt_target_read(t, at, &map, sizeof map); i++, at = (uint64_t)map.l_next) {
    ssize_t n = pread(t->mem, name, sizeof name - 1, (off_t)map.l_name);
    if (n <= 0) continue;
    name[n] = '\0';
    if (is_libc(name)) return (uint64_t)map.l_ld;
  }
  return 0;
}

/* is_starting: has the loader, if there is one, yet to map what the program needs, or is it about to map more? */
static int is_starting(vt_target_t const *t) {
  struct r_debug debug;
  if (!auxv(t, AT_BASE)) return 0;
  uint64_t at = debug_of(t);
  return !at || (!vt_target_read(t, at, &debug, sizeof debug) && debug.r_state != RT_CONSISTENT);
}

/* let_start waits for a process that has just been executed, in which nothing is at its place. */
static void let_start(vt_target_t const *t) {
  struct timespec step = {.tv_nsec = STARTING_STEP_NS};
  for (int i = 0; i < STARTING_STEPS && is_starting(t); i++) nanosleep(&step, NULL);
}

/* An ELF file's functions that are looked for. */
typedef struct {
  vt_target_t *t;
  uint64_t bias;
} looked_t;

static void take_symbol(void *context, char const *name, GElf_Sym const *symbol, int exported) {
  looked_t *l = context;
  struct {
    char const *name;
    uint64_t *where;
  } const wanted[] = {{"dlopen", &l->t->dlopen},
                      {"dlerror", &l->t->dlerror},
                      {"pthread_create", &l->t->pthread_create},
                      {"pthread_detach", &l->t->pthread_detach},
                      {"__errno_location", &l->t->errno_location}};
  for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
    if (exported && !strcmp(name, wanted[i].name)) *wanted[i].where = symbol->st_value + l->bias;
  if (exported && !strcmp(name, "dl_iterate_phdr")) {
    l->t->iterate = symbol->st_value + l->bias;
    l->t->iterate_end = l->t->iterate + symbol->st_size;
  }
}

/* look_in takes what a module of the C library has. */
static void look_in(vt_target_t *t, vt_space_part_t const *first) {
  vt_elf_code_t code;
  int fd = open_file(t, first->path);
  if (fd < 0) return;
  if (!vt_elf_code_open(&code, fd)) {
    looked_t l = {.t = t, .bias = first->start - (code.low & ~(uint64_t)4095)};
    vt_elf_code_symbols(&code, take_symbol, &l);
  }
  vt_elf_code_close(&code);
  close(fd);
}

static uint64_t find_bytes(vt_target_t const *t, uint64_t from, uint64_t to, char const *bytes, size_t sz) {
  uint8_t *code = malloc(to - from);
  uint64_t found = 0;
  if (code && !vt_target_read(t, from, code, to - from)) {
    uint8_t *p = memmem(code, to - from, bytes, sz);
    if (p) found = from + (uint64_t)(p - code);
  }
  free(code);
  return found;
}

/* take_module looks whether a module is one that is needed. */
static void take_module(vt_target_t *t, vt_space_part_t const *first, vt_space_part_t const *last, uint64_t dynamic) {
  uint64_t end = last->end;
  if (begins(first->path, "ld-linux")) {
    t->loader_start = first->start;
    t->loader_end = end;
  }
  if (begins(first->path, "libpthread") || begins(first->path, "libdl")) look_in(t, first); /* before glibc 2.34 */
  if (!is_libc(first->path) || dynamic - first->start >= end - first->start) return;
  t->libc_start = first->start;
  t->libc_end = end;
  look_in(t, first);
  for (vt_space_part_t const *p = first; p <= last; p++) {
    if (!p->executable) continue;
    if (!t->syscall) t->syscall = find_bytes(t, p->start, p->end, "\x0f\x05\xc3", 3);
    if (!t->sigreturn) t->sigreturn = find_bytes(t, p->start, p->end, "\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05", 9);
  }
}

static int find_libc(vt_target_t *t, vt_error_t *error) {
  uint64_t dynamic = listed_libc(t);
  vt_space_part_t const *first;
  int has_code, seen = 0, musl = 0;
  for (size_t i = 0; (first = vt_space_module(&t->space, &i, &has_code));) {
    seen |= is_libc(first->path) && has_code;
    musl |= begins(first->path, "ld-musl") || begins(first->path, "libc.musl");
    if (has_code) take_module(t, first, &t->space.parts[i - 1], dynamic);
  }
  if (musl) return refuse(t, error, "its C library is not glibc, which this is about", "record it from its start, with `valtrace run`");
  if (!seen && is_starting(t)) return refuse(t, error, "it is still being started", "try again");
  if (!seen) return refuse(t, error, "it is statically linked: the recorder cannot be loaded into it", "link it dynamically");
  if (t->libc_start && t->dlopen && t->errno_location && t->syscall && t->sigreturn && t->loader_start) return 0;
  if (t->libc_start && !t->dlopen)
    return refuse(t, error, "it has no dlopen: its glibc is older than 2.34, and it is not linked with libdl", "record it from its start, with `valtrace run`");
  return refuse(t, error, "its C library is not as it is known, or its file has been replaced", "start it again");
}

uint64_t vt_target_area(vt_target_t const *t) {
  char magic[VT_ATTACH_MAGIC_SZ];
  for (size_t i = 0; i < t->space.parts_cnt; i++) {
    vt_space_part_t const *p = &t->space.parts[i];
    if (p->executable && !p->path[0] && !vt_target_read(t, p->start, magic, sizeof magic) &&
        !memcmp(magic, VT_ATTACH_MAGIC, sizeof magic))
      return p->start;
  }
  return 0;
}

static char const *option_in(vt_attach_t *d, char const *name) {
  d->options[sizeof d->options - 1] = '\0';
  for (size_t at = 0; at < d->options_sz && at < sizeof d->options; at += strlen(d->options + at) + 1)
    if (!strncmp(d->options + at, name, strlen(name))) return d->options + at + strlen(name);
  return NULL;
}

int vt_target_told(pid_t pid, char const *name, char *out, size_t cap) {
  static vt_attach_t d;
  char path[64];
  char const *value = NULL;
  vt_target_t t = {.pid = pid};
  snprintf(path, sizeof path, "/proc/%d/mem", pid);
  t.mem = open(path, O_RDONLY | O_CLOEXEC);
  if (t.mem < 0) return -1;
  uint64_t area = vt_space_read(&t.space, pid) ? 0 : vt_target_area(&t);
  if (area && !vt_target_read(&t, area + VT_ATTACH_CODE_SZ, &d, sizeof d))
    value = option_in(&d, name);
  int failed = !value || snprintf(out, cap, "%s", value) >= (int)cap;
  vt_target_close(&t);
  return failed ? -1 : 0;
}

int vt_target_has_file(vt_target_t const *t, char const *name) {
  for (size_t i = 0; i < t->space.parts_cnt; i++)
    if (vt_kernel_is_file(t->space.parts[i].path, name)) return 1;
  return 0;
}

int vt_target_has_module(vt_target_t const *t, char const *name) {
  for (size_t i = 0; i < t->space.parts_cnt; i++)
    if (begins(t->space.parts[i].path, name)) return 1;
  return 0;
}

int vt_target_open(vt_target_t *t, pid_t pid, vt_error_t *error) {
  *t = (vt_target_t){.pid = pid, .mem = -1};
  snprintf(t->name, sizeof t->name, "%d", pid);
  if (pid == getpid()) return refuse(t, error, "it is this process itself", "give that of another one");
  if (look_at_status(t, error) || open_memory(t, error) || look_at_executable(t, error)) return -1;
  let_start(t);
  if (vt_space_read(&t->space, t->pid)) return may_not(t, error);
  if (find_libc(t, error)) return -1;
  t->area = vt_target_area(t);
  return 0;
}

void vt_target_close(vt_target_t *t) {
  if (t->mem >= 0) close(t->mem);
  vt_space_free(&t->space);
  t->mem = -1;
}
