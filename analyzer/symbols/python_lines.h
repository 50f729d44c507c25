/* Lines of Python's code objects: from a position in the code to a line of the source. */
#ifndef VT_ANALYZER_SYMBOLS_PYTHON_LINES_H
#define VT_ANALYZER_SYMBOLS_PYTHON_LINES_H

#include <stddef.h>
#include <stdint.h>

/* vt_python_line is the line of a code unit (2 bytes), counted from 0, by a table of a kind
   (VT_LINES_… in trace_format.h); 0: it has none, or the table does not say. Tables may be damaged:
   nothing behind their end is read. No state, no memory. */
uint32_t vt_python_line(uint32_t kind, uint32_t first_line, uint8_t const *table, size_t sz,
                        uint32_t position);

#endif
