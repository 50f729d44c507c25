/* The language that a function was written in, as far as its name, source file and module tell. */
#ifndef VT_ANALYZER_REPORT_LANGUAGES_H
#define VT_ANALYZER_REPORT_LANGUAGES_H

#include "analyzer/report/stacks.h"

typedef enum {
  VT_SOURCE_UNKNOWN, /* code without a name, marks in place of frames */
  VT_SOURCE_C,       /* C and C++, and whatever else has the names of C */
  VT_SOURCE_PYTHON,
  VT_SOURCE_RUST,
  VT_SOURCE_GO,
  VT_SOURCE_D,
  VT_SOURCE_FORTRAN,
  VT_SOURCE_JIT, /* generated while the program ran: run-times rarely say from what */
  VT_SOURCE_LANGUAGES
} vt_source_language_t;

vt_source_language_t vt_source_language(vt_stack_frame_t const *frame);
char const *vt_source_language_name(vt_source_language_t language);

#endif
