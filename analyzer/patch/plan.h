/* The plan for one ELF file: which of its functions allocate out of preloading's reach, and how each
   entry is to be patched. A function of the file and of what the user says alone. */
#ifndef VT_ANALYZER_PATCH_PLAN_H
#define VT_ANALYZER_PATCH_PLAN_H

#include "analyzer/patch/copy.h"
#include "analyzer/patch/names.h"

/* What --allocator says: a function by its name, and where it is if no symbol tells. */
typedef struct {
  char name[VT_PATCH_NAME_SZ];
  int has_address;
  uint64_t address; /* in the file */
} vt_patch_given_t;

typedef struct {
  vt_patch_given_t *list;
  size_t cnt;
  uint64_t device, inode; /* the file whose addresses are meant */
} vt_patch_givens_t;

typedef struct {
  char name[VT_PATCH_NAME_SZ];
  vt_patch_name_t what;
  uint64_t entry;
  int exported;
  uint32_t apis; /* of all its names: bits 1 << vt_api_t */
  vt_displaced_t displaced;
  uint32_t sites_cnt; /* see vt_patch_function_t */
  uint64_t sites[VT_PATCH_SITES_MAX];
  char why[VT_PATCH_WHY_SZ]; /* not empty: it is not patched */
} vt_planned_t;

typedef struct {
  vt_planned_t *functions; /* in the order of their entries */
  size_t functions_cnt, functions_cap;
  uint64_t low, high; /* extent of the file's memory */
  int covered;        /* a whole allocator of C is patched: its malloc and free */
} vt_plan_t;

/* How a file is loaded. REACHED: preloaded functions come before its own, so that only those of its
   allocators count that are bound to themselves. FIRST: its own come first. LIBC: likewise, and it is the
   C library, whose own direct calls are no events. */
typedef enum { VT_PLAN_REACHED = 0, VT_PLAN_FIRST, VT_PLAN_LIBC } vt_plan_way_t;

/* vt_plan_make plans for the file behind fd. `here`: the addresses among the givens are this file's. A file that is no x86-64 ELF file, or has no such function, gives an empty
   plan. */
vt_plan_t vt_plan_make(int fd, vt_plan_way_t way, vt_patch_givens_t const *givens, int here);
void vt_plan_free(vt_plan_t *plan);

#endif
