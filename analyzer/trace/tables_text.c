/* What tables own: texts and arrays that go with the reader. */
#include "analyzer/trace/reader_private.h"

void *vt_tables_own(vt_tables_t *t, void *p) {
  VT_PUSH(t->owned, p);
  return p;
}

char *vt_tables_text(vt_tables_t *t, void const *p, size_t sz) {
  return vt_tables_own(t, vt_mem_copy(p ? p : "", sz));
}
