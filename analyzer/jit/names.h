/* Names of generated code on their way into a trace: the payload of JIT chunks (docs/trace-format.md). */
#ifndef VT_ANALYZER_JIT_NAMES_H
#define VT_ANALYZER_JIT_NAMES_H

#include "analyzer/trace/bytes.h"

typedef struct {
  vt_bytes_t bytes; /* a payload but for its number of entries; empty: there is none */
  uint32_t cnt;
} vt_jit_names_t;

/* One piece of code and since when, in clock ticks, it has that name. */
typedef struct {
  uint64_t tick, address, size;
  char const *name; /* not terminated */
  size_t name_sz;
} vt_jit_name_t;

/* vt_jit_names_add appends an entry; one that cannot be code (no name, no size, an address that is not
   of a program) is left out, a name of more than 4,096 bytes is cut. */
void vt_jit_names_add(vt_jit_names_t *names, vt_jit_name_t const *name);

/* vt_jit_names_payload completes the payload and returns it; owned by *names, to be emptied with
   vt_jit_names_clear. */
vt_bytes_t const *vt_jit_names_payload(vt_jit_names_t *names);
void vt_jit_names_clear(vt_jit_names_t *names);

/* vt_perf_map_read takes the whole lines of a piece of a perf map ("ADDRESS SIZE NAME", numbers in hex)
   and returns how many bytes these are. Lines of another form are skipped. */
size_t vt_perf_map_read(vt_jit_names_t *names, char const *text, size_t sz, uint64_t tick);

#endif
