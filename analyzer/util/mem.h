/* Memory and growing arrays for the analyzer. A report that runs out of memory has nothing useful
   left to do, so these functions never return NULL: they print one line and end the process with
   status 4. That keeps every caller free of paths nobody could test. */
#ifndef VT_ANALYZER_UTIL_MEM_H
#define VT_ANALYZER_UTIL_MEM_H

#include <stddef.h>
#include <stdint.h>

/* Zeroed memory for cnt elements of sz bytes; the caller frees it with free(). */
void *vt_mem_new(size_t cnt, size_t sz);

/* realloc() to cnt elements of sz bytes; new bytes are not initialised. */
void *vt_mem_resize(void *p, size_t cnt, size_t sz);

/* Zeroed memory for a table that is touched at random: it begins a cache line, and a big one lies
   on huge pages where the system has them. The caller frees it with vt_mem_table_free. */
void *vt_mem_table(size_t cnt, size_t sz);
/* The table with room for new_cnt > cnt elements, the new ones zeroed; table may be NULL with cnt 0. */
void *vt_mem_table_grow(void *table, size_t cnt, size_t new_cnt, size_t sz);
void vt_mem_table_free(void *table, size_t cnt, size_t sz);

/* A copy of sz bytes followed by a zero byte. */
char *vt_mem_copy(void const *p, size_t sz);

/* Makes room for one more element in an array of `used` elements with capacity *cap (doubles it).
 */
void *vt_mem_room(void *p, size_t used, size_t *cap, size_t sz);

/* Appends VALUE to the array PTR with fields PTR##_cnt and PTR##_cap beside it. */
#define VT_PUSH(ptr, value)                                                                        \
  do {                                                                                             \
    (ptr) = vt_mem_room((ptr), ptr##_cnt, &ptr##_cap, sizeof *(ptr));                              \
    (ptr)[ptr##_cnt++] = (value);                                                                  \
  } while (0)

/* The same for an array that is a table: it does not copy when it is large, and is freed by
   vt_mem_table_free with PTR##_cap. */
#define VT_TABLE_PUSH(ptr, value)                                                                  \
  do {                                                                                             \
    if (ptr##_cnt == ptr##_cap) {                                                                  \
      size_t cap_ = ptr##_cap ? 2 * ptr##_cap : 64;                                                \
      (ptr) = vt_mem_table_grow((ptr), ptr##_cap, cap_, sizeof *(ptr));                            \
      ptr##_cap = cap_;                                                                            \
    }                                                                                              \
    (ptr)[ptr##_cnt++] = (value);                                                                  \
  } while (0)

#endif
