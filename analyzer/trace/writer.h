/* Writing the chunks of a trace file.

   Chunks are gathered in memory and written in large pieces. After a failure (disk full, say) the
   file is cut to whole chunks, so that 8 KiB of last words find room, further chunks are only numbered, and
   vt_writer_failed tells: readers see by the numbers that some are missing. The file is locked while it is written
   (docs/trace-format.md). Not thread safe. */
#ifndef VT_ANALYZER_TRACE_WRITER_H
#define VT_ANALYZER_TRACE_WRITER_H

#include <stddef.h>
#include <stdint.h>
#include "analyzer/cli/error.h"
#include "analyzer/trace/bytes.h"
#include "analyzer/trace/header.h"

typedef struct vt_writer vt_writer_t;

/* vt_writer_open creates a trace that is being recorded, see vt_output_trace. Returns NULL and *error
   on failure. */
vt_writer_t *vt_writer_open(char const *path, vt_error_t *error);

/* vt_writer_on writes to an empty file that is open for reading and writing; takes the descriptor over.
   `path`: its name. */
vt_writer_t *vt_writer_on(int fd, char const *path);

/* vt_writer_append opens a finished trace (no link) to add chunks, numbered from `sequence` on. */
vt_writer_t *vt_writer_append(char const *path, uint32_t sequence, vt_error_t *error);

/* vt_writer_header writes the header, first of all; a later call rewrites it in place (strings
   must have the same lengths). */
void vt_writer_header(vt_writer_t *w, vt_header_t const *h);

/* vt_writer_chunk appends a chunk; flags may have VT_CHUNK_FLAG_ZSTD to have the payload compressed
   when that makes it smaller. */
void vt_writer_chunk(vt_writer_t *w, vt_chunk_type_t type, uint16_t flags, uint32_t stream,
                     uint8_t const *payload, size_t sz);

/* vt_writer_copy appends a chunk whose payload is as stored in another trace: flags are kept. */
void vt_writer_copy(vt_writer_t *w, uint16_t type, uint16_t flags, uint32_t stream,
                    uint8_t const *payload, size_t sz);

/* vt_writer_skip leaves out `cnt` numbers: readers see that so many chunks are missing. */
void vt_writer_skip(vt_writer_t *w, uint32_t cnt);

/* vt_writer_resume has chunks written again after a failure, behind what is whole: a few last words
   find room where much did not, unless somebody else has taken it. */
void vt_writer_resume(vt_writer_t *w);

/* vt_writer_limit keeps the file at `max` bytes or less (0: no limit) from here on: the first chunk that does not fit
   and all that follow are left out, and not numbered, until the limit is set anew. vt_writer_full: were any? */
void vt_writer_limit(vt_writer_t *w, uint64_t max);
int vt_writer_full(vt_writer_t const *w);

/* vt_writer_flush hands what is gathered to the kernel. */
void vt_writer_flush(vt_writer_t *w);

/* vt_writer_failed is 0 or the errno of the first failed write. */
int vt_writer_failed(vt_writer_t const *w);

/* vt_writer_bytes is the size of the file so far. */
uint64_t vt_writer_bytes(vt_writer_t const *w);
char const *vt_writer_path(vt_writer_t const *w);

/* vt_writer_close flushes, closes and frees; returns vt_writer_failed. */
int vt_writer_close(vt_writer_t *w);

#endif
