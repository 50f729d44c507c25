/* What a function is to the user who asks where memory goes: his own code, an allocator, a wrapper
   of one, or the inside of a run-time library. Told by the demangled name's scope and language
   together with the module it lies in: a C++ namespace `core` is the user's, Rust's crate `core` is
   not; a name that merely begins like a known one means nothing. docs/analyzer.md has the rules for
   users. */
#ifndef VT_ANALYZER_REPORT_ROLES_H
#define VT_ANALYZER_REPORT_ROLES_H

#include <stdint.h>

typedef enum {
  VT_ROLE_ALLOCATOR = 1,   /* malloc, operator new, the standard libraries' allocators */
  VT_ROLE_WRAPPER = 2,     /* hands on to one: xmalloc, strdup, CRYPTO_strndup */
  VT_ROLE_LIBRARY = 4,     /* of a run-time library: libc, libstdc++, Rust's std, Go's runtime */
  VT_ROLE_INTERPRETER = 8, /* an interpreter's loop: folded in stacks, but a site like any other */
  VT_ROLE_START = 16       /* what runs before main or a thread's function */
} vt_role_t;

/* What a name says by itself, a set to be given to vt_role_of. Costs a look through the tables:
   keep it by name. */
uint32_t vt_role_name_class(char const *function);
/* The same of a module's path, and of that of a source file: headers of the C++ library and sources
   of Rust's are told by where they lie (names of inlined functions often lack their scope). */
uint32_t vt_role_module_class(char const *path);
uint32_t vt_role_file_class(char const *path);

/* The roles (vt_role_t) of a function in a module, by their classes; file 0: not known. */
unsigned vt_role_of(uint32_t name, uint32_t module, uint32_t file);

#endif
