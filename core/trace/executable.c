/* See executable.h. A program names its loader in the segment PT_INTERP of its file (gABI, chapter
   5), a script its interpreter behind "#!". */
#include "core/trace/executable.h"
#include "core/trace/sys.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#define NAME_SZ     256
#define SCRIPTS_MAX 4 /* the kernel's limit, too */

static char const *base_name(char const *path) {
  char const *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static int begins(char const *text, char const *start) {
  return !strncmp(text, start, strlen(start));
}

int vt_executable_is_loader(char const *path) {
  char const *name = base_name(path);
  return begins(name, "ld-linux") || begins(name, "ld-lsb") || begins(name, "ld-2.") ||
         begins(name, "ld-musl-");
}

static int open_in(char const *folder, size_t sz, char const *file) {
  char path[1024];
  if (sz + strlen(file) + 2 > sizeof path) return -ENAMETOOLONG;
  memcpy(path, folder, sz);
  path[sz] = '/';
  strcpy(path + sz + (sz > 0), file);
  if (vt_sys(SYS_faccessat, AT_FDCWD, (long)path, 1 /* X_OK */, 0, 0, 0)) return -ENOENT;
  return vt_sys_open(path, O_RDONLY | O_CLOEXEC, 0);
}

int vt_executable_open(int dir, char const *file, char const *search) {
  if (!search || strchr(file, '/'))
    return (int)vt_sys(SYS_openat, dir, (long)file, O_RDONLY | O_CLOEXEC, 0, 0, 0);
  int fd = -ENOENT;
  for (char const *p = search; fd < 0; p++) {
    size_t sz = strcspn(p, ":");
    fd = open_in(p, sz, file);
    p += sz;
    if (!*p) break;
  }
  return fd;
}

/* loader_of copies the name of the loader that the ELF file asks for; 0: none. */
static int loader_of(int fd, Elf64_Ehdr const *eh, char name[NAME_SZ]) {
  for (unsigned i = 0; i < eh->e_phnum; i++) {
    Elf64_Phdr ph;
    long at = (long)(eh->e_phoff + i * sizeof ph);
    if (vt_sys_pread(fd, &ph, sizeof ph, at) != (long)sizeof ph) return 0;
    if (ph.p_type != PT_INTERP) continue;
    size_t sz = ph.p_filesz < NAME_SZ - 1 ? ph.p_filesz : NAME_SZ - 1;
    long got = vt_sys_pread(fd, name, sz, (long)ph.p_offset);
    name[got > 0 ? got : 0] = '\0';
    return got > 0;
  }
  return 0;
}

/* interpreter_of copies the interpreter of a script; 0: it is none. */
static int interpreter_of(int fd, char name[NAME_SZ]) {
  char line[NAME_SZ];
  long sz = vt_sys_pread(fd, line, sizeof line - 1, 0);
  line[sz > 0 ? sz : 0] = '\0';
  if (!begins(line, "#!")) return 0;
  char const *p = line + 2 + strspn(line + 2, " \t");
  size_t n = strcspn(p, " \t\r\n");
  memcpy(name, p, n);
  name[n] = '\0';
  return n > 0;
}

static int is_foreign(int fd, int scripts) {
  Elf64_Ehdr eh = {0};
  char name[NAME_SZ];
  if (vt_sys_pread(fd, &eh, sizeof eh, 0) <= 0) return 0;
  if (!memcmp(eh.e_ident, ELFMAG, SELFMAG))
    return eh.e_ident[EI_CLASS] == ELFCLASS64 && loader_of(fd, &eh, name) &&
           !vt_executable_is_loader(name);
  if (!scripts || !interpreter_of(fd, name)) return 0;
  int next = vt_executable_open(AT_FDCWD, name, NULL);
  if (next < 0) return 0;
  int foreign = is_foreign(next, scripts - 1);
  vt_sys_close(next);
  return foreign;
}

int vt_executable_foreign(int fd) { return is_foreign(fd, SCRIPTS_MAX); }
