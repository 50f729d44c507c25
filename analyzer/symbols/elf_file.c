/* Opening the right ELF file: the one at the recorded path when its build-id fits, else a debug
   file of that build-id. libdwfl finds the separate debug information of whichever is opened
   (build-id folders, .gnu_debuglink, dwz's alternate file). */
#include "analyzer/symbols/elf_file.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static Dwfl_Callbacks const callbacks = {
    .find_elf = dwfl_build_id_find_elf,
    .find_debuginfo = dwfl_standard_find_debuginfo,
    .section_address = dwfl_offline_section_address,
};

static int same_build_id(Dwfl_Module *module, uint8_t const *want, size_t want_sz) {
  unsigned char const *have;
  GElf_Addr where;
  int have_sz = dwfl_module_build_id(module, &have, &where);
  if (have_sz <= 0) return want_sz == 0;
  return want_sz == 0 || ((size_t)have_sz == want_sz && !memcmp(have, want, want_sz));
}

/* Opens one candidate; takes fd over. */
static int try_open(vt_elf_file_t *file, char const *path, int fd, uint8_t const *build_id,
                    size_t build_id_sz) {
  file->dwfl = dwfl_begin(&callbacks);
  if (!file->dwfl) {
    close(fd);
    return -1;
  }
  dwfl_report_begin(file->dwfl);
  file->module = dwfl_report_elf(file->dwfl, path, path, fd, 0, true);
  if (!file->module) close(fd);
  dwfl_report_end(file->dwfl, NULL, NULL);
  if (file->module && same_build_id(file->module, build_id, build_id_sz)) return 0;
  dwfl_end(file->dwfl);
  file->dwfl = NULL;
  file->module = NULL;
  return -1;
}

static int open_debug_file(vt_elf_file_t *file, uint8_t const *build_id, size_t build_id_sz) {
  char path[64 + 2 * 64];
  if (build_id_sz < 2 || build_id_sz > 64) return -1;
  int used = snprintf(path, sizeof path, "/usr/lib/debug/.build-id/%02x/", build_id[0]);
  for (size_t i = 1; i < build_id_sz; i++) used += snprintf(path + used, 3, "%02x", build_id[i]);
  snprintf(path + used, sizeof path - (size_t)used, ".debug");
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  return fd < 0 ? -1 : try_open(file, path, fd, build_id, build_id_sz);
}

int vt_elf_file_open(vt_elf_file_t *file, char const *path, int fd, uint8_t const *build_id,
                     size_t build_id_sz, int want_dwarf, vt_strings_t *strings) {
  *file = (vt_elf_file_t){.strings = strings};
  int own = fd >= 0 ? dup(fd) : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  int found = own >= 0 && !try_open(file, path, own, build_id, build_id_sz);
  if (!found && open_debug_file(file, build_id, build_id_sz)) return -1;
  if (want_dwarf) file->dwarf = vt_dwarf_new(file->module, strings);
  return 0;
}

void vt_elf_file_close(vt_elf_file_t *file) {
  vt_dwarf_delete(file->dwarf);
  vt_symtab_delete(file->symtab);
  if (file->dwfl) dwfl_end(file->dwfl);
  *file = (vt_elf_file_t){0};
}

size_t vt_elf_file_lookup(vt_elf_file_t *file, uint64_t offset, vt_frame_t *frames) {
  int qualified = 0;
  size_t cnt = file->dwarf ? vt_dwarf_lookup(file->dwarf, offset, frames, &qualified) : 0;
  if (cnt && frames[cnt - 1].function && qualified) return cnt;
  if (!file->symtab) file->symtab = vt_symtab_new(file->module);
  char const *name = vt_symtab_lookup(file->symtab, offset);
  if (!name) return cnt;
  int known = cnt && frames[cnt - 1].function;
  if (known && strncmp(name, "_Z", 2) && strncmp(name, "_R", 2)) return cnt;
  if (!cnt) frames[cnt++] = (vt_frame_t){0};
  frames[cnt - 1].function = vt_demangle_intern(file->strings, name);
  return cnt;
}
