/* See copy.h. */
#include "analyzer/trace/copy.h"
#include "analyzer/trace/reader_private.h"

int vt_copy_chunks(int fd, uint64_t from, uint64_t to, vt_writer_t *writer,
                   int (*wanted)(void *context, uint16_t type, uint8_t const *payload, size_t sz), void *context) {
  vt_reader_t file = {.fd = fd, .file_sz = to};
  vt_bytes_t payload = {0};
  vt_chunk_t c;
  int failed = 0;
  for (; from < to && !failed; from = vt_chunk_end(&c)) {
    failed = vt_chunk_header(&file, from, &c) || vt_chunk_payload(&file, &c, &payload);
    if (!failed && (!wanted || wanted(context, c.type, payload.data, payload.sz)))
      vt_writer_copy(writer, c.type, c.flags, c.writer, payload.data, payload.sz);
  }
  vt_bytes_free(&payload);
  return failed ? -1 : 0;
}
