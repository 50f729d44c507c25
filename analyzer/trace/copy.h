/* Copying chunks from one trace to another as they are stored, with new numbers. */
#ifndef VT_ANALYZER_TRACE_COPY_H
#define VT_ANALYZER_TRACE_COPY_H

#include "analyzer/trace/writer.h"

/* vt_copy_chunks appends the chunks of [from,to) of a file to another, those for which `wanted` (NULL: all) returns not 0;
   it is given the payload as stored. Returns 0, or -1 when one of them is not intact. */
int vt_copy_chunks(int fd, uint64_t from, uint64_t to, vt_writer_t *writer,
                   int (*wanted)(void *context, uint16_t type, uint8_t const *payload, size_t sz), void *context);

#endif
