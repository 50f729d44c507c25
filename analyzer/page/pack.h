/* Numbers in a small space: LEB128 in order, compressed (zlib), in base64. The form in which the
   HTML page holds its tables; a browser unpacks it by itself. */
#ifndef VT_ANALYZER_PAGE_PACK_H
#define VT_ANALYZER_PAGE_PACK_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
  uint8_t *bytes; /* owned: free it */
  size_t bytes_cnt, bytes_cap;
} vt_page_pack_t;

void vt_page_put(vt_page_pack_t *pack, uint64_t value);
void vt_page_put_bytes(vt_page_pack_t *pack, void const *from, size_t sz);

/* What was put, as text of a JSON string: the caller frees it. Its length is strlen. */
char *vt_page_packed(vt_page_pack_t const *pack);

#endif
