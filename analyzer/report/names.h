/* Names of functions, taken apart and made readable. What comes in is what demanglers print: C++
   with return types of templates and parameters, Rust, D, plain C. */
#ifndef VT_ANALYZER_REPORT_NAMES_H
#define VT_ANALYZER_REPORT_NAMES_H

#include <stddef.h>

/* The name proper in a demangled one: `std::vector<long>::_M_realloc_insert<long>` of
   `void std::vector<long>::_M_realloc_insert<long>(…) [clone .cold]`. */
typedef struct {
  char const *start, *end;
  int parameters; /* a list of them follows: it is no C and no Rust */
} vt_name_t;
vt_name_t vt_name_parse(char const *name);

/* Its last part without template arguments, of *sz bytes: `_M_realloc_insert`. */
char const *vt_name_base(char const *name, size_t *sz);

/* The name for people, in buffer: `std::string`, no default template arguments, no `[abi:…]`, no
   return types, no hashes of Rust; longer lists of arguments have their middle left out. Cut where
   the buffer is full. Returns buffer. */
char *vt_name_short(char const *name, char *buffer, size_t sz);

#endif
