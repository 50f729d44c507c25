/* Whose memory is whose: the mappings of a capture, divided among the allocator, the program's own
   mappings, stacks, modules, files, and what else there is.

   Told, in this order, by what the recorder said of itself; by annotated heaps; by blocks that libc's malloc gave
   a mapping of their own; by the mappings that the program or its allocator made by calls; by modules; and for
   the rest by what the kernel's list says and by what lies beside it: an arena of libc begins at a
   multiple of 64 MiB, a thread's stack has a guard below. */
#ifndef VT_ANALYZER_MEMORY_PLACES_H
#define VT_ANALYZER_MEMORY_PLACES_H

#include "analyzer/sampling/estimate.h"
#include "analyzer/trace/reader.h"

typedef enum {
  VT_PLACE_ALLOCATOR, /* memory of malloc */
  VT_PLACE_HEAP,      /* of heaps of the program's own: annotated ones, and what an interpreter mapped for blocks */
  VT_PLACE_MAPPED,    /* private memory that the program mapped */
  VT_PLACE_STACK,
  VT_PLACE_MODULE, /* code and data */
  VT_PLACE_FILE,   /* other mapped files */
  VT_PLACE_SHARED, /* shared memory */
  VT_PLACE_RUNTIME, /* what the C library and the loader mapped for themselves, or nobody is known to have */
  VT_PLACE_OWN,     /* the recorder's */
  VT_PLACES
} vt_place_t;

/* Whose block: malloc's; of a heap that the program told of; or of an interpreter's allocator, which lies in
   memory of malloc or in what the interpreter mapped. */
typedef enum { VT_HELD_MALLOC, VT_HELD_ANNOTATED, VT_HELD_INTERPRETER } vt_held_heap_t;

/* A live block, where the process has it. */
typedef struct {
  uint64_t start, size;
  uint32_t key;  /* the caller's */
  uint32_t heap; /* vt_held_heap_t */
  vt_share_t share; /* what it stands for, in a sampled trace */
} vt_held_block_t;

typedef struct {
  vt_trace_pages_t const *pages;
  vt_reader_t const *reader;      /* it is of this trace */
  vt_held_block_t const *blocks; /* live then, by address */
  size_t blocks_cnt;
} vt_places_from_t;

/* A part of a mapping. */
typedef struct {
  uint64_t start, end;
  vt_place_t place;
  uint32_t area;  /* index in pages->areas */
  size_t record;  /* which mapped it, in vt_reader_mappings; VT_NO_RECORD */
  int one_block;  /* a mapping that libc's malloc made for one block */
} vt_placed_t;
#define VT_NO_RECORD SIZE_MAX

typedef struct {
  vt_placed_t *parts; /* by address; together all mappings */
  size_t parts_cnt, parts_cap;
  int libc_malloc; /* malloc is the C library's */
  int several;     /* another allocator has blocks, too: one inside a module */
  int whole;       /* all live blocks are known, so that what lies between them is free */
} vt_places_t;

vt_places_t vt_places_find(vt_places_from_t const *from);
void vt_places_free(vt_places_t *places);

#endif
