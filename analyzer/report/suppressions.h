/* Suppressions in LeakSanitizer's syntax: lines `leak:PATTERN`, `#` comments. A pattern matches
   when it is found anywhere in a frame's function, file or module; `*` stands for any text, `^` at
   the start and `$` at the end anchor it. They take sites out of the leaks and say what they took.
 */
#ifndef VT_ANALYZER_REPORT_SUPPRESSIONS_H
#define VT_ANALYZER_REPORT_SUPPRESSIONS_H

#include "analyzer/report/analysis.h"

typedef struct {
  char *pattern;
  uint64_t sites, blocks, bytes; /* that matched */
} vt_suppression_t;

typedef struct {
  vt_suppression_t *items;
  size_t items_cnt, items_cap;
} vt_suppressions_t;

/* Reads a file. Returns 0, or -1 with *error filled (cannot be read, a line of another kind). */
int vt_suppressions_load(vt_suppressions_t *suppressions, char const *path, vt_error_t *error);
void vt_suppressions_free(vt_suppressions_t *suppressions);

/* Takes matching sites out of what leaked, in sites and in the model's numbers, and counts them in
   the suppressions. At most once per analysis. */
void vt_suppressions_apply(vt_suppressions_t *suppressions, vt_analysis_t *analysis);

/* Does a pattern match the text by LeakSanitizer's rules? */
int vt_suppression_matches(char const *pattern, char const *text);

#endif
