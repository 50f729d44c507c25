/* Levenshtein's distance by rows; see nearest.h. */
#include "analyzer/util/nearest.h"
#include <ctype.h>
#include <limits.h>
#include <string.h>

vt_nearest_t vt_nearest_start(char const *word) {
  return (vt_nearest_t){.word = word, .distance = UINT_MAX};
}

static unsigned least(unsigned a, unsigned b, unsigned c) {
  unsigned low = a < b ? a : b;
  return low < c ? low : c;
}

static unsigned distance(char const *a, size_t a_sz, char const *b, size_t b_sz) {
  unsigned row[VT_NEAREST_SZ];
  for (unsigned k = 0; k <= b_sz; k++) row[k] = k;
  for (size_t i = 0; i < a_sz; i++) {
    unsigned corner = row[0]++;
    for (size_t k = 0; k < b_sz; k++) {
      int differs = tolower((unsigned char)a[i]) != tolower((unsigned char)b[k]);
      unsigned here = least(row[k] + 1, row[k + 1] + 1, corner + (unsigned)differs);
      corner = row[k + 1];
      row[k + 1] = here;
    }
  }
  return row[b_sz];
}

void vt_nearest_offer(vt_nearest_t *nearest, char const *name, size_t sz) {
  size_t word_sz = strlen(nearest->word);
  if (!sz || sz >= VT_NEAREST_SZ || word_sz >= VT_NEAREST_SZ) return;
  unsigned found = distance(nearest->word, word_sz, name, sz);
  if (found >= nearest->distance) return;
  nearest->distance = found;
  memcpy(nearest->best, name, sz);
  nearest->best[sz] = 0;
}

char const *vt_nearest_get(vt_nearest_t const *nearest) {
  size_t sz = strlen(nearest->word);
  unsigned far = sz < 4 ? 1 : sz < 9 ? 2 : (unsigned)(sz / 3);
  return nearest->distance && nearest->distance <= far ? nearest->best : NULL;
}
