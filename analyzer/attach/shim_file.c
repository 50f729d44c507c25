/* See shim_file.h. A file in memory (memfd) is in no folder, so that no path is resolved in the process, and
   sealed, so that the process cannot change what this user's other processes run. */
#include "analyzer/attach/shim_file.h"
#include "core/trace/attach.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NAME  "libvaltrace.so"
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* offset_of is where in the file an address is; 0: nowhere. */
static uint64_t offset_of(Elf *elf, uint64_t address) {
  size_t cnt = 0;
  GElf_Phdr ph;
  elf_getphdrnum(elf, &cnt);
  for (size_t i = 0; i < cnt; i++)
    if (gelf_getphdr(elf, (int)i, &ph) && ph.p_type == PT_LOAD && address - ph.p_vaddr < ph.p_filesz)
      return address - ph.p_vaddr + ph.p_offset;
  return 0;
}

static uint64_t find_in(Elf *elf, Elf_Scn *section) {
  GElf_Shdr sh;
  GElf_Sym symbol;
  Elf_Data *data = elf_getdata(section, NULL);
  if (!data || !gelf_getshdr(section, &sh)) return 0;
  for (int i = 0; gelf_getsym(data, i, &symbol); i++) {
    char const *name = elf_strptr(elf, sh.sh_link, symbol.st_name);
    if (name && !strcmp(name, VT_ATTACH_SYMBOL)) return offset_of(elf, symbol.st_value);
  }
  return 0;
}

static uint64_t find_symbol(int fd) {
  uint64_t found = 0;
  GElf_Shdr sh;
  elf_version(EV_CURRENT);
  Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
  for (Elf_Scn *s = NULL; elf && !found && (s = elf_nextscn(elf, s));)
    if (gelf_getshdr(s, &sh) && sh.sh_type == SHT_DYNSYM) found = find_in(elf, s);
  elf_end(elf);
  return found;
}

static int copy(int to, int from) {
  struct stat st;
  if (fstat(from, &st)) return -1;
  for (off_t at = 0; at < st.st_size;)
    if (sendfile(to, from, &at, (size_t)(st.st_size - at)) <= 0) return -1;
  return 0;
}

int vt_shim_file_make(vt_shim_file_t *shim, char const *path) {
  int from = open(path, O_RDONLY | O_CLOEXEC);
  if (from < 0) return -1;
  shim->fd = (int)syscall(SYS_memfd_create, NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  int failed = shim->fd < 0 || copy(shim->fd, from);
  close(from);
  if (!failed && (shim->symbol = find_symbol(shim->fd))) return 0;
  if (!failed) errno = ENOEXEC;
  if (shim->fd >= 0) close(shim->fd);
  return -1;
}

int vt_shim_file_seal(vt_shim_file_t const *shim, uint64_t data) {
  return pwrite(shim->fd, &data, sizeof data, (off_t)shim->symbol) == (ssize_t)sizeof data &&
                 !fcntl(shim->fd, F_ADD_SEALS, SEALS)
             ? 0
             : -1;
}
