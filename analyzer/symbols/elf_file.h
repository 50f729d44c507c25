/* One ELF file as the symbolizer's workers see it: opened by path or descriptor, checked against a
   build-id, with its separate debug file, its functions from DWARF and its symbol tables.

   Everything here may crash or hang on a hostile file (libdw and libelf are not proof against it)
   and is only called in worker processes; see symbols.h. */
#ifndef VT_ANALYZER_SYMBOLS_ELF_FILE_H
#define VT_ANALYZER_SYMBOLS_ELF_FILE_H

#include <elfutils/libdwfl.h>
#include <stddef.h>
#include <stdint.h>
#include "analyzer/symbols/symbols.h"

/* More frames at one address are cut, outermost first to go. */
#define VT_ELF_FRAMES_MAX 256

typedef struct {
  Dwfl *dwfl;
  Dwfl_Module *module;
  struct vt_dwarf *dwarf;   /* NULL: no DWARF, or not wanted */
  struct vt_symtab *symtab; /* made on first use */
  vt_strings_t *strings;
} vt_elf_file_t;

/* Opens the file that `which` says (its descriptor stays the caller's), or a debug file of its build-id.
   Strings of frames go to `strings`. Returns VT_SYMBOLS_FINE, or why there is none. */
vt_symbols_problem_t vt_elf_file_open(vt_elf_file_t *file, vt_symbols_file_t const *which,
                                      int want_dwarf, vt_strings_t *strings);
/* Debug files are also looked for in `folder`, laid out like /usr/lib/debug (NULL: none). For the whole
   process; the string stays the caller's. */
void vt_elf_file_search(char const *folder);
void vt_elf_file_close(vt_elf_file_t *file);

/* Frames at an offset (symbols.h), at most VT_ELF_FRAMES_MAX; 0 when nothing is known. */
size_t vt_elf_file_lookup(vt_elf_file_t *file, uint64_t offset, vt_frame_t *frames);

/* DWARF side. NULL when the module has none. */
struct vt_dwarf *vt_dwarf_new(Dwfl_Module *module, vt_strings_t *strings);
void vt_dwarf_delete(struct vt_dwarf *dwarf);
/* From here on frames refer to `strings`. */
void vt_dwarf_set_strings(struct vt_dwarf *dwarf, vt_strings_t *strings);
/* Frames at an offset; when only the line is known, 1 frame without function. *qualified tells
   whether the outermost function's name has its namespaces (C++ statics come without). */
size_t vt_dwarf_lookup(struct vt_dwarf *dwarf, uint64_t offset, vt_frame_t *frames, int *qualified);

/* The string of a file whose lack cost inlined functions since vt_dwarf_set_strings; 0: none. */
uint32_t vt_dwarf_missing(struct vt_dwarf const *dwarf);

/* Symbol table side: .symtab of the file or its debug file, .dynsym, .gnu_debugdata. */
struct vt_symtab *vt_symtab_new(Dwfl_Module *module);
void vt_symtab_delete(struct vt_symtab *symtab);
/* Mangled name of the function that contains offset, or NULL. */
char const *vt_symtab_lookup(struct vt_symtab const *symtab, uint64_t offset);

/* Index of the demangled form of a C++ or Rust name, of the name itself when it is neither. */
uint32_t vt_demangle_intern(vt_strings_t *strings, char const *mangled);

#endif
