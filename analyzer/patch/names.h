/* Functions that allocate, by their names: what each takes and gives back. */
#ifndef VT_ANALYZER_PATCH_NAMES_H
#define VT_ANALYZER_PATCH_NAMES_H

#include <stddef.h>
#include "core/trace/patch.h"

/* A function of an allocator. Functions of equal `family` work on the same blocks. */
typedef struct {
  vt_patch_kind_t kind;
  char family[24]; /* prefix of its C functions; "" without; "new": operator new and delete */
  int allocates;   /* the family's malloc, or as good as that */
  int frees;       /* its free */
} vt_patch_name_t;

/* vt_patch_name_find knows a function by its symbol. `given`: the user says that it allocates, so that
   any prefix will do. Returns 0, or -1: it is none. */
int vt_patch_name_find(char const *symbol, int given, vt_patch_name_t *out);

#endif
