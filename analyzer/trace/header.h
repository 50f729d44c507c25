/* The header of a trace file: reading it with one clear reason when it is none, and writing it. */
#ifndef VT_ANALYZER_TRACE_HEADER_H
#define VT_ANALYZER_TRACE_HEADER_H

#include <stddef.h>
#include <stdint.h>
#include "analyzer/cli/error.h"
#include "analyzer/trace/bytes.h"

/* Strings point into the bytes that were parsed, or to whatever the caller set. */
typedef struct {
  uint64_t required, optional;
  uint16_t writer_version;
  uint16_t arch;
  uint8_t endian, pointer_sz;
  uint32_t page_sz, pid, ppid;
  uint64_t image, tick_hz, start_tick, start_unix_ns, sample_period;
  uint32_t flags, time_shift;
  char const *host, *executable, *command; /* command: arguments, each ended by a zero byte */
  char const *started;                     /* the path given to exec; "": not known */
  uint32_t host_sz, executable_sz, command_sz, started_sz;
} vt_header_t;

/* vt_header_parse reads a header from the first sz bytes of a file. Returns its size in bytes, or 0
   and *error (what = path). */
uint32_t vt_header_parse(vt_header_t *h, char const *path, uint8_t const *p, size_t sz,
                         vt_error_t *error);

/* vt_header_encode appends the header to out; its size depends on the strings only. */
void vt_header_encode(vt_header_t const *h, vt_bytes_t *out);

#endif
