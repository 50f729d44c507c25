/* Opening the right ELF file: the one at the recorded path when its build-id fits, else a debug
   file of that build-id. libdwfl finds the separate debug information of whichever is opened
   (build-id folders, .gnu_debuglink, dwz's alternate file). */
#include "analyzer/symbols/elf_file.h"
#include "analyzer/symbols/unzstd.h"
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *debug_path; /* of libdwfl; NULL: its own */
static char const *debug_folder;

static Dwfl_Callbacks const callbacks = {
    .find_elf = dwfl_build_id_find_elf,
    .find_debuginfo = dwfl_standard_find_debuginfo,
    .section_address = dwfl_offline_section_address,
    .debuginfo_path = &debug_path,
};

void vt_elf_file_search(char const *folder) {
  free(debug_path);
  debug_folder = folder;
  if (!folder || asprintf(&debug_path, ":%s:.debug:/usr/lib/debug", folder) < 0) debug_path = NULL;
}

static uint64_t unix_ns(struct timespec const *time) {
  return (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_nsec;
}

static int same_build_id(Dwfl_Module *module, uint8_t const *want, size_t want_sz) {
  unsigned char const *have;
  GElf_Addr where;
  int have_sz = dwfl_module_build_id(module, &have, &where);
  if (have_sz <= 0) return want_sz == 0;
  return want_sz == 0 || ((size_t)have_sz == want_sz && !memcmp(have, want, want_sz));
}

/* as_recorded tells whether a file without build-id is the one that was mapped, see
   vt_symbols_file_t. The time of change counts what no program can set: a file that was replaced,
   copied over or written has a later one. */
static int as_recorded(vt_symbols_file_t const *which, int fd) {
  struct stat st;
  if (which->build_id_sz) return 1;
  if (fstat(fd, &st)) return 0;
  if (which->device | which->inode | which->size | which->mtime_ns)
    return st.st_dev == which->device && st.st_ino == which->inode &&
           (uint64_t)st.st_size == which->size && unix_ns(&st.st_mtim) == which->mtime_ns;
  return !which->loaded_unix_ns || unix_ns(&st.st_ctim) <= which->loaded_unix_ns;
}

/* Opens one candidate; takes fd over. */
static vt_symbols_problem_t try_open(vt_elf_file_t *file, char const *path, int fd,
                                     vt_symbols_file_t const *which) {
  file->dwfl = as_recorded(which, fd) ? dwfl_begin(&callbacks) : NULL;
  if (!file->dwfl) {
    close(fd);
    return VT_SYMBOLS_OTHER_BUILD;
  }
  fd = vt_elf_unzstd(fd);
  dwfl_report_begin(file->dwfl);
  file->module = dwfl_report_elf(file->dwfl, path, path, fd, 0, true);
  if (!file->module) close(fd);
  dwfl_report_end(file->dwfl, NULL, NULL);
  vt_symbols_problem_t problem = !file->module ? VT_SYMBOLS_DAMAGED : VT_SYMBOLS_OTHER_BUILD;
  if (file->module && same_build_id(file->module, which->build_id, which->build_id_sz))
    return VT_SYMBOLS_FINE;
  dwfl_end(file->dwfl);
  file->dwfl = NULL;
  file->module = NULL;
  return problem;
}

static vt_symbols_problem_t try_path(vt_elf_file_t *file, char const *path,
                                     vt_symbols_file_t const *which) {
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : -1;
  return fd < 0 ? VT_SYMBOLS_ABSENT : try_open(file, path, fd, which);
}

/* open_debug_file opens the debug file of a build-id below a folder (NULL: there is none). */
static vt_symbols_problem_t open_debug_file(vt_elf_file_t *file, vt_symbols_file_t const *which,
                                            char const *folder) {
  char path[PATH_MAX];
  uint8_t const *id = which->build_id;
  if (!folder || which->build_id_sz < 2 || which->build_id_sz > 64) return VT_SYMBOLS_ABSENT;
  int used = snprintf(path, sizeof path - 160, "%s/.build-id/%02x/", folder, id[0]);
  if (used >= (int)sizeof path - 160) return VT_SYMBOLS_ABSENT;
  for (size_t i = 1; i < which->build_id_sz; i++) used += sprintf(path + used, "%02x", id[i]);
  strcpy(path + used, ".debug");
  return try_path(file, path, which);
}

/* take_packed opens the debug file that libdwfl found in the file's stead if only we can decompress it.
   Returns 1 then. */
static int take_packed(vt_elf_file_t *file, vt_symbols_file_t const *which) {
  char const *found = NULL;
  dwfl_module_info(file->module, NULL, NULL, NULL, NULL, NULL, NULL, &found);
  int fd = found ? open(found, O_RDONLY | O_CLOEXEC) : -1, unpacked = vt_elf_unzstd(fd);
  if (unpacked == fd) {
    if (fd >= 0) close(fd);
    return 0;
  }
  vt_symbols_file_t same = {.build_id = which->build_id, .build_id_sz = which->build_id_sz};
  vt_elf_file_t debug = {.strings = file->strings};
  if (try_open(&debug, which->path, unpacked, &same)) return 0;
  dwfl_end(file->dwfl);
  *file = debug;
  return 1;
}

vt_symbols_problem_t vt_elf_file_open(vt_elf_file_t *file, vt_symbols_file_t const *which,
                                      int want_dwarf, vt_strings_t *strings) {
  *file = (vt_elf_file_t){.strings = strings};
  vt_symbols_problem_t problem = try_path(file, which->debug_file, which);
  if (problem && which->fd >= 0)
    problem = try_open(file, which->path, dup(which->fd), which);
  else if (problem)
    problem = try_path(file, which->path, which);
  if (problem && open_debug_file(file, which, debug_folder) &&
      open_debug_file(file, which, "/usr/lib/debug"))
    return problem;
  if (want_dwarf) file->dwarf = vt_dwarf_new(file->module, strings);
  if (want_dwarf && !file->dwarf && take_packed(file, which))
    file->dwarf = vt_dwarf_new(file->module, strings);
  return VT_SYMBOLS_FINE;
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
