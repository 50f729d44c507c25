/* The language of a function by its module, file and name. */
#include "analyzer/report/languages.h"
#include "tests/unit/tap.h"

static struct {
  char const *module, *function, *file, *language;
} const cases[] = {
    {"/usr/bin/app", "main", "/src/main.c", "C, C++"},
    {"/usr/bin/app", "main", "", "C, C++"},
    {"/usr/bin/app", "core::grow(int)", "", "C, C++"},
    {"/usr/bin/app", "std::vector<int>::push_back", "/usr/include/c++/12/bits/stl_vector.h", "C, C++"},
    {"/usr/bin/app", "operator new(unsigned long)", "", "C, C++"},
    {"/usr/bin/app", "app::run", "/src/main.rs", "Rust"},
    {"/usr/bin/app", "alloc::vec::Vec<T,A>::push", "", "Rust"},
    {"/usr/bin/app", "<app::Thing as core::fmt::Display>::fmt", "", "Rust"},
    {"/usr/bin/app", "main.main", "/src/main.go", "Go"},
    {"/usr/bin/app", "app.run", "/src/app.d", "D"},
    {"/usr/bin/app", "solve_", "/src/solve.f90", "Fortran"},
    {"Python", "main", "/src/app.py", "Python"},
    {"Python", "<module>", "", "Python"},
    {"[jit]", "LazyCompile:~main app.js:1", "", "generated code"},
    {"", "", "", "generated code"},
    {"", "[stack truncated]", "", "not known"},
    {"/usr/bin/app", "", "", "not known"},
};

int main(void) {
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    vt_stack_frame_t frame = {.module = cases[i].module, .function = cases[i].function, .file = cases[i].file};
    char name[200];
    snprintf(name, sizeof name, "%s of '%s', file '%s'", cases[i].function, cases[i].module, cases[i].file);
    is_str(vt_source_language_name(vt_source_language(&frame)), cases[i].language, name);
  }
  return done_testing();
}
