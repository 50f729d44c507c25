/* A table of rows of one size that are found by the key they begin with, numbered in the order in which they were
   made. Key and row lie together, so that finding a row touches two places of memory and no more. */
#ifndef VT_ANALYZER_UTIL_KEYED_H
#define VT_ANALYZER_UTIL_KEYED_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
  size_t row_sz, key_sz; /* set by who makes the table, with all else 0; keys are of uint32_t, rows aligned for them */
  char *rows;
  size_t cnt, cap;
  uint32_t *slots; /* number + 1; 0 is free */
  size_t slots_cnt;
} vt_keyed_t;

/* The row with this key; a new one, all zero behind its key, if there is none. Valid until the next call for this
   table. */
void *vt_keyed_row(vt_keyed_t *table, void const *key);
/* Frees what the table has, and leaves it empty. */
void vt_keyed_clear(vt_keyed_t *table);

#endif
