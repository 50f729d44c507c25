/* What the collector does when a module's message arrives: it opens the file, which may be gone, or
   another one, when symbols are looked up. */
#ifndef VT_ANALYZER_COLLECTOR_MODULE_H
#define VT_ANALYZER_COLLECTOR_MODULE_H

#include <sys/types.h>
#include "analyzer/symbols/symbols.h"
#include "analyzer/trace/header.h"

/* vt_module_arrives opens the file of a MODULE message through the own root of `process` and registers
   it in `symbols`. The message is hostile; one that makes no sense is left alone. */
void vt_module_arrives(vt_symbols_t *symbols, pid_t process, vt_header_t const *header,
                       uint8_t const *message, uint32_t sz);

#endif
