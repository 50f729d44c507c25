/* Why a program was not recorded. */
#ifndef VT_ANALYZER_COLLECTOR_DIAGNOSE_H
#define VT_ANALYZER_COLLECTOR_DIAGNOSE_H

#include "analyzer/cli/error.h"

/* vt_diagnose fills *error with the reason why the dynamic linker did not load the shim into
   `program` (a name as execvp takes it). */
void vt_diagnose(char const *program, vt_error_t *error);

#endif
