/* Making a packed trace from any readable one. */
#ifndef VT_ANALYZER_TRACE_PACK_H
#define VT_ANALYZER_TRACE_PACK_H

#include "analyzer/cli/error.h"
#include "analyzer/symbols/symbols.h"

/* vt_pack reads the trace `from`, raw or packed, and writes it packed to `to` (another file), with
   symbols embedded unless `search` is NULL. Events, stacks, messages and counters are the same; heap numbers
   and epochs too. A torn or damaged source, or one that is still being recorded, gives a trace without END; the latter cannot be
   replaced. Returns VT_EXIT_OK, or _INPUT, _OUTPUT or _USAGE with *error filled. */
int vt_pack(char const *from, char const *to, vt_symbols_search_t const *search,
            vt_error_t *error);

#endif
