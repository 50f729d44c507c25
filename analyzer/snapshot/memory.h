/* The memory of a process as the scanner sees it: something that can be read, that says which pages
   are worth reading, and that is made of mappings. A frozen process (process.h) is one, a unit
   test's arrays are another. */
#ifndef VT_ANALYZER_SNAPSHOT_MEMORY_H
#define VT_ANALYZER_SNAPSHOT_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#define VT_PAGE ((uint64_t)4096)

typedef struct {
  /* Copies [address,+sz) to buffer. Returns 0, or -1 when not all of it can be read. */
  int (*read)(void *context, uint64_t address, void *buffer, size_t sz);
  /* The first run of pages in [*start,*end) that may hold other than zeros: sets *start and *end to
     it (not beyond what was given) and returns 1, or 0 when there is none. Pages of private file
     mappings that are as in the file are left out. */
  int (*next_run)(void *context, uint64_t *start, uint64_t *end);
  void *context;
} vt_memory_t;

typedef enum {
  VT_AREA_PRIVATE = 1, /* else shared */
  VT_AREA_EXECUTABLE = 2,
  VT_AREA_WRITABLE = 4,
  VT_AREA_FILE = 8, /* of a file, or of shared memory with a name */
} vt_area_flags_t;

/* One mapping, as the kernel lists it. */
typedef struct {
  uint64_t start, end;
  uint32_t flags;   /* vt_area_flags_t */
  char const *path; /* "": anonymous; may be one of the kernel's names, such as "[heap]" */
} vt_area_t;

typedef struct {
  vt_area_t *areas; /* by address */
  size_t areas_cnt, areas_cap;
} vt_areas_t;

/* vt_areas_from is the first mapping that ends behind an address, or NULL. */
vt_area_t const *vt_areas_from(vt_areas_t const *areas, uint64_t address);

/* vt_areas_find is the mapping at an address, or NULL. */
vt_area_t const *vt_areas_find(vt_areas_t const *areas, uint64_t address);

#endif
