/* "Did you mean …": the name among many that a mistyped word is nearest to, by the number of
   letters to insert, remove or change (Levenshtein's distance, case ignored). */
#ifndef VT_ANALYZER_UTIL_NEAREST_H
#define VT_ANALYZER_UTIL_NEAREST_H

#include <stddef.h>

#define VT_NEAREST_SZ 80 /* longer names are not offered: nobody mistypes them */

typedef struct {
  char const *word;
  unsigned distance; /* of `best` */
  char best[VT_NEAREST_SZ];
} vt_nearest_t;

/* Starts a search for what `word` (not copied) may have meant. */
vt_nearest_t vt_nearest_start(char const *word);

/* Offers a name of sz bytes. */
void vt_nearest_offer(vt_nearest_t *nearest, char const *name, size_t sz);

/* The nearest name offered, or NULL when none is near: more than one letter in three differs, or
   the word is one of them. */
char const *vt_nearest_get(vt_nearest_t const *nearest);

#endif
