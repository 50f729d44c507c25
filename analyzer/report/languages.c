/* See languages.h. */
#include "analyzer/report/languages.h"
#include <string.h>
#include "analyzer/report/names.h"
#include "analyzer/report/virtual_code.h"

static vt_source_language_t of_file(char const *file) {
  static struct {
    char const *ending;
    vt_source_language_t language;
  } const endings[] = {{".rs", VT_SOURCE_RUST},     {".go", VT_SOURCE_GO},       {".d", VT_SOURCE_D},
                       {".f", VT_SOURCE_FORTRAN},   {".F", VT_SOURCE_FORTRAN},   {".for", VT_SOURCE_FORTRAN},
                       {".f90", VT_SOURCE_FORTRAN}, {".F90", VT_SOURCE_FORTRAN}, {".f95", VT_SOURCE_FORTRAN}};
  char const *dot = strrchr(file, '.');
  for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++)
    if (!strcmp(dot, endings[i].ending)) return endings[i].language;
  return VT_SOURCE_C;
}

/* Demangled names of C++ functions have their parameters, those of Rust's have none. */
static vt_source_language_t of_name(char const *function) {
  vt_name_t name = vt_name_parse(function);
  return !name.parameters && (strstr(name.start, "::") || *name.start == '<') ? VT_SOURCE_RUST : VT_SOURCE_C;
}

vt_source_language_t vt_source_language(vt_stack_frame_t const *frame) {
  char const *python = vt_virtual_language(vt_virtual_address(VT_LANGUAGE_PYTHON, 0, 0));
  if (!strcmp(frame->module, python)) return VT_SOURCE_PYTHON;
  if (!strcmp(frame->module, VT_STACKS_JIT)) return VT_SOURCE_JIT;
  if (!frame->module[0]) return frame->function[0] ? VT_SOURCE_UNKNOWN : VT_SOURCE_JIT; /* a mark has a name */
  if (frame->file[0]) return of_file(frame->file);
  return frame->function[0] ? of_name(frame->function) : VT_SOURCE_UNKNOWN;
}

char const *vt_source_language_name(vt_source_language_t language) {
  static char const *const names[VT_SOURCE_LANGUAGES] = {"not known", "C, C++", "Python",  "Rust",
                                                       "Go",        "D",      "Fortran", "generated code"};
  return names[language];
}
