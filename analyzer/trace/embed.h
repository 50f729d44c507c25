/* Embedding symbols into a finished trace, so that it opens anywhere. */
#ifndef VT_ANALYZER_TRACE_EMBED_H
#define VT_ANALYZER_TRACE_EMBED_H

#include "analyzer/cli/error.h"
#include "analyzer/symbols/symbols.h"
#include "analyzer/trace/reader.h"

/* vt_embed_module registers the i-th module of a trace in the store and returns its number there. */
uint32_t vt_embed_module(vt_symbols_t *store, vt_reader_t const *r, size_t i);

/* A packed trace that gets its symbols. */
typedef struct {
  char const *path;
  uint64_t max; /* size of the file with its symbols: if they do not fit it has none; 0: no limit */
  int failed; /* out: it could not be read or written, see `error`; it is good without symbols then */
  vt_error_t error;
} vt_embed_t;

/* vt_embed_traces looks up every code address of the traces in `store`, which keeps what it finds, and
   appends a SYMBOLS chunk to each. What many traces have in common is looked up once. */
void vt_embed_traces(vt_embed_t *traces, size_t cnt, vt_symbols_t *store);

/* vt_embed_symbols is the same for one trace. Returns 0, or -1 and *error. */
int vt_embed_symbols(char const *path, vt_symbols_t *store, vt_error_t *error);

#endif
