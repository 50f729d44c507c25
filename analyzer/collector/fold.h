/* Folding the older events of a trace that is still written into a summary (docs/trace-format.md, SUMMARY): a new file gets
   what gives events their meaning, the summary, and the younger chunks as they are. */
#ifndef VT_ANALYZER_COLLECTOR_FOLD_H
#define VT_ANALYZER_COLLECTOR_FOLD_H

#include <stdint.h>

/* Of the file `path`, events in chunks before `cut`, all of those before `tick` and no others, are folded, and chunks of
   [cut,end) are copied. */
typedef struct {
  char const *path;
  uint64_t cut, tick, end;
} vt_fold_t;

/* What came of it; in memory that is shared with who asked. */
typedef struct {
  int whole;       /* the new file is as it should be */
  uint64_t size;   /* its bytes */
  uint64_t chunks; /* that it has */
} vt_folded_t;

/* vt_fold_write makes the file `to`, replacing one. Takes memory in proportion to the live blocks and stacks. */
void vt_fold_write(vt_fold_t const *fold, char const *to, vt_folded_t *result);

#endif
