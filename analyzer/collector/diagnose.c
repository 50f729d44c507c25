/* See diagnose.h. Looks at the file as the kernel and the dynamic linker would: script or ELF, class,
   interpreter, set-user-ID. */
#include "analyzer/collector/diagnose.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define HEAD_SZ 4096
#define SCRIPTS_MAX 4

/* find_program is the path execvp would execute; -1: none. */
static int find_program(char const *name, char *out, size_t cap) {
  char const *path = getenv("PATH");
  if (strchr(name, '/') || !path) {
    snprintf(out, cap, "%s", name);
    return access(out, X_OK);
  }
  for (; *path; path += strcspn(path, ":"), path += *path == ':') {
    snprintf(out, cap, "%.*s/%s", (int)strcspn(path, ":"), path, name);
    if (access(out, X_OK) == 0) return 0;
  }
  return -1;
}

/* has_section tells whether an ELF64 file has a section of this name: Go marks its programs so. */
static int has_section(int fd, Elf64_Ehdr const *e, char const *name) {
  Elf64_Shdr s, names;
  char text[64];
  off_t at = (off_t)e->e_shoff + (off_t)e->e_shstrndx * (off_t)sizeof s;
  if (e->e_shentsize != sizeof s || pread(fd, &names, sizeof names, at) != sizeof names) return 0;
  for (unsigned i = 0; i < e->e_shnum; i++) {
    if (pread(fd, &s, sizeof s, (off_t)e->e_shoff + (off_t)i * (off_t)sizeof s) != sizeof s)
      return 0;
    ssize_t n = pread(fd, text, sizeof text - 1, (off_t)(names.sh_offset + s.sh_name));
    if (n <= 0) return 0;
    text[n] = '\0';
    if (!strcmp(text, name)) return 1;
  }
  return 0;
}

static int has_interpreter(uint8_t const *head, size_t sz, Elf64_Ehdr const *e) {
  for (unsigned i = 0; i < e->e_phnum; i++) {
    Elf64_Phdr p;
    size_t at = e->e_phoff + i * sizeof p;
    if (at > sz || sz - at < sizeof p) break;
    memcpy(&p, head + at, sizeof p);
    if (p.p_type == PT_INTERP) return 1;
  }
  return 0;
}

/* elf_reason is why an ELF file cannot be preloaded; NULL: it can. */
static char const *elf_reason(int fd, uint8_t const *head, size_t sz) {
  Elf64_Ehdr e;
  struct stat st;
  if (sz < sizeof e || memcmp(head, ELFMAG, SELFMAG)) return "it is not an ELF program";
  if (head[EI_CLASS] != ELFCLASS64) return "it is a 32-bit program";
  memcpy(&e, head, sizeof e);
  if (!has_interpreter(head, sz, &e))
    return has_section(fd, &e, ".go.buildinfo")
               ? "it is a pure Go program, which has no dynamic linker to preload"
               : "it is statically linked, so there is no dynamic linker to preload";
  if (fstat(fd, &st) == 0 && geteuid() != 0 && st.st_mode & (S_ISUID | S_ISGID))
    return "it is setuid or setgid, so the dynamic linker ignores LD_PRELOAD";
  if (fgetxattr(fd, "security.capability", NULL, 0) > 0 && geteuid() != 0)
    return "it has file capabilities, so the dynamic linker ignores LD_PRELOAD";
  return NULL;
}

/* interpreter_of replaces path by the interpreter a script names; 0 when it is no script. */
static int interpreter_of(uint8_t const *head, size_t sz, char *path, size_t cap) {
  if (sz < 3 || head[0] != '#' || head[1] != '!') return 0;
  char const *p = (char const *)head + 2;
  p += strspn(p, " \t");
  snprintf(path, cap, "%.*s", (int)strcspn(p, " \t\n"), p);
  return 1;
}

void vt_diagnose(char const *program, vt_error_t *error) {
  char path[PATH_MAX];
  char const *why = NULL;
  if (find_program(program, path, sizeof path)) snprintf(path, sizeof path, "%s", program);
  for (int i = 0; i < SCRIPTS_MAX && !why; i++) {
    uint8_t head[HEAD_SZ + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : pread(fd, head, HEAD_SZ, 0);
    size_t sz = n > 0 ? (size_t)n : 0;
    head[sz] = '\0';
    int script = interpreter_of(head, sz, path, sizeof path);
    if (!script) why = fd < 0 ? "its file cannot be read" : elf_reason(fd, head, sz);
    if (fd >= 0) close(fd);
    if (!script) break;
  }
  vt_error_setf(error, program, "nothing of it was recorded", "%s",
                why ? why : "it did not load libvaltrace.so, or ended before it could attach");
}
