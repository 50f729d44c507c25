/* Memory for the analyzer; see mem.h for the policy on exhaustion. */
#include "analyzer/util/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *check(void *p, size_t cnt, size_t sz) {
  if (p || !cnt || !sz) return p;
  fprintf(
      stderr,
      "valtrace: out of memory: %zu elements of %zu bytes (use filters, or a machine with more)\n",
      cnt, sz);
  _Exit(4);
}

void *vt_mem_new(size_t cnt, size_t sz) { return check(calloc(cnt, sz), cnt, sz); }

void *vt_mem_resize(void *p, size_t cnt, size_t sz) {
  return check(reallocarray(p, cnt ? cnt : 1, sz), cnt ? cnt : 1, sz);
}

void *vt_mem_resize_lines(void *p, size_t used, size_t cnt, size_t sz) {
  void *lines = check(aligned_alloc(VT_MEM_LINE, cnt * sz), cnt, sz);
  if (used) memcpy(lines, p, used * sz);
  free(p);
  return lines;
}

char *vt_mem_copy(void const *p, size_t sz) {
  char *copy = vt_mem_new(sz + 1, 1);
  if (sz) memcpy(copy, p, sz);
  return copy;
}

void *vt_mem_room(void *p, size_t used, size_t *cap, size_t sz) {
  if (used < *cap) return p;
  *cap = *cap ? 2 * *cap : 16;
  return vt_mem_resize(p, *cap, sz);
}
