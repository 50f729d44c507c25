/* Which events are of an interpreter's blocks, that reports show as a heap of their own. An allocation says so by its api. A
   free has the same api where a patched function with several names was called, so that with such functions only the
   block tells: then the addresses of the interpreter's live blocks are kept. */
#ifndef VT_ANALYZER_CLI_INTERPRETED_H
#define VT_ANALYZER_CLI_INTERPRETED_H

#include "analyzer/model/blocks.h"
#include "analyzer/trace/reader.h"

typedef struct {
  int any;  /* there are such blocks */
  int told; /* frees say it, too */
  vt_blocks_t live;
} vt_interpreted_t;

vt_interpreted_t vt_interpreted_begin(vt_reader_t const *reader);

/* vt_interpreted_has: is the event of such a block? Asked of every event, in order; old: the block that a realloc resizes. */
int vt_interpreted_has(vt_interpreted_t *i, vt_event_t const *event, uint64_t old);

void vt_interpreted_end(vt_interpreted_t *i);

#endif
