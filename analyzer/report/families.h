/* Families of allocation functions: what one allocates, only its own free functions may free. */
#ifndef VT_ANALYZER_REPORT_FAMILIES_H
#define VT_ANALYZER_REPORT_FAMILIES_H

#include "valtrace/trace_format.h"

typedef enum { VT_FAMILY_MALLOC, VT_FAMILY_NEW, VT_FAMILY_NEW_ARRAY, VT_FAMILY_OTHER } vt_family_t;

/* The family of a function that allocates or frees (vt_api_t). */
static inline vt_family_t vt_family_of(unsigned api) {
  switch (api) {
  case VT_API_NEW:
  case VT_API_DELETE: return VT_FAMILY_NEW;
  case VT_API_NEW_ARRAY:
  case VT_API_DELETE_ARRAY: return VT_FAMILY_NEW_ARRAY;
  case VT_API_OTHER: return VT_FAMILY_OTHER;
  default: return VT_FAMILY_MALLOC;
  }
}

/* Is it wrong that `freeing` frees what `allocating` allocated? Nothing is said of others. */
static inline int vt_families_differ(unsigned allocating, unsigned freeing) {
  vt_family_t a = vt_family_of(allocating), b = vt_family_of(freeing);
  return a != b && a != VT_FAMILY_OTHER && b != VT_FAMILY_OTHER;
}

/* What such a function is called. */
static inline char const *vt_api_name(unsigned api) {
  static char const *const names[16] = {
      "malloc",   "calloc",       "realloc",    "posix_memalign", "aligned_alloc", "memalign",
      "valloc",   "pvalloc",      "new",        "new[]",          "free",          "delete",
      "delete[]", "reallocarray", "free_sized", "other"};
  return names[api & 15];
}

#endif
