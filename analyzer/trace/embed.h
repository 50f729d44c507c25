/* Embedding symbols into a finished trace, so that it opens anywhere. */
#ifndef VT_ANALYZER_TRACE_EMBED_H
#define VT_ANALYZER_TRACE_EMBED_H

#include "analyzer/cli/error.h"
#include "analyzer/symbols/symbols.h"
#include "analyzer/trace/reader.h"

/* vt_embed_module registers the i-th module of a trace in the store and returns its number there. */
uint32_t vt_embed_module(vt_symbols_t *store, vt_reader_t const *r, size_t i);

/* vt_embed_symbols looks up every code address of the packed trace `path` in `store` (which keeps
   what it finds for the next trace) and appends a SYMBOLS chunk. Returns 0, or -1 and *error when
   the trace cannot be read or written; the trace is good without symbols then. */
int vt_embed_symbols(char const *path, vt_symbols_t *store, vt_error_t *error);

#endif
