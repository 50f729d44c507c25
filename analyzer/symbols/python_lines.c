/* See python_lines.h. The tables are described in CPython's sources: Objects/lnotab_notes.txt of 3.9
   and 3.10, Objects/locations.md of 3.11. */
#include "analyzer/symbols/python_lines.h"
#include "valtrace/trace_format.h"

#define NO_LINE (-128) /* a step in a table of ranges */

/* Forms of an entry of a location table (bits 3 to 6 of its first byte). */
enum { FORM_ONE_LINE = 10, FORM_NO_COLUMNS = 13, FORM_LONG = 14, FORM_NONE = 15 };

typedef struct {
  uint8_t const *at, *end;
} bytes_t;

static uint32_t next(bytes_t *b) { return b->at < b->end ? *b->at++ : 0; }

/* varint: six bits a byte, lowest first, bit 6: there are more. */
static uint32_t varint(bytes_t *b) {
  uint32_t value = 0, byte = 64;
  for (uint32_t shift = 0; byte & 64; shift += 6) {
    byte = next(b);
    if (shift < 32) value |= (byte & 63) << shift;
  }
  return value;
}

static int64_t signed_varint(bytes_t *b) {
  uint32_t value = varint(b);
  return value & 1 ? -(int64_t)(value >> 1) : (int64_t)(value >> 1);
}

/* Steps of bytes and lines: the line steps before its range begins. */
static int64_t by_steps(bytes_t b, int64_t line, uint64_t at) {
  uint64_t reached = 0;
  while (b.end - b.at >= 2) {
    reached += *b.at;
    if (reached > at) break;
    line += (int8_t)b.at[1];
    b.at += 2;
  }
  return line;
}

static int64_t by_ranges(bytes_t b, int64_t line, uint64_t at) {
  uint64_t reached = 0;
  for (; b.end - b.at >= 2; b.at += 2) {
    int step = (int8_t)b.at[1];
    if (step != NO_LINE) line += step;
    reached += *b.at;
    if (reached > at) return step == NO_LINE ? 0 : line;
  }
  return 0;
}

static int64_t by_locations(bytes_t b, int64_t line, uint32_t position) {
  uint64_t reached = 0;
  while (b.at < b.end) {
    uint32_t head = next(&b), form = head >> 3 & 15;
    if (form == FORM_LONG || form == FORM_NO_COLUMNS)
      line += signed_varint(&b);
    else if (form >= FORM_ONE_LINE && form < FORM_NO_COLUMNS)
      line += form - FORM_ONE_LINE;
    for (int i = 0; form == FORM_LONG && i < 3; i++) varint(&b);
    if (form < FORM_NO_COLUMNS) next(&b);
    if (form >= FORM_ONE_LINE && form < FORM_NO_COLUMNS) next(&b);
    reached += (head & 7) + 1;
    if (reached > position) return form == FORM_NONE ? 0 : line;
  }
  return 0;
}

uint32_t vt_python_line(uint32_t kind, uint32_t first_line, uint8_t const *table, size_t sz,
                        uint32_t position) {
  bytes_t b = {table, table + sz};
  int64_t line = kind == VT_LINES_LNOTAB   ? by_steps(b, first_line, 2 * (uint64_t)position)
                 : kind == VT_LINES_RANGES ? by_ranges(b, first_line, 2 * (uint64_t)position)
                 : kind == VT_LINES_LOCATIONS ? by_locations(b, first_line, position)
                                              : 0;
  return line > 0 && line <= INT32_MAX ? (uint32_t)line : 0;
}
