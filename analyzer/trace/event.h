/* One event as the reader hands it to the model: decoded, named by index, in time order. */
#ifndef VT_ANALYZER_TRACE_EVENT_H
#define VT_ANALYZER_TRACE_EVENT_H

#include <stdint.h>
#include "valtrace/trace_format.h"

typedef enum {
  VT_EVENT_ALLOC = 1,          /* address, size, align */
  VT_EVENT_FREE = 2,           /* address; size, align: what operator delete was told, 0: nothing */
  VT_EVENT_REALLOC_INTENT = 3, /* address = old block, size = size asked for */
  VT_EVENT_REALLOC_DONE = 4,   /* address = new block or 0, size; stack is the INTENT's */
  VT_EVENT_HEAP_ALLOC = 10,    /* heap, address = offset, size, align, tag */
  VT_EVENT_HEAP_FREE = 11,     /* heap, address = offset */
  VT_EVENT_HEAP_FREE_INTERIOR = 12
} vt_event_kind_t;

/* The operation on a heap that its creation and its deletion are: what was in it is gone. */
#define VT_HEAP_OP_GONE ((vt_heap_op_t)0x100)
/* The one that announcing a heap without parent is: it lies at its base, the tag. */
#define VT_HEAP_OP_BASE ((vt_heap_op_t)0x101)

typedef struct {
  uint64_t time; /* nanoseconds since recording began */
  uint64_t address;
  uint64_t size;
  uint64_t align; /* 0: default */
  uint64_t tag;
  uint32_t stack;  /* id in the trace's stack trie; 0: not recorded */
  uint32_t thread; /* index in the trace's table of threads */
  uint32_t heap;   /* 0: the process's own heap */
  uint8_t kind;    /* vt_event_kind_t */
  uint8_t api;     /* vt_api_t */
  uint8_t alone;   /* of a free in a sampled trace: its thread has allocated nothing since that block */
  uint8_t reserved;
} vt_event_t;

#endif
