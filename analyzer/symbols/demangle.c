/* Demangling by libiberty, which tells C++ from Rust (legacy and v0) by itself, and D when asked. */
#include <libiberty/demangle.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/symbols/elf_file.h"

/* Longer names are kept as they are: the demangled form can be exponentially longer still. */
#define MANGLED_MAX   16384
#define DEMANGLED_MAX 65536

uint32_t vt_demangle_intern(vt_strings_t *strings, char const *mangled) {
  size_t sz = strlen(mangled);
  if (mangled[0] != '_' || sz > MANGLED_MAX) return vt_strings_intern(strings, mangled, sz);
  char *name = cplus_demangle(mangled, DMGL_PARAMS | DMGL_ANSI | DMGL_AUTO);
  if (!name && mangled[1] == 'D') name = cplus_demangle(mangled, DMGL_DLANG);
  size_t name_sz = name ? strlen(name) : 0;
  int usable = name_sz && name_sz <= DEMANGLED_MAX;
  uint32_t index = vt_strings_intern(strings, usable ? name : mangled, usable ? name_sz : sz);
  free(name);
  return index;
}
