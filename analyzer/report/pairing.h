/* Which module of one trace is which of another: builds differ in folders, versions and file names.
 */
#ifndef VT_ANALYZER_REPORT_PAIRING_H
#define VT_ANALYZER_REPORT_PAIRING_H

#include "analyzer/report/analysis.h"

typedef struct {
  char const *before, *after; /* paths; owned by the analyses */
} vt_module_pair_t;

typedef struct {
  vt_module_pair_t *pairs; /* only those of different file names */
  size_t pairs_cnt, pairs_cap;
} vt_pairing_t;

/* Pairs what is left after equal file names: the same names but for versions (libfoo.so.1.2 and
   libfoo.so.1.3), then the two executables. */
vt_pairing_t vt_pairing_make(vt_analysis_t const *before, vt_analysis_t const *after);
void vt_pairing_free(vt_pairing_t *pairing);

/* What a module is called in both: the file name of the first one; paths of the second are looked
 * up. */
char const *vt_pairing_name(vt_pairing_t const *pairing, char const *path);

#endif
