/* Suppressions in LeakSanitizer's syntax: lines `leak:PATTERN`, `#` comments. A pattern matches
   when it is found anywhere in a frame's function, file or module; `*` stands for any text, `^` at
   the start and `$` at the end anchor it. They take sites out of the leaks and say what they took.

   One line more is understood, since a library's own blocks are often told by where they are
   allocated and not by whoever is on the stack: `first:PATTERN<PATTERN…`. The innermost frames
   (allocators left out) have to match the patterns in order, one or several frames each. */
#ifndef VT_ANALYZER_REPORT_SUPPRESSIONS_H
#define VT_ANALYZER_REPORT_SUPPRESSIONS_H

#include "analyzer/report/analysis.h"

typedef struct {
  char *pattern;
  int first; /* a line `first:`; its pattern has '<' in it */
  int known; /* from the list of what run-time libraries keep, not the user's own */
  uint64_t sites, blocks, bytes; /* that matched */
} vt_suppression_t;

typedef struct {
  vt_suppression_t *items;
  size_t items_cnt, items_cap;
} vt_suppressions_t;

/* Adds the lines of a file, marked as known or not. Returns 0, or -1 with *error filled (cannot be
   read, a line of another kind). */
int vt_suppressions_load(vt_suppressions_t *suppressions, char const *path, int known,
                         vt_error_t *error);
void vt_suppressions_free(vt_suppressions_t *suppressions);

/* Takes matching sites out of what leaked, in sites and in the model's numbers, and counts them in
   the suppressions. At most once per analysis. */
void vt_suppressions_apply(vt_suppressions_t *suppressions, vt_analysis_t *analysis);

/* What was taken by the known ones, or by the user's own: one sum of sites, blocks and bytes. */
vt_suppression_t vt_suppressions_sum(vt_suppressions_t const *suppressions, int known);

/* Which sites that have live blocks match a suppression: by site, 1 or 0; nothing is taken out or
   counted. The caller frees it. */
uint8_t *vt_suppressions_match(vt_suppressions_t *suppressions, vt_analysis_t const *analysis);

/* By site, whether or not it has live blocks: does a suppression match it? The caller frees it. */
uint8_t *vt_suppressions_cover(vt_suppressions_t *suppressions, vt_analysis_t const *analysis);

/* Does a pattern match the text by LeakSanitizer's rules? */
int vt_suppression_matches(char const *pattern, char const *text);

#endif
