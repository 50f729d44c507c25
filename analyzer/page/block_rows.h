/* What blocks.c collects and blocks_write.c writes: rows of blocks that are alike. */
#ifndef VT_ANALYZER_PAGE_BLOCK_ROWS_H
#define VT_ANALYZER_PAGE_BLOCK_ROWS_H

#include "analyzer/page/blocks.h"
#include "analyzer/util/keyed.h"

/* Blocks of one stack, thread and size class. */
typedef struct {
  uint32_t cell, thread, class;
} kind_key_t;

typedef struct {
  kind_key_t key;
  uint32_t last;       /* the newest of its rows of allocations, + 1; 0: it has none */
  uint64_t live_blocks, live_bytes, peak_blocks, peak_bytes;
} kind_t;

typedef struct {
  uint32_t kind, stretch;
  uint64_t blocks, bytes;
} alloc_t;

/* Blocks of a kind and a stretch of which a snapshot at the end has told what became. */
typedef struct {
  uint32_t kind, stretch, fate; /* fate: vt_leak_kind_t */
} judged_key_t;

typedef struct {
  judged_key_t key;
  uint64_t blocks, bytes;
} judged_t;

/* What rows of frees are told apart by. */
typedef struct {
  uint32_t kind, freer;
  uint16_t born, stretch;
  uint32_t life;
} free_key_t;

typedef struct {
  free_key_t key;
  uint64_t blocks, bytes, temporary, temporary_bytes;
} free_t;

struct vt_page_blocks {
  vt_analysis_t const *analysis;
  vt_page_moments_t moments;
  size_t stretches;
  uint64_t borders[VT_PAGE_STRETCHES_MAX + 1];
  size_t now; /* the stretch found last */
  vt_keyed_t kinds, frees, judged; /* of kind_t, free_t, judged_t */
  alloc_t *allocs;
  size_t allocs_cnt, allocs_cap;
  uint64_t live_bytes, peak_bytes; /* peak_bytes: as the analysis found it; 0 when it is over */
};

static inline kind_t *vt_page_kind(vt_page_blocks_t const *b, size_t number) { return (kind_t *)b->kinds.rows + number; }

/* By old stretch: the one of n that contains it. Fewer moments are some of those there were. */
void vt_page_map_stretches(vt_page_blocks_t const *b, size_t n, uint64_t const *borders, uint16_t *map);

#endif
